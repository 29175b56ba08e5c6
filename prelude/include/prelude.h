#pragma once

/// One file of the prelude: its path inside `prelude/`, and its text.
typedef struct {
  const char *path;
  const unsigned char *bytes;
  unsigned long count;
} sx_prelude_entry;

unsigned long sx_prelude_file_count(void);
sx_prelude_entry sx_prelude_file(unsigned long index);
