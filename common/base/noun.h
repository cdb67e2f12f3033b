/*
 * What is counted, in words for people: "1 item", "2 items", "0 items".
 */
#ifndef SETPAY_BASE_NOUN_H
#define SETPAY_BASE_NOUN_H

#include <stdint.h>

/* The noun that goes with the count: one or many. Borrowed; pure. Also of a verb: "waits" and
 * "wait". */
const char *setpay_noun(int64_t count, const char *one, const char *many);

#endif
