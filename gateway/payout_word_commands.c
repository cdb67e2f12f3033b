/*
 * The operator's commands that tell what the bank says of payouts, and that undo what was told by
 * mistake: of one, or of all that stand in one file. And what sets one aside.
 */
#include "gateway/commands.h"

#include "common/base/log.h"
#include "common/net/control_json.h"
#include "common/store/store.h"
#include "gateway/clearing/payout.h"
#include "gateway/payout_json.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ what is asked */

static enum setpay_error take_text(const json_t *args, const char *name, bool required, char *out,
                                   size_t size, struct setpay_problem *problem)
{
    const char *text = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, name, required, &text, problem));
    if (text == NULL)
        return SETPAY_OK;
    if (strlen(text) >= size)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "%s: expected at most %zu bytes", name,
                                  size - 1);
    memcpy(out, text, strlen(text) + 1);
    return SETPAY_OK;
}

static enum setpay_error read_word(const json_t *args, bool returns,
                                   struct setpay_payout_word *word, struct setpay_problem *problem)
{
    struct setpay_payout_word w = {.at_ms = setpay_clock_now_ms()};
    SETPAY_TRY(take_text(args, "reference", true, w.reference, sizeof w.reference, problem));
    SETPAY_TRY(take_text(args, "date", true, w.day, sizeof w.day, problem));
    if (returns) {
        SETPAY_TRY(take_text(args, "code", true, w.code, sizeof w.code, problem));
        SETPAY_TRY(take_text(args, "reason", false, w.reason, sizeof w.reason, problem));
    }
    SETPAY_TRY(setpay_payout_word_check(&w, returns, w.at_ms, problem));
    *word = w;
    return SETPAY_OK;
}

/* Of a file: those that are meant. */
struct named {
    struct setpay_payout *payouts; /* owned */
    size_t count, room;
};

static enum setpay_error take_named(void *arg, const struct setpay_payout *payout)
{
    struct named *named = arg;
    if (named->count == named->room)
        return SETPAY_E_INTERNAL; /* no file has so many */
    named->payouts[named->count++] = *payout;
    return SETPAY_OK;
}

/* The payout with that id, or all of the file with that id that are like filter; of a file only
 * where whole_file says so. *file: its row, or 0. */
static enum setpay_error find_named(struct setpay_db *db, const json_t *args,
                                    const struct setpay_payout_filter *like, struct named *named,
                                    int64_t *file, struct setpay_problem *problem)
{
    struct setpay_payout_file found;
    struct setpay_id id;
    bool whole_file = false;
    SETPAY_TRY(setpay_payout_read_id(args, &id, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "whole_file", false, &whole_file, problem));
    enum setpay_error error = setpay_payout_find(db, &id, &named->payouts[0]);
    named->count = error == SETPAY_OK ? 1 : 0;
    *file = 0;
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    error = setpay_payout_file_find(db, &id, &found, NULL);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "there is neither a payout nor a file of that id: see payout "
                                  "list and payout files");
    SETPAY_TRY(error);
    if (!whole_file)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "that is a file of %lld payouts: --whole-file means all of them",
                                  (long long)found.count);
    struct setpay_payout_filter filter = *like;
    filter.file = *file = found.id;
    filter.limit = INT64_MAX;
    return setpay_payout_each(db, &filter, take_named, named);
}

/* One command about one payout, or some of a file. */
struct telling {
    struct named named;
    json_t *list; /* of what came of each */
};

typedef enum setpay_error tell_fn(struct setpay_db *db, const json_t *args, struct telling *telling,
                                  struct setpay_problem *problem);

