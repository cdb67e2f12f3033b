/*
 * The rows of deliveries, and when an attempt follows another.
 */
#include "merchant/store/webhook/delivery.h"

#include "common/base/bytes.h"
#include "merchant/note.h"

#include <stdlib.h>
#include <string.h>

#define GROWTH 3
#define WAIT_MAX_MS (8 * SETPAY_HOUR_MS)
#define GONE 410

const struct setpay_id setpay_delivery_note = {.bytes = "webhook delivery"};

static const char *const result_names[SETPAY_DELIVERY_RESULTS] = {
    [SETPAY_DELIVERY_NONE] = "none",
    [SETPAY_DELIVERY_TAKEN] = "taken",
    [SETPAY_DELIVERY_REFUSED] = "refused",
    [SETPAY_DELIVERY_UNREACHABLE] = "unreachable",
    [SETPAY_DELIVERY_TIMEOUT] = "timeout",
    [SETPAY_DELIVERY_TLS] = "tls",
    [SETPAY_DELIVERY_FORBIDDEN] = "forbidden_address",
    [SETPAY_DELIVERY_BROKEN] = "broken",
};

const char *setpay_delivery_result_name(enum setpay_delivery_result result)
{
    return (unsigned)result < SETPAY_DELIVERY_RESULTS ? result_names[result] : "none";
}

/* ------------------------------------------------------------------ the spread of attempts */

/* What was tried before since_ms counts no more: no wait was shorter than by a tenth, so that only
 * so many attempts fit into the time from then on. */
static int64_t wait_after(const struct setpay_delivery_rules *rules, int64_t attempts,
                          int64_t elapsed_ms)
{
    int64_t wait_ms = rules->repeat_min_ms;
    int64_t waited_ms = 0;
    for (int64_t i = 1; i < attempts && wait_ms < WAIT_MAX_MS; i++) {
        waited_ms += wait_ms - wait_ms / 10;
        if (waited_ms > elapsed_ms)
            break;
        wait_ms *= GROWTH;
    }
    return wait_ms < WAIT_MAX_MS ? wait_ms : WAIT_MAX_MS;
}

bool setpay_delivery_next(const struct setpay_delivery_rules *rules, int64_t attempts,
                          setpay_time_ms since_ms, setpay_time_ms now_ms, int64_t retry_after_ms,
                          uint8_t jitter, setpay_time_ms *next_ms)
{
    int64_t wait_ms = wait_after(rules, attempts, now_ms - since_ms);
    setpay_time_ms last_ms = since_ms + rules->give_up_ms;
    wait_ms -= wait_ms / 10 * jitter / 255;
    if (retry_after_ms > wait_ms)
        wait_ms = retry_after_ms < WAIT_MAX_MS ? retry_after_ms : WAIT_MAX_MS;
    if (now_ms >= last_ms)
        return false;
    *next_ms = now_ms + wait_ms < last_ms ? now_ms + wait_ms : last_ms;
    return true;
}

/* ------------------------------------------------------------------ adding */

enum setpay_error setpay_delivery_add(struct setpay_db *db, int64_t webhook_seq, int64_t event_seq,
                                      setpay_time_ms now_ms)
{
    char delivery_id[SETPAY_DELIVERY_ID_SIZE];
    SETPAY_TRY(setpay_name_make("dlv_", delivery_id));
    return setpay_db_run(
        db,
        "INSERT INTO webhook_delivery (delivery_id, webhook_seq, event_seq, state, attempts,"
        " since_ms, next_ms, last_ms, last_status, last_result)"
        " VALUES ($1, $2, $3, 0, 0, $4, $4, 0, 0, 0)",
        SETPAY_DB_TEXT(delivery_id), SETPAY_DB_INT(webhook_seq), SETPAY_DB_INT(event_seq),
        SETPAY_DB_INT(now_ms));
}

enum setpay_error setpay_delivery_tell(struct setpay_db *db)
{
    return setpay_db_notify(db, &setpay_delivery_note, SETPAY_MERCHANT_NOTE_DELIVERY);
}

