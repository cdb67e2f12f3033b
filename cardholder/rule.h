/*
 * Spending rules (rule W4): what a person has set that the wallet may sign without asking.
 *
 * A rule names a merchant as the certificate does that signs the offer (rules A3, W1): brand and
 * merchant id, never a host, whose name may go to somebody else. It permits single payments of up
 * to an amount, and up to a total in any 24 hours, in one currency; with one card where it names
 * one; until an end where it has one. Repeated, instalment and split terms it never covers.
 *
 * Vocabulary: a rule agrees to a spending or refuses it. The 24 hours end at the moment of signing:
 * no midnight at which two totals meet, no time zone, no change to summer time. What counts is what
 * rules have agreed to at that merchant, whichever they were, those removed since too, so that
 * rules set side by side or anew never add up; it counts from its signature on, and stops to count
 * only when the gateway's receipt says that nothing was taken.
 */
#ifndef SETPAY_CARDHOLDER_RULE_H
#define SETPAY_CARDHOLDER_RULE_H

#include "cardholder/wallet.h"

#define SETPAY_WALLET_RULES_MAX 64 /* at a time */

#define SETPAY_WALLET_RULE_SCHEMA                                                                  \
    "CREATE TABLE rule ("                                                                          \
    " number INTEGER PRIMARY KEY, brand TEXT NOT NULL, merchant_id TEXT NOT NULL, card BLOB,"      \
    " currency TEXT NOT NULL, each_minor INTEGER NOT NULL, day_minor INTEGER NOT NULL,"            \
    " made INTEGER NOT NULL, until INTEGER NOT NULL, removed INTEGER NOT NULL);"                   \
    "CREATE TABLE agreed_by_rule (xid BLOB PRIMARY KEY, rule INTEGER NOT NULL);"

/* Zeroed memory is empty. */
struct setpay_wallet_rule {
    int64_t number; /* never used again, also when it is removed */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    bool has_card;
    struct setpay_id card;
    struct setpay_money each, day; /* of one currency, day at least each */
    setpay_time_ms made_ms;
    setpay_time_ms until_ms; /* the last moment at which it agrees; 0: no end */
};

/* What is about to be signed. */
struct setpay_wallet_spending {
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_id card;
    struct setpay_money amount;
    enum setpay_terms_kind terms;
    setpay_time_ms now_ms;
};

/* What the wallet's records say about it. */
struct setpay_wallet_rule_facts {
    int64_t spent_minor;        /* by rules, at its merchant, in its currency, in the 24 hours */
    setpay_time_ms restored_ms; /* the last restore that may have forgotten something; 0: none */
};

/* In the order in which they are looked at: who refuses later came nearer. */
enum setpay_wallet_rule_verdict {
    SETPAY_WALLET_RULE_AGREES,
    SETPAY_WALLET_RULE_OTHER_MERCHANT,
    SETPAY_WALLET_RULE_FROM_BACKUP, /* it may have been removed in the time that was forgotten */
    SETPAY_WALLET_RULE_ENDED,
    SETPAY_WALLET_RULE_OTHER_CARD,
    SETPAY_WALLET_RULE_TERMS,
    SETPAY_WALLET_RULE_OTHER_CURRENCY,
    SETPAY_WALLET_RULE_AMOUNT,
    SETPAY_WALLET_RULE_DAY,
};

/* ------------------------------------------------------------------ rule.c: pure */

enum setpay_wallet_rule_verdict
setpay_wallet_rule_check(const struct setpay_wallet_rule *rule,
                         const struct setpay_wallet_spending *spending,
                         const struct setpay_wallet_rule_facts *facts);
/* The first that agrees, with *verdict SETPAY_WALLET_RULE_AGREES; else the one that came nearest,
 * or NULL where none is about this merchant, with why not. */
const struct setpay_wallet_rule *
setpay_wallet_rule_choose(const struct setpay_wallet_rule *rules, size_t count,
                          const struct setpay_wallet_spending *spending,
                          const struct setpay_wallet_rule_facts *facts,
                          enum setpay_wallet_rule_verdict *verdict);
/* What was signed after this still counts. What is dated after now was signed before the clock went
 * back, and counts too. */
setpay_time_ms setpay_wallet_rule_day_start(setpay_time_ms now_ms);
/* Adds a purchase in that state, saturated. */
void setpay_wallet_rule_add_spent(enum setpay_wallet_state state, int64_t amount_minor,
                                  int64_t *spent_minor);
