/*
 * The operator's commands about payouts. To whom they go is not known here: who asks has it from
 * the configuration, and gives the accounts with the command.
 */
#include "gateway/commands.h"

#include "common/base/log.h"
#include "common/net/control_json.h"
#include "common/store/store.h"
#include "gateway/clearing/payout.h"
#include "gateway/payout_json.h"
#include "gateway/settlement_json.h"

#include <stdlib.h>
#include <string.h>

#define LISTED 100
#define LISTED_MAX 1000
#define FILES_LISTED 50
#define LEFT_MAX 1000
#define AHEAD_DAYS 31 /* how far a bank may be told to pay ahead */

/* ------------------------------------------------------------------ looking */

struct page {
    struct setpay_db *db;
    setpay_time_ms restored_ms;
    json_t *list;
    int64_t last;
    int64_t room;
    bool more;
};

/* With whether it is in doubt: one that is made, in a database that was restored. */
static enum setpay_error with_doubt(struct setpay_db *db, const struct setpay_payout *payout,
                                    setpay_time_ms restored_ms, json_t **result)
{
    bool doubted = false;
    if (payout->state == SETPAY_PAYOUT_MADE)
        SETPAY_TRY(setpay_payout_is_doubted(db, payout, restored_ms, &doubted));
    json_t *object = setpay_payout_json(payout);
    if (object == NULL || json_object_set_new(object, "doubted", json_boolean(doubted)) != 0) {
        json_decref(object);
        return SETPAY_E_NOMEM;
    }
    *result = object;
    return SETPAY_OK;
}

static enum setpay_error add_payout(void *arg, const struct setpay_payout *payout)
{
    struct page *page = arg;
    if (page->room-- == 0) { /* one more than was asked for */
        page->more = true;
        return SETPAY_OK;
    }
    json_t *one = NULL;
    page->last = payout->id;
    SETPAY_TRY(with_doubt(page->db, payout, page->restored_ms, &one));
    return json_array_append_new(page->list, one) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_state(const json_t *args, int64_t *state,
                                    struct setpay_problem *problem)
{
    const char *name = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "state", false, &name, problem));
    for (int i = SETPAY_PAYOUT_MADE; name != NULL && i < SETPAY_PAYOUT_STATES; i++)
        if (strcmp(name, setpay_payout_state_name((enum setpay_payout_state)i)) == 0)
            *state = i;
    if (name != NULL && *state == 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "state '%.40s': expected made, sent, paid, returned or set-aside",
                                  name);
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_payout_list(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"state", "currency", "brand", "merchant_id",
                                        "limit", "after",    NULL};
    struct setpay_payout_filter filter = {.limit = LISTED};
    struct setpay_store_restore restore;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(read_state(args, &filter.state, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "currency", false, &filter.currency, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "brand", false, &filter.brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "merchant_id", false, &filter.merchant_id, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LISTED_MAX, &filter.limit, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "after", false, 0, INT64_MAX, &filter.after, problem));
    SETPAY_TRY(setpay_store_last_restore(db, &restore));
    struct page page = {
        .db = db, .restored_ms = restore.restored_ms, .list = json_array(), .room = filter.limit++};
    enum setpay_error error = setpay_payout_each(db, &filter, add_payout, &page);
    if (error != SETPAY_OK) {
        json_decref(page.list);
        return error;
    }
    *result = json_pack("{s:o, s:o}", "payouts", page.list, "next_after",
                        page.more ? json_integer(page.last) : json_null());
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_undone(void *arg, const struct setpay_payout_undone *undone)
{
    return json_array_append_new(arg, setpay_payout_undone_json(undone)) == 0 ? SETPAY_OK
                                                                              : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_payout_show(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"id", NULL};
    struct setpay_store_restore restore;
    struct setpay_payout payout;
    struct setpay_id id;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_payout_read_id(args, &id, problem));
    enum setpay_error error = setpay_payout_find(db, &id, &payout);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no such payout: see payout list");
    SETPAY_TRY(error);
    json_t *undone = json_array();
    error = setpay_payout_each_undone(db, payout.id, add_undone, undone);
    if (error == SETPAY_OK)
        error = setpay_store_last_restore(db, &restore);
    if (error == SETPAY_OK)
        error = with_doubt(db, &payout, restore.restored_ms, result);
    if (error == SETPAY_OK)
        json_object_set(*result, "undone", undone);
    json_decref(undone);
    return error;
}

