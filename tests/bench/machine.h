/*
 * On what it was measured, and whether the machine had other things to do.
 */
#ifndef SETPAY_BENCH_MACHINE_H
#define SETPAY_BENCH_MACHINE_H

#include <jansson.h>

/* Processor, kernel, versions of the libraries, date, load. */
json_t *bench_machine(void);
void bench_machine_print(const json_t *machine);
/* Runnable by others, of each processor, over the last minute; says so where that is much. */
double bench_machine_load(void);

#endif
