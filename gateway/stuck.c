/*
 * Why something that waits for an issuer can't be sent, and whether a person may give it up.
 */
#include "gateway/stuck.h"

#include "common/net/control_json.h"
#include "gateway/clearing/presentment.h"
#include "gateway/network/network.h"
#include "gateway/payment/stand_in.h"

#include <string.h>

/* What is opened is only for the trial. */
static bool opens_box(const struct setpay_vault *vault, enum setpay_vault_column column,
                      const struct setpay_id *xid, struct setpay_view box)
{
    struct setpay_secret plain = {0};
    enum setpay_error error = setpay_vault_open_box(vault, column, xid, box, &plain);
    setpay_secret_clear(&plain);
    return error != SETPAY_E_CRYPTO; /* any other is of the moment */
}

bool setpay_gateway_card_opens(const struct setpay_vault *vault, const struct setpay_id *xid,
                               struct setpay_view pan, struct setpay_view expiry)
{
    return vault == NULL || (opens_box(vault, SETPAY_VAULT_PAN, xid, pan) &&
                             opens_box(vault, SETPAY_VAULT_EXPIRY, xid, expiry));
}

bool setpay_gateway_issuer_is_known(const json_t *args, const char *issuer)
{
    size_t index;
    const json_t *name, *issuers = json_object_get(args, "issuers");
    json_array_foreach(issuers, index, name)
    {
        if (strcmp(json_string_value(name), issuer) == 0)
            return true;
    }
    return issuers == NULL || issuer[0] == '\0'; /* that: its card tells where it goes */
}

const char *setpay_gateway_stuck_words(bool has_card, bool opens, bool has_issuer)
{
    return !has_card     ? "stuck: its card is gone"
           : !opens      ? "stuck: its card is sealed under another key"
           : !has_issuer ? "stuck: its issuer is not in the configuration"
                         : "waits for its issuer";
}

/* Of each issuer: how many there are, how many of them nothing but the sending is left to do for,
 * and of how many of these the card is gone. */
#define COUNTED(may_be_sent)                                                                       \
    ", COUNT(*), SUM(CASE WHEN " may_be_sent " THEN 1 ELSE 0 END), SUM(CASE WHEN " may_be_sent     \
    " AND kept_card.pan IS NULL THEN 1 ELSE 0 END)"
#define OF_CARD                                                                                    \
    " LEFT JOIN kept_card ON kept_card.payment_id = COALESCE(payment.first_id, payment.id)"
static const char *const unsent[] = {
    [SETPAY_GATEWAY_PRESENTMENTS] = "SELECT payment.issuer" COUNTED(
        "1 = 1") " FROM presentment JOIN step ON step.id = step_id"
                 " JOIN payment ON payment.id = step.payment_id" OF_CARD
                 " WHERE presentment.acknowledged = 0 GROUP BY payment.issuer",
    [SETPAY_GATEWAY_REVERSALS] = "SELECT payment.issuer" COUNTED("NOT " SETPAY_STAND_IN_IS_OPEN(
        "payment.id")) " FROM reversal JOIN payment ON payment.id = reversal.payment_id" OF_CARD
                       " WHERE reversal.acknowledged = 0 GROUP BY payment.issuer",
    [SETPAY_GATEWAY_ADVICES] = "SELECT stand_in.issuer" COUNTED(
        "1 = 1") " FROM stand_in LEFT JOIN kept_card"
                 " ON kept_card.payment_id = stand_in.payment_id WHERE stand_in.acknowledged = 0"
                 " GROUP BY stand_in.issuer",
};

enum setpay_error setpay_gateway_unsent_count(struct setpay_db *db, enum setpay_gateway_unsent kind,
                                              const json_t *args,
                                              struct setpay_gateway_unsent_count *count)
{
    struct setpay_gateway_unsent_count found = {0, 0};
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows, unsent[kind]));
    while (setpay_db_next(rows)) {
        char issuer[SETPAY_NETWORK_NAME_SIZE];
        setpay_db_get_text(rows, 0, issuer, sizeof issuer);
        bool is_known = setpay_gateway_issuer_is_known(args, issuer);
        int64_t stuck = setpay_db_get_int(rows, is_known ? 3 : 2);
        found.stuck += stuck;
        found.waiting += setpay_db_get_int(rows, 1) - stuck;
    }
    SETPAY_TRY(setpay_db_end(rows));
    *count = found;
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_give_up_read(const json_t *args,
                                              struct setpay_gateway_give_up *give_up,
                                              struct setpay_problem *problem)
{
    const char *const names[] = {give_up->what, "reason", "issuers", NULL};
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, give_up->what, true, 1, INT64_MAX, &give_up->id, problem));
    return setpay_json_arg_words(args, "reason", SETPAY_WRITE_OFF_REASON_SIZE, &give_up->reason,
                                 problem);
}

enum setpay_error setpay_gateway_give_up_check(const struct setpay_gateway_give_up *give_up,
                                               const struct setpay_gateway_standing *standing,
                                               struct setpay_problem *problem)
{
    if (setpay_presentment_check_write_off(standing->answered, !standing->stuck) == SETPAY_OK)
        return SETPAY_OK;
    if (standing->answered)
        return setpay_problem_set(
            problem, SETPAY_E_STATE, "%s %lld is %s: expected one that can't be sent",
            give_up->what, (long long)give_up->id,
            standing->written_off ? "written off already" : "answered by its issuer");
    return setpay_problem_set(problem, SETPAY_E_STATE,
                              "%s %lld waits for its issuer %s: expected one that can't be sent, "
                              "see %s list --stuck",
                              give_up->what, (long long)give_up->id, standing->issuer,
                              give_up->what);
}
