/*
 * The arguments and the words of setpay-merchant settlement.
 */
#include "merchant/settlement_cli.h"

#include "common/base/bytes.h"
#include "common/base/money.h"
#include "common/base/noun.h"
#include "common/wire/settlement_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct setpay_flag setpay_merchant_settlement_list_flags[] = {
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"cursor", SETPAY_FLAG_TEXT, "cursor"},
    {0},
};
const struct setpay_flag setpay_merchant_settlement_difference_flags[] = {
    {"days", SETPAY_FLAG_NUMBER, "days"},
    {"since", SETPAY_FLAG_TEXT, "since"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"cursor", SETPAY_FLAG_TEXT, "cursor"},
    {0},
};

const struct setpay_flag setpay_merchant_settlement_accept_flags[] = {
    {"line", SETPAY_FLAG_NUMBER, "line"},
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {0},
};

const struct setpay_flag setpay_merchant_settlement_forget_flags[] = {
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {0},
};

/* ------------------------------------------------------------------ the file */

static enum setpay_error read_stream(FILE *file, const char *path, struct setpay_buffer *bytes,
                                     struct setpay_problem *problem)
{
    uint8_t *room = NULL;
    SETPAY_TRY(setpay_buffer_extend(bytes, SETPAY_SETTLEMENT_FILE_MAX + 1, &room));
    bytes->size = fread(room, 1, SETPAY_SETTLEMENT_FILE_MAX + 1, file);
    if (ferror(file) != 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%.200s: %s", path, strerror(errno));
    if (bytes->size > SETPAY_SETTLEMENT_FILE_MAX)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "%.200s: larger than %u bytes; expected a smaller file: of one"
                                  " brand, or one settlement at a time",
                                  path, SETPAY_SETTLEMENT_FILE_MAX);
    return SETPAY_OK;
}

static enum setpay_error read_file(const char *path, struct setpay_buffer *bytes,
                                   struct setpay_problem *problem)
{
    if (strcmp(path, "-") == 0)
        return read_stream(stdin, "standard input", bytes, problem);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%.200s: %s", path, strerror(errno));
    enum setpay_error error = read_stream(file, path, bytes, problem);
    (void)fclose(file);
    return error;
}

enum setpay_error setpay_merchant_settlement_shape(const char *name, json_t *args,
                                                   struct setpay_problem *problem)
{
    const char *path = json_string_value(json_object_get(args, "file"));
    struct setpay_buffer bytes;
    if (strcmp(name, "settlement.import") != 0 || path == NULL)
        return SETPAY_OK;
    setpay_buffer_init(&bytes, SETPAY_SETTLEMENT_FILE_MAX + 1);
    enum setpay_error error = read_file(path, &bytes, problem);
    json_t *content =
        error == SETPAY_OK ? json_stringn((const char *)bytes.data, bytes.size) : NULL;
    if (error == SETPAY_OK && (content == NULL || strlen(json_string_value(content)) != bytes.size))
        error =
            setpay_problem_set(problem, SETPAY_E_USAGE,
                               "%.200s: not a text: is it a merchant's file of settlements?", path);
    setpay_buffer_clear(&bytes);
    if (error != SETPAY_OK) {
        json_decref(content);
        return error;
    }
    (void)json_object_del(args, "file");
    return json_object_set_new(args, "content", content) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ words */

static long long int_of(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static const char *amount_text(long long minor, const char *currency,
                               char out[SETPAY_MONEY_TEXT_SIZE])
{
    struct setpay_money money = {.minor = minor};
    if (setpay_currency_by_code(currency) == NULL)
        return "-";
    (void)snprintf(money.currency, sizeof money.currency, "%s", currency);
    return setpay_money_format(&money, out);
}

static const char *sum_of(const json_t *settlement, const char *member,
                          char out[SETPAY_MONEY_TEXT_SIZE])
{
    return amount_text(int_of(settlement, member), setpay_operator_text(settlement, "currency"),
                       out);
}

static void print_more(const json_t *result)
{
    if (json_is_string(json_object_get(result, "next_cursor")))
        printf("There are more: --cursor %s\n", setpay_operator_text(result, "next_cursor"));
}

static void print_brief(const json_t *settlement)
{
    char gross[SETPAY_MONEY_TEXT_SIZE], fees[SETPAY_MONEY_TEXT_SIZE];
    char payout[SETPAY_MONEY_TEXT_SIZE];
    printf("%s  %-12s %-10s %18s %16s %18s  %8lld\n",
           setpay_operator_text(settlement, "settlement_id"),
           setpay_operator_text(settlement, "brand"), setpay_operator_text(settlement, "day"),
           sum_of(settlement, "gross", gross), sum_of(settlement, "fees", fees),
           sum_of(settlement, "payout", payout), int_of(settlement, "differing"));
}

static void print_brief_head(void)
{
    printf("%-32s  %-12s %-10s %18s %16s %18s  %8s\n", "SETTLEMENT", "BRAND", "DAY", "GROSS",
           "FEES", "PAID OUT", "DIFFERS");
}

void setpay_merchant_words_settlements(const json_t *result)
{
    const json_t *list = json_object_get(result, "settlements");
    size_t index;
    const json_t *one;
    if (json_array_size(list) == 0)
        puts("No settlement was read in yet: setpay-merchant settlement import FILE");
    else
        print_brief_head();
    json_array_foreach(list, index, one) print_brief(one);
    print_more(result);
}

void setpay_merchant_words_imported_settlements(const json_t *result)
{
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "settlements"), index, one)
    {
        char payout[SETPAY_MONEY_TEXT_SIZE];
        long long rows = int_of(one, "rows"), differing = int_of(one, "differing");
        printf("%s of %s, %s: ", setpay_operator_text(one, "settlement_id"),
               setpay_operator_text(one, "day"), setpay_operator_text(one, "brand"));
        if (json_is_false(json_object_get(one, "fresh"))) {
            puts("it was read in before, and nothing was changed");
            continue;
        }
        printf("%s paid out, %lld %s, ", sum_of(one, "payout", payout), rows,
               setpay_noun(rows, "row", "rows"));
        if (differing == 0)
            puts("all agree");
        else
            printf("%lld %s: settlement show %s\n", differing,
                   setpay_noun(differing, "differs", "differ"),
                   setpay_operator_text(one, "settlement_id"));
    }
}

