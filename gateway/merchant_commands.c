/*
 * The operator's commands about merchants.
 */
#include "gateway/commands.h"

#include "common/net/control_json.h"
#include "gateway/clearing/fees.h"
#include "gateway/clearing/reserve.h"
#include "gateway/payment/payment.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define CATEGORY_DEFAULT 5999 /* miscellaneous and speciality shops */

static bool is_name_printable(const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < size; i++) {
        if (!isprint((unsigned char)name[i]))
            return false;
    }
    return size >= 1 && size <= 40;
}

static enum setpay_error merchant_arguments(const json_t *args, const char **brand, const char **id,
                                            struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_json_arg_text(args, "brand", true, brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "id", true, id, problem));
    if (strlen(*brand) > SETPAY_WIRE_BRAND_MAX || strlen(*id) > SETPAY_WIRE_PARTY_MAX ||
        (*brand)[0] == '\0' || (*id)[0] == '\0' ||
        strspn(*brand, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(*brand))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "brand '%.40s', id '%.40s': expected 1 to 32 characters each, "
                                  "the brand in a-z, 0-9 and -",
                                  *brand, *id);
    for (const char *at = *id; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
            return setpay_problem_set(problem, SETPAY_E_INVALID,
                                      "id '%s': expected letters, digits, _ and -", *id);
    }
    return SETPAY_OK;
}

static json_t *merchant_json(const struct setpay_gateway_merchant *merchant)
{
    char created[SETPAY_TIME_TEXT_SIZE];
    char cut_off[SETPAY_CUT_OFF_TEXT_SIZE];
    char percent[SETPAY_SHARE_TEXT_SIZE], reserve[SETPAY_SHARE_TEXT_SIZE + 32] = "";
    (void)setpay_share_format(merchant->reserve_ppm, percent);
    if (merchant->reserve_ppm != 0)
        (void)snprintf(reserve, sizeof reserve, "%s%% %lldd", percent,
                       (long long)merchant->reserve_days);
    return json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:s, s:s, s:I, s:s, s:s}", "brand",
                     merchant->brand, "id", merchant->id, "name", merchant->name, "category",
                     (int)merchant->category, "enabled", merchant->enabled ? 1 : 0, "zone",
                     merchant->zone, "cut_off",
                     setpay_cut_off_format(merchant->cut_off_minutes, cut_off), "reserve_percent",
                     percent, "reserve_days", (json_int_t)merchant->reserve_days, "reserve_text",
                     reserve, "created", setpay_time_format(merchant->created_ms, created));
}

/* The share in hundredths, as the operator says it, and the days. */
static enum setpay_error take_reserve(const json_t *args, struct setpay_gateway_merchant *merchant,
                                      struct setpay_problem *problem)
{
    const char *percent = NULL;
    SETPAY_TRY(setpay_json_arg_text(args, "reserve_percent", false, &percent, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "reserve_days", false, 1, SETPAY_RESERVE_DAYS_MAX,
                                   &merchant->reserve_days, problem));
    if (percent != NULL && setpay_share_parse(percent, &merchant->reserve_ppm) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "reserve_percent '%.20s': expected 0 to 100, with up to four "
                                  "digits behind the point",
                                  percent);
    return SETPAY_OK;
}

