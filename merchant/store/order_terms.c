/*
 * Terms as JSON. A store names what it means; what it can't mean is refused here, in its own words,
 * before a shopper sees an offer that their wallet would not sign.
 */
#include "merchant/store/order_terms.h"

#include "common/base/money.h"
#include "common/wire/agreement.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAYS_MAX 366

static const char *const kinds[] = {
    [SETPAY_TERMS_SINGLE] = "single",
    [SETPAY_TERMS_SPLIT] = "split",
    [SETPAY_TERMS_INSTALMENT] = "instalment",
    [SETPAY_TERMS_RECURRING] = "recurring",
};
#define KINDS (sizeof kinds / sizeof *kinds)

const char *setpay_agreement_end_name(enum setpay_agreement_end end)
{
    static const char *const names[SETPAY_ENDED_REASONS] = {
        [SETPAY_ENDED_NOT] = "",
        [SETPAY_ENDED_COMPLETED] = "completed",
        [SETPAY_ENDED_EXPIRED] = "expired",
        [SETPAY_ENDED_BY_SHOPPER] = "cancelled",
        [SETPAY_ENDED_BY_STORE] = "ended_by_store",
        [SETPAY_ENDED_BY_GATEWAY] = "refused_by_gateway",
        [SETPAY_ENDED_CARD_ENDED] = "card_ended",
        [SETPAY_ENDED_DECLINED] = "declined_for_good",
        [SETPAY_ENDED_BREACH] = "breach",
        [SETPAY_ENDED_GIVEN_BACK] = "given_back",
        [SETPAY_ENDED_AMOUNT] = "amount_refused",
        [SETPAY_ENDED_UNKNOWN] = "unknown_to_gateway",
    };
    return (unsigned)end < SETPAY_ENDED_REASONS ? names[end] : NULL;
}

const char *setpay_agreement_schedule_name(enum setpay_agreement_schedule schedule)
{
    return schedule == SETPAY_SCHEDULE_MANUAL ? "manual" : "automatic";
}

/* ------------------------------------------------------------------ reading */

static enum setpay_error read_kind(const json_t *value, enum setpay_terms_kind *kind,
                                   struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    for (size_t i = SETPAY_TERMS_SPLIT; i < KINDS; i++) {
        if (json_is_string(value) && strcmp(json_string_value(value), kinds[i]) == 0) {
            *kind = (enum setpay_terms_kind)i;
            return SETPAY_OK;
        }
    }
    return setpay_json_fault_set(fault, "terms.kind",
                                 "found %s; expected split, instalment or recurring (without terms"
                                 " an order is charged once)",
                                 setpay_json_found(value, words));
}

static enum setpay_error read_schedule(const json_t *value,
                                       enum setpay_agreement_schedule *schedule,
                                       struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const char *text = json_string_value(value);
    if (value == NULL || (text != NULL && strcmp(text, "automatic") == 0))
        *schedule = SETPAY_SCHEDULE_AUTOMATIC;
    else if (text != NULL && strcmp(text, "manual") == 0)
        *schedule = SETPAY_SCHEDULE_MANUAL;
    else
        return setpay_json_fault_set(fault, "terms.schedule",
                                     "found %s; expected automatic or manual",
                                     setpay_json_found(value, words));
    return SETPAY_OK;
}

static bool read_digits(const char *text, size_t count, int *number)
{
    *number = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = *number * 10 + (text[i] - '0');
    }
    return true;
}

/* "2027-11-30": the last moment of that day, UTC. */
static enum setpay_error read_end(const json_t *value, setpay_time_ms *end_ms,
                                  struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    struct tm day = {0};
    int year = 0, month = 0, date = 0;
    bool formed = strlen(text) == 10 && text[4] == '-' && text[7] == '-' &&
                  read_digits(text, 4, &year) && read_digits(text + 5, 2, &month) &&
                  read_digits(text + 8, 2, &date) && year >= 1970;
    day.tm_year = year - 1900;
    day.tm_mon = month - 1;
    day.tm_mday = date;
    time_t start = formed ? timegm(&day) : 0;
    if (!formed || day.tm_mon != month - 1 || day.tm_mday != date)
        return setpay_json_fault_set(fault, "terms.end",
                                     "found %s; expected a day (UTC) as YYYY-MM-DD, the last one on"
                                     " which a payment may be taken",
                                     setpay_json_found(value, words));
    *end_ms = (setpay_time_ms)start * SETPAY_SECOND_MS + SETPAY_DAY_MS - 1;
    return SETPAY_OK;
}

