/*
 * Rows of the file are looked up among the items by id; what of the items no row has named is
 * missing where the file must have held it: answered on the days that are compared, and presented
 * when the file had begun. So each item is asked for by the file of the day of its answer. What was
 * presented before that file begins may stand in an earlier one, where the issuer's answer was late
 * or lost: it is told, with the days whose file must hold it. A sale is presented when it is asked
 * for, and answered when it is booked here: in between its issuer books it, on a day of its own.
 *
 * A sale is booked by the issuer at once, and may be undone: whatever came of it here, what the
 * file's rows of one sale come to is compared. One whose outcome nobody knew was reversed, and is
 * no step of ours: sale and reversal are nothing then, and a reversal alone is of a sale in a file
 * before. What is given back is held to a sale that there was: in its currency, and no more of it.
 *
 * In the file of one issuer a row of what was presented to another is of nothing of ours; that
 * other's file must hold it all the same.
 *
 * What the issuer has refused and was cleared to its merchant all the same is claimed from it. In
 * whose file it is to be nobody knows: it is no difference where it is in none, but it is told with
 * the days on which it was cleared.
 *
 * Of a file of many days only some may be compared. A row of another day is not judged; but it says
 * what the issuer has, so that what it names is not missing, and what it gives back of a sale is
 * not owed.
 */
#include "gateway/clearing/clearing_compare.h"

#include "common/base/noun.h"
#include "common/base/zone.h"
#include "gateway/clearing/settlement.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_SIZE 320

/* A sale, or the reversal of one, that is no step of ours. */
struct unknown {
    const struct setpay_clearing_row *row;
    size_t line;
    bool outside;                           /* of the days that are compared */
    const struct setpay_clearing_item *ask; /* that we asked for and reversed; NULL: no such one */
};

struct run {
    struct setpay_clearing_compare *c;
    size_t *lines;     /* by item: the line that named it; 0: none yet */
    int64_t *reversed; /* by item: what was given back of a sale */
    bool *inside;      /* by item: a row of it is of the days that are compared */
    struct unknown *unknown;
    size_t unknown_count;
    const char *first, *last;      /* days that are compared */
    setpay_time_ms from_ms, to_ms; /* their beginning and end */
    setpay_difference_cb *found;
    void *arg;
    size_t differences;
};

const char *setpay_difference_name(enum setpay_difference difference)
{
    static const char *const names[SETPAY_DIFFERENCES] = {
        [SETPAY_DIFFERENCE_MISSING] = "missing",     [SETPAY_DIFFERENCE_EXTRA] = "extra",
        [SETPAY_DIFFERENCE_AMOUNT] = "amount",       [SETPAY_DIFFERENCE_CURRENCY] = "currency",
        [SETPAY_DIFFERENCE_DUPLICATE] = "duplicate", [SETPAY_DIFFERENCE_LATE] = "late",
    };
    return (unsigned)difference < SETPAY_DIFFERENCES ? names[difference] : NULL;
}

__attribute__((format(printf, 5, 6))) static void find(struct run *run,
                                                       enum setpay_difference difference,
                                                       const char *id, size_t line,
                                                       const char *format, ...)
{
    char words[WORDS_SIZE];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(words, sizeof words, format, list);
    va_end(list);
    run->c->found[difference]++;
    run->differences++;
    run->found(run->arg, difference, id, line, words);
}

/* The first moment of a valid date in UTC. */
static setpay_time_ms start_of(const char *date)
{
    struct setpay_date day = {1970, 1, 1};
    return setpay_date_parse(date, &day) == SETPAY_OK ? setpay_date_start_ms(&day) : 0;
}

static int by_step(const void *a, const void *b)
{
    const struct setpay_clearing_item *one = a, *other = b;
    return memcmp(one->step.bytes, other->step.bytes, sizeof one->step.bytes);
}

static struct setpay_clearing_item *find_item(const struct setpay_clearing_compare *c,
                                              const char *presentment)
{
    struct setpay_clearing_item key = {.id = 0};
    if (c->item_count == 0 || setpay_id_parse(presentment, &key.step) != SETPAY_OK)
        return NULL;
    return bsearch(&key, c->items, c->item_count, sizeof *c->items, by_step);
}

/* ------------------------------------------------------------------ rows of the file */

/* "charged", as the file's kind or ours means it for the cardholder. */
static const char *done(bool credits)
{
    return credits ? "credited" : "charged";
}

