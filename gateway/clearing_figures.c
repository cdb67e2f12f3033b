/*
 * Reading the figures, and showing them.
 *
 * Of what grows with the gateway's age little is walked through: balances are kept by the ledger,
 * one row for each merchant and currency; of presentments, reversals and advices only those are
 * looked at that are not answered or not settled, by their indices (the + keeps one from being
 * taken that finds nearly all); of disputes those that are open; of payouts those that are on their
 * way; of settlements the newest; but all that ever went to suspense. However much there is, no
 * more than a hundredth of the thread's time goes into it.
 */
#include "gateway/clearing_figures.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/base/money.h"
#include "common/net/metrics.h"
#include "gateway/clearing/dispute.h"
#include "gateway/clearing/incoming.h"
#include "gateway/clearing/ledger.h"
#include "gateway/clearing/sql_names.h"
#include "gateway/commands.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ what is shown */

static const char *const states[] = {"waiting", "stuck", "refused", NULL};
static struct setpay_metric presentments = {
    .name = "setpay_gateway_presentments",
    .help =
        "Presentments that wait for their issuer; that are stuck, since their card is gone, or "
        "their issuer from the configuration; that were refused or written off and are not settled "
        "yet.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"state", states}},
};
static const char *const unsent_states[] = {"waiting", "stuck", NULL};
static struct setpay_metric reversals = {
    .name = "setpay_gateway_reversals",
    .help =
        "Reversals that no issuer has acknowledged: that wait for their issuer; that are stuck, "
        "since their card is gone, or their issuer from the configuration.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"state", unsent_states}},
};
static struct setpay_metric advices = {
    .name = "setpay_gateway_advices",
    .help = "What was approved in an issuer's stead and it has not answered: that waits for it; "
            "that is stuck, since its card is gone, or its issuer from the configuration.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"state", unsent_states}},
};
static struct setpay_metric suspense_items = {
    .name = "setpay_gateway_suspense_items",
    .help = "Items in suspense that nobody has cleared: refused by issuers, or paid too much.",
    .type = SETPAY_METRIC_GAUGE,
};
static struct setpay_metric disputes_open = {
    .name = "setpay_gateway_disputes_open",
    .help = "Disputes that are not closed.",
    .type = SETPAY_METRIC_GAUGE,
};
static struct setpay_metric settled_until = {
    .name = "setpay_gateway_settled_until_seconds",
    .help = "The cut-off of the newest day that was settled, in seconds since 1970; 0: none was.",
    .type = SETPAY_METRIC_GAUGE,
};
static struct setpay_metric unsettled_age = {
    .name = "setpay_gateway_unsettled_age_seconds",
    .help = "How long ago the batch was closed whose items wait longest to be settled; 0: none "
            "does.",
    .type = SETPAY_METRIC_GAUGE,
};
static const char *const payout_states[] = {"made", "sent", NULL};
static struct setpay_metric payouts = {
    .name = "setpay_gateway_payouts",
    .help = "Payouts that wait to be written to a file for the bank; and that were, and the bank "
            "has said nothing of them yet.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"state", payout_states}},
};
static struct setpay_metric payouts_age = {
    .name = "setpay_gateway_payouts_age_seconds",
    .help = "How long ago the payout was made that waits longest to be written to a file for the "
            "bank; and the one sent of which the bank has said nothing for longest; 0: there is "
            "none.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"state", payout_states}},
};
/* In the order of balances[]. */
static const char *const accounts[] = {"issuer_receivable", "merchant_payable", "suspense",
                                       "disputes",          "reserve",          NULL};
static const char *currencies[SETPAY_LIMIT_CURRENCIES + 1];
static struct setpay_metric balance = {
    .name = "setpay_gateway_balance_minor",
    .help = "By account and currency, in minor units: what issuers owe, and what is owed to "
            "merchants, is in suspense, in dispute or in reserve; below 0 it is the other way.",
    .type = SETPAY_METRIC_GAUGE,
    .labels = {{"account", accounts}, {"currency", currencies}},
    .is_sparse = true,
};

/* What is owed by us is below 0 in the ledger, and above in the figure. */
static const struct {
    enum setpay_account account;
    int sign;
} balances[] = {
    {SETPAY_ACCOUNT_ISSUER_RECEIVABLE, 1}, {SETPAY_ACCOUNT_MERCHANT_PAYABLE, -1},
    {SETPAY_ACCOUNT_SUSPENSE, -1},         {SETPAY_ACCOUNT_DISPUTES, -1},
    {SETPAY_ACCOUNT_RESERVE, -1},
};
#define ACCOUNTS (sizeof balances / sizeof *balances)
_Static_assert(sizeof accounts / sizeof *accounts == ACCOUNTS + 1, "each has a name");

