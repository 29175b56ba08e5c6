/* C, because Swift's import of the C library hides the functions that need _GNU_SOURCE. */
#define _GNU_SOURCE
#include "native_stack.h"
#include <pthread.h>
#include <stddef.h>

void *sx_native_stack_bottom(void) {
#ifdef __APPLE__
  pthread_t self = pthread_self();
  return (char *)pthread_get_stackaddr_np(self) - pthread_get_stacksize_np(self);
#else
  pthread_attr_t attributes;
  void *address = NULL;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return NULL;
  pthread_attr_getstack(&attributes, &address, &size);
  pthread_attr_destroy(&attributes);
  return address;
#endif
}
