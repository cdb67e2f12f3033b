/*
 * The client: words of the command line become a command's arguments, and what comes back becomes
 * lines for people. Files are printed as they are.
 */
#include "gateway/issuer/commands.h"

#include "common/base/money.h"
#include "common/base/noun.h"
#include "common/net/control_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_TIMEOUT_MS 30000

/* What stands behind a command: words by their place, then KEY=VALUE. */
static const struct form {
    const char *command;
    const char *places[3];
    const char *keys[6];
} forms[] = {
    {"show", {"last4"}, {NULL}},
    {"statement", {"last4"}, {NULL}},
    {"clearing", {NULL}, {"date"}},
    {"disputes", {NULL}, {"date"}},
    {"dispute", {"action", "of"}, {"reason", "amount", "outcome"}},
    {"account", {"name"}, {"state", "available", "limited", "limit", "daily-limit"}},
};

static const struct form *form_of(const char *command)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (strcmp(forms[i].command, command) == 0)
            return &forms[i];
    return NULL;
}

static bool has_key(const struct form *form, const char *key, size_t size)
{
    for (size_t i = 0; i < sizeof(form->keys) / sizeof(form->keys[0]); i++)
        if (form->keys[i] != NULL && strlen(form->keys[i]) == size &&
            memcmp(form->keys[i], key, size) == 0)
            return true;
    return false;
}

void setpay_issuer_take_flags(int *argc, char **argv)
{
    const struct form *form = NULL;
    for (int i = 1; i < *argc; i++) {
        size_t size = strlen(argv[i]);
        if (form == NULL) {
            form = form_of(argv[i]);
            continue;
        }
        if (i + 1 == *argc || strncmp(argv[i], "--", 2) != 0 ||
            !has_key(form, argv[i] + 2, size - 2))
            continue;
        size_t room =
            size + strlen(argv[i + 1]); /* "--key" and its value: as long as "key=value" */
        char *word = malloc(room);      /* stays until the program's end */
        if (word == NULL)
            return;
        (void)snprintf(word, room, "%s=%s", argv[i] + 2, argv[i + 1]);
        argv[i] = word;
        for (int k = i + 1; k < *argc; k++)
            argv[k] = argv[k + 1];
        (*argc)--;
    }
}

/* ------------------------------------------------------------------ arguments */

static enum setpay_error read_number(const char *key, const char *text, json_t *args,
                                     struct setpay_problem *problem)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0')
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: \"%s\" is not a number", key, text);
    json_object_set_new(args, key, json_integer(value));
    return SETPAY_OK;
}

static enum setpay_error read_argument(const char *command, const char *text, int *place,
                                       json_t *args, struct setpay_problem *problem)
{
    const struct form *form = form_of(command);
    const char *equals = strchr(text, '=');
    size_t size = equals == NULL ? 0 : (size_t)(equals - text);
    char key[64];
    bool is_script = strcmp(command, "script") == 0;
    if (is_script && strcmp(text, "reset") == 0) {
        json_object_set_new(args, "reset", json_true());
        return SETPAY_OK;
    }
    bool by_key = size > 0 && size < sizeof(key) &&
                  (is_script || (form != NULL && has_key(form, text, size)));
    if (by_key) {
        memcpy(key, text, size);
        key[size] = '\0';
        if (is_script)
            return read_number(key, equals + 1, args, problem);
        json_object_set_new(args, key, json_string(equals + 1));
        return SETPAY_OK;
    }
    if (form != NULL && *place < 3 && form->places[*place] != NULL) {
        json_object_set_new(args, form->places[(*place)++], json_string(text));
        return SETPAY_OK;
    }
    return setpay_problem_set(problem, SETPAY_E_USAGE, "%s takes no argument \"%s\"", command,
                              text);
}

/* ------------------------------------------------------------------ for people */

/* For people: one line a row, NAME=VALUE of each member; a single object alike. */
static void print_row(const json_t *row)
{
    const char *name;
    json_t *value;
    const char *before = "";
    json_object_foreach((json_t *)(uintptr_t)row, name, value)
    {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        size_t size = text == NULL ? 0 : strlen(text);
        if (json_is_string(value) && size >= 2)
            printf("%s%s=%.*s", before, name, (int)(size - 2), text + 1);
        else
            printf("%s%s=%s", before, name, text == NULL ? "" : text);
        free(text);
        before = "  ";
    }
    puts("");
}

static void print_for_people(const json_t *result)
{
    const char *name;
    json_t *member;
    json_t *row;
    size_t i;
    bool lists = false;
    json_object_foreach((json_t *)(uintptr_t)result, name, member)
    {
        if (!json_is_array(member))
            continue;
        lists = true;
        printf("%s: %zu\n", name, json_array_size(member));
        json_array_foreach(member, i, row) print_row(row);
    }
    if (!lists && json_object_size(result) > 0)
        print_row(result);
}

/* "12.50", "-0.005" */
static const char *amount_text(const json_t *row, const char *name, const char *currency,
                               char out[SETPAY_MONEY_TEXT_SIZE])
{
    json_int_t minor = json_integer_value(json_object_get(row, name));
    const struct setpay_currency *known = setpay_currency_by_code(currency);
    unsigned digits = known == NULL ? 0 : known->exponent;
    const char *sign = minor < 0 ? "-" : "";
    long long size = minor < 0 ? -minor : minor;
    if (digits == 2)
        snprintf(out, SETPAY_MONEY_TEXT_SIZE, "%s%lld.%02lld", sign, size / 100, size % 100);
    else if (digits == 3)
        snprintf(out, SETPAY_MONEY_TEXT_SIZE, "%s%lld.%03lld", sign, size / 1000, size % 1000);
    else
        snprintf(out, SETPAY_MONEY_TEXT_SIZE, "%s%lld", sign, size);
    return out;
}

