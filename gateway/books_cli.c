/*
 * ledger verify and settle, from the command line.
 */
#include "gateway/books_cli.h"

#include "common/base/noun.h"
#include "gateway/settlement_json.h"

#include <stdio.h>
#include <string.h>

enum setpay_error setpay_books_verdict(int64_t found, const char *what,
                                       struct setpay_problem *problem)
{
    if (found == 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_STATE, "%lld %s%s", (long long)found, what,
                              setpay_noun(found, "", "s"));
}

enum setpay_error setpay_books_pages(struct setpay_operator_asker *asker, const char *command,
                                     const json_t *args, const char *member, json_t *list,
                                     struct setpay_problem *problem)
{
    json_int_t after = 0;
    do {
        json_t *page = NULL;
        json_t *asked = json_deep_copy(args);
        json_object_set_new(asked, "after", json_integer(after));
        SETPAY_TRY(setpay_operator_ask(asker, command, asked, &page, problem));
        int failed = json_array_extend(list, json_object_get(page, member));
        after = json_integer_value(json_object_get(page, "next_after"));
        json_decref(page);
        if (failed != 0)
            return setpay_problem_set(problem, SETPAY_E_MALFORMED, "%s: the answer has no list %s",
                                      command, member);
    } while (after != 0);
    return SETPAY_OK;
}

const char *setpay_books_acquirer(const struct setpay_config *config)
{
    const char *id = setpay_config_text(config, "", "acquirer_id");
    while (id[0] == '0' && id[1] != '\0')
        id++;
    return id;
}

/* ------------------------------------------------------------------ ledger verify */

enum setpay_error setpay_books_verify(struct setpay_operator_asker *asker,
                                      const struct setpay_config *config, const json_t *args,
                                      json_t **result, struct setpay_problem *problem)
{
    (void)config;
    SETPAY_TRY(setpay_operator_ask(asker, "ledger.verify", json_deep_copy(args), result, problem));
    return setpay_books_verdict(json_integer_value(json_object_get(*result, "found")), "finding",
                                problem);
}

void setpay_books_print_verified(const json_t *result)
{
    size_t index;
    const json_t *finding;
    json_array_foreach(json_object_get(result, "findings"), index, finding)
    {
        printf("%s\n", json_string_value(finding));
    }
    json_int_t entries = json_integer_value(json_object_get(result, "entries"));
    json_int_t found = json_integer_value(json_object_get(result, "found"));
    printf("%lld %s, %lld %s; the last entry is %s\n", (long long)entries,
           setpay_noun(entries, "entry", "entries"), (long long)found,
           setpay_noun(found, "finding", "findings"), setpay_operator_text(result, "head"));
}

/* ------------------------------------------------------------------ settle */

/* What one merchant came to, with those before. */
static void add_part(json_t *all, const json_t *part)
{
    static const char *const counts[] = {"waiting", "later", "not_ended"};
    json_array_extend(json_object_get(all, "settlements"), json_object_get(part, "settlements"));
    json_array_extend(json_object_get(all, "stopped"), json_object_get(part, "stopped"));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        json_object_set_new(all, counts[i],
                            json_integer(json_integer_value(json_object_get(all, counts[i])) +
                                         json_integer_value(json_object_get(part, counts[i]))));
}

/* One merchant after the other, each an operation of its own. What is settled stays so where it
 * ends in between; the next time finds the rest. */
enum setpay_error setpay_books_settle(struct setpay_operator_asker *asker,
                                      const struct setpay_config *config, const json_t *args,
                                      json_t **result, struct setpay_problem *problem)
{
    json_t *asked = json_deep_copy(args);
    json_t *all = json_pack("{s:[], s:[]}", "settlements", "stopped");
    enum setpay_error error = all == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    bool more = true;
    (void)config;
    while (error == SETPAY_OK && more) {
        json_t *part = NULL;
        error = setpay_operator_ask(asker, "settle", json_deep_copy(asked), &part, problem);
        if (error != SETPAY_OK)
            break;
        add_part(all, part);
        more = json_is_true(json_object_get(part, "more"));
        json_object_set(asked, "after_brand", json_object_get(part, "after_brand"));
        json_object_set(asked, "after_merchant_id", json_object_get(part, "after_merchant_id"));
        json_decref(part);
    }
    json_decref(asked);
    if (error != SETPAY_OK && json_array_size(json_object_get(all, "settlements")) == 0) {
        json_decref(all);
        return error;
    }
    *result = all;
    size_t stopped = json_array_size(json_object_get(all, "stopped"));
    if (error == SETPAY_OK && stopped > 0)
        error = setpay_problem_set(problem, SETPAY_E_STATE,
                                   "%zu %s can't be settled before somebody has done something",
                                   stopped, setpay_noun((int64_t)stopped, "merchant", "merchants"));
    return error;
}

