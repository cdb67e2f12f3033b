/*
 * A merchant's or a gateway's enrolment, as a command of its operator's program: keys and
 * certificates that the daemon's configuration names for a brand, from the authority over the
 * network, by a one-time token; or, a renewal, by the certificates that are in use.
 */
#ifndef SETPAY_NET_PARTY_ENROL_H
#define SETPAY_NET_PARTY_ENROL_H

#include "common/base/error.h"
#include "common/net/operator.h"
#include "common/net/party.h"

#include <jansson.h>
#include <stdbool.h>

/* --url URL --brand B, and --id TOKEN or --renew; --only: one of them, by its profile's name. The
 * token's secret comes from the terminal, or as the first line of standard input. Files that are
 * there stay as they are, but for a renewal; so the same command ends what was cut off. The result:
 * {"brand","id","certificates":[{"profile","file", "status": "issued", "renewed" or
 * "kept","expires"}],"lists"}. */
enum setpay_error setpay_party_enrol(const struct setpay_party *party,
                                     const struct setpay_config *config, const json_t *args,
                                     json_t **result,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_party_print_enrolled(const json_t *result);

extern const struct setpay_flag setpay_party_enrol_flags[];
#define SETPAY_PARTY_ENROL_USAGE "--url URL --brand B --id TOKEN | --renew [--only CERTIFICATE]"
#define SETPAY_PARTY_ENROL_HELP                                                                    \
    "get keys and certificates of a brand from its authority; --renew: new ones, by those in use"

#endif
