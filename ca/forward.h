/*
 * A command of the operator's program, carried out by the daemon that has the CA open.
 */
#ifndef SETPAY_CA_FORWARD_H
#define SETPAY_CA_FORWARD_H

#include "ca/cli.h"
#include "common/net/control_server.h"

/* The daemon's administration socket, in the CA's folder. */
#define SETPAY_CA_SOCKET "cad.sock"

/* Asks the daemon; its words go to command->out, its result becomes command->result. Files that the
 * options name are read and written by the daemon, as the same user. */
enum setpay_error setpay_ca_forward(const struct setpay_ca_command_row *row,
                                    struct setpay_ca_command *command) SETPAY_MUST_CHECK;

/* In the daemon, on the registrar's thread: what forward has asked. args and problem must outlive
 * it. SETPAY_E_USAGE, SETPAY_E_NOMEM. */
struct setpay_ca_forwarded;
enum setpay_error setpay_ca_forwarded_new(struct setpay_ca *ca, const json_t *args,
                                          struct setpay_ca_forwarded **forwarded,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Does it, or a part of it: *unfinished says that it is to be called again. *reply is a new object
 * once it is finished. */
enum setpay_error setpay_ca_forwarded_run(struct setpay_ca_forwarded *forwarded, bool *unfinished,
                                          json_t **reply) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_ca_forwarded_free(struct setpay_ca_forwarded *forwarded);

#endif