static enum setpay_error add_waiting(void *arg, const struct setpay_payout_waiting *w)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    json_t *one = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "brand", w->brand, "merchant_id",
                            w->merchant_id, "currency", w->currency, "payouts",
                            (json_int_t)w->count, "amount", (json_int_t)w->amount_minor,
                            "amount_text", setpay_amount_text(w->amount_minor, w->currency, text));
    return json_array_append_new(arg, one) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_payout_waiting(struct setpay_db *db, const json_t *args,
                                                const struct setpay_vault *vault, json_t **result,
                                                struct setpay_problem *problem)
{
    static const char *const names[] = {NULL};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    json_t *list = json_array();
    enum setpay_error error = setpay_payout_each_waiting(db, add_waiting, list);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o}", "waiting", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_file(void *arg, const struct setpay_payout_file *file)
{
    return json_array_append_new(arg, setpay_payout_file_json(file)) == 0 ? SETPAY_OK
                                                                          : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_payout_files(struct setpay_db *db, const json_t *args,
                                              const struct setpay_vault *vault, json_t **result,
                                              struct setpay_problem *problem)
{
    static const char *const names[] = {"limit", NULL};
    int64_t limit = FILES_LISTED;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "limit", false, 1, LISTED_MAX, &limit, problem));
    json_t *list = json_array();
    enum setpay_error error = setpay_payout_each_file(db, limit, add_file, list);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o}", "files", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ files */

static enum setpay_error with_content(const struct setpay_payout_file *file,
                                      const struct setpay_buffer *content, json_t **result)
{
    json_t *object = setpay_payout_file_json(file);
    if (object == NULL ||
        json_object_set_new(object, "content",
                            json_stringn((const char *)content->data, content->size)) != 0) {
        json_decref(object);
        return SETPAY_E_NOMEM;
    }
    *result = object;
    return SETPAY_OK;
}

static enum setpay_error count_one(void *arg, const struct setpay_payout *payout)
{
    (void)payout;
    (*(int64_t *)arg)++;
    return SETPAY_OK;
}

/* What was returned is paid by another file. */
static enum setpay_error check_returned(struct setpay_db *db, const struct setpay_payout_file *file,
                                        struct setpay_problem *problem)
{
    const struct setpay_payout_filter filter = {
        .state = SETPAY_PAYOUT_RETURNED, .file = file->id, .limit = INT64_MAX};
    int64_t count = 0;
    SETPAY_TRY(setpay_payout_each(db, &filter, count_one, &count));
    return count == 0 ? SETPAY_OK
                      : setpay_problem_set(
                            problem, SETPAY_E_STATE,
                            "%lld of its %lld payouts were returned, and are paid by other files: "
                            "a bank must not have this one again",
                            (long long)count, (long long)file->count);
}

enum setpay_error setpay_gateway_payout_file(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"id", NULL};
    struct setpay_payout_file file;
    struct setpay_buffer content;
    struct setpay_id id;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_payout_read_id(args, &id, problem));
    setpay_buffer_init(&content, SETPAY_PAYOUT_FILE_MAX);
    enum setpay_error error = setpay_payout_file_find(db, &id, &file, &content);
    if (error == SETPAY_E_NOT_FOUND)
        error = setpay_problem_set(problem, error, "there is no such file: see payout files");
    if (error == SETPAY_OK)
        error = check_returned(db, &file, problem);
    if (error == SETPAY_OK)
        error = with_content(&file, &content, result);
    setpay_buffer_clear(&content);
    return error;
}

/* An account as who asks has it from the configuration: checked there, and here again, since it is
 * written to a file that moves money. */
static enum setpay_error read_account(const json_t *from, struct setpay_bank_account *account,
                                      struct setpay_problem *problem)
{
    struct setpay_bank_account made = {.bic = ""};
    const char *holder = NULL, *iban = NULL, *bic = "";
    SETPAY_TRY(setpay_json_arg_text(from, "holder", true, &holder, problem));
    SETPAY_TRY(setpay_json_arg_text(from, "iban", true, &iban, problem));
    SETPAY_TRY(setpay_json_arg_text(from, "bic", false, &bic, problem));
    if (!setpay_holder_is_valid(holder) || setpay_iban_parse(iban, made.iban) != SETPAY_OK ||
        (bic[0] != '\0' && !setpay_bic_is_valid(bic)))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "an account's holder, iban or bic is not of its form");
    memcpy(made.holder, holder, strlen(holder) + 1);
    memcpy(made.bic, bic, strlen(bic) + 1);
    *account = made;
    return SETPAY_OK;
}