static const char *text_of(const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));
    return text == NULL ? "" : text;
}

static void print_statement(const json_t *of)
{
    const char *currency = text_of(of, "currency");
    char amount[SETPAY_MONEY_TEXT_SIZE];
    char balance[SETPAY_MONEY_TEXT_SIZE];
    size_t i;
    json_t *row;
    printf("%s, %s ending in %s, %s%s\n", text_of(of, "account"), text_of(of, "brand"),
           text_of(of, "last4"), currency,
           strcmp(text_of(of, "state"), "closed") == 0 ? ", closed" : "");
    if (json_array_size(json_object_get(of, "entries")) > 0)
        printf("  %-20s %-13s %16s %16s  %s\n", "BOOKED", "KIND", "AMOUNT", "BALANCE",
               "PRESENTMENT");
    json_array_foreach(json_object_get(of, "entries"), i, row)
        printf("  %.19sZ %-13s %16s %16s  %s\n", text_of(row, "booked"), text_of(row, "kind"),
               amount_text(row, "amount", currency, amount),
               amount_text(row, "balance", currency, balance), text_of(row, "presentment"));
    json_array_foreach(json_object_get(of, "holds"), i, row)
        printf("  %s held until %.19sZ, xid %s\n", amount_text(row, "amount", currency, amount),
               text_of(row, "ends"), text_of(row, "xid"));
    printf("  booked %s", amount_text(of, "booked", currency, amount));
    printf(", held %s", amount_text(of, "held", currency, amount));
    if (json_is_true(json_object_get(of, "limited")))
        printf(", available %s\n\n", amount_text(of, "available", currency, amount));
    else
        puts(", without a limit\n");
}

/* All but zeros: times, the code of refusals, and what is still to go wrong. */
static void print_script(const json_t *script)
{
    const char *name;
    json_t *value;
    bool any = false;
    json_object_foreach((json_t *)(uintptr_t)script, name, value)
    {
        if (json_integer_value(value) == 0)
            continue;
        printf("%s=%lld\n", name, (long long)json_integer_value(value));
        any = true;
    }
    if (!any)
        puts("nothing is set");
}

static void print_check(const json_t *result)
{
    static const struct {
        const char *member;
        const char *one;
    } counted[] = {
        {"balances", "balance"},
        {"entries", "entry"},
        {"authorisations", "authorisation"},
        {"presentments", "presentment"},
        {"disputes", "dispute"},
    };
    size_t i;
    json_t *words;
    json_int_t found = json_integer_value(json_object_get(result, "found"));
    json_array_foreach(json_object_get(result, "findings"), i, words)
        printf("%s\n", json_string_value(words));
    if (found > (json_int_t)i)
        printf("and %lld more\n", (long long)found - (long long)i);
    for (i = 0; i < sizeof counted / sizeof *counted; i++) {
        json_int_t count = json_integer_value(json_object_get(result, counted[i].member));
        printf("%lld %s%s", (long long)count, setpay_noun(count, counted[i].one, counted[i].member),
               i + 1 < sizeof counted / sizeof *counted ? ", " : ": ");
    }
    printf("%lld %s\n", (long long)found, setpay_noun(found, "difference", "differences"));
}

static void print_result(const char *command, const json_t *result)
{
    const char *file = json_string_value(json_object_get(result, "file"));
    size_t i;
    json_t *row;
    if (file != NULL)
        fputs(file, stdout);
    else if (strcmp(command, "check") == 0)
        print_check(result);
    else if (strcmp(command, "script") == 0)
        print_script(result);
    else if (strcmp(command, "statement") == 0)
        json_array_foreach(json_object_get(result, "statements"), i, row) print_statement(row);
    else
        print_for_people(result);
}

/* ------------------------------------------------------------------ the call */

enum setpay_error setpay_issuer_call(const char *socket_path, int argc, char **argv, bool as_json,
                                     struct setpay_problem *problem)
{
    struct setpay_control_client *client = NULL;
    json_t *args = json_object();
    json_t *result = NULL;
    int place = 0;
    enum setpay_error error = SETPAY_OK;
    for (int i = 1; i < argc && error == SETPAY_OK; i++)
        error = read_argument(argv[0], argv[i], &place, args, problem);
    if (error == SETPAY_OK)
        error = setpay_control_client_open(socket_path, "setpay-issuersim",
                                           "setpay-issuersim --config FILE", &client, problem);
    if (error != SETPAY_OK)
        goto out;
    error = setpay_control_client_call(client, argv[0], args, CALL_TIMEOUT_MS, NULL, NULL, &result,
                                       problem);
    args = NULL;
    if (error != SETPAY_OK)
        goto out;
    if (!as_json)
        print_result(argv[0], result);
    else if (json_dumpf(result, stdout, JSON_INDENT(2)) != 0 || puts("") == EOF)
        error = SETPAY_E_IO;
    if (fflush(stdout) != 0 || error == SETPAY_E_IO)
        error = setpay_problem_set(problem, SETPAY_E_IO, "standard output can't be written");
    else if (json_is_false(json_object_get(result, "ok")))
        error = SETPAY_E_STATE;
out:
    json_decref(args);
    json_decref(result);
    setpay_control_client_close(client);
    return error;
}