enum setpay_error setpay_clearing_watch_register(void)
{
    const struct setpay_currency *currency;
    for (size_t i = 0; (currency = setpay_currency_at(i)) != NULL; i++)
        currencies[i] = currency->code;
    SETPAY_TRY(setpay_metric_register(&presentments));
    SETPAY_TRY(setpay_metric_register(&reversals));
    SETPAY_TRY(setpay_metric_register(&advices));
    SETPAY_TRY(setpay_metric_register(&suspense_items));
    SETPAY_TRY(setpay_metric_register(&disputes_open));
    SETPAY_TRY(setpay_metric_register(&settled_until));
    SETPAY_TRY(setpay_metric_register(&unsettled_age));
    SETPAY_TRY(setpay_metric_register(&payouts));
    SETPAY_TRY(setpay_metric_register(&payouts_age));
    return setpay_metric_register(&balance);
}

/* ------------------------------------------------------------------ what is read */

static enum setpay_error read_number(struct setpay_db *db, const char *sql, int64_t *number)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = setpay_db_one(db, &rows, sql);
    if (error == SETPAY_E_NOT_FOUND) {
        *number = 0;
        return SETPAY_OK;
    }
    SETPAY_TRY(error);
    int64_t read = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    *number = read;
    return SETPAY_OK;
}

static enum setpay_error count_item(void *arg, const struct setpay_suspense_item *item)
{
    int64_t *count = arg;
    (void)item;
    (*count)++;
    return SETPAY_OK;
}

static enum setpay_error read_payouts(struct setpay_db *db, struct setpay_clearing_figures *read)
{
    SETPAY_TRY(read_number(db, "SELECT COUNT(*) FROM payout WHERE state = " SETPAY_SQL_PAYOUT_MADE,
                           &read->payouts_made));
    SETPAY_TRY(read_number(db, "SELECT COUNT(*) FROM payout WHERE state = " SETPAY_SQL_PAYOUT_SENT,
                           &read->payouts_sent));
    SETPAY_TRY(read_number(db,
                           "SELECT COALESCE(MIN(created_ms), 0) FROM payout JOIN settlement ON"
                           " settlement.id = settlement_id WHERE state = " SETPAY_SQL_PAYOUT_MADE,
                           &read->oldest_made_ms));
    return read_number(
        db, "SELECT COALESCE(MIN(sent_ms), 0) FROM payout WHERE state = " SETPAY_SQL_PAYOUT_SENT,
        &read->oldest_sent_ms);
}

enum setpay_error setpay_clearing_figures_read(struct setpay_db *db, const json_t *args,
                                               struct setpay_clearing_figures *figures)
{
    struct setpay_clearing_figures read = {.refused = 0};
    SETPAY_TRY(
        setpay_gateway_unsent_count(db, SETPAY_GATEWAY_PRESENTMENTS, args, &read.presentments));
    SETPAY_TRY(setpay_gateway_unsent_count(db, SETPAY_GATEWAY_REVERSALS, args, &read.reversals));
    SETPAY_TRY(setpay_gateway_unsent_count(db, SETPAY_GATEWAY_ADVICES, args, &read.advices));
    SETPAY_TRY(read_number(db,
                           "SELECT COUNT(*) FROM presentment WHERE settlement_id = 0 AND"
                           " +acknowledged = 1 AND response_code NOT IN ('00', '94')",
                           &read.refused));
    SETPAY_TRY(setpay_suspense_each(db, NULL, count_item, &read.suspense_items));
    SETPAY_TRY(read_number(db, SETPAY_GATEWAY_DISPUTES_OPEN, &read.disputes_open));
    SETPAY_TRY(read_number(db,
                           "SELECT cut_off_ms FROM settlement ORDER BY day DESC, id DESC LIMIT 1",
                           &read.settled_ms));
    SETPAY_TRY(read_number(db,
                           "SELECT batch.closed_ms FROM presentment"
                           " JOIN batch ON batch.id = presentment.batch_id WHERE settlement_id = 0"
                           " ORDER BY presentment.id LIMIT 1",
                           &read.oldest_ms));
    SETPAY_TRY(read_payouts(db, &read));
    *figures = read;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ again and again */

struct setpay_clearing_watch {
    struct setpay_network *network;
    struct setpay_reader *reader;
    struct setpay_timer *timer;
    struct setpay_clearing_figures figures;
    int64_t minor[ACCOUNTS][SETPAY_LIMIT_CURRENCIES];
    bool met[ACCOUNTS][SETPAY_LIMIT_CURRENCIES]; /* there is such a balance */
};

static size_t account_at(int64_t account)
{
    size_t i = 0;
    while (i < ACCOUNTS && (int64_t)balances[i].account != account)
        i++;
    return i;
}

static size_t currency_at(const char *code)
{
    size_t i = 0;
    while (currencies[i] != NULL && strcmp(currencies[i], code) != 0)
        i++;
    return i;
}

/* What is not in the tables was not written by this program. */
static enum setpay_error read_balances(struct setpay_db *db, struct setpay_clearing_watch *watch)
{
    struct setpay_db_rows *rows;
    memset(watch->minor, 0, sizeof watch->minor);
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT account, currency, SUM(amount_minor) FROM ledger_balance"
                                " GROUP BY account, currency"));
    while (setpay_db_next(rows)) {
        char code[4];
        size_t account = account_at(setpay_db_get_int(rows, 0));
        setpay_db_get_text(rows, 1, code, sizeof code);
        size_t currency = currency_at(code);
        if (account == ACCOUNTS || currencies[currency] == NULL)
            continue;
        watch->minor[account][currency] = balances[account].sign * setpay_db_get_int(rows, 2);
        watch->met[account][currency] = true;
    }
    return setpay_db_end(rows);
}

