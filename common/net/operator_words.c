/*
 * The words behind an operator's command as the daemon's arguments.
 */
#include "common/base/money.h"
#include "common/net/operator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (256 * 1024)

static enum setpay_error set_member(json_t *args, const char *flag, const char *member,
                                    json_t *value, struct setpay_problem *problem)
{
    if (value == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: the value is not UTF-8", flag);
    if (json_object_get(args, member) != NULL) {
        json_decref(value);
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: %s is given twice", flag, member);
    }
    return json_object_set_new(args, member, value) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_number(const char *flag, const char *member, const char *text,
                                     json_t *args, struct setpay_problem *problem)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (text[0] == '\0' || *end != '\0' || errno != 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--%s: found '%.40s'; expected a whole number", flag, text);
    return set_member(args, flag, member, json_integer(value), problem);
}

static enum setpay_error read_money(const char *text, json_t *args, struct setpay_problem *problem)
{
    struct setpay_money money;
    if (setpay_money_parse(text, &money) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--amount: found '%.40s'; expected an amount with its currency,"
                                  " like \"12.50 EUR\" or \"1250 JPY\"",
                                  text);
    SETPAY_TRY(set_member(args, "amount", "amount", json_integer(money.minor), problem));
    return set_member(args, "amount", "currency", json_string(money.currency), problem);
}

static enum setpay_error read_metadata(const char *text, json_t *args,
                                       struct setpay_problem *problem)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--metadata: found '%.40s'; expected KEY=VALUE", text);
    json_t *metadata = json_object_get(args, "metadata");
    if (metadata == NULL) {
        SETPAY_TRY(set_member(args, "metadata", "metadata", json_object(), problem));
        metadata = json_object_get(args, "metadata");
    }
    char *key = strndup(text, (size_t)(equals - text));
    enum setpay_error error =
        key == NULL ? SETPAY_E_NOMEM
                    : set_member(metadata, "metadata", key, json_string(equals + 1), problem);
    free(key);
    return error;
}

static enum setpay_error add_text(const struct setpay_flag *flag, const char *text, json_t *args,
                                  struct setpay_problem *problem)
{
    json_t *list = json_object_get(args, flag->member);
    if (list == NULL) {
        SETPAY_TRY(set_member(args, flag->name, flag->member, json_array(), problem));
        list = json_object_get(args, flag->member);
    }
    return json_array_append_new(list, json_string(text)) == 0
               ? SETPAY_OK
               : setpay_problem_set(problem, SETPAY_E_USAGE, "--%s: the value is not UTF-8",
                                    flag->name);
}

/* "2=1": a piece of the second line; "CUP=3": three pieces with that SKU. */
static enum setpay_error read_line(const char *text, json_t *args, struct setpay_problem *problem)
{
    const char *equals = strrchr(text, '=');
    char *end = NULL;
    long long quantity = equals != NULL ? strtoll(equals + 1, &end, 10) : 0;
    if (equals == NULL || equals == text || equals[1] < '0' || equals[1] > '9' || *end != '\0')
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--line: found '%.40s'; expected the number of a line or a SKU,"
                                  " '=' and how many, like 1=2",
                                  text);
    if (json_object_get(args, "lines") == NULL)
        SETPAY_TRY(set_member(args, "line", "lines", json_array(), problem));
    bool is_number = strspn(text, "0123456789") == (size_t)(equals - text);
    json_t *line = is_number ? json_pack("{s:I}", "line", (json_int_t)strtoll(text, NULL, 10))
                             : json_pack("{s:s%}", "sku", text, (size_t)(equals - text));
    if (json_object_set_new(line, "quantity", json_integer(quantity)) != 0) {
        json_decref(line);
        return SETPAY_E_NOMEM;
    }
    return json_array_append_new(json_object_get(args, "lines"), line) == 0 ? SETPAY_OK
                                                                            : SETPAY_E_NOMEM;
}

/* Every member of the object in the file ("-": standard input). */
static enum setpay_error read_file(const char *path, json_t *args, struct setpay_problem *problem)
{
    json_error_t where;
    bool input = strcmp(path, "-") == 0;
    FILE *file = input ? stdin : fopen(path, "re");
    const char *name = input ? "standard input" : path;
    if (file == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--file: %s: %s", path, strerror(errno));
    char *bytes = malloc(FILE_MAX + 1);
    size_t size = bytes == NULL ? 0 : fread(bytes, 1, FILE_MAX + 1, file);
    if (!input)
        (void)fclose(file);
    json_t *json = NULL;
    enum setpay_error error = bytes == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK && size > FILE_MAX)
        error =
            setpay_problem_set(problem, SETPAY_E_USAGE, "%s: larger than %d bytes", name, FILE_MAX);
    if (error == SETPAY_OK) {
        json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &where);
        if (json == NULL)
            error = setpay_problem_set(problem, SETPAY_E_USAGE, "%s, line %d, column %d: %s", name,
                                       where.line, where.column, where.text);
        else if (!json_is_object(json))
            error =
                setpay_problem_set(problem, SETPAY_E_USAGE, "%s: expected one JSON object", name);
        else if (json_object_update_missing(args, json) != 0)
            error = SETPAY_E_NOMEM;
    }
    free(bytes);
    json_decref(json);
    return error;
}