enum setpay_error setpay_delivery_add_all(struct setpay_db *db, int64_t event_seq, const char *type,
                                          setpay_time_ms now_ms)
{
    struct setpay_db_rows *rows;
    int64_t wanting[SETPAY_WEBHOOKS_MAX];
    size_t count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT seq, types FROM webhook WHERE status = 0 ORDER BY seq"));
    while (count < SETPAY_WEBHOOKS_MAX && setpay_db_next(rows)) {
        char types[SETPAY_WEBHOOK_TYPES_BYTES];
        wanting[count] = setpay_db_get_int(rows, 0);
        setpay_db_get_text(rows, 1, types, sizeof types);
        count += setpay_webhook_wants(types, type) ? 1 : 0;
    }
    SETPAY_TRY(setpay_db_end(rows));
    for (size_t i = 0; i < count; i++)
        SETPAY_TRY(setpay_delivery_add(db, wanting[i], event_seq, now_ms));
    return count > 0 ? setpay_delivery_tell(db) : SETPAY_OK;
}

enum setpay_error setpay_delivery_again(struct setpay_db *db, int64_t webhook_seq,
                                        const char *delivery_id, setpay_time_ms now_ms)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE webhook_delivery SET state = 0, since_ms = $1, next_ms = $1"
                             " WHERE delivery_id = $2 AND webhook_seq = $3",
                             SETPAY_DB_INT(now_ms), SETPAY_DB_TEXT(delivery_id),
                             SETPAY_DB_INT(webhook_seq)));
    return setpay_db_changes(db) == 1 ? setpay_delivery_tell(db) : SETPAY_E_NOT_FOUND;
}

/* ------------------------------------------------------------------ booking an attempt */

struct row {
    enum setpay_delivery_state state;
    setpay_time_ms since_ms;
    setpay_time_ms next_ms;
};

/* The webhook by what its receiver has just done; *disabled: that switches it off. */
static enum setpay_error record_webhook(struct setpay_db *db,
                                        const struct setpay_delivery_rules *rules,
                                        const struct setpay_delivery_attempt *attempt,
                                        bool *disabled)
{
    struct setpay_webhook webhook;
    enum setpay_error error = setpay_webhook_find_by_seq(db, attempt->webhook_seq, &webhook);
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    bool failed = attempt->result != SETPAY_DELIVERY_TAKEN;
    if (failed == (webhook.failing_since_ms != 0) && !failed)
        return SETPAY_OK;
    if (!failed)
        webhook.failing_since_ms = 0;
    else if (webhook.failing_since_ms == 0)
        webhook.failing_since_ms = attempt->ended_ms;
    if (failed && webhook.status == SETPAY_WEBHOOK_ENABLED &&
        (attempt->status == GONE ||
         attempt->ended_ms - webhook.failing_since_ms >= rules->disable_after_ms)) {
        webhook.status = SETPAY_WEBHOOK_FAILED;
        *disabled = true;
    }
    return setpay_webhook_update(db, &webhook);
}

enum setpay_error setpay_delivery_record(struct setpay_db *db,
                                         const struct setpay_delivery_rules *rules,
                                         struct setpay_delivery_attempt *attempt)
{
    struct setpay_db_rows *rows;
    struct row row = {.next_ms = 0};
    bool taken = attempt->result == SETPAY_DELIVERY_TAKEN;
    enum setpay_error error = setpay_db_one(
        db, &rows, "SELECT attempts, since_ms, last_ms FROM webhook_delivery WHERE seq = $1",
        SETPAY_DB_INT(attempt->seq));
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    attempt->attempts = setpay_db_get_int(rows, 0) + 1;
    row.since_ms = setpay_db_get_int(rows, 1);
    /* Sent again by hand, it is a first attempt, however long the receiver took to fail it. */
    int64_t counted = setpay_db_get_int(rows, 2) < row.since_ms ? 1 : attempt->attempts;
    SETPAY_TRY(setpay_db_end(rows));
    attempt->disabled = false;
    SETPAY_TRY(record_webhook(db, rules, attempt, &attempt->disabled));
    attempt->gave_up =
        !taken && (attempt->disabled ||
                   !setpay_delivery_next(rules, counted, row.since_ms, attempt->ended_ms,
                                         attempt->retry_after_ms, attempt->jitter, &row.next_ms));
    row.state = taken              ? SETPAY_DELIVERY_DELIVERED
                : attempt->gave_up ? SETPAY_DELIVERY_FAILED
                                   : SETPAY_DELIVERY_PENDING;
    SETPAY_TRY(setpay_db_run(
        db,
        "UPDATE webhook_delivery SET state = $1, attempts = $2, next_ms = $3, last_ms = $4,"
        " last_status = $5, last_result = $6 WHERE seq = $7",
        SETPAY_DB_INT(row.state), SETPAY_DB_INT(attempt->attempts), SETPAY_DB_INT(row.next_ms),
        SETPAY_DB_INT(attempt->ended_ms), SETPAY_DB_INT(attempt->status),
        SETPAY_DB_INT(attempt->result), SETPAY_DB_INT(attempt->seq)));
    if (!attempt->disabled)
        return SETPAY_OK;
    /* What waits is not sent behind its owner's back when he switches it on again. */
    return setpay_db_run(db,
                         "UPDATE webhook_delivery SET state = 2"
                         " WHERE webhook_seq = $1 AND state = 0",
                         SETPAY_DB_INT(attempt->webhook_seq));
}

