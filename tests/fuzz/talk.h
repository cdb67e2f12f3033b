/*
 * A client of a server on a loop in this process: for targets whose parser reads from a socket.
 */
#ifndef SETPAY_TESTS_FUZZ_TALK_H
#define SETPAY_TESTS_FUZZ_TALK_H

#include "common/base/bytes.h"

#include <stddef.h>

struct event_base;

/* A listening UNIX socket. */
int fuzz_listen(const char *path);

/*
 * Connects to path, sends bytes, and turns the loop until nothing moves any more; then tells the
 * server that no more will come, and turns on until it has closed. It must close: FUZZ_CHECK.
 * Returns what came back, a view of a buffer that lives until the next call.
 */
struct setpay_view fuzz_talk(struct event_base *base, const char *path, struct setpay_view bytes);

/* A folder of one's own in TMPDIR (else /dev/shm, else /tmp); removed with what is in it when the
 * program ends by itself. */
const char *fuzz_folder(void);

#endif