static enum setpay_error read_repeats(const json_t *value, struct setpay_terms *terms,
                                      struct setpay_json_fault *fault)
{
    int64_t number = 0;
    SETPAY_TRY(setpay_json_read_int(json_object_get(value, "count"), "terms.count", 2,
                                    SETPAY_ORDER_TERMS_COUNT_MAX, "a whole number of payments",
                                    &number, fault));
    terms->count = (uint32_t)number;
    SETPAY_TRY(setpay_json_read_int(json_object_get(value, "interval_days"), "terms.interval_days",
                                    1, DAYS_MAX, "a whole number of days", &number, fault));
    terms->interval_days = (uint32_t)number;
    SETPAY_TRY(setpay_json_read_int(json_object_get(value, "each"), "terms.each", 1,
                                    SETPAY_MONEY_MAX_MINOR / terms->count,
                                    "a whole number of minor units", &terms->each_minor, fault));
    return read_end(json_object_get(value, "end"), &terms->end_ms, fault);
}

enum setpay_error setpay_order_terms_parse(const json_t *value, struct setpay_order_terms *agreed,
                                           struct setpay_json_fault *fault)
{
    static const char *const of_repeats[] = {"kind", "count", "interval_days", "each",
                                             "end",  "first", "schedule",      NULL};
    static const char *const of_split[] = {"kind", "first", NULL};
    struct setpay_order_terms read = {.terms.kind = SETPAY_TERMS_SINGLE,
                                      .schedule = SETPAY_SCHEDULE_AUTOMATIC};
    char words[SETPAY_JSON_FOUND_SIZE];
    if (value == NULL) {
        *agreed = read;
        return SETPAY_OK;
    }
    if (!json_is_object(value))
        return setpay_json_fault_set(fault, "terms", "found %s; expected an object",
                                     setpay_json_found(value, words));
    SETPAY_TRY(read_kind(json_object_get(value, "kind"), &read.terms.kind, fault));
    bool splits = read.terms.kind == SETPAY_TERMS_SPLIT;
    SETPAY_TRY(setpay_json_members_check(value, splits ? of_split : of_repeats, "terms.", fault));
    if (!splits)
        SETPAY_TRY(read_repeats(value, &read.terms, fault));
    if (json_object_get(value, "first") != NULL)
        SETPAY_TRY(setpay_json_read_int(json_object_get(value, "first"), "terms.first", 1,
                                        SETPAY_MONEY_MAX_MINOR, "a whole number of minor units",
                                        &read.first_minor, fault));
    if (splits)
        read.schedule = SETPAY_SCHEDULE_MANUAL; /* whatever ships, when it does */
    else
        SETPAY_TRY(read_schedule(json_object_get(value, "schedule"), &read.schedule, fault));
    *agreed = read;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ by the amount */

static enum setpay_error check_instalments(const struct setpay_terms *terms, int64_t first_minor,
                                           int64_t amount_minor, struct setpay_json_fault *fault)
{
    int64_t most = first_minor + (int64_t)(terms->count - 1) * terms->each_minor;
    if (most >= amount_minor)
        return SETPAY_OK;
    return setpay_json_fault_set(fault, "terms.each",
                                 "found %lld: %u payments come to %lld at the most; expected so"
                                 " much that they can come to the amount, %lld",
                                 (long long)terms->each_minor, terms->count, (long long)most,
                                 (long long)amount_minor);
}

enum setpay_error setpay_order_terms_complete(struct setpay_order *order,
                                              struct setpay_json_fault *fault)
{
    struct setpay_order_terms *agreed = &order->agreed;
    const struct setpay_terms *terms = &agreed->terms;
    int64_t amount = order->amount.minor;
    bool recurs = terms->kind == SETPAY_TERMS_RECURRING;
    int64_t most = setpay_terms_each_max(terms, &order->amount);
    if (terms->kind == SETPAY_TERMS_INSTALMENT && terms->each_minor > amount)
        return setpay_json_fault_set(fault, "terms.each",
                                     "found %lld; expected at most the amount, %lld",
                                     (long long)terms->each_minor, (long long)amount);
    if (recurs && amount > terms->each_minor)
        return setpay_json_fault_set(fault, "terms.each",
                                     "found %lld; expected at least the amount, %lld, which is the"
                                     " first payment",
                                     (long long)terms->each_minor, (long long)amount);
    if (!setpay_terms_are_sound(terms, &order->amount, order->expires_ms))
        return setpay_json_fault_set(fault, "terms.end",
                                     "found a day before the order itself expires; expected one"
                                     " that leaves time for the payments");
    if (recurs && agreed->first_minor != 0 && agreed->first_minor != amount)
        return setpay_json_fault_set(fault, "terms.first",
                                     "found %lld; expected none: the first of recurring payments"
                                     " is the amount, %lld",
                                     (long long)agreed->first_minor, (long long)amount);
    if (agreed->first_minor > most)
        return setpay_json_fault_set(fault, "terms.first",
                                     "found %lld; expected at most %lld, as for each payment",
                                     (long long)agreed->first_minor, (long long)most);
    if (agreed->first_minor == 0)
        agreed->first_minor = recurs || most > amount ? amount : most;
    return terms->kind == SETPAY_TERMS_INSTALMENT
               ? check_instalments(terms, agreed->first_minor, amount, fault)
               : SETPAY_OK;
}

/* ------------------------------------------------------------------ a command line */

json_t *setpay_order_terms_of_text(const char *text)
{
    json_t *terms = json_object();
    bool whole = terms != NULL;
    for (bool is_kind = true; whole && *text != '\0'; is_kind = false) {
        size_t size = strcspn(text, ",");
        const char *equals = memchr(text, '=', size);
        const char *value = is_kind ? text : equals != NULL ? equals + 1 : text + size;
        size_t value_size = (size_t)(text + size - value);
        size_t key_size = equals != NULL ? (size_t)(equals - text) : size;
        char key[32];
        int number = 0;
        (void)snprintf(key, sizeof key, "%.*s", is_kind ? 4 : (int)key_size,
                       is_kind ? "kind" : text);
        bool is_number =
            value_size > 0 && value_size <= 9 && read_digits(value, value_size, &number);
        whole = json_object_set_new(terms, key,
                                    is_number ? json_integer(number)
                                              : json_stringn(value, value_size)) == 0;
        text += size + (text[size] == ',' ? 1 : 0);
    }
    if (whole)
        return terms;
    json_decref(terms);
    return NULL;
}

/* ------------------------------------------------------------------ showing */

static json_t *time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return time_ms == 0 ? json_null() : json_string(setpay_time_format(time_ms, text));
}

