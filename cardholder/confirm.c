/*
 * pay.confirm: from what the person has agreed to to a purchase that is signed and stored.
 *
 * What always holds: nothing is signed but an offer that pay.prepare showed, for the amount and the
 * merchant that were agreed to (rules W2, W4), and nothing leaves before it is stored (rule W5).
 * Where a spending rule is said to have agreed, it is asked before signing, and once more in the
 * operation that stores the purchase and counts it: of two that it does not cover together, the
 * second is not stored, and so goes nowhere.
 */
#include "cardholder/agreement.h"
#include "cardholder/rule.h"

#include "common/base/testing.h"

#include <stdlib.h>
#include <string.h>

/* A purchase between being signed and being stored. */
struct signing {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    struct setpay_wallet_purchase purchase;
    bool insists;
    int64_t rule; /* that agreed; 0: the person did */
    struct setpay_wallet_spending spending;
    struct setpay_problem problem;
};

static void signing_free(struct signing *signing)
{
    if (signing == NULL)
        return;
    setpay_wallet_purchase_clear(&signing->purchase);
    free(signing);
}

static enum setpay_error store_purchase(struct setpay_db *db, void *arg)
{
    struct signing *signing = arg;
    SETPAY_TRY(setpay_wallet_store_add_purchase(db, &signing->purchase, signing->insists));
    if (signing->rule == 0)
        return SETPAY_OK;
    /* rule W4 */
    return setpay_wallet_rule_take(db, signing->rule, &signing->spending, &signing->purchase.xid,
                                   &signing->problem);
}

/* Rule W5: only now may it leave. */
static void on_stored(void *arg, enum setpay_error error)
{
    struct signing *signing = arg;
    struct setpay_wallet *wallet = signing->wallet;
    struct setpay_id xid = signing->purchase.xid;
    if (error != SETPAY_OK) {
        if (error == SETPAY_E_KEY_DESTROYED)
            setpay_problem_set(&signing->problem, error,
                               "the card was renewed or removed at this very moment; nothing was "
                               "sent: give the same command again");
        if (error == SETPAY_E_NOT_AGREED)
            setpay_log_error(error, "rule.refused", setpay_field_id("xid", &xid),
                             setpay_field_int("spending_rule", signing->rule));
        setpay_wallet_fail(signing->call, error, &signing->problem);
        signing_free(signing);
        return;
    }
    char text[SETPAY_ID_TEXT_SIZE];
    setpay_log(SETPAY_LOG_INFO, "purchase.stored", setpay_field_id("xid", &xid),
               setpay_field_text("merchant", signing->purchase.merchant_id),
               setpay_field_money("amount", &signing->purchase.amount),
               setpay_field_int("spending_rule", signing->rule));
    setpay_testing_point("wallet.stored");
    setpay_control_progress(signing->call, json_pack("{s:s, s:s}", "stage", "stored", "xid",
                                                     setpay_id_format(&xid, text)));
    setpay_wallet_pursue(wallet, &xid, true);
    setpay_wallet_pursue_wait(wallet, &xid, signing->call, wallet->answer_wait_ms);
    signing_free(signing);
}

struct agreed {
    struct setpay_id xid;
    struct setpay_money amount;
    const char *merchant_id;
    const char *terms; /* in the words that were shown; NULL: not said */
    bool insist;       /* on a second purchase of the link (rule W7) */
    int64_t rule;      /* by which that was agreed to; 0: by the person */
    struct setpay_secret security_code;
};

static enum setpay_error read_agreed(const json_t *args, struct agreed *agreed,
                                     struct setpay_problem *problem)
{
    static const char *const names[] = {"xid",         "amount",        "currency",
                                        "merchant_id", "security_code", "insist",
                                        "terms",       "rule",          NULL};
    const char *xid = NULL, *currency = NULL;
    int64_t minor = 0;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "xid", true, &xid, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "amount", true, 1, SETPAY_MONEY_MAX_MINOR, &minor, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "currency", true, &currency, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", true, &agreed->merchant_id, problem));
    SETPAY_TRY(
        setpay_json_arg_secret(args, "security_code", false, &agreed->security_code, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "insist", false, &agreed->insist, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "terms", false, &agreed->terms, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "rule", false, 1, INT64_MAX, &agreed->rule, problem));
    SETPAY_TRY(setpay_money_make(minor, currency, &agreed->amount));
    if (setpay_id_parse(xid, &agreed->xid) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "xid: expected 32 hex digits");
    bool digits = agreed->security_code.size == 0 || agreed->security_code.size == 3 ||
                  agreed->security_code.size == 4;
    for (size_t i = 0; i < agreed->security_code.size && digits; i++)
        digits = agreed->security_code.data[i] >= '0' && agreed->security_code.data[i] <= '9';
    return digits ? SETPAY_OK
                  : setpay_problem_set(problem, SETPAY_E_INVALID,
                                       "security_code: expected 3 or 4 digits");
}

