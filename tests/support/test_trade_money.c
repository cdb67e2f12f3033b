/*
 * Sums of the plan, group by group, beside those of the gateway's database.
 */
#include "tests/support/test_trade_money.h"

#include "tests/support/test_sandbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 500

/* Accounts of the ledger (gateway/clearing/ledger.h). */
enum { RECEIVABLE = 1, INTERCHANGE = 3, FEES = 4, SUSPENSE = 6, LOSSES = 9, ACCOUNTS = 10 };

static bool goes_to_issuer(const char *currency)
{
    return strcmp(currency, "EUR") == 0;
}

/* ------------------------------------------------------------------ what is settled */

struct settled {
    int64_t captured, credited, fee, refused, cleared;
};

/* What a merchant has coming to it of a currency, by the plan, and by all settlements. */
static struct settled planned(const struct test_trade_sale *sales, uint64_t count, size_t merchant,
                              size_t currency)
{
    struct settled sums = {0};
    for (uint64_t i = 0; i < count; i++) {
        const struct test_trade *plan = &sales[i].plan;
        if (plan->merchant != merchant || plan->currency != currency)
            continue;
        sums.captured += plan->captured - (plan->refused > 0 ? plan->refused : 0);
        sums.credited += plan->credited + (plan->refused < 0 ? plan->refused : 0);
        sums.fee += plan->fee - plan->refused_fee;
        sums.refused += plan->refused - plan->refused_fee;
    }
    sums.cleared = goes_to_issuer(test_trade_currencies[currency]) ? 0 : sums.refused;
    return sums;
}

static int64_t settled(sqlite3 *gateway, const char *sum, const char *merchant,
                       const char *currency)
{
    char query[320];
    (void)snprintf(query, sizeof query,
                   "SELECT coalesce(sum(%s), 0) FROM settlement WHERE merchant_id = ?1 AND "
                   "currency = '%s'",
                   sum, currency);
    return test_database_number(gateway, query, merchant);
}

static bool is_one(const char *of, const char *merchant, const char *currency, int64_t got,
                   int64_t want, char *words, size_t size)
{
    (void)snprintf(words, size, "%s, %s: %s %" PRId64 ", not %" PRId64, merchant, currency, of, got,
                   want);
    return got == want;
}

typedef bool group_fn(sqlite3 *gateway, const char *merchant, const char *currency,
                      const struct settled *want, char *words, size_t size);

static bool each_group(const struct test_town *town, const struct test_trade_sale *sales,
                       uint64_t count, group_fn *agrees, char *words, size_t size)
{
    sqlite3 *gateway = test_sandbox_database(&town->sandbox, "gateway");
    bool good = gateway != NULL;
    for (size_t i = 0; good && i < (size_t)TEST_TOWN_MERCHANTS * TEST_TRADE_CURRENCIES; i++) {
        size_t merchant = i % TEST_TOWN_MERCHANTS, currency = i / TEST_TOWN_MERCHANTS;
        const struct settled want = planned(sales, count, merchant, currency);
        good = agrees(gateway, town->merchants[merchant]->id, test_trade_currencies[currency],
                      &want, words, size);
    }
    sqlite3_close(gateway);
    return good;
}

/* Carried over is 0 or what is owed. */
static bool group_is_settled(sqlite3 *gateway, const char *merchant, const char *currency,
                             const struct settled *want, char *words, size_t size)
{
    const struct {
        const char *of, *sum;
        int64_t want;
    } all[] = {
        {"captured", "capture_minor", want->captured},
        {"given back", "credit_minor", want->credited},
        {"fees", "fee_minor", want->fee},
        {"to suspense", "refused_minor", want->refused},
        {"paid out and owed", "payout_minor + carried_out_minor - carried_in_minor",
         want->captured - want->credited - want->fee},
    };
    bool good = true;
    for (size_t i = 0; good && i < sizeof all / sizeof all[0]; i++)
        good = is_one(all[i].of, merchant, currency,
                      settled(gateway, all[i].sum, merchant, currency), all[i].want, words, size);
    return good;
}

bool test_trade_is_settled(const struct test_town *town, const struct test_trade_sale *sales,
                           uint64_t count, char *words, size_t size)
{
    return each_group(town, sales, count, group_is_settled, words, size);
}

static bool group_is_cleared(sqlite3 *gateway, const char *merchant, const char *currency,
                             const struct settled *want, char *words, size_t size)
{
    return is_one("cleared", merchant, currency,
                  settled(gateway, "cleared_minor", merchant, currency), want->cleared, words,
                  size);
}

bool test_trade_cleared_is_settled(const struct test_town *town,
                                   const struct test_trade_sale *sales, uint64_t count, char *words,
                                   size_t size)
{
    return each_group(town, sales, count, group_is_cleared, words, size);
}

/* ------------------------------------------------------------------ the ledger */

