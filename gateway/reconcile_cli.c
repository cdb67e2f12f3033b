/*
 * reconcile: an issuer's clearing file against what this gateway has presented.
 */
#include "gateway/books_cli.h"

#include "common/base/noun.h"
#include "common/net/control_json.h"
#include "gateway/clearing/clearing_compare.h"
#include "gateway/clearing_fetch.h"
#include "gateway/settlement_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LATE_HOURS_MAX (24 * 366)

/* ------------------------------------------------------------------ the file */

static enum setpay_error read_stream(FILE *stream, const char *path, struct setpay_buffer *bytes,
                                     struct setpay_problem *problem)
{
    char block[65536];
    size_t size;
    while ((size = fread(block, 1, sizeof block, stream)) > 0)
        if (setpay_buffer_append(bytes, setpay_view_of(block, size)) != SETPAY_OK)
            return setpay_problem_set(problem, SETPAY_E_TOO_BIG, "%s: larger than %zu bytes", path,
                                      bytes->max);
    if (ferror(stream))
        return setpay_problem_set(problem, SETPAY_E_IO, "%s: %s", path, strerror(errno));
    return SETPAY_OK;
}

enum setpay_error setpay_books_read_file(const char *path, const char *expected,
                                         struct setpay_buffer *bytes,
                                         struct setpay_problem *problem)
{
    bool input = strcmp(path, "-") == 0;
    FILE *stream = input ? stdin : fopen(path, "re");
    if (stream == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: %s; expected %s", path,
                                  strerror(errno), expected);
    enum setpay_error error = read_stream(stream, input ? "standard input" : path, bytes, problem);
    if (!input)
        (void)fclose(stream);
    return error;
}

enum setpay_error setpay_books_read_clearing(const char *path, struct setpay_clearing_file *file,
                                             struct setpay_problem *problem)
{
    struct setpay_buffer bytes;
    struct setpay_problem why = {{0}};
    bool input = strcmp(path, "-") == 0;
    setpay_buffer_init(&bytes, SETPAY_CLEARING_FILE_MAX);
    enum setpay_error error = setpay_books_read_file(path, "a clearing file", &bytes, problem);
    if (error == SETPAY_OK)
        error = setpay_clearing_file_parse(setpay_buffer_view(&bytes), file, &why);
    if (error != SETPAY_OK && why.text[0] != '\0')
        error = setpay_problem_set(problem, error, "%.200s: %s", input ? "standard input" : path,
                                   why.text);
    setpay_buffer_clear(&bytes);
    return error;
}

/* ------------------------------------------------------------------ the ledger's side */

static enum setpay_error ask(void *arg, const char *command, json_t *args, json_t **result,
                             struct setpay_problem *problem)
{
    return setpay_operator_ask(arg, command, args, result, problem);
}

enum setpay_error setpay_books_fetch_items(struct setpay_operator_asker *asker,
                                           struct setpay_clearing_compare *compare,
                                           struct setpay_problem *problem)
{
    return setpay_clearing_fetch(ask, asker, compare, problem);
}

/* ------------------------------------------------------------------ the result */

struct found {
    json_t *differences, *elsewhere, *claimed;
};

static void on_difference(void *arg, enum setpay_difference difference, const char *id, size_t line,
                          const char *words)
{
    const struct found *found = arg;
    json_array_append_new(found->differences,
                          json_pack("{s:s, s:s, s:o, s:s}", "difference",
                                    setpay_difference_name(difference), "id", id, "line",
                                    line != 0 ? json_integer((json_int_t)line) : json_null(),
                                    "words", words));
}

static void on_elsewhere(void *arg, const struct setpay_clearing_item *item, const char *first,
                         const char *last)
{
    const struct found *found = arg;
    char id[SETPAY_ID_TEXT_SIZE], amount[SETPAY_MONEY_TEXT_SIZE];
    json_array_append_new(found->elsewhere,
                          json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "id",
                                    setpay_id_format(&item->step, id), "brand", item->brand,
                                    "merchant_id", item->merchant_id, "amount_text",
                                    setpay_money_format(&item->amount, amount), "amount",
                                    (json_int_t)item->amount.minor, "currency",
                                    item->amount.currency, "from", first, "to", last));
}