static void print_amount(const json_t *settlement, const char *member)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    printf(" %16s", setpay_amount_text(json_integer_value(json_object_get(settlement, member)),
                                       setpay_operator_text(settlement, "currency"), text));
}

/* What there is not on every day. */
static void print_part(const json_t *settlement, const char *member, const char *words)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    int64_t minor = json_integer_value(json_object_get(settlement, member));
    if (minor != 0)
        printf("  %s %s",
               setpay_amount_text(minor, setpay_operator_text(settlement, "currency"), text),
               words);
}

static void print_rest(const json_t *result, const char *member, const char *one, const char *many)
{
    json_int_t count = json_integer_value(json_object_get(result, member));
    if (count != 0)
        printf("%lld %s\n", (long long)count, setpay_noun(count, one, many));
}

static void print_stopped(const json_t *one)
{
    printf("%s %s", setpay_operator_text(one, "brand"), setpay_operator_text(one, "merchant_id"));
    if (strcmp(setpay_operator_text(one, "why"), "zone") == 0) {
        printf(" is not settled: there is no time zone '%s' on this machine (any more): see its "
               "package tzdata, or merchant set --zone.\n",
               setpay_operator_text(one, "zone"));
        return;
    }
    json_int_t items = json_integer_value(json_object_get(one, "items"));
    printf(" is not settled in %s: it is for %s already, a day that has not ended; %lld %s for it. "
           "Look at the clock; where it is right now: settlement step-over --date %s --reason "
           "TEXT.\n",
           setpay_operator_text(one, "currency"), setpay_operator_text(one, "day"),
           (long long)items, setpay_noun(items, "item waits", "items wait"),
           setpay_operator_text(one, "day"));
}

void setpay_books_print_stepped_over(const json_t *result)
{
    json_int_t count = json_integer_value(json_object_get(result, "stepped_over"));
    printf("%lld %s of %s: other days can be settled again.\n", (long long)count,
           setpay_noun(count, "settlement was stepped over", "settlements were stepped over"),
           setpay_operator_text(result, "day"));
}

void setpay_books_print_settled(const json_t *result)
{
    const json_t *list = json_object_get(result, "settlements");
    size_t index;
    const json_t *one;
    if (json_array_size(list) == 0)
        puts("Nothing was left to settle.");
    else
        printf("%-10s %-12s %-24s %16s %16s %16s %16s %16s\n", "DAY", "BRAND", "MERCHANT",
               "CAPTURED", "CREDITED", "FEES", "PAYOUT", "CARRIED OVER");
    json_array_foreach(list, index, one)
    {
        printf("%-10s %-12s %-24s", setpay_operator_text(one, "day"),
               setpay_operator_text(one, "brand"), setpay_operator_text(one, "merchant_id"));
        print_amount(one, "captured");
        print_amount(one, "credited");
        print_amount(one, "fees");
        print_amount(one, "payout");
        print_amount(one, "carried_out");
        json_int_t refused = json_integer_value(json_object_get(one, "refused"));
        if (refused != 0)
            printf("  %lld refused by issuers: in suspense", (long long)refused);
        print_part(one, "disputed", "in dispute");
        print_part(one, "returned", "back from disputes");
        print_part(one, "cleared", "out of suspense");
        print_part(one, "repaid", "of payouts that were returned");
        print_part(one, "held", "into the reserve");
        print_part(one, "released", "out of the reserve");
        puts("");
    }
    json_array_foreach(json_object_get(result, "stopped"), index, one)
    {
        print_stopped(one);
    }
    print_rest(result, "waiting", "item waits for its issuer's answer.",
               "items wait for their issuers' answers.");
    print_rest(result, "later", "item came too late for this day, and is for the next.",
               "items came too late for this day, and are for the next.");
    print_rest(result, "not_ended", "merchant's day has not ended yet.",
               "merchants' days have not ended yet.");
}