static enum setpay_clearing_kind kind_of(const struct setpay_clearing_item *item)
{
    return item->credits ? SETPAY_CLEARING_CREDIT
           : item->sale  ? SETPAY_CLEARING_SALE
                         : SETPAY_CLEARING_CAPTURE;
}

static bool same_xid(const struct setpay_clearing_row *row, const struct setpay_clearing_item *item)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    return row->xid[0] == '\0' || strcmp(setpay_id_format(&item->xid, xid), row->xid) == 0;
}

/* Booked, and ours: whether they agree. */
static void compare(struct run *run, const struct setpay_clearing_row *row, size_t line,
                    const struct setpay_clearing_item *item)
{
    char theirs[SETPAY_MONEY_TEXT_SIZE], ours[SETPAY_MONEY_TEXT_SIZE];
    const char *id = row->presentment;
    bool credits = setpay_clearing_kind_credits(row->kind);
    size_t before = run->differences;
    int64_t after_ms = start_of(row->date) - item->presented_ms;
    bool is_refused = item->acknowledged && !setpay_presentment_is_taken(item->response_code);
    /* What was refused and cleared to the merchant: so much the issuer is to have booked, whenever
     * it did. */
    struct setpay_money expected = item->amount;
    if (is_refused && item->charged_minor > 0)
        expected.minor = item->charged_minor;
    (void)setpay_money_format(&row->amount, theirs);
    (void)setpay_money_format(&expected, ours);
    if (strcmp(row->amount.currency, item->amount.currency) != 0)
        find(run, SETPAY_DIFFERENCE_CURRENCY, id, line, "the issuer has %s %s, the ledger %s",
             done(credits), theirs, ours);
    else if (row->amount.minor != expected.minor || row->kind != kind_of(item))
        find(run, SETPAY_DIFFERENCE_AMOUNT, id, line,
             "the issuer has %s %s (%s), by the ledger %s are %s (%s)", done(credits), theirs,
             setpay_clearing_kind_name(row->kind), ours, done(item->credits),
             setpay_clearing_kind_name(kind_of(item)));
    else if (!same_xid(row, item))
        find(run, SETPAY_DIFFERENCE_AMOUNT, id, line,
             "the issuer has %s %s to another payment (xid) than the ledger", done(credits),
             theirs);
    if (is_refused && item->charged_minor == 0)
        find(run, SETPAY_DIFFERENCE_EXTRA, id, line,
             "the issuer refused it with response code %s, and has %s %s all the same",
             item->response_code, done(credits), theirs);
    if (!is_refused && after_ms > run->c->late_ms)
        find(run, SETPAY_DIFFERENCE_LATE, id, line,
             "booked on %s, %lld %s or more after it was presented first", row->date,
             (long long)(after_ms / SETPAY_HOUR_MS),
             setpay_noun(after_ms / SETPAY_HOUR_MS, "hour", "hours"));
    if (run->differences == before)
        run->c->matched++;
}

/* The issuer says that it has refused it. */
static void look_at_refused(struct run *run, const struct setpay_clearing_row *row, size_t line,
                            const struct setpay_clearing_item *item)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    (void)setpay_money_format(&row->amount, amount);
    if (item->acknowledged && setpay_presentment_is_taken(item->response_code))
        find(run, SETPAY_DIFFERENCE_MISSING, row->presentment, line,
             "the issuer has refused %s with response code %s, and answered %s before", amount,
             row->result, item->response_code);
    else
        run->c->matched++;
}

/* Whether so much of a sale of ours was given back. */
static bool counts_as_back(const struct setpay_clearing_row *row,
                           const struct setpay_clearing_item *item)
{
    return item->sale && strcmp(row->result, "00") == 0 &&
           strcmp(row->amount.currency, item->amount.currency) == 0;
}

/* A sale's reversal that names an item: it must be one. How much was given back is seen in the
 * end. */