void setpay_merchant_words_forgotten_settlement(const json_t *result)
{
    long long rows = int_of(result, "rows"), again = int_of(result, "judged_again");
    printf("%s of %s, %s: forgotten, with %lld %s\n", setpay_operator_text(result, "settlement_id"),
           setpay_operator_text(result, "day"), setpay_operator_text(result, "brand"), rows,
           setpay_noun(rows, "row", "rows"));
    if (again > 0)
        printf("%lld %s of others %s duplicates of them, and %s judged again: settlement"
               " differences\n",
               again, setpay_noun(again, "row", "rows"), setpay_noun(again, "was", "were"),
               setpay_noun(again, "is", "are"));
}

void setpay_merchant_words_accepted_settlement(const json_t *result)
{
    printf("%s, line %lld: accepted, and not listed any more\n",
           setpay_operator_text(result, "settlement_id"), int_of(result, "line"));
}

/* ------------------------------------------------------------------ rows */

static void print_names(const json_t *row)
{
    size_t index;
    const json_t *name;
    json_array_foreach(json_object_get(row, "differences"), index, name)
    {
        printf("%s%s", index > 0 ? ", " : "", json_string_value(name));
    }
}

/* Why what differs is looked at no more. */
static void print_accepted(const json_t *row)
{
    if (json_is_string(json_object_get(row, "accepted")))
        printf(", accepted at %s: %s", setpay_operator_text(row, "accepted"),
               setpay_operator_text(row, "accepted_reason"));
}

/* What each side has, where the two are not the same. */
static void print_both(const json_t *row)
{
    char theirs[SETPAY_MONEY_TEXT_SIZE], ours[SETPAY_MONEY_TEXT_SIZE];
    const char *since = json_string_value(json_object_get(row, "since"));
    if (json_is_integer(json_object_get(row, "settled_amount")))
        printf("%s", amount_text(int_of(row, "settled_amount"),
                                 setpay_operator_text(row, "settled_currency"), theirs));
    if (json_is_integer(json_object_get(row, "amount")))
        printf("%s%s here", since == NULL ? ", " : "",
               amount_text(int_of(row, "amount"), setpay_operator_text(row, "currency"), ours));
    if (since != NULL)
        printf(", not settled yet since %s", since);
}

static void print_difference(const json_t *row)
{
    const json_t *first = json_object_get(row, "first_settlement_id");
    bool is_item = json_is_integer(json_object_get(row, "batch"));
    printf("  ");
    print_names(row);
    printf(": %s %s, order %s", setpay_operator_text(row, "kind"),
           setpay_operator_text(row, "gateway_id"), setpay_operator_text(row, "order_id"));
    if (is_item)
        printf(", batch %lld", int_of(row, "batch"));
    printf(": ");
    print_both(row);
    if (json_is_string(json_object_get(row, "code")) &&
        strcmp(setpay_operator_text(row, "code"), "00") != 0)
        printf(", %s %s", is_item ? "refused with" : "for", setpay_operator_text(row, "code"));
    if (json_is_string(first))
        printf(", first in settlement %s", json_string_value(first));
    if (json_is_integer(json_object_get(row, "line")))
        printf(" (line %lld)", int_of(row, "line"));
    print_accepted(row);
    putchar('\n');
}

