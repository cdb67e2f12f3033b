/*
 * What always holds: nothing is approved in a currency that has no limit, and what is unanswered at
 * an issuer never comes to more than its total, whatever is asked for at once.
 */
#include "gateway/payment/stand_in.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ------------------------------------------------------------------ the limits */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* The next amount of a list, and where it ends; NULL where there is none. */
static const char *read_amount(const char *at, struct setpay_money *amount)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    at = skip_blanks(at);
    size_t size = strcspn(at, ",");
    const char *end = at + size;
    while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t'))
        size--;
    if (size >= sizeof text)
        return NULL;
    memcpy(text, at, size);
    text[size] = '\0';
    if (setpay_money_parse(text, amount) != SETPAY_OK || amount->minor <= 0)
        return NULL;
    return end;
}

static size_t find_currency(const struct setpay_stand_in *in, const char *currency)
{
    size_t i = 0;
    while (i < in->count && strcmp(in->limits[i].each.currency, currency) != 0)
        i++;
    return i;
}

static enum setpay_error refuse(struct setpay_problem *problem, const char *section,
                                const char *key, const char *text)
{
    return setpay_problem_set(problem, SETPAY_E_CONFIG,
                              "[%s] %s: found '%.60s', expected an amount above zero such as "
                              "25.00 EUR, or one for each of up to %d currencies, with commas "
                              "between them",
                              section, key, text, SETPAY_STAND_IN_CURRENCIES_MAX);
}

static enum setpay_error parse_each(const char *section, const char *text,
                                    struct setpay_stand_in *made, struct setpay_problem *problem)
{
    struct setpay_money amount;
    for (const char *at = text;; at++) {
        at = read_amount(at, &amount);
        if (at == NULL || made->count == SETPAY_STAND_IN_CURRENCIES_MAX ||
            find_currency(made, amount.currency) < made->count)
            return refuse(problem, section, "stand_in", text);
        made->limits[made->count++].each = amount;
        if (*at == '\0')
            return SETPAY_OK;
    }
}

static enum setpay_error parse_total(const char *section, const char *text,
                                     struct setpay_stand_in *made, struct setpay_problem *problem)
{
    struct setpay_money amount;
    for (const char *at = text;; at++) {
        at = read_amount(at, &amount);
        size_t of = at == NULL ? made->count : find_currency(made, amount.currency);
        if (at != NULL && of == made->count)
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "[%s] stand_in_total is given in %s, and stand_in is not",
                                      section, amount.currency);
        if (at == NULL || made->limits[of].total_minor != 0)
            return refuse(problem, section, "stand_in_total", text);
        if (amount.minor < made->limits[of].each.minor)
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "[%s] stand_in_total is below stand_in in %s: nothing so "
                                      "large could be approved",
                                      section, amount.currency);
        made->limits[of].total_minor = amount.minor;
        if (*at == '\0')
            return SETPAY_OK;
    }
}

enum setpay_error setpay_stand_in_parse(const char *section, const char *each, const char *total,
                                        struct setpay_stand_in *made,
                                        struct setpay_problem *problem)
{
    struct setpay_stand_in in = *made;
    in.count = 0;
    memset(in.limits, 0, sizeof in.limits);
    SETPAY_TRY(parse_each(section, each, &in, problem));
    SETPAY_TRY(parse_total(section, total, &in, problem));
    for (size_t i = 0; i < in.count; i++) {
        if (in.limits[i].total_minor == 0)
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "[%s] stand_in is given in %s, and stand_in_total is not",
                                      section, in.limits[i].each.currency);
    }
    *made = in;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ of all issuers */

struct setpay_stand_ins {
    pthread_mutex_t lock;
    struct setpay_stand_in all[SETPAY_NETWORK_ROUTES_MAX];
    size_t count;
};

enum setpay_error setpay_stand_ins_new(struct setpay_stand_ins **stand_ins)
{
    struct setpay_stand_ins *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    if (pthread_mutex_init(&made->lock, NULL) != 0) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    *stand_ins = made;
    return SETPAY_OK;
}

void setpay_stand_ins_free(struct setpay_stand_ins *stand_ins)
{
    if (stand_ins == NULL)
        return;
    (void)pthread_mutex_destroy(&stand_ins->lock);
    free(stand_ins);
}