json_t *setpay_order_terms_json(const struct setpay_order_terms *agreed)
{
    const struct setpay_terms *terms = &agreed->terms;
    if (terms->kind == SETPAY_TERMS_SPLIT)
        return json_pack("{s:s, s:I}", "kind", kinds[terms->kind], "first",
                         (json_int_t)agreed->first_minor);
    return json_pack("{s:s, s:I, s:I, s:I, s:o, s:I, s:s}", "kind",
                     (size_t)terms->kind < KINDS ? kinds[terms->kind] : "single", "count",
                     (json_int_t)terms->count, "interval_days", (json_int_t)terms->interval_days,
                     "each", (json_int_t)terms->each_minor, "end", time_json(terms->end_ms),
                     "first", (json_int_t)agreed->first_minor, "schedule",
                     setpay_agreement_schedule_name(agreed->schedule));
}

json_t *setpay_order_agreement_json(const struct setpay_agreement_view *view)
{
    const char *end = setpay_agreement_end_name(view->end);
    bool goes_on = view->end == SETPAY_ENDED_NOT;
    const char *status = !goes_on ? "ended" : view->asking ? "asking" : "active";
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:b, s:b, s:o, s:o}", "status", status, "payments",
                     (json_int_t)view->taken_count, "taken_amount", (json_int_t)view->taken_minor,
                     "next", time_json(view->next_ms), "next_amount",
                     view->next_minor == 0 ? json_null() : json_integer(view->next_minor),
                     "cancelled", view->cancelled, "cancellation_confirmed", view->confirmed,
                     "ended", time_json(view->ended_ms), "ended_because",
                     goes_on || end == NULL ? json_null() : json_string(end));
}