/* ------------------------------------------------------------------ what is due */

enum setpay_error setpay_delivery_due(struct setpay_db *db, int64_t webhook_seq,
                                      setpay_time_ms now_ms, size_t room, int64_t *seqs,
                                      size_t *count)
{
    struct setpay_db_rows *rows;
    *count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT seq FROM webhook_delivery WHERE webhook_seq = $1"
                                " AND state = 0 AND next_ms <= $2 ORDER BY next_ms, seq LIMIT $3",
                                SETPAY_DB_INT(webhook_seq), SETPAY_DB_INT(now_ms),
                                SETPAY_DB_INT((int64_t)room)));
    while (*count < room && setpay_db_next(rows))
        seqs[(*count)++] = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

enum setpay_error setpay_delivery_next_due(struct setpay_db *db, int64_t webhook_seq,
                                           setpay_time_ms now_ms, setpay_time_ms *next_ms)
{
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT next_ms FROM webhook_delivery WHERE webhook_seq = $1"
                      " AND state = 0 AND next_ms > $2 ORDER BY next_ms LIMIT 1",
                      SETPAY_DB_INT(webhook_seq), SETPAY_DB_INT(now_ms));
    *next_ms = INT64_MAX;
    if (error == SETPAY_E_NOT_FOUND)
        return SETPAY_OK;
    SETPAY_TRY(error);
    *next_ms = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

void setpay_delivery_clear(struct setpay_delivery *delivery)
{
    free(delivery->body);
    setpay_secret_clear(&delivery->secret);
    setpay_secret_clear(&delivery->old_secret);
    memset(delivery, 0, sizeof *delivery);
}

enum setpay_error setpay_delivery_load(struct setpay_db *db, int64_t seq, setpay_time_ms now_ms,
                                       struct setpay_delivery *delivery)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT d.webhook_seq, d.next_ms, w.webhook_id, w.url, e.event_id,"
                             " e.type, e.body FROM webhook_delivery d"
                             " JOIN webhook w ON w.seq = d.webhook_seq"
                             " JOIN event e ON e.seq = d.event_seq WHERE d.seq = $1",
                             SETPAY_DB_INT(seq)));
    struct setpay_view body = setpay_db_get_view(rows, 6);
    delivery->seq = seq;
    delivery->webhook_seq = setpay_db_get_int(rows, 0);
    delivery->next_ms = setpay_db_get_int(rows, 1);
    setpay_db_get_text(rows, 2, delivery->webhook_id, sizeof delivery->webhook_id);
    setpay_db_get_text(rows, 3, delivery->url, sizeof delivery->url);
    setpay_db_get_text(rows, 4, delivery->event_id, sizeof delivery->event_id);
    setpay_db_get_text(rows, 5, delivery->type, sizeof delivery->type);
    delivery->body = strndup(body.size > 0 ? (const char *)body.data : "", body.size);
    enum setpay_error error = setpay_db_end(rows);
    if (error == SETPAY_OK && delivery->body == NULL)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        error = setpay_webhook_secrets(db, delivery->webhook_seq, now_ms, &delivery->secret,
                                       &delivery->old_secret);
    if (error != SETPAY_OK)
        setpay_delivery_clear(delivery);
    return error;
}