static enum setpay_error add(struct telling *telling, json_t *payout)
{
    return json_array_append_new(telling->list, payout) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error run(struct setpay_db *db, const json_t *args, tell_fn *tell,
                             json_t **result, struct setpay_problem *problem)
{
    struct telling telling = {.named = {.room = SETPAY_PAYOUTS_IN_FILE}, .list = json_array()};
    telling.named.payouts = calloc(telling.named.room, sizeof *telling.named.payouts);
    enum setpay_error error = telling.named.payouts == NULL || telling.list == NULL
                                  ? SETPAY_E_NOMEM
                                  : tell(db, args, &telling, problem);
    free(telling.named.payouts);
    if (error == SETPAY_OK) {
        *result = json_pack("{s:O}", "payouts", telling.list);
        error = *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    json_decref(telling.list);
    return error;
}

/* ------------------------------------------------------------------ telling a word */

static enum setpay_error tell_word(struct setpay_db *db, const json_t *args, bool returns,
                                   struct telling *telling, struct setpay_problem *problem)
{
    static const struct setpay_payout_filter untold = {.state = SETPAY_PAYOUT_SENT};
    struct named *named = &telling->named;
    struct setpay_payout_word word;
    struct setpay_store_restore restore;
    int64_t file = 0;
    SETPAY_TRY(setpay_store_last_restore(db, &restore));
    SETPAY_TRY(read_word(args, returns, &word, problem));
    SETPAY_TRY(find_named(db, args, &untold, named, &file, problem));
    if (named->count == 0)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "of each payout in that file it was told what became of it");
    for (size_t i = 0; i < named->count; i++) {
        bool known = false;
        struct setpay_payout *payout = &named->payouts[i];
        SETPAY_TRY(
            returns ? setpay_payout_return(db, payout, &word, &known, problem)
                    : setpay_payout_pay(db, payout, &word, restore.restored_ms, &known, problem));
        json_t *one = setpay_payout_json(payout);
        json_object_set_new(one, "known", json_boolean(known));
        SETPAY_TRY(add(telling, one));
    }
    return SETPAY_OK;
}

static enum setpay_error tell_paid(struct setpay_db *db, const json_t *args,
                                   struct telling *telling, struct setpay_problem *problem)
{
    return tell_word(db, args, false, telling, problem);
}

static enum setpay_error tell_returned(struct setpay_db *db, const json_t *args,
                                       struct telling *telling, struct setpay_problem *problem)
{
    return tell_word(db, args, true, telling, problem);
}

enum setpay_error setpay_gateway_payout_paid(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"id", "whole_file", "reference", "date", NULL};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    return run(db, args, tell_paid, result, problem);
}

enum setpay_error setpay_gateway_payout_returned(struct setpay_db *db, const json_t *args,
                                                 const struct setpay_vault *vault, json_t **result,
                                                 struct setpay_problem *problem)
{
    static const char *const names[] = {"id",   "whole_file", "reference", "date",
                                        "code", "reason",     NULL};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    return run(db, args, tell_returned, result, problem);
}

static enum setpay_error set_aside(struct setpay_db *db, const json_t *args,
                                   struct telling *telling, struct setpay_problem *problem)
{
    struct setpay_payout_word word = {.at_ms = setpay_clock_now_ms()};
    struct setpay_store_restore restore;
    struct setpay_payout payout;
    struct setpay_id id;
    const char *reason = NULL;
    bool known = false;
    SETPAY_TRY(setpay_payout_read_id(args, &id, problem));
    SETPAY_TRY(setpay_json_arg_words(args, "reason", sizeof word.reason, &reason, problem));
    memcpy(word.reason, reason, strlen(reason) + 1);
    SETPAY_TRY(setpay_store_last_restore(db, &restore));
    enum setpay_error error = setpay_payout_find(db, &id, &payout);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no such payout: see payout list");
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_payout_set_aside(db, &payout, &word, restore.restored_ms, &known, problem));
    json_t *one = setpay_payout_json(&payout);
    json_object_set_new(one, "known", json_boolean(known));
    return add(telling, one);
}

enum setpay_error setpay_gateway_payout_set_aside(struct setpay_db *db, const json_t *args,
                                                  const struct setpay_vault *vault, json_t **result,
                                                  struct setpay_problem *problem)
{
    static const char *const names[] = {"id", "reason", NULL};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    return run(db, args, set_aside, result, problem);
}

/* ------------------------------------------------------------------ undoing one */

static enum setpay_error read_which(const json_t *args, enum setpay_payout_which *which,
                                    struct setpay_problem *problem)
{
    const char *word = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "word", false, &word, problem));
    *which = word == NULL                    ? SETPAY_PAYOUT_WORD_ANY
             : strcmp(word, "returned") == 0 ? SETPAY_PAYOUT_WORD_RETURNED
                                             : SETPAY_PAYOUT_WORD_PAID;
    if (word == NULL || strcmp(word, "returned") == 0 || strcmp(word, "paid") == 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_INVALID, "word: expected paid or returned");
}