struct asked_rule {
    int64_t number;
    const struct setpay_wallet_spending *spending;
    struct setpay_problem *problem;
};

static enum setpay_error ask_rule(struct setpay_db *db, void *arg)
{
    const struct asked_rule *asked = arg;
    struct setpay_wallet_rule rule;
    return setpay_wallet_rule_decide(db, asked->number, asked->spending, &rule, asked->problem);
}

/* Rule W4: nothing is signed that the rule does not agree to as things are now. What the person was
 * to insist on, no rule may (rules W7, W8). */
static enum setpay_error check_rule(struct setpay_wallet *wallet,
                                    const struct setpay_wallet_prepared *offer,
                                    const struct agreed *agreed,
                                    struct setpay_wallet_spending *spending, setpay_time_ms now_ms,
                                    struct setpay_problem *problem)
{
    struct asked_rule asked = {.number = agreed->rule, .spending = spending, .problem = problem};
    setpay_wallet_rule_spending(offer, now_ms, spending);
    if (agreed->rule == 0)
        return SETPAY_OK;
    enum setpay_error error =
        offer->insists || agreed->insist
            ? setpay_problem_set(problem, SETPAY_E_NOT_AGREED,
                                 "no rule agrees to what may be charged twice")
            : setpay_store_read(wallet->reader, ask_rule, &asked);
    if (error != SETPAY_OK)
        setpay_log_error(error, "rule.refused", setpay_field_id("xid", &agreed->xid),
                         setpay_field_int("spending_rule", agreed->rule));
    return error;
}

static enum setpay_error confirm(struct setpay_wallet *wallet, struct setpay_control_call *call,
                                 const struct agreed *agreed, struct setpay_problem *problem)
{
    struct setpay_wallet_card card = {0};
    char card_id[SETPAY_ID_TEXT_SIZE];
    setpay_time_ms now_ms = setpay_clock_now_ms();
    struct setpay_wallet_prepared *offer = setpay_wallet_prepared_find(wallet, &agreed->xid);
    if (offer == NULL)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "no such offer is prepared (any more); look at the link again");
    if (setpay_wallet_is_locked(wallet))
        return SETPAY_E_LOCKED;
    /* rules W2, W4 */
    SETPAY_TRY(setpay_wallet_offer_check_agreed(&offer->content, &agreed->amount,
                                                agreed->merchant_id, now_ms));
    SETPAY_TRY(setpay_wallet_terms_check_agreed(&offer->content.terms, &offer->content.amount,
                                                agreed->terms));
    struct setpay_wallet_spending spending;
    SETPAY_TRY(check_rule(wallet, offer, agreed, &spending, now_ms, problem));
    struct signing *signing = calloc(1, sizeof *signing);
    if (signing == NULL)
        return SETPAY_E_NOMEM;
    signing->wallet = wallet;
    signing->call = call;
    signing->insists = offer->insists && agreed->insist; /* rule W7: seen, and said again */
    signing->rule = agreed->rule;
    signing->spending = spending;
    setpay_wallet_purchase_init(&signing->purchase);
    setpay_control_progress(call, json_pack("{s:s}", "stage", "signing"));
    enum setpay_error error =
        setpay_wallet_choose_card(wallet, setpay_id_format(&offer->card, card_id), &card, problem);
    if (error == SETPAY_OK)
        error = setpay_wallet_sign(wallet, offer, &card, &agreed->security_code, now_ms,
                                   &signing->purchase);
    setpay_wallet_card_clear(&card);
    if (error == SETPAY_OK)
        error = setpay_store_submit(wallet->store, store_purchase, on_stored, signing,
                                    &wallet->executor);
    if (error != SETPAY_OK) {
        signing_free(signing);
        return error;
    }
    setpay_wallet_prepared_drop(wallet, offer); /* once */
    return SETPAY_OK;
}

void setpay_wallet_on_pay_confirm(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_problem problem = {{0}};
    struct agreed agreed = {0};
    enum setpay_error error = read_agreed(args, &agreed, &problem);
    if (error == SETPAY_OK)
        error = confirm(arg, call, &agreed, &problem);
    setpay_secret_clear(&agreed.security_code);
    if (error != SETPAY_OK)
        setpay_wallet_fail(call, error, &problem);
}
