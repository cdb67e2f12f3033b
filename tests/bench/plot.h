/*
 * Plots of what was found, as SVG: bars that lie beside or upon each other.
 */
#ifndef SETPAY_BENCH_PLOT_H
#define SETPAY_BENCH_PLOT_H

#include <jansson.h>

/* DIR/purchases.svg, cpu.svg and where.svg. */
void bench_plot_all(const json_t *all, const char *dir);

#endif