/* ------------------------------------------------------------------ the log of deliveries */

static const char *const state_names[] = {
    [SETPAY_DELIVERY_PENDING] = "pending",
    [SETPAY_DELIVERY_DELIVERED] = "delivered",
    [SETPAY_DELIVERY_FAILED] = "failed",
};

static json_t *time_json(setpay_time_ms time_ms)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    return time_ms == 0 ? json_null() : json_string(setpay_time_format(time_ms, text));
}

static json_t *row_json(struct setpay_db_rows *rows)
{
    char delivery_id[SETPAY_DELIVERY_ID_SIZE];
    char event_id[SETPAY_EVENT_ID_SIZE];
    char type[SETPAY_EVENT_TYPE_SIZE];
    int64_t state = setpay_db_get_int(rows, 4);
    int64_t status = setpay_db_get_int(rows, 8);
    int64_t result = setpay_db_get_int(rows, 9);
    bool pending = state == SETPAY_DELIVERY_PENDING;
    setpay_db_get_text(rows, 1, delivery_id, sizeof delivery_id);
    setpay_db_get_text(rows, 2, event_id, sizeof event_id);
    setpay_db_get_text(rows, 3, type, sizeof type);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:o}", "delivery_id", delivery_id, "event_id",
        event_id, "type", type, "status",
        state_names[state >= 0 && state <= SETPAY_DELIVERY_FAILED ? state : SETPAY_DELIVERY_FAILED],
        "attempts", (json_int_t)setpay_db_get_int(rows, 5), "next_attempt",
        time_json(pending ? setpay_db_get_int(rows, 6) : 0), "last_attempt",
        time_json(setpay_db_get_int(rows, 7)), "last_result",
        result == SETPAY_DELIVERY_NONE
            ? json_null()
            : json_string(setpay_delivery_result_name((enum setpay_delivery_result)result)),
        "response_status", status == 0 ? json_null() : json_integer(status));
}

static enum setpay_error read_page(struct setpay_db *db, const struct setpay_delivery_list *wanted,
                                   json_t *list, int64_t *last_seq, bool *more)
{
    struct setpay_db_rows *rows;
    bool whole = true;
    SETPAY_TRY(setpay_db_select(
        db, &rows,
        "SELECT d.seq, d.delivery_id, e.event_id, e.type, d.state, d.attempts, d.next_ms,"
        " d.last_ms, d.last_status, d.last_result FROM webhook_delivery d"
        " JOIN event e ON e.seq = d.event_seq WHERE d.webhook_seq = $1 AND d.seq < $2"
        " ORDER BY d.seq DESC LIMIT $3",
        SETPAY_DB_INT(wanted->webhook_seq), SETPAY_DB_INT(wanted->before_seq),
        SETPAY_DB_INT((int64_t)wanted->limit + 1)));
    while (whole && setpay_db_next(rows)) {
        *more = json_array_size(list) == wanted->limit;
        if (*more)
            break;
        *last_seq = setpay_db_get_int(rows, 0);
        whole = json_array_append_new(list, row_json(rows)) == 0;
    }
    SETPAY_TRY(setpay_db_end(rows));
    return whole ? SETPAY_OK : SETPAY_E_NOMEM;
}

enum setpay_error setpay_delivery_list_read(struct setpay_db *db,
                                            const struct setpay_delivery_list *wanted,
                                            json_t **page)
{
    char cursor[SETPAY_EVENT_CURSOR_SIZE];
    int64_t last_seq = wanted->before_seq;
    bool more = false;
    json_t *list = json_array();
    enum setpay_error error =
        list == NULL ? SETPAY_E_NOMEM : read_page(db, wanted, list, &last_seq, &more);
    if (error == SETPAY_OK) {
        setpay_event_cursor_format(last_seq, cursor);
        *page = json_pack("{s:O, s:b, s:o}", "deliveries", list, "has_more", (int)more,
                          "next_cursor", more ? json_string(cursor) : json_null());
        error = *page == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    json_decref(list);
    return error;
}