static void look_at_reversal(struct run *run, const struct setpay_clearing_row *row, size_t line,
                             size_t at)
{
    const struct setpay_clearing_item *item = &run->c->items[at];
    char theirs[SETPAY_MONEY_TEXT_SIZE], ours[SETPAY_MONEY_TEXT_SIZE];
    bool booked = strcmp(row->result, "00") == 0; /* else nothing was given back */
    size_t before = run->differences;
    (void)setpay_money_format(&row->amount, theirs);
    (void)setpay_money_format(&item->amount, ours);
    run->reversed[at] += counts_as_back(row, item) ? row->amount.minor : 0;
    if (booked && strcmp(row->amount.currency, item->amount.currency) != 0)
        find(run, SETPAY_DIFFERENCE_CURRENCY, row->presentment, line,
             "the issuer has given back %s of a sale, the ledger %s %s", theirs,
             done(item->credits), ours);
    else if (booked && !item->sale)
        find(run, SETPAY_DIFFERENCE_AMOUNT, row->presentment, line,
             "the issuer has given back %s as of a sale (sale-reversal), by the ledger %s are %s "
             "(%s)",
             theirs, ours, done(item->credits), setpay_clearing_kind_name(kind_of(item)));
    else if (booked && !same_xid(row, item))
        find(run, SETPAY_DIFFERENCE_AMOUNT, row->presentment, line,
             "the issuer has given back %s of another payment (xid) than the ledger", theirs);
    if (run->differences == before)
        run->c->matched++;
}

/* Whether another than the issuer of the file has it. Of what was presented before issuers were
 * kept nobody knows. */
static bool is_anothers(const struct run *run, const struct setpay_clearing_item *item)
{
    return run->c->issuer != NULL && item->issuer[0] != '\0' &&
           strcmp(run->c->issuer, item->issuer) != 0;
}

/* The step that a row is of; NULL where it is none of ours, or none of this issuer's. */
static struct setpay_clearing_item *find_step(const struct run *run,
                                              const struct setpay_clearing_row *row)
{
    struct setpay_clearing_item *item = find_item(run->c, row->presentment);
    return item == NULL || item->unsold || is_anothers(run, item) ? NULL : item;
}

/* Why there is no step. */
static const char *why_none(const struct run *run, const struct setpay_clearing_row *row,
                            char words[WORDS_SIZE])
{
    const struct setpay_clearing_item *item = find_item(run->c, row->presentment);
    if (item != NULL && is_anothers(run, item))
        (void)snprintf(words, WORDS_SIZE, "by the ledger it was presented to the issuer %s",
                       item->issuer);
    else
        (void)snprintf(words, WORDS_SIZE, "the ledger has no such step");
    return words;
}

static void add_unknown(struct run *run, const struct setpay_clearing_row *row, size_t line,
                        bool outside)
{
    const struct setpay_clearing_item *ask = find_item(run->c, row->presentment);
    if (ask != NULL && (!ask->unsold || is_anothers(run, ask)))
        ask = NULL;
    run->unknown[run->unknown_count++] = (struct unknown){row, line, outside, ask};
}

/* Of a day that is not compared. */
static void look_past_row(struct run *run, const struct setpay_clearing_row *row, size_t line)
{
    bool booked = strcmp(row->result, "00") == 0;
    const struct setpay_clearing_item *item = find_step(run, row);
    bool sale = row->kind == SETPAY_CLEARING_SALE,
         back = row->kind == SETPAY_CLEARING_SALE_REVERSAL;
    run->c->outside++;
    if (item == NULL) {
        if (booked && (sale || back))
            add_unknown(run, row, line, true);
        return;
    }
    size_t at = (size_t)(item - run->c->items);
    if (back)
        run->reversed[at] += counts_as_back(row, item) ? row->amount.minor : 0;
    else if (run->lines[at] == 0)
        run->lines[at] = line;
}

static void look_at_row(struct run *run, const struct setpay_clearing_row *row, size_t line)
{
    char amount[SETPAY_MONEY_TEXT_SIZE], why[WORDS_SIZE];
    bool booked = strcmp(row->result, "00") == 0;
    struct setpay_clearing_item *item = find_step(run, row);
    (void)setpay_money_format(&row->amount, amount);
    run->c->looked_at++;
    if (item == NULL && (row->kind == SETPAY_CLEARING_SALE ||
                         row->kind == SETPAY_CLEARING_SALE_REVERSAL || !booked)) {
        if (booked) /* what a sale comes to is seen in the end */
            add_unknown(run, row, line, false);
        else
            run->c->matched++; /* on neither side */
        return;
    }
    if (item == NULL) {
        find(run, SETPAY_DIFFERENCE_EXTRA, row->presentment, line, "the issuer has %s %s, and %s",
             done(setpay_clearing_kind_credits(row->kind)), amount, why_none(run, row, why));
        return;
    }
    size_t at = (size_t)(item - run->c->items);
    run->inside[at] = true;
    if (row->kind == SETPAY_CLEARING_SALE_REVERSAL) {
        look_at_reversal(run, row, line, at);
        return;
    }
    if (run->lines[at] != 0) {
        find(run, SETPAY_DIFFERENCE_DUPLICATE, row->presentment, line,
             "the issuer has %s again: line %zu is of the same presentment", amount,
             run->lines[at]);
        return;
    }
    run->lines[at] = line;
    if (booked)
        compare(run, row, line, item);
    else
        look_at_refused(run, row, line, item);
}