/* Name, category, zone, cut-off and reserve, as far as they are among the arguments. */
static enum setpay_error take_fields(const json_t *args, struct setpay_gateway_merchant *merchant,
                                     struct setpay_problem *problem)
{
    const char *name = NULL, *zone = NULL, *cut_off = NULL;
    int64_t category = merchant->category;
    SETPAY_TRY(setpay_json_arg_text(args, "name", false, &name, problem));
    SETPAY_TRY(setpay_json_arg_int(args, "category", false, 1, 9999, &category, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "zone", false, &zone, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "cut_off", false, &cut_off, problem));
    if (name != NULL && !is_name_printable(name))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "name: expected 1 to 40 printable ASCII characters, as the "
                                  "issuer prints them on a statement");
    if (zone != NULL && setpay_zone_check(zone) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "zone '%.60s': expected a time zone of this machine's tzdata, "
                                  "such as UTC or Europe/Berlin",
                                  zone);
    if (cut_off != NULL && setpay_cut_off_parse(cut_off, &merchant->cut_off_minutes) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "cut_off '%.20s': expected a time of the day, HH:MM from 00:00 "
                                  "to 24:00",
                                  cut_off);
    SETPAY_TRY(take_reserve(args, merchant, problem));
    merchant->category = (uint16_t)category;
    if (name != NULL)
        (void)snprintf(merchant->name, sizeof merchant->name, "%s", name);
    if (zone != NULL)
        (void)snprintf(merchant->zone, sizeof merchant->zone, "%s", zone);
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_merchant_add(struct setpay_db *db, const json_t *args,
                                              const struct setpay_vault *vault, json_t **result,
                                              struct setpay_problem *problem)
{
    static const char *const names[] = {"brand",        "id",      "name",      "category",
                                        "zone",         "cut_off", "if_absent", "reserve_percent",
                                        "reserve_days", NULL};
    struct setpay_gateway_merchant merchant = {.enabled = true,
                                               .category = CATEGORY_DEFAULT,
                                               .zone = SETPAY_ZONE_DEFAULT,
                                               .cut_off_minutes = SETPAY_CUT_OFF_MAX,
                                               .reserve_days = SETPAY_RESERVE_DAYS_DEFAULT};
    const char *brand = NULL;
    const char *id = NULL;
    const char *name = NULL;
    bool if_absent = false;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(merchant_arguments(args, &brand, &id, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "name", true, &name, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "if_absent", false, &if_absent, problem));
    SETPAY_TRY(take_fields(args, &merchant, problem));
    (void)snprintf(merchant.brand, sizeof merchant.brand, "%s", brand);
    (void)snprintf(merchant.id, sizeof merchant.id, "%s", id);
    merchant.created_ms = setpay_clock_now_ms();
    enum setpay_error error = setpay_gateway_merchant_insert(db, &merchant);
    if (error == SETPAY_E_DUPLICATE && if_absent)
        error = setpay_gateway_merchant_find(db, brand, id, &merchant);
    else if (error == SETPAY_E_DUPLICATE)
        error = setpay_problem_set(problem, SETPAY_E_EXISTS,
                                   "the merchant %s of the brand %s is there already", id, brand);
    SETPAY_TRY(error);
    *result = merchant_json(&merchant);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error add_merchant(void *arg, const struct setpay_gateway_merchant *merchant)
{
    return json_array_append_new(arg, merchant_json(merchant)) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_merchant_list(struct setpay_db *db, const json_t *args,
                                               const struct setpay_vault *vault, json_t **result,
                                               struct setpay_problem *problem)
{
    static const char *const names[] = {NULL};
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    json_t *list = json_array();
    enum setpay_error error = setpay_gateway_merchant_each(db, add_merchant, list);
    if (error != SETPAY_OK) {
        json_decref(list);
        return error;
    }
    *result = json_pack("{s:o}", "merchants", list);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

/* The merchant that brand and id name. */
static enum setpay_error find(struct setpay_db *db, const json_t *args,
                              struct setpay_gateway_merchant *merchant,
                              struct setpay_problem *problem)
{
    const char *brand = NULL;
    const char *id = NULL;
    SETPAY_TRY(merchant_arguments(args, &brand, &id, problem));
    enum setpay_error error = setpay_gateway_merchant_find(db, brand, id, merchant);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "there is no merchant %s of the brand %s: see merchant list", id,
                                  brand);
    return error;
}

static enum setpay_error update(struct setpay_db *db,
                                const struct setpay_gateway_merchant *merchant, json_t **result)
{
    SETPAY_TRY(setpay_gateway_merchant_update(db, merchant));
    *result = merchant_json(merchant);
    return *result != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_gateway_merchant_set(struct setpay_db *db, const json_t *args,
                                              const struct setpay_vault *vault, json_t **result,
                                              struct setpay_problem *problem)
{
    static const char *const names[] = {"brand",           "id",           "name",
                                        "category",        "zone",         "cut_off",
                                        "reserve_percent", "reserve_days", NULL};
    struct setpay_gateway_merchant merchant;
    (void)vault;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(find(db, args, &merchant, problem));
    if (json_object_size(args) == 2)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "expected what is to change: name, category, zone, cut_off, "
                                  "reserve_percent or reserve_days");
    SETPAY_TRY(take_fields(args, &merchant, problem));
    return update(db, &merchant, result);
}

static enum setpay_error set_enabled(struct setpay_db *db, const json_t *args, bool enabled,
                                     json_t **result, struct setpay_problem *problem)
{
    static const char *const names[] = {"brand", "id", NULL};
    struct setpay_gateway_merchant merchant;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(find(db, args, &merchant, problem));
    merchant.enabled = enabled;
    return update(db, &merchant, result);
}

enum setpay_error setpay_gateway_merchant_on(struct setpay_db *db, const json_t *args,
                                             const struct setpay_vault *vault, json_t **result,
                                             struct setpay_problem *problem)
{
    (void)vault;
    return set_enabled(db, args, true, result, problem);
}

enum setpay_error setpay_gateway_merchant_off(struct setpay_db *db, const json_t *args,
                                              const struct setpay_vault *vault, json_t **result,
                                              struct setpay_problem *problem)
{
    (void)vault;
    return set_enabled(db, args, false, result, problem);
}