static void add_issuer(void *arg, const char *name, bool is_up)
{
    (void)is_up;
    json_array_append_new(arg, json_string(name));
}

static enum setpay_error read_all(struct setpay_db *db, void *arg)
{
    struct setpay_clearing_watch *watch = arg;
    json_t *issuers = json_array();
    setpay_network_each_route(watch->network, add_issuer, issuers);
    json_t *args = json_pack("{s:o}", "issuers", issuers);
    enum setpay_error error =
        args == NULL ? SETPAY_E_NOMEM : setpay_clearing_figures_read(db, args, &watch->figures);
    json_decref(args);
    SETPAY_TRY(error);
    return read_balances(db, watch);
}

static void show_unsent(struct setpay_metric *metric,
                        const struct setpay_gateway_unsent_count *count)
{
    setpay_metric_set(metric, 0, 0, count->waiting);
    setpay_metric_set(metric, 1, 0, count->stuck);
}

/* Of what was at that time; 0: there is none. */
static int64_t age_seconds(setpay_time_ms at_ms)
{
    int64_t age_ms = at_ms == 0 ? 0 : setpay_clock_now_ms() - at_ms;
    return age_ms > 0 ? age_ms / SETPAY_SECOND_MS : 0;
}

static void show(const struct setpay_clearing_watch *watch)
{
    const struct setpay_clearing_figures *figures = &watch->figures;
    show_unsent(&presentments, &figures->presentments);
    setpay_metric_set(&presentments, 2, 0, figures->refused);
    show_unsent(&reversals, &figures->reversals);
    show_unsent(&advices, &figures->advices);
    setpay_metric_set(&suspense_items, 0, 0, figures->suspense_items);
    setpay_metric_set(&disputes_open, 0, 0, figures->disputes_open);
    setpay_metric_set(&settled_until, 0, 0, figures->settled_ms / SETPAY_SECOND_MS);
    setpay_metric_set(&unsettled_age, 0, 0, age_seconds(figures->oldest_ms));
    setpay_metric_set(&payouts, 0, 0, figures->payouts_made);
    setpay_metric_set(&payouts, 1, 0, figures->payouts_sent);
    setpay_metric_set(&payouts_age, 0, 0, age_seconds(figures->oldest_made_ms));
    setpay_metric_set(&payouts_age, 1, 0, age_seconds(figures->oldest_sent_ms));
    for (size_t i = 0; i < ACCOUNTS; i++) {
        for (size_t k = 0; currencies[k] != NULL; k++) {
            if (watch->met[i][k])
                setpay_metric_set(&balance, i, k, watch->minor[i][k]);
        }
    }
}

/* What can't be read now stays as it was, and is told. */
static void look(void *arg)
{
    struct setpay_clearing_watch *watch = arg;
    int64_t began_us = setpay_clock_monotonic_us();
    enum setpay_error error = setpay_store_read(watch->reader, read_all, watch);
    int64_t took_us = setpay_clock_monotonic_us() - began_us;
    if (error == SETPAY_OK)
        show(watch);
    else
        setpay_log_error(error, "clearing.not_counted", setpay_field_text("area", "store"));
    setpay_timer_start(watch->timer, took_us / 10 > SETPAY_CLEARING_FIGURES_MS
                                         ? took_us / 10 /* a hundred times as long, in ms */
                                         : SETPAY_CLEARING_FIGURES_MS);
}

enum setpay_error setpay_clearing_watch_new(struct setpay_store *store,
                                            struct setpay_network *network,
                                            struct setpay_loop *loop,
                                            struct setpay_clearing_watch **watch)
{
    struct setpay_clearing_watch *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->network = network;
    enum setpay_error error = setpay_reader_new(store, &made->reader);
    if (error == SETPAY_OK)
        error = setpay_timer_new(loop, look, made, &made->timer);
    if (error != SETPAY_OK) {
        setpay_clearing_watch_free(made);
        return error;
    }
    look(made);
    *watch = made;
    return SETPAY_OK;
}

void setpay_clearing_watch_free(struct setpay_clearing_watch *watch)
{
    if (watch == NULL)
        return;
    setpay_timer_free(watch->timer);
    setpay_reader_free(watch->reader);
    free(watch);
}