/* ------------------------------------------------------------------ sales */

static int by_presentment(const void *a, const void *b)
{
    const struct unknown *one = a, *other = b;
    int order = strcmp(one->row->presentment, other->row->presentment);
    if (order == 0)
        order = strcmp(one->row->amount.currency, other->row->amount.currency);
    return order != 0 ? order : one->line < other->line ? -1 : 1;
}

/* What rows of one sale in one currency come to. */
struct sold {
    const struct unknown *first;
    struct setpay_money left;       /* charged, less what was given back */
    size_t inside;                  /* rows of the days that are compared */
    bool charged;                   /* by one of these */
    const struct unknown *back;     /* of these, the first that gives back; or NULL */
    const struct unknown *mixed_up; /* of these, one of another xid than we asked for; or NULL */
};

static void add_to_sold(struct sold *sold, const struct unknown *unknown)
{
    const struct setpay_clearing_row *row = unknown->row;
    bool is_sale = row->kind == SETPAY_CLEARING_SALE;
    sold->left.minor += is_sale ? row->amount.minor : -row->amount.minor;
    if (unknown->outside)
        return;
    sold->inside++;
    sold->charged = sold->charged || is_sale;
    if (!is_sale && sold->back == NULL)
        sold->back = unknown;
    if (unknown->ask != NULL && !same_xid(row, unknown->ask))
        sold->mixed_up = unknown;
}

/* More was given back than the file has charged: it must be of a sale that we reversed, and that is
 * in a file before. */
