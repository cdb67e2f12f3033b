/*
 * What the files of the control server share: control_server.c (socket, connections, calls) and
 * control_builtin.c (the commands that every daemon has). Nobody else includes it.
 */
#ifndef SETPAY_NET_CONTROL_INTERNAL_H
#define SETPAY_NET_CONTROL_INTERNAL_H

#include "common/net/control_server.h"

/* Ends with a NULL name; the handlers' arg is the struct setpay_control_server. */
extern const struct setpay_control_command setpay_control_builtin[];

const struct setpay_control_options *
setpay_control_server_options(const struct setpay_control_server *server);
bool setpay_control_server_is_draining(const struct setpay_control_server *server);
int64_t
setpay_control_server_started_ms(const struct setpay_control_server *server); /* monotonic */

#endif
