/*
 * Accounts of the owner's pages, for the operator. A password is read and turned into its scrypt by
 * the program that was called: the daemon, and what it logs, never hears it.
 */
#include "merchant/owner_commands.h"

#include "common/base/noun.h"
#include "common/base/secret.h"
#include "common/net/control_json.h"
#include "common/net/operator.h"
#include "merchant/store/admin/owner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------ in the program */

/* The first line of the file, without its end. */
static enum setpay_error read_line(const char *path, char *line, int size, size_t *length,
                                   struct setpay_problem *problem)
{
    bool input = strcmp(path, "-") == 0;
    FILE *file = input ? stdin : fopen(path, "re");
    if (file == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "--password-file: %s: %s", path,
                                  strerror(errno));
    const char *read = fgets(line, size, file);
    if (!input)
        (void)fclose(file);
    *length = read != NULL ? strcspn(line, "\r\n") : 0;
    return SETPAY_OK;
}

static enum setpay_error shape_password(json_t *args, struct setpay_problem *problem)
{
    char line[SETPAY_PASSWORD_BYTES_MAX + 3] = "", text[SETPAY_PASSWORD_TEXT_SIZE];
    size_t length = 0;
    const char *path = json_string_value(json_object_get(args, "password_file"));
    if (path == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "expected --password-file FILE (-: standard input), whose first"
                                  " line is the password");
    SETPAY_TRY(read_line(path, line, (int)sizeof line, &length, problem));
    enum setpay_error error = setpay_password_make(setpay_view_of(line, length), text);
    setpay_cleanse(line, sizeof line);
    if (error == SETPAY_E_INVALID)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "--password-file: found %zu %s in its first line; expected a"
                                  " password of %d to %d",
                                  length, setpay_noun((int64_t)length, "byte", "bytes"),
                                  SETPAY_PASSWORD_BYTES_MIN, SETPAY_PASSWORD_BYTES_MAX);
    SETPAY_TRY(error);
    (void)json_object_del(args, "password_file");
    return json_object_set_new(args, "password", json_string(text)) == 0 ? SETPAY_OK
                                                                         : SETPAY_E_NOMEM;
}

enum setpay_error setpay_merchant_owner_shape(const char *name, json_t *args,
                                              struct setpay_problem *problem)
{
    bool takes = strcmp(name, "owner.add") == 0 || strcmp(name, "owner.passwd") == 0;
    return takes ? shape_password(args, problem) : SETPAY_OK;
}

/* ------------------------------------------------------------------ in an operation */

static enum setpay_error read_name(const json_t *args, bool with_password, const char **name,
                                   const char **password, struct setpay_problem *problem)
{
    static const char *const both[] = {"name", "password", NULL};
    static const char *const one[] = {"name", NULL};
    SETPAY_TRY(setpay_json_args_check(args, with_password ? both : one, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "name", true, name, problem));
    if (!setpay_owner_name_is(*name))
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "name: found '%.70s'; expected 1 to %d of letters, digits, '.',"
                                  " '_' and '-'",
                                  *name, SETPAY_OWNER_NAME_BYTES);
    if (!with_password)
        return SETPAY_OK;
    SETPAY_TRY(setpay_json_arg_text(args, "password", true, password, problem));
    if (strlen(*password) >= SETPAY_PASSWORD_TEXT_SIZE || strncmp(*password, "scrypt$", 7) != 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "password: expected the scrypt that setpay-merchant makes of it");
    return SETPAY_OK;
}

static enum setpay_error answer(enum setpay_error error, const char *name, json_t **result,
                                struct setpay_problem *problem)
{
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(
            problem, error, "there is no account '%s' (see `setpay-merchant owner list`)", name);
    if (error == SETPAY_E_EXISTS)
        return setpay_problem_set(problem, error,
                                  "there is an account '%s'; give it another password by"
                                  " `setpay-merchant owner passwd`",
                                  name);
    if (error == SETPAY_E_TOO_BIG)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "there are %d accounts, as many as are kept; remove one first",
                                  SETPAY_OWNERS_MAX);
    SETPAY_TRY(error);
    *result = json_pack("{s:s}", "name", name);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

enum setpay_error setpay_merchant_owner_add(struct setpay_db *db,
                                            const struct setpay_merchant_context *context,
                                            const json_t *args, json_t **result,
                                            struct setpay_problem *problem)
{
    const char *name = NULL, *password = NULL;
    SETPAY_TRY(read_name(args, true, &name, &password, problem));
    return answer(setpay_owner_add(db, name, password, context->now_ms), name, result, problem);
}

enum setpay_error setpay_merchant_owner_passwd(struct setpay_db *db,
                                               const struct setpay_merchant_context *context,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    const char *name = NULL, *password = NULL;
    SETPAY_TRY(read_name(args, true, &name, &password, problem));
    return answer(setpay_owner_set_password(db, name, password, context->now_ms), name, result,
                  problem);
}

enum setpay_error setpay_merchant_owner_list(struct setpay_db *db,
                                             const struct setpay_merchant_context *context,
                                             const json_t *args, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const none[] = {NULL};
    json_t *list = NULL;
    SETPAY_TRY(setpay_json_args_check(args, none, problem));
    SETPAY_TRY(setpay_owner_list(db, context->now_ms, &list));
    *result = json_pack("{s:o}", "owners", list);
    return *result == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

enum setpay_error setpay_merchant_owner_remove(struct setpay_db *db,
                                               const struct setpay_merchant_context *context,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem)
{
    const char *name = NULL;
    (void)context;
    SETPAY_TRY(read_name(args, false, &name, NULL, problem));
    return answer(setpay_owner_remove(db, name), name, result, problem);
}