static enum setpay_error read_payee(const json_t *from, struct setpay_payee *payee,
                                    struct setpay_problem *problem)
{
    const char *brand = NULL, *id = NULL;
    SETPAY_TRY(setpay_json_arg_text(from, "brand", true, &brand, problem));
    SETPAY_TRY(setpay_json_arg_text(from, "merchant_id", true, &id, problem));
    if (strlen(brand) >= sizeof payee->brand || strlen(id) >= sizeof payee->merchant_id)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "payees: there is no such merchant");
    memcpy(payee->brand, brand, strlen(brand) + 1);
    memcpy(payee->merchant_id, id, strlen(id) + 1);
    return read_account(from, &payee->account, problem);
}

/* *payees is owned. */
static enum setpay_error read_payees(const json_t *args, struct setpay_payee **payees,
                                     size_t *count, struct setpay_problem *problem)
{
    const json_t *list = json_object_get(args, "payees");
    size_t size = json_array_size(list);
    struct setpay_payee *made = calloc(size + 1, sizeof *made);
    enum setpay_error error = made == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    for (size_t i = 0; error == SETPAY_OK && i < size; i++)
        error = read_payee(json_array_get(list, i), &made[i], problem);
    if (error != SETPAY_OK) {
        free(made);
        return error;
    }
    *payees = made;
    *count = size;
    return SETPAY_OK;
}

/* A bank takes no day that is over, and none too far ahead; somewhere it is another day already. */
static enum setpay_error check_day(const char *text, setpay_time_ms now_ms,
                                   struct setpay_problem *problem)
{
    char from[SETPAY_DATE_TEXT_SIZE], to[SETPAY_DATE_TEXT_SIZE];
    const struct setpay_date today = setpay_date_of_ms(now_ms);
    const struct setpay_date first = setpay_date_add_days(&today, -1);
    const struct setpay_date last = setpay_date_add_days(&today, AHEAD_DAYS);
    struct setpay_date date;
    (void)setpay_date_format(&first, from);
    (void)setpay_date_format(&last, to);
    if (setpay_date_parse(text, &date) == SETPAY_OK && strcmp(text, from) >= 0 &&
        strcmp(text, to) <= 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "date '%.40s': expected a day from %s to %s, YYYY-MM-DD", text, from,
                              to);
}

/* Nothing was sent, and why not. */
static enum setpay_error say_nothing(const struct setpay_payout_sending *sending,
                                     struct setpay_problem *problem)
{
    char restored[SETPAY_TIME_TEXT_SIZE];
    if (sending->doubted_count == 0 && sending->kept_count > 0)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "nothing was sent: every payout in %s that waits is left out by "
                                  "--leave",
                                  sending->currency);
    if (sending->doubted_count == 0)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "no payout in %s waits to be sent: see payout list",
                                  sending->currency);
    return setpay_problem_set(
        problem, SETPAY_E_STATE,
        "nothing was sent: this database was restored from a backup on %s, and %lld of the "
        "payouts that wait hold something of before; what was sent of it after the backup is "
        "forgotten: tell what the bank's statement shows with payout paid, and with payout "
        "set-aside what was settled otherwise; then payout send --force, each time with --leave "
        "for each that is to wait",
        setpay_time_format(sending->restored_ms, restored), (long long)sending->doubted_count);
}

/* A payout that is not to be written must be one that would be: who mistypes an id pays twice.
 * *left is owned. */
static enum setpay_error read_left(struct setpay_db *db, const json_t *args,
                                   struct setpay_payout_sending *sending, struct setpay_id **left,
                                   struct setpay_problem *problem)
{
    const json_t *list = json_object_get(args, "leave"), *one;
    size_t index;
    if (list != NULL && (!json_is_array(list) || json_array_size(list) > LEFT_MAX))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "leave: expected an array of up to %d ids", LEFT_MAX);
    if ((*left = calloc(json_array_size(list) + 1, sizeof **left)) == NULL)
        return SETPAY_E_NOMEM;
    json_array_foreach(list, index, one)
    {
        const char *text = json_is_string(one) ? json_string_value(one) : "";
        struct setpay_payout payout;
        enum setpay_error error = setpay_id_parse(text, &(*left)[index]);
        if (error == SETPAY_OK)
            error = setpay_payout_find(db, &(*left)[index], &payout);
        if (error == SETPAY_E_NOT_FOUND || error == SETPAY_E_INVALID ||
            (error == SETPAY_OK && (payout.state != SETPAY_PAYOUT_MADE ||
                                    strcmp(payout.currency, sending->currency) != 0)))
            return setpay_problem_set(problem, SETPAY_E_INVALID,
                                      "leave '%.60s': expected the id of a payout in %s that is "
                                      "made; nothing was sent",
                                      text, sending->currency);
        SETPAY_TRY(error);
    }
    sending->left = *left;
    sending->left_count = json_array_size(list);
    return SETPAY_OK;
}

