/*
 * Orders are looked for among the youngest before the cursor: so many of them, in one statement,
 * whose cost does not grow with the table. Statuses stand in order_told, under an index; the few of
 * which that says nothing sure are looked at besides. The cursor is a place, so that orders made
 * meanwhile move nothing.
 */
#include "merchant/store/order_list.h"

#include "merchant/store/order_json.h"

#include <string.h>

#define CURSOR_SIZE SETPAY_BASE64URL_SIZE(8)
#define PATTERN_SIZE (2 * SETPAY_ORDER_LIST_WORDS_BYTES + 3)

enum setpay_error setpay_order_cursor_parse(const char *cursor, int64_t *before_seq)
{
    uint8_t bytes[8];
    SETPAY_TRY(setpay_base64url_decode(cursor, bytes, sizeof bytes));
    uint64_t value = setpay_read_u64be(bytes);
    if (value < 1 || value > INT64_MAX)
        return SETPAY_E_INVALID;
    *before_seq = (int64_t)value;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ which there are */

/* Places before $1, at most $2 of them, the youngest first. */
#define ANY "SELECT seq FROM orders WHERE seq < $1 ORDER BY seq DESC LIMIT $2"
/* The same, at most $4, of those that were told to be $2; and of those that nothing was told of
 * (-1), or which time may have changed by $3. Each part goes along an index, so that no more is
 * read than is taken. */
#define OF_STATUS                                                                                  \
    "SELECT seq FROM order_told WHERE seq < $1 AND status = $2"                                    \
    " UNION SELECT seq FROM order_told WHERE seq < $1 AND status = -1"                             \
    " UNION SELECT seq FROM order_told WHERE seq < $1 AND expires_ms <= $3"                        \
    " ORDER BY 1 DESC LIMIT $4"

/* What is like a pattern, among these places; so many at most. */
#define HAVING_WORDS(places, like, limit)                                                          \
    "SELECT o.seq FROM (" places ") c JOIN orders o ON o.seq = c.seq"                              \
    " WHERE o.order_id LIKE " like " ESCAPE '\\' OR o.description LIKE " like " ESCAPE '\\'"       \
    " OR o.metadata LIKE " like " ESCAPE '\\' OR EXISTS (SELECT 1 FROM order_item i"               \
    " WHERE i.order_id = o.order_id AND (i.name LIKE " like " ESCAPE '\\'"                         \
    " OR i.sku LIKE " like " ESCAPE '\\'))"                                                        \
    " OR EXISTS (SELECT 1 FROM order_part p WHERE p.order_id = o.order_id"                         \
    " AND p.tracking LIKE " like " ESCAPE '\\')"                                                   \
    " OR EXISTS (SELECT 1 FROM order_ship_to s WHERE s.order_id = o.order_id"                      \
    " AND s.name LIKE " like " ESCAPE '\\') ORDER BY o.seq DESC LIMIT " limit
/* How many these places are, and the last of them. */
#define BOUNDS(places) "SELECT COUNT(*), MIN(c.seq) FROM (" places ") c"

/* What LIKE would read as a sign stands for itself. */
static enum setpay_error make_pattern(const char *words, char pattern[PATTERN_SIZE])
{
    size_t used = 0;
    if (strlen(words) > SETPAY_ORDER_LIST_WORDS_BYTES)
        return SETPAY_E_INVALID;
    pattern[used++] = '%';
    for (; *words != '\0'; words++) {
        if (strchr("%_\\", *words) != NULL)
            pattern[used++] = '\\';
        pattern[used++] = *words;
    }
    pattern[used++] = '%';
    pattern[used] = '\0';
    return SETPAY_OK;
}

static bool has_words(const struct setpay_order_list *wanted)
{
    return wanted->words != NULL && wanted->words[0] != '\0';
}

/* Of max places before before_seq: how many there are, and the last (before_seq where none is). */
static enum setpay_error find_bounds(struct setpay_db *db, const struct setpay_order_list *wanted,
                                     int64_t before_seq, int64_t max, int64_t *count,
                                     int64_t *last_seq)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(
        wanted->has_status
            ? setpay_db_one(db, &rows, BOUNDS(OF_STATUS), SETPAY_DB_INT(before_seq),
                            SETPAY_DB_INT(wanted->status), SETPAY_DB_INT(wanted->now_ms),
                            SETPAY_DB_INT(max))
            : setpay_db_one(db, &rows, BOUNDS(ANY), SETPAY_DB_INT(before_seq), SETPAY_DB_INT(max)));
    *count = setpay_db_get_int(rows, 0);
    *last_seq = *count > 0 ? setpay_db_get_int(rows, 1) : before_seq;
    return setpay_db_end(rows);
}

static enum setpay_error select_places(struct setpay_db *db, const struct setpay_order_list *wanted,
                                       struct setpay_db_rows **rows)
{
    const int64_t limit = (int64_t)wanted->limit;
    if (wanted->has_status)
        return setpay_db_select(db, rows, OF_STATUS, SETPAY_DB_INT(wanted->before_seq),
                                SETPAY_DB_INT(wanted->status), SETPAY_DB_INT(wanted->now_ms),
                                SETPAY_DB_INT(limit));
    return setpay_db_select(db, rows, ANY, SETPAY_DB_INT(wanted->before_seq), SETPAY_DB_INT(limit));
}