/* A rule that makes sense: sound ids, amounts above 0, of one currency, the day's not below one
 * payment's, an end behind now. SETPAY_E_INVALID, with words in problem. */
enum setpay_error setpay_wallet_rule_check_sound(const struct setpay_wallet_rule *rule,
                                                 setpay_time_ms now_ms,
                                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* "up to 20.00 EUR each and 50.00 EUR in 24 hours at shop (visa)"; returns out. */
#define SETPAY_WALLET_RULE_TEXT_SIZE 200
const char *setpay_wallet_rule_words(const struct setpay_wallet_rule *rule,
                                     char out[SETPAY_WALLET_RULE_TEXT_SIZE]);
/* Why it does not agree, as a sentence without its point; returns out. */
const char *setpay_wallet_rule_refusal_words(const struct setpay_wallet_rule *rule,
                                             enum setpay_wallet_rule_verdict verdict,
                                             const struct setpay_wallet_rule_facts *facts,
                                             char out[SETPAY_WALLET_RULE_TEXT_SIZE]);

/* ------------------------------------------------------------------ rule_store.c */

/* All that were not removed, by number. */
enum setpay_error setpay_wallet_rule_list(struct setpay_db *db, struct setpay_wallet_rule *rules,
                                          size_t room, size_t *count) SETPAY_MUST_CHECK;
/* Gives it its number. SETPAY_E_STATE: there are as many as there may be. */
enum setpay_error setpay_wallet_rule_put(struct setpay_db *db,
                                         struct setpay_wallet_rule *rule) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_wallet_rule_remove(struct setpay_db *db, int64_t number,
                                            setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Of the merchant and currency of a spending (its now_ms, too). */
enum setpay_error
setpay_wallet_rule_read_facts(struct setpay_db *db, const struct setpay_wallet_spending *spending,
                              struct setpay_wallet_rule_facts *facts) SETPAY_MUST_CHECK;
/* Rule W4: whether a rule agrees, as the records are. number 0: any that does; *rule is it, or the
 * one that came nearest, its number 0 where there is none. SETPAY_E_NOT_AGREED, with words. */
enum setpay_error setpay_wallet_rule_decide(struct setpay_db *db, int64_t number,
                                            const struct setpay_wallet_spending *spending,
                                            struct setpay_wallet_rule *rule,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* In the operation that stores the purchase: decides anew, and counts it. SETPAY_E_NOT_AGREED. */
enum setpay_error setpay_wallet_rule_take(struct setpay_db *db, int64_t number,
                                          const struct setpay_wallet_spending *spending,
                                          const struct setpay_id *xid,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The rule that agreed to a purchase; 0: the person did. */
enum setpay_error setpay_wallet_rule_of(struct setpay_db *db, const struct setpay_id *xid,
                                        int64_t *number) SETPAY_MUST_CHECK;
/* The merchant that the wallet paid at a host last, with that brand. SETPAY_E_NOT_FOUND. */
enum setpay_error
setpay_wallet_rule_merchant_at(struct setpay_db *db, const char *host, const char *brand,
                               char merchant_id[SETPAY_WIRE_PARTY_MAX + 1]) SETPAY_MUST_CHECK;
/* Whether the wallet has a purchase of it. */
enum setpay_error setpay_wallet_rule_is_known(struct setpay_db *db, const char *brand,
                                              const char *merchant_id,
                                              bool *is_known) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ rule_commands.c */

void setpay_wallet_on_rule_add(struct setpay_control_call *call, const json_t *args, void *arg);
void setpay_wallet_on_rule_list(struct setpay_control_call *call, const json_t *args, void *arg);
void setpay_wallet_on_rule_remove(struct setpay_control_call *call, const json_t *args, void *arg);
/* Puts into the reply of pay.prepare which rule agrees to the offer ("rule": RULE), or why the one
 * that came nearest does not ("rule_refused"); nothing where none is about this merchant. */
enum setpay_error setpay_wallet_rule_advise(struct setpay_wallet *wallet,
                                            const struct setpay_wallet_prepared *offer,
                                            json_t *reply) SETPAY_MUST_CHECK;
void setpay_wallet_rule_spending(const struct setpay_wallet_prepared *offer, setpay_time_ms now_ms,
                                 struct setpay_wallet_spending *spending);

#endif