static enum setpay_error read_restored(struct setpay_db *db, const json_t *args,
                                       setpay_time_ms *restored_ms, struct setpay_problem *problem)
{
    struct setpay_store_restore restore = {0, 0};
    bool force = false;
    SETPAY_TRY(setpay_json_arg_bool(args, "force", false, &force, problem));
    SETPAY_TRY(setpay_store_last_restore(db, &restore));
    *restored_ms = force ? 0 : restore.restored_ms;
    return SETPAY_OK;
}

/* Behind it: where something would be sent, by a clock that can't be believed. */
static enum setpay_error check_clock(struct setpay_db *db, const json_t *args,
                                     setpay_time_ms now_ms, struct setpay_problem *problem)
{
    char last[SETPAY_TIME_TEXT_SIZE], now[SETPAY_TIME_TEXT_SIZE];
    setpay_time_ms last_ms = 0;
    bool is_right = false;
    SETPAY_TRY(setpay_json_arg_bool(args, "clock_is_right", false, &is_right, problem));
    SETPAY_TRY(setpay_settlement_last_kept(db, &last_ms));
    if (is_right || setpay_payout_check_clock(last_ms, now_ms) == SETPAY_OK)
        return SETPAY_OK;
    return setpay_problem_set(
        problem, SETPAY_E_STATE,
        "nothing was sent: by this machine's clock it is %s, and the newest that is known here is "
        "of %s, %s; where the clock is right, payout send --clock-is-right",
        setpay_time_format(now_ms, now), setpay_time_format(last_ms, last),
        now_ms < last_ms ? "more than a day behind" : "more than seven days before");
}

enum setpay_error setpay_gateway_payout_send(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    static const char *const names[] = {"currency", "date",  "payer",          "payees",
                                        "force",    "leave", "clock_is_right", NULL};
    struct setpay_payout_sending sending = {.now_ms = setpay_clock_now_ms()};
    struct setpay_bank_account payer;
    struct setpay_payee *payees = NULL;
    struct setpay_id *left = NULL;
    struct setpay_buffer bytes;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "currency", true, &sending.currency, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "date", true, &sending.day, problem));
    if (setpay_currency_by_code(sending.currency) == NULL)
        return setpay_problem_set(problem, SETPAY_E_MONEY_CURRENCY,
                                  "currency '%.20s': expected three letters of ISO 4217",
                                  sending.currency);
    SETPAY_TRY(check_day(sending.day, sending.now_ms, problem));
    SETPAY_TRY(read_restored(db, args, &sending.restored_ms, problem));
    SETPAY_TRY(read_account(json_object_get(args, "payer"), &payer, problem));
    SETPAY_TRY(read_payees(args, &payees, &sending.payee_count, problem));
    sending.payees = payees;
    sending.payer = &payer;
    setpay_buffer_init(&bytes, SETPAY_PAYOUT_FILE_MAX);
    enum setpay_error error = read_left(db, args, &sending, &left, problem);
    if (error == SETPAY_OK)
        error = setpay_payout_send(db, &sending, &bytes);
    if (error == SETPAY_OK)
        error = check_clock(db, args, sending.now_ms, problem);
    if (error == SETPAY_E_NOT_FOUND)
        error = say_nothing(&sending, problem);
    if (error == SETPAY_OK)
        error = with_content(&sending.file, &bytes, result);
    if (error == SETPAY_OK) {
        json_object_set_new(*result, "more", json_boolean(sending.more));
        json_object_set_new(*result, "doubted", json_integer(sending.doubted_count));
        json_object_set_new(*result, "left", json_integer(sending.kept_count));
    }
    setpay_buffer_clear(&bytes);
    free(payees);
    free(left);
    return error;
}

void setpay_gateway_log_payouts_sent(const json_t *result)
{
    struct setpay_money amount = {.minor = json_integer_value(json_object_get(result, "amount"))};
    const char *currency = json_string_value(json_object_get(result, "currency"));
    struct setpay_id file = {{0}};
    if (currency == NULL || strlen(currency) >= sizeof amount.currency ||
        setpay_id_parse(json_string_value(json_object_get(result, "file")), &file) != SETPAY_OK)
        return;
    memcpy(amount.currency, currency, strlen(currency) + 1);
    setpay_log(SETPAY_LOG_INFO, "payout.sent", setpay_field_id("file", &file),
               setpay_field_int("payouts", json_integer_value(json_object_get(result, "payouts"))),
               setpay_field_money("amount", &amount));
}