void setpay_merchant_words_differences(const json_t *result)
{
    size_t index;
    const json_t *row;
    const json_t *list = json_object_get(result, "differences");
    if (json_array_size(list) == 0)
        puts("Nothing differs, and nothing is missed.");
    json_array_foreach(list, index, row)
    {
        if (json_is_string(json_object_get(row, "settlement_id")))
            printf("%s of %s\n", setpay_operator_text(row, "settlement_id"),
                   setpay_operator_text(row, "day"));
        print_difference(row);
    }
    print_more(result);
}

void setpay_merchant_words_settlement_rows(const json_t *result)
{
    size_t index;
    const json_t *row;
    const json_t *list = json_object_get(result, "rows");
    if (json_array_size(list) == 0)
        puts("It has no rows.");
    else
        printf("%-16s %-32s  %-24s %18s %14s  %-16s %s\n", "KIND", "AT THE GATEWAY", "ORDER",
               "AMOUNT", "FEE", "CODE", "DIFFERS");
    json_array_foreach(list, index, row)
    {
        char amount[SETPAY_MONEY_TEXT_SIZE], fee[SETPAY_MONEY_TEXT_SIZE] = "-";
        const char *currency = setpay_operator_text(row, "settled_currency");
        if (json_is_integer(json_object_get(row, "fee")))
            (void)amount_text(int_of(row, "fee"), currency, fee);
        printf("%-16s %s  %-24s %18s %14s  %-16s ", setpay_operator_text(row, "kind"),
               setpay_operator_text(row, "gateway_id"), setpay_operator_text(row, "order_id"),
               amount_text(int_of(row, "settled_amount"), currency, amount), fee,
               setpay_operator_text(row, "code"));
        print_names(row);
        print_accepted(row);
        putchar('\n');
    }
    print_more(result);
}

/* ------------------------------------------------------------------ one settlement */

static void print_counted(const json_t *settlement, const char *title, const char *kind)
{
    char member[40], amount[SETPAY_MONEY_TEXT_SIZE];
    (void)snprintf(member, sizeof member, "%s_count", kind);
    long long count = int_of(settlement, member);
    if (count == 0)
        return;
    (void)snprintf(member, sizeof member, "%s_amount", kind);
    printf("%-18s %18s  (%lld)\n", title, sum_of(settlement, member, amount), count);
}

static void print_sum(const json_t *settlement, const char *title, const char *member, bool always)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    if (always || int_of(settlement, member) != 0)
        printf("%-18s %18s\n", title, sum_of(settlement, member, amount));
}

/* How its rows compare, with those that differ, and those that were accepted. */
static void print_judged(const json_t *s)
{
    const json_t *differences = json_object_get(s, "differences");
    const json_t *accepted = json_object_get(s, "accepted");
    long long differing = int_of(s, "differing");
    size_t index;
    const json_t *row;
    if (differing == 0 && json_array_size(accepted) == 0)
        printf("%-18s all %lld agree\n", "rows", int_of(s, "rows"));
    else
        printf("%-18s %lld, of which %lld %s%s\n", "rows", int_of(s, "rows"), differing,
               setpay_noun(differing, "differs", "differ"), differing > 0 ? ":" : "");
    json_array_foreach(differences, index, row) print_difference(row);
    if ((long long)json_array_size(differences) < differing)
        printf("  and %lld more: settlement differences\n",
               differing - (long long)json_array_size(differences));
    json_array_foreach(accepted, index, row) print_difference(row);
}

void setpay_merchant_words_settlement(const json_t *s)
{
    printf("%-18s %s\n%-18s %s\n%-18s %s\n%-18s %s\n", "settlement",
           setpay_operator_text(s, "settlement_id"), "day", setpay_operator_text(s, "day"), "brand",
           setpay_operator_text(s, "brand"), "gateway", setpay_operator_text(s, "gateway"));
    print_counted(s, "captured", "capture");
    print_counted(s, "refunded", "refund");
    print_sum(s, "gross", "gross", true);
    print_sum(s, "fees of captures", "capture_fees", false);
    print_sum(s, "fees given back", "refund_fees", false);
    print_sum(s, "fees", "fees", true);
    print_sum(s, "net", "net", true);
    print_counted(s, "in dispute", "disputed");
    print_counted(s, "disputes won", "returned");
    print_counted(s, "paid after all", "cleared");
    print_counted(s, "paid again", "repaid");
    print_sum(s, "held back", "held", false);
    print_sum(s, "released", "released", false);
    print_sum(s, "carried in", "carried_in", false);
    print_sum(s, "paid out", "payout", true);
    print_sum(s, "carried over", "carried_out", false);
    print_counted(s, "refused, not paid", "refused");
    print_judged(s);
}