static enum setpay_error read_flag(const struct setpay_flag *flag, const char *value, json_t *args,
                                   struct setpay_problem *problem)
{
    switch (flag->kind) {
    case SETPAY_FLAG_NUMBER:
        return read_number(flag->name, flag->member, value, args, problem);
    case SETPAY_FLAG_MONEY:
        return read_money(value, args, problem);
    case SETPAY_FLAG_METADATA:
        return read_metadata(value, args, problem);
    case SETPAY_FLAG_TEXTS:
        return add_text(flag, value, args, problem);
    case SETPAY_FLAG_LINE:
        return read_line(value, args, problem);
    case SETPAY_FLAG_FILE:
        return read_file(value, args, problem);
    default:
        return set_member(args, flag->name, flag->member, json_string(value), problem);
    }
}

/* What bare words behind the operand are; NULL: there may be none. */
static const struct setpay_flag *find_more(const struct setpay_operator_command *command)
{
    const struct setpay_flag *flag = command->flags;
    while (flag != NULL && flag->kind != SETPAY_FLAG_END && flag->kind != SETPAY_FLAG_MORE)
        flag++;
    return flag != NULL && flag->kind == SETPAY_FLAG_MORE ? flag : NULL;
}

static const struct setpay_flag *find_flag(const struct setpay_operator_command *command,
                                           const char *word)
{
    static const struct setpay_flag none = {0};
    const struct setpay_flag *flag = command->flags != NULL ? command->flags : &none;
    bool is_letter = word[0] == '-' && word[1] != '-' && word[1] != '\0' && word[2] == '\0';
    if (strncmp(word, "--", 2) != 0 && !is_letter)
        return NULL;
    const char *name = is_letter ? word + 1 : word + 2;
    while (flag->kind != SETPAY_FLAG_END &&
           (flag->kind == SETPAY_FLAG_MORE || strcmp(flag->name, name) != 0))
        flag++;
    return flag->kind != SETPAY_FLAG_END ? flag : NULL;
}

static enum setpay_error refuse_word(const char *program,
                                     const struct setpay_operator_command *command,
                                     const char *word, struct setpay_problem *problem)
{
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "unknown argument '%.60s' (see %s %s%s%s --help)", word, program,
                              command->words[0], command->words[1] != NULL ? " " : "",
                              command->words[1] != NULL ? command->words[1] : "");
}

enum setpay_error setpay_operator_read_words(const char *program,
                                             const struct setpay_operator_command *command,
                                             char **words, int count, json_t *args,
                                             struct setpay_problem *problem)
{
    const char *operand = command->operand;
    bool instead = false;
    for (int i = 0; i < count; i++) {
        const struct setpay_flag *flag = find_flag(command, words[i]);
        if (flag != NULL &&
            (flag->kind == SETPAY_FLAG_SWITCH || flag->kind == SETPAY_FLAG_INSTEAD)) {
            instead = instead || flag->kind == SETPAY_FLAG_INSTEAD;
            SETPAY_TRY(set_member(args, flag->name, flag->member, json_true(), problem));
        } else if (flag != NULL) {
            if (++i == count)
                return setpay_problem_set(problem, SETPAY_E_USAGE, "%s needs a value",
                                          words[i - 1]);
            SETPAY_TRY(read_flag(flag, words[i], args, problem));
        } else if ((words[i][0] != '-' || words[i][1] == '\0') && operand != NULL &&
                   json_object_get(args, operand) == NULL) { /* "-": standard input */
            SETPAY_TRY(set_member(args, operand, operand, json_string(words[i]), problem));
        } else if (words[i][0] != '-' && find_more(command) != NULL) {
            SETPAY_TRY(add_text(find_more(command), words[i], args, problem));
        } else {
            return refuse_word(program, command, words[i], problem);
        }
    }
    if (operand != NULL && json_object_get(args, operand) == NULL && !instead)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s%s%s: expected %s behind it",
                                  command->words[0], command->words[1] != NULL ? " " : "",
                                  command->words[1] != NULL ? command->words[1] : "",
                                  command->usage);
    return SETPAY_OK;
}