static void on_claimed(void *arg, const struct setpay_clearing_item *item)
{
    const struct found *found = arg;
    char id[SETPAY_ID_TEXT_SIZE], amount[SETPAY_MONEY_TEXT_SIZE], cleared[SETPAY_TIME_TEXT_SIZE];
    struct setpay_money charged = item->amount;
    charged.minor = item->charged_minor;
    json_array_append_new(
        found->claimed,
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s}", "id",
                  setpay_id_format(&item->step, id), "brand", item->brand, "merchant_id",
                  item->merchant_id, "amount_text", setpay_money_format(&charged, amount), "amount",
                  (json_int_t)charged.minor, "currency", charged.currency, "response_code",
                  item->response_code, "cleared", setpay_time_format(item->charged_ms, cleared)));
}

static enum setpay_error compare(struct setpay_clearing_compare *r, json_t **result,
                                 size_t *differences)
{
    struct found found = {json_array(), json_array(), json_array()};
    json_t *counts = json_object();
    r->elsewhere_cb = on_elsewhere;
    r->claimed_cb = on_claimed;
    enum setpay_error error = setpay_clearing_compare_run(r, on_difference, &found, differences);
    for (int d = 1; d < SETPAY_DIFFERENCES; d++)
        json_object_set_new(counts, setpay_difference_name((enum setpay_difference)d),
                            json_integer((json_int_t)r->found[d]));
    if (error == SETPAY_OK) {
        const char *first, *last;
        (void)setpay_clearing_compare_days(r, &first, &last);
        *result = json_pack(
            "{s:b, s:s, s:s?, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:O, s:O, s:O, s:O}", "ok",
            (int)(*differences == 0), "issuer", r->file->issuer, "section", r->issuer, "from",
            r->file->from, "to", r->file->to, "compared_from", first, "compared_to", last,
            "outside", (json_int_t)r->outside, "rows", (json_int_t)r->looked_at, "matched",
            (json_int_t)r->matched, "found", (json_int_t)*differences, "counts", counts,
            "differences", found.differences, "elsewhere", found.elsewhere, "claimed",
            found.claimed);
        error = *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    json_decref(found.differences);
    json_decref(found.elsewhere);
    json_decref(found.claimed);
    json_decref(counts);
    return error;
}

enum setpay_error setpay_books_check_issuer(const struct setpay_config *config, const char *name,
                                            struct setpay_problem *problem)
{
    size_t count = setpay_config_instance_count(config, "issuer *");
    if (name == NULL)
        return SETPAY_OK;
    for (size_t i = 0; i < count; i++)
        if (strcmp(setpay_config_instance(config, "issuer *", i), name) == 0)
            return SETPAY_OK;
    return setpay_problem_set(
        problem, SETPAY_E_USAGE,
        "--issuer: found '%.60s', expected one of the configuration's [issuer "
        "NAME] sections",
        name);
}

/* Whose file it is, where nobody says so: with one issuer it is of all; of several its rows tell.
 */
static void find_issuer(const struct setpay_config *config, struct setpay_clearing_compare *r,
                        char name[SETPAY_NETWORK_NAME_SIZE])
{
    if (r->issuer == NULL && setpay_config_instance_count(config, "issuer *") > 1 &&
        setpay_clearing_compare_find_issuer(r, name))
        r->issuer = name;
}

/* A day of the calendar, or NULL. */
static enum setpay_error read_day(const json_t *args, const char *name, const char **day,
                                  struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_json_arg_text(args, name, false, day, problem));
    if (*day != NULL && !setpay_clearing_date_valid(*day))
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--%s: found '%.40s', expected a day YYYY-MM-DD", name, *day);
    return SETPAY_OK;
}

/* Days of which the file has none would agree with everything. */
static enum setpay_error check_days(const struct setpay_clearing_compare *r,
                                    struct setpay_problem *problem)
{
    const char *first, *last;
    if (setpay_clearing_compare_days(r, &first, &last))
        return SETPAY_OK;
    return setpay_problem_set(
        problem, SETPAY_E_USAGE,
        "--from, --to: the file is of %s to %s: no day of it would be compared", r->file->from,
        r->file->to);
}

