/*
 * Spending rules as they are kept, and which of them agreed to which purchase. A rule that is
 * removed stays as a row, so that its number is not given to another one and a purchase can always
 * say what agreed to it.
 */
#include "cardholder/rule.h"

#include <inttypes.h>
#include <string.h>

#define RULE_COLUMNS                                                                               \
    "SELECT number, brand, merchant_id, card, currency, each_minor, day_minor, made, until"        \
    " FROM rule WHERE removed = 0"

static void get_rule(struct setpay_db_rows *rows, struct setpay_wallet_rule *rule)
{
    memset(rule, 0, sizeof *rule);
    rule->number = setpay_db_get_int(rows, 0);
    setpay_db_get_text(rows, 1, rule->brand, sizeof rule->brand);
    setpay_db_get_text(rows, 2, rule->merchant_id, sizeof rule->merchant_id);
    rule->has_card = !setpay_db_is_null(rows, 3);
    if (rule->has_card)
        setpay_db_get_id(rows, 3, &rule->card);
    setpay_db_get_text(rows, 4, rule->each.currency, sizeof rule->each.currency);
    memcpy(rule->day.currency, rule->each.currency, sizeof rule->day.currency);
    rule->each.minor = setpay_db_get_int(rows, 5);
    rule->day.minor = setpay_db_get_int(rows, 6);
    rule->made_ms = setpay_db_get_int(rows, 7);
    rule->until_ms = setpay_db_get_int(rows, 8);
}

enum setpay_error setpay_wallet_rule_list(struct setpay_db *db, struct setpay_wallet_rule *rules,
                                          size_t room, size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows, RULE_COLUMNS " ORDER BY number"));
    while (*count < room && setpay_db_next(rows))
        get_rule(rows, &rules[(*count)++]);
    return setpay_db_end(rows);
}

static enum setpay_error read_number(struct setpay_db *db, const char *sql, int64_t *number)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows, sql));
    *number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_wallet_rule_put(struct setpay_db *db, struct setpay_wallet_rule *rule)
{
    int64_t count = 0;
    SETPAY_TRY(read_number(db, "SELECT count(*) FROM rule WHERE removed = 0", &count));
    if (count >= SETPAY_WALLET_RULES_MAX)
        return SETPAY_E_STATE;
    SETPAY_TRY(read_number(db, "SELECT coalesce(max(number), 0) + 1 FROM rule", &rule->number));
    return setpay_db_run(
        db,
        "INSERT INTO rule (number, brand, merchant_id, card, currency, each_minor, day_minor, made,"
        " until, removed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)",
        SETPAY_DB_INT(rule->number), SETPAY_DB_TEXT(rule->brand), SETPAY_DB_TEXT(rule->merchant_id),
        SETPAY_DB_ID(rule->has_card ? &rule->card : NULL), SETPAY_DB_TEXT(rule->each.currency),
        SETPAY_DB_INT(rule->each.minor), SETPAY_DB_INT(rule->day.minor),
        SETPAY_DB_INT(rule->made_ms), SETPAY_DB_INT(rule->until_ms));
}