/* What a sale comes to in each account, in the end. */
static void add_accounts(const struct test_trade *plan, bool is_cleared, int64_t accounts[ACCOUNTS])
{
    bool to_issuer = goes_to_issuer(test_trade_currencies[plan->currency]);
    int64_t claimed = plan->refused - plan->refused_interchange;
    accounts[RECEIVABLE] += plan->captured - plan->credited - plan->interchange;
    accounts[INTERCHANGE] += plan->interchange;
    accounts[FEES] -= plan->fee;
    if (!is_cleared) {
        accounts[SUSPENSE] -= plan->refused - plan->refused_fee;
        return;
    }
    if (!to_issuer && plan->fate != TEST_TRADE_LOST)
        return; /* the issuer owes it still */
    accounts[RECEIVABLE] -= claimed;
    accounts[INTERCHANGE] -= plan->refused_interchange;
    if (to_issuer)
        accounts[FEES] += plan->refused_fee;
    else
        accounts[LOSSES] += plan->refused;
}

static bool is_of(const struct test_trade *plan, const struct test_trade *group)
{
    return plan->merchant == group->merchant && plan->currency == group->currency &&
           strcmp(plan->brand, group->brand) == 0;
}

static bool account_is(sqlite3 *gateway, int account, const struct test_trade *of, const char *id,
                       int64_t want, char *words, size_t size)
{
    char query[320];
    (void)snprintf(query, sizeof query,
                   "SELECT coalesce(sum(amount_minor), 0) FROM ledger_balance WHERE merchant_id ="
                   " ?1 AND account = %d AND brand = '%s' AND currency = '%s'",
                   account, of->brand, test_trade_currencies[of->currency]);
    int64_t got = test_database_number(gateway, query, id);
    (void)snprintf(words, size, "%s, %s, %s: account %d holds %" PRId64 ", not %" PRId64, id,
                   of->brand, test_trade_currencies[of->currency], account, got, want);
    return got == want;
}

bool test_trade_ledger_agrees(const struct test_town *town, const struct test_trade_sale *sales,
                              uint64_t count, bool is_cleared, char *words, size_t size)
{
    static const int looked_at[] = {RECEIVABLE, INTERCHANGE, FEES, SUSPENSE, LOSSES};
    sqlite3 *gateway = test_sandbox_database(&town->sandbox, "gateway");
    bool good = gateway != NULL;
    for (uint64_t first = 0; good && first < count; first++) {
        const struct test_trade *of = &sales[first].plan;
        int64_t want[ACCOUNTS] = {0};
        bool seen = false;
        for (uint64_t i = 0; i < count; i++) {
            if (!is_of(&sales[i].plan, of))
                continue;
            seen = seen || i < first;
            add_accounts(&sales[i].plan, is_cleared, want);
        }
        for (size_t i = 0; good && !seen && i < sizeof looked_at / sizeof looked_at[0]; i++)
            good = account_is(gateway, looked_at[i], of, town->merchants[of->merchant]->id,
                              want[looked_at[i]], words, size);
    }
    sqlite3_close(gateway);
    return good;
}

/* ------------------------------------------------------------------ what is in suspense */

static bool clear(const struct test_town *town, json_t *args, char *words, size_t size)
{
    enum setpay_error error =
        test_sandbox_admin(&town->sandbox, TEST_GATEWAY, "suspense.clear", args, NULL);
    (void)snprintf(words, size, "an item is not cleared: %s", setpay_error_name(error));
    return error == SETPAY_OK;
}

static bool clear_item(const struct test_town *town, const json_t *item, char *words, size_t size)
{
    const char *id = json_string_value(json_object_get(item, "id"));
    const char *currency = json_string_value(json_object_get(item, "currency"));
    json_int_t part = llabs(json_integer_value(json_object_get(item, "left"))) / 3;
    if (id == NULL || currency == NULL)
        return false;
    if (!goes_to_issuer(currency))
        return clear(
            town, json_pack("{s:s, s:s, s:s}", "id", id, "to", "merchant", "reason", "it was sold"),
            words, size);
    return (part == 0 ||
            clear(town,
                  json_pack("{s:s, s:s, s:s, s:I, s:s}", "id", id, "to", "issuer", "reason",
                            "a third at first", "amount", part, "currency", currency),
                  words, size)) &&
           clear(town,
                 json_pack("{s:s, s:s, s:s}", "id", id, "to", "issuer", "reason", "nobody has it"),
                 words, size);
}

/* Whatever is cleared leaves the list: its first page, until it is empty. */
bool test_trade_clear_suspense(const struct test_town *town, char *words, size_t size)
{
    for (;;) {
        json_t *page = NULL;
        size_t i;
        const json_t *item;
        (void)snprintf(words, size, "what is in suspense can't be listed");
        bool good = test_sandbox_admin(&town->sandbox, TEST_GATEWAY, "suspense.list",
                                       json_pack("{s:i}", "limit", PAGE), &page) == SETPAY_OK;
        const json_t *items = json_object_get(page, "items");
        bool is_empty = json_array_size(items) == 0;
        json_array_foreach(items, i, item) good = good && clear_item(town, item, words, size);
        json_decref(page);
        if (is_empty || !good)
            return good;
    }
}