void setpay_stand_ins_set(struct setpay_stand_ins *stand_ins, const struct setpay_stand_in *all,
                          size_t count)
{
    (void)pthread_mutex_lock(&stand_ins->lock);
    memcpy(stand_ins->all, all, count * sizeof *all);
    stand_ins->count = count;
    (void)pthread_mutex_unlock(&stand_ins->lock);
}

void setpay_stand_ins_find(struct setpay_stand_ins *stand_ins, const char *issuer,
                           struct setpay_stand_in *found)
{
    *found = (struct setpay_stand_in){.count = 0};
    if (stand_ins == NULL)
        return;
    (void)pthread_mutex_lock(&stand_ins->lock);
    for (size_t i = 0; i < stand_ins->count; i++) {
        if (strcmp(stand_ins->all[i].issuer, issuer) == 0)
            *found = stand_ins->all[i];
    }
    (void)pthread_mutex_unlock(&stand_ins->lock);
}

/* ------------------------------------------------------------------ the decision */

enum setpay_stand_in_verdict setpay_stand_in_decide(const struct setpay_stand_in *limits,
                                                    const struct setpay_stand_in_facts *facts)
{
    size_t of = find_currency(limits, facts->amount.currency);
    if (facts->is_further)
        return SETPAY_STAND_IN_AGREEMENT;
    if (of == limits->count || facts->amount.minor > limits->limits[of].each.minor)
        return SETPAY_STAND_IN_ABOVE_LIMIT;
    if (facts->down_ms <= 0 || facts->down_ms < limits->after_ms)
        return SETPAY_STAND_IN_TOO_SOON;
    if (facts->is_expired)
        return SETPAY_STAND_IN_EXPIRED;
    if (facts->is_refused)
        return SETPAY_STAND_IN_REFUSED_CARD;
    if (facts->open_count >= SETPAY_STAND_IN_OPEN_MAX ||
        facts->amount.minor > limits->limits[of].total_minor - facts->open_minor)
        return SETPAY_STAND_IN_ABOVE_TOTAL;
    return SETPAY_STAND_IN_APPROVED;
}

const char *setpay_stand_in_verdict_name(enum setpay_stand_in_verdict verdict)
{
    static const char *const names[SETPAY_STAND_IN_VERDICTS] = {
        [SETPAY_STAND_IN_APPROVED] = "approved",
        [SETPAY_STAND_IN_EXPIRED] = "expired",
        [SETPAY_STAND_IN_TOO_SOON] = "too_soon",
        [SETPAY_STAND_IN_AGREEMENT] = "agreement",
        [SETPAY_STAND_IN_ABOVE_LIMIT] = "above_limit",
        [SETPAY_STAND_IN_ABOVE_TOTAL] = "above_total",
        [SETPAY_STAND_IN_REFUSED_CARD] = "refused_card",
    };
    return (unsigned)verdict < SETPAY_STAND_IN_VERDICTS ? names[verdict] : "unknown";
}

bool setpay_stand_in_is_expired(struct setpay_view expiry, setpay_time_ms now_ms)
{
    time_t seconds = (time_t)(now_ms / SETPAY_SECOND_MS);
    struct tm utc;
    if (expiry.size != 4 || gmtime_r(&seconds, &utc) == NULL)
        return true;
    for (size_t i = 0; i < 4; i++)
        if (expiry.data[i] < '0' || expiry.data[i] > '9')
            return true;
    int year = 2000 + (expiry.data[0] - '0') * 10 + (expiry.data[1] - '0');
    int month = (expiry.data[2] - '0') * 10 + (expiry.data[3] - '0');
    if (month < 1 || month > 12)
        return true;
    int64_t now_month = (int64_t)(utc.tm_year + 1900) * 12 + utc.tm_mon;
    return (int64_t)year * 12 + month - 1 < now_month;
}

void setpay_stand_in_approval_code(uint32_t stan, char code[7])
{
    char text[16];
    snprintf(text, sizeof text, "S%05" PRIu32, stan % 100000);
    memcpy(code, text, 6);
    code[6] = '\0';
}

/* ------------------------------------------------------------------ the rows */