static enum setpay_error select_words(struct setpay_db *db, const struct setpay_order_list *wanted,
                                      const char *pattern, struct setpay_db_rows **rows)
{
    const int64_t limit = (int64_t)wanted->limit;
    if (wanted->has_status)
        return setpay_db_select(db, rows, HAVING_WORDS(OF_STATUS, "$5", "$6"),
                                SETPAY_DB_INT(wanted->before_seq), SETPAY_DB_INT(wanted->status),
                                SETPAY_DB_INT(wanted->now_ms),
                                SETPAY_DB_INT(SETPAY_ORDER_LIST_LOOKED_AT), SETPAY_DB_TEXT(pattern),
                                SETPAY_DB_INT(limit));
    return setpay_db_select(
        db, rows, HAVING_WORDS(ANY, "$3", "$4"), SETPAY_DB_INT(wanted->before_seq),
        SETPAY_DB_INT(SETPAY_ORDER_LIST_LOOKED_AT), SETPAY_DB_TEXT(pattern), SETPAY_DB_INT(limit));
}

static enum setpay_error find_places(struct setpay_db *db, const struct setpay_order_list *wanted,
                                     struct setpay_order_places *places)
{
    struct setpay_db_rows *rows;
    char pattern[PATTERN_SIZE];
    bool by_words = has_words(wanted);
    if (by_words)
        SETPAY_TRY(make_pattern(wanted->words, pattern));
    SETPAY_TRY(by_words ? select_words(db, wanted, pattern, &rows)
                        : select_places(db, wanted, &rows));
    while (places->count < wanted->limit && setpay_db_next(rows))
        places->seqs[places->count++] = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    if (places->count > 0)
        places->last_seq = places->seqs[places->count - 1];
    return SETPAY_OK;
}

enum setpay_error setpay_order_list_find(struct setpay_db *db,
                                         const struct setpay_order_list *wanted,
                                         struct setpay_order_places *places)
{
    int64_t count = 0, last_seq;
    *places = (struct setpay_order_places){.last_seq = wanted->before_seq};
    SETPAY_TRY(find_places(db, wanted, places));
    /* All that was looked at had fewer of them. */
    if (has_words(wanted) && places->count < wanted->limit)
        SETPAY_TRY(find_bounds(db, wanted, wanted->before_seq, SETPAY_ORDER_LIST_LOOKED_AT, &count,
                               &places->last_seq));
    SETPAY_TRY(find_bounds(db, wanted, places->last_seq, 1, &count, &last_seq));
    places->more = count > 0;
    return SETPAY_OK;
}

enum setpay_error setpay_order_list_view(struct setpay_db *db,
                                         const struct setpay_order_list *wanted, int64_t seq,
                                         struct setpay_order_view *view, bool *fits)
{
    SETPAY_TRY(setpay_order_find_before(db, seq + 1, &view->order));
    SETPAY_TRY(setpay_order_view_complete(db, wanted->port, wanted->now_ms, view));
    *fits = !wanted->has_status || view->status == wanted->status;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ as JSON */

static enum setpay_error add_one(struct setpay_db *db, const struct setpay_order_list *wanted,
                                 int64_t seq, json_t *orders)
{
    struct setpay_order_view view = {.payments = NULL};
    bool fits = false;
    enum setpay_error error = setpay_order_list_view(db, wanted, seq, &view, &fits);
    if (error == SETPAY_OK && fits &&
        json_array_append_new(orders, setpay_order_view_json(&view, wanted->links, false)) != 0)
        error = SETPAY_E_NOMEM;
    setpay_order_view_clear(&view);
    return error;
}

static enum setpay_error add_all(struct setpay_db *db, const struct setpay_order_list *wanted,
                                 const struct setpay_order_places *places, json_t *orders)
{
    for (size_t i = 0; i < places->count; i++)
        SETPAY_TRY(add_one(db, wanted, places->seqs[i], orders));
    return SETPAY_OK;
}

enum setpay_error setpay_order_list_read(struct setpay_db *db,
                                         const struct setpay_order_list *wanted, json_t **page)
{
    char cursor[CURSOR_SIZE];
    uint8_t bytes[8];
    struct setpay_order_places places;
    SETPAY_TRY(setpay_order_list_find(db, wanted, &places));
    json_t *orders = json_array();
    enum setpay_error error =
        orders == NULL ? SETPAY_E_NOMEM : add_all(db, wanted, &places, orders);
    if (error == SETPAY_OK) {
        setpay_write_u64be(bytes, (uint64_t)places.last_seq);
        setpay_base64url_encode(SETPAY_VIEW_ARRAY(bytes), cursor);
        *page = json_pack("{s:O, s:b, s:o}", "orders", orders, "has_more", (int)places.more,
                          "next_cursor", places.more ? json_string(cursor) : json_null());
        if (*page == NULL)
            error = SETPAY_E_NOMEM;
    }
    json_decref(orders);
    return error;
}