enum setpay_error setpay_wallet_rule_remove(struct setpay_db *db, int64_t number,
                                            setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_db_run(db, "UPDATE rule SET removed = $1 WHERE number = $2 AND removed = 0",
                             SETPAY_DB_INT(now_ms), SETPAY_DB_INT(number)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

/* ------------------------------------------------------------------ deciding */

enum setpay_error setpay_wallet_rule_read_facts(struct setpay_db *db,
                                                const struct setpay_wallet_spending *spending,
                                                struct setpay_wallet_rule_facts *facts)
{
    struct setpay_db_rows *rows;
    struct setpay_store_restore restore;
    struct setpay_wallet_rule_facts read = {0};
    SETPAY_TRY(setpay_store_last_restore(db, &restore));
    read.restored_ms = restore.restored_ms;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT p.state, p.amount FROM purchase p, agreed_by_rule a WHERE a.xid = p.xid"
        " AND p.created > $1 AND p.brand = $2 AND p.merchant_id = $3 AND p.currency = $4",
        SETPAY_DB_INT(setpay_wallet_rule_day_start(spending->now_ms)),
        SETPAY_DB_TEXT(spending->brand), SETPAY_DB_TEXT(spending->merchant_id),
        SETPAY_DB_TEXT(spending->amount.currency)));
    while (setpay_db_next(rows))
        setpay_wallet_rule_add_spent((enum setpay_wallet_state)setpay_db_get_int(rows, 0),
                                     setpay_db_get_int(rows, 1), &read.spent_minor);
    SETPAY_TRY(setpay_db_end(rows));
    *facts = read;
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_rule_decide(struct setpay_db *db, int64_t number,
                                            const struct setpay_wallet_spending *spending,
                                            struct setpay_wallet_rule *rule,
                                            struct setpay_problem *problem)
{
    struct setpay_wallet_rule rules[SETPAY_WALLET_RULES_MAX];
    struct setpay_wallet_rule_facts facts;
    enum setpay_wallet_rule_verdict verdict;
    char words[SETPAY_WALLET_RULE_TEXT_SIZE];
    size_t count = 0;
    SETPAY_TRY(setpay_wallet_rule_list(db, rules, SETPAY_WALLET_RULES_MAX, &count));
    SETPAY_TRY(setpay_wallet_rule_read_facts(db, spending, &facts));
    size_t first = 0, end = count;
    if (number != 0) {
        while (first < count && rules[first].number != number)
            first++;
        end = first < count ? first + 1 : first;
    }
    const struct setpay_wallet_rule *chosen =
        setpay_wallet_rule_choose(rules + first, end - first, spending, &facts, &verdict);
    *rule = chosen != NULL ? *chosen : (struct setpay_wallet_rule){0};
    if (verdict == SETPAY_WALLET_RULE_AGREES)
        return SETPAY_OK;
    if (chosen == NULL)
        return number != 0
                   ? setpay_problem_set(problem, SETPAY_E_NOT_AGREED,
                                        "rule %" PRId64 " was removed, or is for another merchant",
                                        number)
                   : setpay_problem_set(problem, SETPAY_E_NOT_AGREED,
                                        "no spending rule is about this merchant");
    return setpay_problem_set(problem, SETPAY_E_NOT_AGREED, "%s",
                              setpay_wallet_rule_refusal_words(chosen, verdict, &facts, words));
}

enum setpay_error setpay_wallet_rule_take(struct setpay_db *db, int64_t number,
                                          const struct setpay_wallet_spending *spending,
                                          const struct setpay_id *xid,
                                          struct setpay_problem *problem)
{
    struct setpay_wallet_rule rule;
    /* Rules W4, W5: what others have signed since it was looked at counts, and is in the way. */
    SETPAY_TRY(setpay_wallet_rule_decide(db, number, spending, &rule, problem));
    return setpay_db_run(db, "INSERT INTO agreed_by_rule (xid, rule) VALUES ($1, $2)",
                         SETPAY_DB_ID(xid), SETPAY_DB_INT(number));
}

/* ------------------------------------------------------------------ what people are told */

enum setpay_error setpay_wallet_rule_of(struct setpay_db *db, const struct setpay_id *xid,
                                        int64_t *number)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = setpay_db_one(
        db, &rows, "SELECT rule FROM agreed_by_rule WHERE xid = $1", SETPAY_DB_ID(xid));
    *number = 0;
    if (error != SETPAY_OK)
        return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
    *number = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_wallet_rule_merchant_at(struct setpay_db *db, const char *host,
                                                 const char *brand,
                                                 char merchant_id[SETPAY_WIRE_PARTY_MAX + 1])
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT merchant_id FROM purchase WHERE host = $1 AND brand = $2"
                                " ORDER BY created DESC LIMIT 1",
                                SETPAY_DB_TEXT(host), SETPAY_DB_TEXT(brand)));
    bool found = setpay_db_next(rows);
    if (found)
        setpay_db_get_text(rows, 0, merchant_id, SETPAY_WIRE_PARTY_MAX + 1);
    SETPAY_TRY(setpay_db_end(rows));
    return found ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_wallet_rule_is_known(struct setpay_db *db, const char *brand,
                                              const char *merchant_id, bool *is_known)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT 1 FROM purchase WHERE brand = $1 AND merchant_id = $2"
                                " LIMIT 1",
                                SETPAY_DB_TEXT(brand), SETPAY_DB_TEXT(merchant_id)));
    *is_known = setpay_db_next(rows);
    return setpay_db_end(rows);
}