/* Of a card that must not be used: picked up, unknown, lost, stolen, closed, expired, restricted,
 * suspected; or the refusal of an advice, whatever its code. Without a trace nobody was asked; of
 * an advice that was written off the issuer has said nothing. */
#define SAYS_NEVER                                                                                 \
    "((stan <> 0 AND action_code IN ('04', '07', '14', '33', '34', '41', '42', '43', '46', '54', " \
    "'59', '62',"                                                                                  \
    " '78', 'R0', 'R1', 'R3')) OR EXISTS (SELECT 1 FROM stand_in WHERE stand_in.payment_id ="      \
    " payment.id AND stand_in.acknowledged = 1"                                                    \
    " AND response_code NOT IN ('00', '94', '" SETPAY_STAND_IN_WRITTEN_OFF "')))"
/* An issuer's own approval: not one in its stead that it has not taken. */
#define SAYS_YES                                                                                   \
    "(approved_minor > 0 AND NOT EXISTS (SELECT 1 FROM stand_in WHERE stand_in.payment_id ="       \
    " payment.id AND NOT (stand_in.acknowledged = 1 AND response_code IN ('00', '94'))))"

enum setpay_error setpay_stand_in_read(struct setpay_db *db, const char *issuer,
                                       const struct setpay_digest *pan_digest,
                                       struct setpay_stand_in_facts *facts)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COALESCE(SUM(CASE WHEN currency = $1 THEN amount_minor ELSE 0"
                             " END), 0), COUNT(*) FROM stand_in"
                             " WHERE issuer = $2 AND acknowledged = 0",
                             SETPAY_DB_TEXT(facts->amount.currency), SETPAY_DB_TEXT(issuer)));
    facts->open_minor = setpay_db_get_int(rows, 0);
    facts->open_count = setpay_db_get_int(rows, 1);
    SETPAY_TRY(setpay_db_end(rows));
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COALESCE(MAX(CASE WHEN " SAYS_NEVER " THEN id END), 0) >"
                             " COALESCE(MAX(CASE WHEN " SAYS_YES " THEN id END), 0)"
                             " FROM payment WHERE pan_digest = $1",
                             SETPAY_DB_DIGEST(pan_digest)));
    facts->is_refused = setpay_db_get_int(rows, 0) != 0;
    return setpay_db_end(rows);
}

enum setpay_error setpay_stand_in_insert(struct setpay_db *db, int64_t payment_id,
                                         const char *issuer, const struct setpay_money *amount,
                                         setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "INSERT INTO stand_in (payment_id, issuer, currency, amount_minor,"
                         " acknowledged, response_code, sent_count, created_ms, acknowledged_ms)"
                         " VALUES ($1, $2, $3, $4, 0, '', 0, $5, 0)",
                         SETPAY_DB_INT(payment_id), SETPAY_DB_TEXT(issuer),
                         SETPAY_DB_TEXT(amount->currency), SETPAY_DB_INT(amount->minor),
                         SETPAY_DB_INT(now_ms));
}

enum setpay_error setpay_stand_in_next_open(struct setpay_db *db, int64_t after,
                                            struct setpay_stand_in_row *row)
{
    struct setpay_db_rows *rows;
    struct setpay_stand_in_row found;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT id, payment_id FROM stand_in"
                             " WHERE acknowledged = 0 AND id > $1 ORDER BY id LIMIT 1",
                             SETPAY_DB_INT(after)));
    found.id = setpay_db_get_int(rows, 0);
    found.payment_id = setpay_db_get_int(rows, 1);
    SETPAY_TRY(setpay_db_end(rows));
    *row = found;
    return SETPAY_OK;
}

enum setpay_error setpay_stand_in_answer(struct setpay_db *db, int64_t id,
                                         const char *response_code, int64_t sent_count,
                                         setpay_time_ms now_ms)
{
    return setpay_db_run(db,
                         "UPDATE stand_in SET acknowledged = 1, response_code = $1,"
                         " sent_count = sent_count + $2, acknowledged_ms = $3"
                         " WHERE id = $4 AND acknowledged = 0",
                         SETPAY_DB_TEXT(response_code), SETPAY_DB_INT(sent_count),
                         SETPAY_DB_INT(now_ms), SETPAY_DB_INT(id));
}
