/*
 * Spending rules (rule W4): each part of the decision one unit inside and outside, several rules
 * side by side, the 24 hours over midnight and a change of the clocks, and what is stored of it.
 */
#include "cardholder/cli/words.h"
#include "cardholder/rule.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NOW TEST_PKI_NOW_MS
#define OK(expression) assert_int_equal((expression), SETPAY_OK)

static struct setpay_wallet_rule a_rule(void)
{
    return (struct setpay_wallet_rule){.number = 3,
                                       .brand = "visa",
                                       .merchant_id = "shop",
                                       .each = {2000, "EUR"},
                                       .day = {5000, "EUR"},
                                       .made_ms = NOW - SETPAY_DAY_MS};
}

static struct setpay_wallet_spending a_spending(int64_t minor)
{
    return (struct setpay_wallet_spending){.brand = "visa",
                                           .merchant_id = "shop",
                                           .card = test_id(1),
                                           .amount = {minor, "EUR"},
                                           .terms = SETPAY_TERMS_SINGLE,
                                           .now_ms = NOW};
}

/* ------------------------------------------------------------------ one rule */

struct edge {
    const char *what;
    void (*change)(struct setpay_wallet_rule *rule, struct setpay_wallet_spending *spending,
                   struct setpay_wallet_rule_facts *facts);
    enum setpay_wallet_rule_verdict wanted;
};

#define CHANGE(name, ...)                                                                          \
    static void name(struct setpay_wallet_rule *rule, struct setpay_wallet_spending *spending,     \
                     struct setpay_wallet_rule_facts *facts)                                       \
    {                                                                                              \
        (void)rule, (void)spending, (void)facts;                                                   \
        __VA_ARGS__;                                                                               \
    }

CHANGE(nothing, (void)0)
CHANGE(all_of_each, spending->amount.minor = 2000)
CHANGE(one_above_each, spending->amount.minor = 2001)
CHANGE(all_of_day, facts->spent_minor = 4000)
CHANGE(one_above_day, facts->spent_minor = 4001)
CHANGE(far_above_day, facts->spent_minor = INT64_MAX)
CHANGE(other_currency, strcpy(spending->amount.currency, "USD"))
CHANGE(other_merchant, strcpy(spending->merchant_id, "shop2"))
CHANGE(other_case, strcpy(spending->merchant_id, "Shop"))
CHANGE(other_brand, strcpy(spending->brand, "mastercard"))
CHANGE(its_card, rule->has_card = true; rule->card = test_id(1))
CHANGE(other_card, rule->has_card = true; rule->card = test_id(2))
CHANGE(split, spending->terms = SETPAY_TERMS_SPLIT)
CHANGE(instalments, spending->terms = SETPAY_TERMS_INSTALMENT)
CHANGE(recurring, spending->terms = SETPAY_TERMS_RECURRING)
CHANGE(last_moment, rule->until_ms = NOW)
CHANGE(a_moment_late, rule->until_ms = NOW - 1)
CHANGE(restored_before, facts->restored_ms = rule->made_ms - 1)
CHANGE(restored_then, facts->restored_ms = rule->made_ms)
CHANGE(restored_after, facts->restored_ms = NOW)

