/*
 * Time: int64 milliseconds since the Unix epoch, UTC. Protocol code takes the time as a parameter;
 * only the shells around it read this clock. A daemon under test (testing = yes) may move it.
 */
#ifndef SETPAY_BASE_CLOCK_H
#define SETPAY_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t setpay_time_ms;

#define SETPAY_SECOND_MS INT64_C(1000)
#define SETPAY_MINUTE_MS (60 * SETPAY_SECOND_MS)
#define SETPAY_HOUR_MS (60 * SETPAY_MINUTE_MS)
#define SETPAY_DAY_MS (24 * SETPAY_HOUR_MS)

/* The wall clock plus the offset of a test. Any thread. */
setpay_time_ms setpay_clock_now_ms(void);
/* Never goes back and ignores the offset: for time-outs and measurements. */
int64_t setpay_clock_monotonic_ms(void);
int64_t setpay_clock_monotonic_us(void);
/* The same, but it goes on while the machine sleeps: how long ago something was. */
int64_t setpay_clock_boot_ms(void);
/* Moves setpay_clock_now_ms by offset_ms from the true time. Only the testing hook calls it. */
void setpay_clock_set_offset_ms(int64_t offset_ms);
int64_t setpay_clock_offset_ms(void);

/*
 * A second clock: of another party, as it was heard. What can't be taken back (something is
 * forgotten, or given up) does not happen by our own clock alone, which may be ahead. All of any
 * thread. A program that has called setpay_clock_need_second needs one; for the others
 * setpay_clock_agreed_ms is the time that they give.
 */
void setpay_clock_need_second(bool needed);
/* What that clock says in this moment; it is taken to go on with setpay_clock_boot_ms. */
void setpay_clock_hear_ms(setpay_time_ms theirs_ms);
/* now_ms, or what the second clock says where that is earlier; 0 where it was never heard. */
setpay_time_ms setpay_clock_agreed_ms(setpay_time_ms now_ms);
/* True where that was earlier by ten seconds or more than what was asked about, since the clock was
 * heard and since the last call: it is to be heard anew. Before it is heard for the first time
 * nobody need be told so. */
bool setpay_clock_take_doubt(void);

/* "2026-11-23T18:41:11.042Z" into out; returns out. */
#define SETPAY_TIME_TEXT_SIZE 32
const char *setpay_time_format(setpay_time_ms time_ms, char *out);

#endif
