/*
 * What presentments, reversals and advices have in common that wait for an issuer and can't be
 * sent: why not, and the end that a person gives one of them.
 */
#ifndef SETPAY_GATEWAY_STUCK_H
#define SETPAY_GATEWAY_STUCK_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/store/db.h"
#include "gateway/payment/vault.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Whether the boxes of a kept card can be opened: true also where there is no vault to try it with,
 * or it fails for reasons of the moment. */
bool setpay_gateway_card_opens(const struct setpay_vault *vault, const struct setpay_id *xid,
                               struct setpay_view pan, struct setpay_view expiry);
/* Whether that issuer is one of the member "issuers" of args, which who runs a command sets
 * (commands.h); true where there is none. */
bool setpay_gateway_issuer_is_known(const json_t *args, const char *issuer);
/* Why something can't be sent, for people; or that it waits. */
const char *setpay_gateway_stuck_words(bool has_card, bool opens, bool has_issuer);

/* What waits for issuers, of one kind. */
enum setpay_gateway_unsent {
    SETPAY_GATEWAY_PRESENTMENTS,
    SETPAY_GATEWAY_REVERSALS,
    SETPAY_GATEWAY_ADVICES
};
struct setpay_gateway_unsent_count {
    int64_t waiting; /* for their issuer, or behind the advice of their payment */
    int64_t stuck;   /* their card is gone, or their issuer */
};
/* Inside a read. args as above; NULL: all issuers are known. No card is opened for it, as a list of
 * them does to find those that can't be opened. Only what nobody has answered is looked at. */
enum setpay_error
setpay_gateway_unsent_count(struct setpay_db *db, enum setpay_gateway_unsent kind,
                            const json_t *args,
                            struct setpay_gateway_unsent_count *count) SETPAY_MUST_CHECK;

/* Which one a person gives up, and why. */
struct setpay_gateway_give_up {
    const char *what; /* "reversal": the member that has its number */
    int64_t id;
    const char *reason; /* of args */
};
/* what stands in it already. SETPAY_E_INVALID with words. */
enum setpay_error setpay_gateway_give_up_read(const json_t *args,
                                              struct setpay_gateway_give_up *give_up,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* How it stands. */
struct setpay_gateway_standing {
    bool answered, written_off, stuck;
    const char *issuer;
};
/* SETPAY_OK where it is stuck; SETPAY_E_STATE with words. */
enum setpay_error setpay_gateway_give_up_check(const struct setpay_gateway_give_up *give_up,
                                               const struct setpay_gateway_standing *standing,
                                               struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
