#pragma once

/// The lowest usable address of the running thread's stack, or null when the system does not tell.
void *sx_native_stack_bottom(void);
