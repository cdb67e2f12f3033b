/*
 * What a service manager hears from a daemon, in the protocol of sd_notify(3): states by datagram
 * to $NOTIFY_SOCKET, and signs of life where $WATCHDOG_USEC asks for them. Without these variables
 * nothing is sent and nothing fails.
 */
#ifndef SETPAY_NET_NOTIFY_H
#define SETPAY_NET_NOTIFY_H

#include "common/base/error.h"
#include "common/net/loop.h"

#include <stddef.h>

/* One datagram, "READY=1" or several lines of that kind. Any thread. */
void setpay_notify(const char *state);

/* How often $WATCHDOG_USEC wants a sign of life from this process, in microseconds; 0: not at all
 * ($WATCHDOG_PID names another one, or what is there is no number). */
int64_t setpay_notify_watchdog_us(void);

struct setpay_watchdog;

/*
 * Tells the service manager WATCHDOG=1 four times in each period, as long as every loop turns: each
 * of them is posted a question, and no sign is given while one has not answered the last. It runs
 * on the main loop, which so answers for itself. All loops are borrowed, and must outlive it.
 * *watchdog is NULL where nobody asks for signs. SETPAY_E_NOMEM.
 */
enum setpay_error setpay_watchdog_new(struct setpay_loop *main_loop,
                                      struct setpay_loop *const *loops, size_t count,
                                      struct setpay_watchdog **watchdog) SETPAY_MUST_CHECK;
/* After the loops have stopped, or on the main loop's thread while none of them runs. NULL-safe. */
void setpay_watchdog_free(struct setpay_watchdog *watchdog);

#endif
