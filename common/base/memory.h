/*
 * Cleansing of all memory that is given back to the C library, by our own code and by every library
 * in the process (memory.c). Nothing needs to be called: being linked is enough.
 */
#ifndef SETPAY_BASE_MEMORY_H
#define SETPAY_BASE_MEMORY_H

#include <stdbool.h>

/* False under a sanitiser, and where the C library is not glibc. Calling it links memory.c. */
bool setpay_memory_is_cleansed(void);

#endif