/* Of a file, those whose last word has that reference, or had it and was undone so. */
static enum setpay_error keep_told(struct setpay_db *db, struct named *named,
                                   const struct setpay_payout_undoing *undoing,
                                   struct setpay_problem *problem)
{
    size_t kept = 0;
    for (size_t i = 0; i < named->count; i++) {
        bool is_of = false;
        SETPAY_TRY(setpay_payout_undo_is_of(db, &named->payouts[i], undoing, &is_of));
        if (is_of)
            named->payouts[kept++] = named->payouts[i];
    }
    named->count = kept;
    return kept > 0 ? SETPAY_OK
                    : setpay_problem_set(problem, SETPAY_E_STATE,
                                         "of no payout in that file the last word was told by %s",
                                         undoing->reference);
}

static enum setpay_error undo(struct setpay_db *db, const json_t *args, struct telling *telling,
                              struct setpay_problem *problem)
{
    static const struct setpay_payout_filter any = {.state = 0};
    struct setpay_payout_undoing undoing = {.now_ms = setpay_clock_now_ms()};
    struct named *named = &telling->named;
    int64_t file = 0;
    SETPAY_TRY(read_which(args, &undoing.which, problem));
    SETPAY_TRY(
        setpay_json_arg_words(args, "reason", SETPAY_PAYOUT_REASON_SIZE, &undoing.reason, problem));
    SETPAY_TRY(find_named(db, args, &any, named, &file, problem));
    /* What stands in a file was not set aside. */
    SETPAY_TRY(setpay_json_arg_text(args, "reference", file != 0, &undoing.reference, problem));
    if (file != 0)
        SETPAY_TRY(keep_told(db, named, &undoing, problem));
    for (size_t i = 0; i < named->count; i++) {
        SETPAY_TRY(setpay_payout_undo(db, &named->payouts[i], &undoing, problem));
        json_t *one = setpay_payout_json(&named->payouts[i]);
        json_object_set_new(one, "undone",
                            json_pack("[o]", setpay_payout_undone_json(&undoing.undone)));
        json_object_set_new(one, "known", json_boolean(undoing.known));
        SETPAY_TRY(add(telling, one));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_payout_undo(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"id", "whole_file", "reference", "word", "reason", NULL};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    return run(db, args, undo, result, problem);
}

/* ------------------------------------------------------------------ the log */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* Whether it was told with this command; its id. */
static bool is_told(const json_t *payout, struct setpay_id *id)
{
    return !json_is_true(json_object_get(payout, "known")) &&
           setpay_id_parse(text_of(payout, "payout"), id) == SETPAY_OK;
}

void setpay_gateway_log_payouts_paid(const json_t *result)
{
    struct setpay_id id = {{0}};
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "payouts"), index, one)
    {
        if (is_told(one, &id))
            setpay_log(SETPAY_LOG_INFO, "payout.paid", setpay_field_id("payout", &id),
                       setpay_field_text("merchant", text_of(one, "merchant_id")),
                       setpay_field_text("reference", text_of(one, "reference")));
    }
}

void setpay_gateway_log_payouts_returned(const json_t *result)
{
    struct setpay_id id = {{0}};
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "payouts"), index, one)
    {
        if (is_told(one, &id))
            setpay_log(SETPAY_LOG_WARN, "payout.returned", setpay_field_id("payout", &id),
                       setpay_field_text("merchant", text_of(one, "merchant_id")),
                       setpay_field_text("reference", text_of(one, "return_reference")),
                       setpay_field_text("code", text_of(one, "return_code")));
    }
}

void setpay_gateway_log_payouts_set_aside(const json_t *result)
{
    struct setpay_id id = {{0}};
    const json_t *one = json_array_get(json_object_get(result, "payouts"), 0);
    if (is_told(one, &id))
        setpay_log(SETPAY_LOG_WARN, "payout.set_aside", setpay_field_id("payout", &id),
                   setpay_field_text("merchant", text_of(one, "merchant_id")));
}

void setpay_gateway_log_payouts_undone(const json_t *result)
{
    struct setpay_id id = {{0}};
    size_t index;
    const json_t *one;
    json_array_foreach(json_object_get(result, "payouts"), index, one)
    {
        const json_t *undone = json_array_get(json_object_get(one, "undone"), 0);
        if (is_told(one, &id))
            setpay_log(SETPAY_LOG_WARN, "payout.undone", setpay_field_id("payout", &id),
                       setpay_field_text("merchant", text_of(one, "merchant_id")),
                       setpay_field_text("word", text_of(undone, "word")),
                       setpay_field_text("reference", text_of(undone, "reference")),
                       setpay_field_text("state", text_of(one, "state")));
    }
}