static void each_part_has_its_edge(void **state)
{
    static const struct edge edges[] = {
        {"inside", nothing, SETPAY_WALLET_RULE_AGREES},
        {"as much as one payment may be", all_of_each, SETPAY_WALLET_RULE_AGREES},
        {"a unit more than one payment may be", one_above_each, SETPAY_WALLET_RULE_AMOUNT},
        {"what is left of the day", all_of_day, SETPAY_WALLET_RULE_AGREES},
        {"a unit more than is left", one_above_day, SETPAY_WALLET_RULE_DAY},
        {"far more was spent", far_above_day, SETPAY_WALLET_RULE_DAY},
        {"the same number in another currency", other_currency, SETPAY_WALLET_RULE_OTHER_CURRENCY},
        {"another merchant", other_merchant, SETPAY_WALLET_RULE_OTHER_MERCHANT},
        {"a merchant whose id looks alike", other_case, SETPAY_WALLET_RULE_OTHER_MERCHANT},
        {"the same id in another brand", other_brand, SETPAY_WALLET_RULE_OTHER_MERCHANT},
        {"the card that it names", its_card, SETPAY_WALLET_RULE_AGREES},
        {"another card", other_card, SETPAY_WALLET_RULE_OTHER_CARD},
        {"split terms", split, SETPAY_WALLET_RULE_TERMS},
        {"instalments", instalments, SETPAY_WALLET_RULE_TERMS},
        {"recurring terms", recurring, SETPAY_WALLET_RULE_TERMS},
        {"its last moment", last_moment, SETPAY_WALLET_RULE_AGREES},
        {"a millisecond after its end", a_moment_late, SETPAY_WALLET_RULE_ENDED},
        {"set after a restore", restored_before, SETPAY_WALLET_RULE_AGREES},
        {"set when it was restored", restored_then, SETPAY_WALLET_RULE_FROM_BACKUP},
        {"restored since", restored_after, SETPAY_WALLET_RULE_FROM_BACKUP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        struct setpay_wallet_rule rule = a_rule();
        struct setpay_wallet_spending spending = a_spending(1000);
        struct setpay_wallet_rule_facts facts = {0};
        edges[i].change(&rule, &spending, &facts);
        enum setpay_wallet_rule_verdict found = setpay_wallet_rule_check(&rule, &spending, &facts);
        if (found != edges[i].wanted)
            print_error("%s\n", edges[i].what);
        assert_int_equal(found, edges[i].wanted);
    }
}

/* ------------------------------------------------------------------ several rules */

static void the_first_that_agrees_does(void **state)
{
    struct setpay_wallet_rule rules[3] = {a_rule(), a_rule(), a_rule()};
    struct setpay_wallet_spending spending = a_spending(2500);
    const struct setpay_wallet_rule_facts facts = {.spent_minor = 3000};
    enum setpay_wallet_rule_verdict verdict;
    (void)state;
    rules[0].number = 1; /* too small an amount */
    rules[1].number = 2; /* too small a day */
    rules[1].each.minor = 2500;
    rules[2].number = 3;
    strcpy(rules[2].merchant_id, "other");
    /* None; the one that came nearest is told, wherever it stands. */
    assert_ptr_equal(setpay_wallet_rule_choose(rules, 3, &spending, &facts, &verdict), &rules[1]);
    assert_int_equal(verdict, SETPAY_WALLET_RULE_DAY);
    rules[1].day.minor = 5500;
    assert_ptr_equal(setpay_wallet_rule_choose(rules, 3, &spending, &facts, &verdict), &rules[1]);
    assert_int_equal(verdict, SETPAY_WALLET_RULE_AGREES);
    rules[2] = rules[1];
    assert_ptr_equal(setpay_wallet_rule_choose(rules, 3, &spending, &facts, &verdict), &rules[1]);
    assert_null(setpay_wallet_rule_choose(rules, 0, &spending, &facts, &verdict));
    assert_int_equal(verdict, SETPAY_WALLET_RULE_OTHER_MERCHANT);
    strcpy(spending.merchant_id, "third");
    assert_null(setpay_wallet_rule_choose(rules, 3, &spending, &facts, &verdict));
    assert_int_equal(verdict, SETPAY_WALLET_RULE_OTHER_MERCHANT);
}

static void a_rule_must_make_sense(void **state)
{
    static const struct {
        int64_t each, day;
        const char *currency, *merchant;
        int64_t until_ms;
        const char *words; /* NULL: it does */
    } rows[] = {
        {2000, 5000, "EUR", "shop", 0, NULL},
        {2000, 2000, "EUR", "shop", NOW + 1, NULL},
        {2000, 1999, "EUR", "shop", 0, "per_day: 19.99 EUR is less than one payment may be"},
        {0, 1999, "EUR", "shop", 0, "amount: "},
        {2000, 5000, "USD", "shop", 0, "per_day: "},
        {2000, 5000, "EUR", "shop.example", 0, "merchant_id: "},
        {2000, 5000, "EUR", "", 0, "merchant_id: "},
        {2000, 5000, "EUR", "shop", NOW, "until: "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setpay_wallet_rule rule = a_rule();
        struct setpay_problem problem = {{0}};
        rule.each.minor = rows[i].each;
        rule.day.minor = rows[i].day;
        (void)snprintf(rule.day.currency, sizeof rule.day.currency, "%s", rows[i].currency);
        (void)snprintf(rule.merchant_id, sizeof rule.merchant_id, "%s", rows[i].merchant);
        rule.until_ms = rows[i].until_ms;
        enum setpay_error error = setpay_wallet_rule_check_sound(&rule, NOW, &problem);
        assert_int_equal(error, rows[i].words == NULL ? SETPAY_OK : SETPAY_E_INVALID);
        if (rows[i].words != NULL)
            assert_memory_equal(problem.text, rows[i].words, strlen(rows[i].words));
    }
}

/* ------------------------------------------------------------------ what is stored */

static struct test_folder folder;
static struct setpay_store *store;
static struct setpay_reader *reader;

/* A purchase with that first byte in its xid; of 10.00 EUR at shop, visa, unless it says so. */
struct bought {
    uint8_t first;
    setpay_time_ms created_ms;
    int64_t minor;
    const char *currency, *brand, *merchant_id;
    enum setpay_wallet_state state;
    bool by_person;
};

static enum setpay_error put(struct setpay_db *db, void *arg)
{
    const struct bought *b = arg;
    struct setpay_id xid = test_id(b->first);
    struct setpay_digest digest = test_digest(b->first);
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO purchase (xid, version, state, host, port, token, created, updated, brand,"
        " merchant_id, merchant_name, lid_c, lid_m, chall_c, amount, currency, terms, rrpid,"
        " request_hash, merchant, gateway_sign, gateway_encrypt, cardholder, oimd, pomd, signed,"
        " expiry, gateway_certificate, card_box, back_key_box, offer, preq, receipts, last_hash,"
        " last_kind, authorised, reversed, action_code, approval_code, said, disagreement, breach)"
        " VALUES ($1, 1, $2, 'shop.example', 443, 'token', $3, $3, $4, $5, 'Shop', $1, 'order', $6,"
        " $7, $8, 1, $1, $6, $6, $6, $6, $6, $6, $6, $3, $3, $6, $6, $6, $6, $6, 0, $6, 0, 0, 0,"
        " '', '', 0, '', 0)",
        SETPAY_DB_ID(&xid), SETPAY_DB_INT(b->state != 0 ? b->state : SETPAY_WALLET_PENDING),
        SETPAY_DB_INT(b->created_ms), SETPAY_DB_TEXT(b->brand != NULL ? b->brand : "visa"),
        SETPAY_DB_TEXT(b->merchant_id != NULL ? b->merchant_id : "shop"), SETPAY_DB_DIGEST(&digest),
        SETPAY_DB_INT(b->minor != 0 ? b->minor : 1000),
        SETPAY_DB_TEXT(b->currency != NULL ? b->currency : "EUR")));
    if (b->by_person)
        return SETPAY_OK;
    return setpay_db_run(db, "INSERT INTO agreed_by_rule (xid, rule) VALUES ($1, 9)",
                         SETPAY_DB_ID(&xid));
}

static void buy(struct bought bought)
{
    OK(setpay_store_submit_wait(store, put, &bought));
}

struct asking {
    struct setpay_wallet_spending spending;
    struct setpay_wallet_rule_facts facts;
};

static enum setpay_error ask_facts(struct setpay_db *db, void *arg)
{
    struct asking *asking = arg;
    return setpay_wallet_rule_read_facts(db, &asking->spending, &asking->facts);
}

static int64_t spent_at(setpay_time_ms now_ms)
{
    struct asking asking = {.spending = a_spending(1)};
    asking.spending.now_ms = now_ms;
    OK(setpay_store_read(reader, ask_facts, &asking));
    return asking.facts.spent_minor;
}

static void what_rules_agreed_to_at_the_merchant_counts(void **state)
{
    (void)state;
    assert_int_equal(spent_at(NOW), 0);
    buy((struct bought){.first = 1, .created_ms = NOW});
    buy((struct bought){.first = 2, .created_ms = NOW, .by_person = true});
    buy((struct bought){.first = 3, .created_ms = NOW, .currency = "USD"});
    buy((struct bought){.first = 4, .created_ms = NOW, .brand = "mastercard"});
    buy((struct bought){.first = 5, .created_ms = NOW, .merchant_id = "shop2"});
    assert_int_equal(spent_at(NOW), 1000);
    /* Nothing was taken, by the gateway's receipt. */
    buy((struct bought){.first = 6, .created_ms = NOW, .state = SETPAY_WALLET_DECLINED});
    buy((struct bought){.first = 7, .created_ms = NOW, .state = SETPAY_WALLET_VOIDED});
    assert_int_equal(spent_at(NOW), 1000);
    /* What the merchant alone says frees nothing, nor what was given back. */
    buy((struct bought){.first = 8, .created_ms = NOW, .state = SETPAY_WALLET_REFUSED});
    buy((struct bought){.first = 9, .created_ms = NOW, .state = SETPAY_WALLET_LAPSED});
    buy((struct bought){.first = 10, .created_ms = NOW, .state = SETPAY_WALLET_REVERSED});
    buy((struct bought){.first = 11, .created_ms = NOW, .state = SETPAY_WALLET_AUTHORISED});
    assert_int_equal(spent_at(NOW), 5000);
}

/* In Berlin 2026-10-25 has 25 hours and 2026-03-29 has 23; a rule's day has 24 wherever it is. */
static void the_day_is_24_hours(void **state)
{
    static const char *const zones[] = {"UTC", "Europe/Berlin", "Pacific/Kiritimati"};
    static const setpay_time_ms evenings[] = {
        INT64_C(1792879140000), /* 23:59 in Berlin, a minute before the day of 25 hours */
        INT64_C(1792969140000), /* 23:59 in Berlin, at the end of that day */
        INT64_C(1774738740000), /* 23:59, a minute before the day of 23 hours */
        INT64_C(1774821540000), /* 23:59, at the end of that day */
    };
    uint8_t first = 0x40;
    (void)state;
    for (size_t zone = 0; zone < sizeof zones / sizeof zones[0]; zone++) {
        assert_int_equal(setenv("TZ", zones[zone], 1), 0);
        tzset();
        for (size_t i = 0; i < sizeof evenings / sizeof evenings[0]; i++) {
            /* Far from each other, by years. */
            setpay_time_ms at = evenings[i] + (setpay_time_ms)(zone * 4 + i) * 728 * SETPAY_DAY_MS;
            buy((struct bought){.first = first, .created_ms = at});
            first++;
            assert_int_equal(spent_at(at), 1000);
            assert_int_equal(spent_at(at + 2 * SETPAY_MINUTE_MS), 1000); /* over midnight */
            assert_int_equal(spent_at(at + SETPAY_DAY_MS - 1), 1000);
            assert_int_equal(spent_at(at + SETPAY_DAY_MS), 0);
            /* A clock that went back gives nothing free. */
            assert_int_equal(spent_at(at - SETPAY_HOUR_MS) >= 1000, 1);
        }
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static enum setpay_error add(struct setpay_db *db, void *arg)
{
    return setpay_wallet_rule_put(db, arg);
}

static enum setpay_error remove_one(struct setpay_db *db, void *arg)
{
    return setpay_wallet_rule_remove(db, *(const int64_t *)arg, NOW);
}

/* Two that were looked at together are taken one after the other. */
struct taking {
    int64_t number;
    struct setpay_id xid;
    struct setpay_wallet_spending spending;
    struct setpay_problem problem;
};

static enum setpay_error take(struct setpay_db *db, void *arg)
{
    struct taking *taking = arg;
    struct bought bought = {.first = taking->xid.bytes[0],
                            .created_ms = taking->spending.now_ms,
                            .minor = taking->spending.amount.minor,
                            .by_person = true};
    SETPAY_TRY(put(db, &bought));
    return setpay_wallet_rule_take(db, taking->number, &taking->spending, &taking->xid,
                                   &taking->problem);
}

static enum setpay_error ask_rule_of(struct setpay_db *db, void *arg)
{
    struct taking *taking = arg;
    return setpay_wallet_rule_of(db, &taking->xid, &taking->number);
}

static void a_rule_is_taken_with_the_purchase(void **state)
{
    struct setpay_wallet_rule rule = a_rule(), other = a_rule();
    struct taking taking = {.xid = test_id(0xa0), .spending = a_spending(1000)};
    (void)state;
    strcpy(rule.merchant_id, "grocer");
    strcpy(other.merchant_id, "grocer");
    rule.day.minor = 2000;
    strcpy(taking.spending.merchant_id, "grocer");
    OK(setpay_store_submit_wait(store, add, &rule));
    OK(setpay_store_submit_wait(store, add, &other));
    assert_int_equal(other.number, rule.number + 1);
    taking.number = rule.number;
    /* The purchases here are at "shop": so nothing of them counts, but what is written below. */
    OK(setpay_store_submit_wait(store, take, &taking));
    OK(setpay_store_read(reader, ask_rule_of, &taking));
    assert_int_equal(taking.number, rule.number);
    taking.xid = test_id(0xa1);
    OK(setpay_store_read(reader, ask_rule_of, &taking));
    assert_int_equal(taking.number, 0);
    /* A rule that is not there, or not any more. */
    taking.number = 999;
    assert_int_equal(setpay_store_submit_wait(store, take, &taking), SETPAY_E_NOT_AGREED);
    OK(setpay_store_submit_wait(store, remove_one, &rule.number));
    taking.number = rule.number;
    assert_int_equal(setpay_store_submit_wait(store, take, &taking), SETPAY_E_NOT_AGREED);
    assert_non_null(strstr(taking.problem.text, "was removed"));
    assert_int_equal(setpay_store_submit_wait(store, remove_one, &rule.number), SETPAY_E_NOT_FOUND);
    /* And its number is not given again, also when it was the last. */
    OK(setpay_store_submit_wait(store, remove_one, &other.number));
    OK(setpay_store_submit_wait(store, add, &rule));
    assert_int_equal(rule.number, other.number + 1);
}

/* Of two at once, the second does not find what the first has taken. */
static void two_at_once_are_one(void **state)
{
    struct setpay_wallet_rule rule = a_rule(), wide = a_rule();
    struct taking taking = {.xid = test_id(0xb0), .spending = a_spending(2000)};
    setpay_time_ms later = NOW + 100 * SETPAY_DAY_MS;
    (void)state;
    rule.day.minor = 3999;
    OK(setpay_store_submit_wait(store, add, &rule));
    taking.number = rule.number;
    taking.spending.now_ms = later;
    OK(setpay_store_submit_wait(store, take, &taking));
    taking.xid = test_id(0xb1);
    assert_int_equal(setpay_store_submit_wait(store, take, &taking), SETPAY_E_NOT_AGREED);
    assert_non_null(
        strstr(taking.problem.text, "up to 39.99 EUR in 24 hours, of which 20.00 EUR are spent"));
    /* Nor does a rule set beside it, or in its place, have a day of its own. */
    OK(setpay_store_submit_wait(store, remove_one, &rule.number));
    OK(setpay_store_submit_wait(store, add, &rule));
    taking.number = rule.number;
    assert_int_equal(setpay_store_submit_wait(store, take, &taking), SETPAY_E_NOT_AGREED);
    OK(setpay_store_submit_wait(store, add, &wide));
    taking.number = wide.number;
    OK(setpay_store_submit_wait(store, take, &taking));
    assert_int_equal(spent_at(later), 4000);
}

static enum setpay_error restore(struct setpay_db *db, void *arg)
{
    (void)arg;
    return setpay_store_add_restore(
        db, &(struct setpay_store_restore){.backup_ms = NOW - 1, .restored_ms = NOW}, false);
}

static void what_a_backup_brought_back_sleeps(void **state)
{
    struct setpay_wallet_rule rule = a_rule();
    struct taking taking = {.xid = test_id(0xc0), .spending = a_spending(100)};
    (void)state;
    strcpy(rule.merchant_id, "baker");
    strcpy(taking.spending.merchant_id, "baker");
    taking.spending.now_ms = NOW + 400 * SETPAY_DAY_MS; /* however long ago it was */
    OK(setpay_store_submit_wait(store, add, &rule));
    OK(setpay_store_submit_wait(store, restore, NULL));
    taking.number = rule.number;
    assert_int_equal(setpay_store_submit_wait(store, take, &taking), SETPAY_E_NOT_AGREED);
    assert_non_null(strstr(taking.problem.text, "came back with a backup"));
    rule.made_ms = NOW + 1;
    OK(setpay_store_submit_wait(store, add, &rule));
    taking.number = rule.number;
    OK(setpay_store_submit_wait(store, take, &taking));
}

static void there_are_not_too_many(void **state)
{
    struct setpay_wallet_rule rule = a_rule();
    enum setpay_error error = SETPAY_OK;
    int count = 0;
    (void)state;
    while (error == SETPAY_OK && count <= SETPAY_WALLET_RULES_MAX) {
        error = setpay_store_submit_wait(store, add, &rule);
        count++;
    }
    assert_int_equal(error, SETPAY_E_STATE);
    OK(setpay_store_submit_wait(store, remove_one, &rule.number));
    OK(setpay_store_submit_wait(store, add, &rule));
}

/* ------------------------------------------------------------------ the command line */

static void a_day_ends_where_the_person_is(void **state)
{
    static const struct {
        const char *zone, *date, *utc; /* NULL: refused */
    } rows[] = {
        {"UTC", "2026-12-31", "2026-12-31T23:59:59.999Z"},
        {"Europe/Berlin", "2026-12-31", "2026-12-31T22:59:59.999Z"},
        {"Europe/Berlin", "2026-07-31", "2026-07-31T21:59:59.999Z"},
        {"Europe/Berlin", "2026-10-25", "2026-10-25T22:59:59.999Z"}, /* 25 hours */
        {"Europe/Berlin", "2026-03-29", "2026-03-29T21:59:59.999Z"}, /* 23 hours */
        {"Europe/Berlin", "2028-02-29", "2028-02-29T22:59:59.999Z"},
        {"UTC", "2026-02-29", NULL},
        {"UTC", "2026-12-32", NULL},
        {"UTC", "31.12.2026", NULL},
        {"UTC", "2026-12-31x", NULL},
        {"UTC", "", NULL},
    };
    char utc[SETPAY_CLI_TIME_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setpay_problem problem = {{0}};
        assert_int_equal(setenv("TZ", rows[i].zone, 1), 0);
        tzset();
        enum setpay_error error = setpay_cli_end_of_day(rows[i].date, utc, &problem);
        assert_int_equal(error, rows[i].utc != NULL ? SETPAY_OK : SETPAY_E_USAGE);
        if (rows[i].utc != NULL)
            assert_string_equal(utc, rows[i].utc);
        else
            assert_non_null(strstr(problem.text, "--until: found"));
    }
    assert_int_equal(unsetenv("TZ"), 0);
    tzset();
}

static void amounts_are_of_one_currency(void **state)
{
    static const struct {
        const char *amount, *per_day, *words; /* NULL: taken */
        int64_t each, day;
    } rows[] = {
        {"20.00 EUR", "50.00 EUR", NULL, 2000, 5000},
        {"20 EUR", "50", NULL, 2000, 5000},
        {"500 JPY", "500", NULL, 500, 500},
        {"20.00", "50.00", "--amount: found '20.00'", 0, 0},
        {"0 EUR", "50.00", "--amount: found '0 EUR'", 0, 0},
        {"20.00 EUR", "50.00 USD", "--per-day: found '50.00 USD'; expected an amount in EUR", 0, 0},
        {"20.00 EUR", "much", "--per-day: found 'much'", 0, 0},
        {"20.00 EUR", "19.99", "--per-day: '19.99' is less than", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setpay_problem problem = {{0}};
        struct setpay_money each, day;
        enum setpay_error error =
            setpay_cli_rule_amounts(rows[i].amount, rows[i].per_day, &each, &day, &problem);
        assert_int_equal(error, rows[i].words == NULL ? SETPAY_OK : SETPAY_E_USAGE);
        if (rows[i].words != NULL) {
            assert_memory_equal(problem.text, rows[i].words, strlen(rows[i].words));
        } else {
            assert_int_equal(each.minor, rows[i].each);
            assert_int_equal(day.minor, rows[i].day);
        }
    }
}

static int set_up(void **state)
{
    struct setpay_problem problem;
    (void)state;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = &setpay_wallet_schema};
    OK(setpay_store_open(&options, &store, &problem));
    OK(setpay_reader_new(store, &reader));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_reader_free(reader);
    setpay_store_close(store);
    test_folder_remove(&folder);
    return 0;
}

#define STORED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_has_its_edge),
        cmocka_unit_test(the_first_that_agrees_does),
        cmocka_unit_test(a_rule_must_make_sense),
        STORED(what_rules_agreed_to_at_the_merchant_counts),
        STORED(the_day_is_24_hours),
        STORED(a_rule_is_taken_with_the_purchase),
        STORED(two_at_once_are_one),
        STORED(what_a_backup_brought_back_sleeps),
        STORED(there_are_not_too_many),
        cmocka_unit_test(a_day_ends_where_the_person_is),
        cmocka_unit_test(amounts_are_of_one_currency),
    };
    return cmocka_run_group_tests_name("wallet_rule", tests, NULL, NULL);
}