enum setpay_error setpay_books_reconcile(struct setpay_operator_asker *asker,
                                         const struct setpay_config *config, const json_t *args,
                                         json_t **result, struct setpay_problem *problem)
{
    struct setpay_clearing_file file = {.rows = NULL};
    struct setpay_clearing_compare r = {.file = &file, .acquirer = setpay_books_acquirer(config)};
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    const char *path = NULL;
    int64_t late_hours = SETPAY_CLEARING_LATE_MS / SETPAY_HOUR_MS;
    size_t differences = 0;
    SETPAY_TRY(setpay_json_arg_text(args, "file", true, &path, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "issuer", false, &r.issuer, problem));
    SETPAY_TRY(
        setpay_json_arg_int(args, "late_hours", false, 0, LATE_HOURS_MAX, &late_hours, problem));
    SETPAY_TRY(read_day(args, "from", &r.from, problem));
    SETPAY_TRY(read_day(args, "to", &r.to, problem));
    SETPAY_TRY(setpay_books_check_issuer(config, r.issuer, problem));
    r.late_ms = late_hours * SETPAY_HOUR_MS;
    enum setpay_error error = setpay_books_read_clearing(path, &file, problem);
    if (error == SETPAY_OK)
        error = check_days(&r, problem);
    if (error == SETPAY_OK)
        error = setpay_books_fetch_items(asker, &r, problem);
    if (error == SETPAY_OK) {
        find_issuer(config, &r, issuer);
        error = compare(&r, result, &differences);
    }
    setpay_clearing_file_clear(&file);
    free(r.items);
    return error != SETPAY_OK ? error
                              : setpay_books_verdict((int64_t)differences, "difference", problem);
}

void setpay_books_print_reconciled(const json_t *result)
{
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "differences"), index, one)
    {
        json_int_t line = json_integer_value(json_object_get(one, "line"));
        printf("%-9s %s", setpay_operator_text(one, "difference"), setpay_operator_text(one, "id"));
        if (line != 0)
            printf(" (line %lld)", (long long)line);
        printf(": %s\n", setpay_operator_text(one, "words"));
    }
    json_array_foreach(json_object_get(result, "elsewhere"), index, one)
    {
        printf("Not in this file: %s, %s of %s %s, presented before it begins; look in the file of "
               "%s",
               setpay_operator_text(one, "id"), setpay_operator_text(one, "amount_text"),
               setpay_operator_text(one, "brand"), setpay_operator_text(one, "merchant_id"),
               setpay_operator_text(one, "from"));
        if (strcmp(setpay_operator_text(one, "from"), setpay_operator_text(one, "to")) != 0)
            printf(" to %s", setpay_operator_text(one, "to"));
        puts(".");
    }
    json_array_foreach(json_object_get(result, "claimed"), index, one)
    {
        printf("Claimed: %s, %s of %s %s, refused with response code %s, and cleared to the "
               "merchant on %.10s; the issuer has not booked it in this file.\n",
               setpay_operator_text(one, "id"), setpay_operator_text(one, "amount_text"),
               setpay_operator_text(one, "brand"), setpay_operator_text(one, "merchant_id"),
               setpay_operator_text(one, "response_code"), setpay_operator_text(one, "cleared"));
    }
    json_int_t outside = json_integer_value(json_object_get(result, "outside"));
    if (strcmp(setpay_operator_text(result, "from"),
               setpay_operator_text(result, "compared_from")) != 0 ||
        strcmp(setpay_operator_text(result, "to"), setpay_operator_text(result, "compared_to")) !=
            0)
        printf("Not compared: %lld %s of other days; the file is of %s to %s.\n",
               (long long)outside, setpay_noun(outside, "row", "rows"),
               setpay_operator_text(result, "from"), setpay_operator_text(result, "to"));
    json_int_t rows = json_integer_value(json_object_get(result, "rows"));
    json_int_t matched = json_integer_value(json_object_get(result, "matched"));
    json_int_t found = json_integer_value(json_object_get(result, "found"));
    const char *section = json_string_value(json_object_get(result, "section"));
    printf("%lld %s of %s%s%s, %s to %s: %lld %s with the ledger, %lld %s\n", (long long)rows,
           setpay_noun(rows, "row", "rows"), setpay_operator_text(result, "issuer"),
           section == NULL ? "" : ", as issuer ", section == NULL ? "" : section,
           setpay_operator_text(result, "compared_from"),
           setpay_operator_text(result, "compared_to"), (long long)matched,
           setpay_noun(matched, "agrees", "agree"), (long long)found,
           setpay_noun(found, "difference", "differences"));
}