static void look_at_given_back(struct run *run, const struct sold *sold)
{
    const struct setpay_clearing_item *ask = sold->first->ask;
    const char *id = sold->first->row->presentment;
    char theirs[SETPAY_MONEY_TEXT_SIZE], ours[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money back = sold->left;
    back.minor = -back.minor;
    (void)setpay_money_format(&back, theirs);
    if (ask == NULL) {
        find(run, SETPAY_DIFFERENCE_EXTRA, id, sold->back->line,
             "the issuer has given back %s of a sale that the ledger does not know", theirs);
        return;
    }
    (void)setpay_money_format(&ask->amount, ours);
    if (strcmp(back.currency, ask->amount.currency) != 0)
        find(run, SETPAY_DIFFERENCE_CURRENCY, id, sold->back->line,
             "the issuer has given back %s of a sale, of which %s were asked for", theirs, ours);
    else if (back.minor > ask->amount.minor)
        find(run, SETPAY_DIFFERENCE_AMOUNT, id, sold->back->line,
             "the issuer has given back %s of a sale, of which %s were asked for", theirs, ours);
    else
        run->c->matched += sold->inside;
}

/* Sales that are no steps of ours must have been reversed whole. */
static void look_at_sold(struct run *run, struct sold *sold)
{
    const char *id = sold->first->row->presentment;
    char amount[SETPAY_MONEY_TEXT_SIZE], why[WORDS_SIZE];
    if (sold->mixed_up != NULL) {
        find(run, SETPAY_DIFFERENCE_AMOUNT, id, sold->mixed_up->line,
             "the issuer has a sale of another payment (xid) than was asked for");
        sold->inside = 0;
    }
    if (sold->charged && sold->left.minor > 0)
        find(run, SETPAY_DIFFERENCE_EXTRA, id, sold->first->line,
             "the issuer has charged %s in a sale, and %s",
             setpay_money_format(&sold->left, amount), why_none(run, sold->first->row, why));
    else if (sold->back != NULL && sold->left.minor < 0)
        look_at_given_back(run, sold);
    else /* undone: nothing is left of it; or a sale of a day before */
        run->c->matched += sold->inside;
}

static void look_at_unknown(struct run *run)
{
    qsort(run->unknown, run->unknown_count, sizeof *run->unknown, by_presentment);
    for (size_t i = 0, end; i < run->unknown_count; i = end) {
        const struct setpay_clearing_row *first = run->unknown[i].row;
        struct sold sold = {.first = &run->unknown[i]};
        memcpy(sold.left.currency, first->amount.currency, sizeof sold.left.currency);
        for (end = i; end < run->unknown_count &&
                      strcmp(run->unknown[end].row->presentment, first->presentment) == 0 &&
                      strcmp(run->unknown[end].row->amount.currency, first->amount.currency) == 0;
             end++)
            add_to_sold(&sold, &run->unknown[end]);
        look_at_sold(run, &sold);
    }
}

static void look_at_sale(struct run *run, size_t at)
{
    const struct setpay_clearing_item *item = &run->c->items[at];
    char id[SETPAY_ID_TEXT_SIZE], amount[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money back = item->amount;
    back.minor = run->reversed[at];
    (void)setpay_id_format(&item->step, id);
    (void)setpay_money_format(&back, amount);
    if (run->inside[at] && back.minor > (item->undone_ms != 0 ? item->amount.minor : 0))
        find(run, SETPAY_DIFFERENCE_AMOUNT, id, run->lines[at],
             "the issuer has given back %s of a sale, more than was undone", amount);
    else if (item->undone_ms != 0 && back.minor < item->amount.minor &&
             item->undone_ms >= run->from_ms && run->to_ms - item->undone_ms > run->c->late_ms)
        find(run, SETPAY_DIFFERENCE_LATE, id, run->lines[at],
             "a sale that was undone: the issuer has given back %s of it so far", amount);
}

/* ------------------------------------------------------------------ what no row has named */

/* It is in a file of before this one, or nowhere. */
static void look_elsewhere(struct run *run, const struct setpay_clearing_item *item)
{
    struct setpay_date day = setpay_date_of_ms(item->presented_ms);
    char first[SETPAY_DATE_TEXT_SIZE], last[SETPAY_DATE_TEXT_SIZE];
    (void)setpay_date_format(&day, first);
    day = setpay_date_of_ms(start_of(run->c->file->from) - 1);
    (void)setpay_date_format(&day, last);
    run->c->elsewhere++;
    if (run->c->elsewhere_cb != NULL)
        run->c->elsewhere_cb(run->arg, item, first, last);
}

static void look_at_item(struct run *run, const struct setpay_clearing_item *item)
{
    char amount[SETPAY_MONEY_TEXT_SIZE], id[SETPAY_ID_TEXT_SIZE];
    (void)setpay_money_format(&item->amount, amount);
    (void)setpay_id_format(&item->step, id);
    if (!item->acknowledged) {
        int64_t hours = (run->to_ms - item->presented_ms) / SETPAY_HOUR_MS;
        /* What waits from before the file still waits; from before the days asked for, it is not
         * asked for. */
        bool early = run->first == run->c->from && item->presented_ms < run->from_ms;
        if (!early && run->to_ms - item->presented_ms > run->c->late_ms)
            find(run, SETPAY_DIFFERENCE_LATE, id, 0,
                 "%s of %s, presented %lld %s before the end of what is compared, are neither "
                 "in the file nor answered",
                 amount, item->merchant_id, (long long)hours, setpay_noun(hours, "hour", "hours"));
        return;
    }
    if (!setpay_presentment_is_taken(item->response_code) || item->acknowledged_ms < run->from_ms ||
        item->acknowledged_ms >= run->to_ms)
        return;
    if (item->presented_ms < start_of(run->c->file->from))
        look_elsewhere(run, item);
    else
        find(run, SETPAY_DIFFERENCE_MISSING, id, 0,
             "%s of %s %s are not in the file, though the issuer took them with response code %s",
             amount, item->brand, item->merchant_id, item->response_code);
}

/* Whether a row of the file has booked it, of whatever day. */
static bool is_booked(const struct run *run, size_t at)
{
    return run->lines[at] != 0 && /* behind the header */
           strcmp(run->c->file->rows[run->lines[at] - 2].result, "00") == 0;
}

/* Refused for good, as both have it; but its merchant was paid, since it was charged after all. */
static void look_at_claimed(struct run *run, size_t at)
{
    const struct setpay_clearing_item *item = &run->c->items[at];
    if (!item->acknowledged || setpay_presentment_is_taken(item->response_code) ||
        item->charged_minor == 0 || item->charged_ms < run->from_ms ||
        item->charged_ms >= run->to_ms || is_booked(run, at))
        return;
    run->c->claimed++;
    if (run->c->claimed_cb != NULL)
        run->c->claimed_cb(run->arg, item);
}

static void look_at_all(struct run *run)
{
    const struct setpay_clearing_file *file = run->c->file;
    for (size_t i = 0; i < file->row_count; i++) {
        const struct setpay_clearing_row *row = &file->rows[i];
        bool inside = strcmp(row->date, run->first) >= 0 && strcmp(row->date, run->last) <= 0;
        if (strcmp(row->acquirer, run->c->acquirer) == 0)
            (inside ? look_at_row : look_past_row)(run, row, i + 2); /* behind the header */
    }
    look_at_unknown(run);
    for (size_t i = 0; i < run->c->item_count; i++) {
        const struct setpay_clearing_item *item = &run->c->items[i];
        bool is_of_file = run->c->issuer == NULL || strcmp(run->c->issuer, item->issuer) == 0;
        if (item->unsold || !is_of_file)
            continue;
        if (item->sale)
            look_at_sale(run, i);
        if (run->lines[i] == 0)
            look_at_item(run, item);
        look_at_claimed(run, i);
    }
}

static void sort_items(struct setpay_clearing_compare *c)
{
    if (c->item_count > 0)
        qsort(c->items, c->item_count, sizeof *c->items, by_step);
}

bool setpay_clearing_compare_find_issuer(struct setpay_clearing_compare *c,
                                         char issuer[SETPAY_NETWORK_NAME_SIZE])
{
    struct {
        const char *name;
        size_t rows;
    } named[SETPAY_NETWORK_ROUTES_MAX];
    size_t count = 0, most = 0;
    sort_items(c);
    for (size_t i = 0; i < c->file->row_count; i++) {
        const struct setpay_clearing_row *row = &c->file->rows[i];
        const struct setpay_clearing_item *item = find_item(c, row->presentment);
        size_t at = 0;
        if (item == NULL || item->issuer[0] == '\0' || strcmp(row->acquirer, c->acquirer) != 0)
            continue;
        while (at < count && strcmp(named[at].name, item->issuer) != 0)
            at++;
        if (at == SETPAY_NETWORK_ROUTES_MAX)
            continue;
        if (at == count) {
            named[count].name = item->issuer;
            named[count++].rows = 0;
        }
        named[at].rows++;
    }
    for (size_t i = 1; i < count; i++)
        most = named[i].rows > named[most].rows ? i : most;
    if (count > 0)
        (void)snprintf(issuer, SETPAY_NETWORK_NAME_SIZE, "%s", named[most].name);
    return count > 0;
}

bool setpay_clearing_compare_days(const struct setpay_clearing_compare *c, const char **first,
                                  const char **last)
{
    *first = c->from != NULL && strcmp(c->from, c->file->from) > 0 ? c->from : c->file->from;
    *last = c->to != NULL && strcmp(c->to, c->file->to) < 0 ? c->to : c->file->to;
    return strcmp(*first, *last) <= 0;
}

void setpay_clearing_compare_window(const struct setpay_clearing_compare *c,
                                    setpay_time_ms *from_ms, setpay_time_ms *to_ms)
{
    const char *first, *last;
    (void)setpay_clearing_compare_days(c, &first, &last);
    *from_ms = start_of(first);
    *to_ms = start_of(last) + SETPAY_DAY_MS;
}

enum setpay_error setpay_clearing_compare_run(struct setpay_clearing_compare *c,
                                              setpay_difference_cb *found, void *arg,
                                              size_t *differences)
{
    struct run run = {.c = c, .found = found, .arg = arg};
    (void)setpay_clearing_compare_days(c, &run.first, &run.last);
    setpay_clearing_compare_window(c, &run.from_ms, &run.to_ms);
    run.inside = calloc(c->item_count + 1, sizeof *run.inside);
    run.lines = calloc(c->item_count + 1, sizeof *run.lines);
    run.reversed = calloc(c->item_count + 1, sizeof *run.reversed);
    run.unknown = calloc(c->file->row_count + 1, sizeof *run.unknown);
    memset(c->found, 0, sizeof c->found);
    c->looked_at = c->matched = c->outside = c->elsewhere = c->claimed = 0;
    bool there =
        run.inside != NULL && run.lines != NULL && run.reversed != NULL && run.unknown != NULL;
    if (there) {
        sort_items(c);
        look_at_all(&run);
        *differences = run.differences;
    }
    free(run.inside);
    free(run.lines);
    free(run.reversed);
    free(run.unknown);
    return there ? SETPAY_OK : SETPAY_E_NOMEM;
}
