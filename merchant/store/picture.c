/*
 * Pictures of products.
 */
#include "merchant/store/picture.h"

#include "common/crypto/hash.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Positions of pictures while they change places; none has one as large. */
#define OLD_POSITIONS 1000000

static const char *const type_names[] = {
    [SETPAY_PICTURE_SVG] = "image/svg+xml",
    [SETPAY_PICTURE_PNG] = "image/png",
    [SETPAY_PICTURE_JPEG] = "image/jpeg",
    [SETPAY_PICTURE_WEBP] = "image/webp",
};
#define TYPES (sizeof type_names / sizeof *type_names)

const char *setpay_picture_type_name(enum setpay_picture_type type)
{
    return (unsigned)type < TYPES ? type_names[type] : NULL;
}

enum setpay_error setpay_picture_type_parse(const char *name, enum setpay_picture_type *type)
{
    for (size_t i = 1; i < TYPES; i++) {
        if (strcmp(name, type_names[i]) == 0) {
            *type = (enum setpay_picture_type)i;
            return SETPAY_OK;
        }
    }
    return SETPAY_E_INVALID;
}

/* ------------------------------------------------------------------ what is a picture */

static bool starts_with(struct setpay_view bytes, size_t at, const char *start, size_t size)
{
    return bytes.size >= at + size && memcmp(bytes.data + at, start, size) == 0;
}

/* In any case of its letters. */
static bool holds(struct setpay_view bytes, const char *word)
{
    size_t size = strlen(word);
    for (size_t at = 0; at + size <= bytes.size; at++) {
        if (strncasecmp((const char *)bytes.data + at, word, size) == 0)
            return true;
    }
    return false;
}

/* An attribute like onload= in any element: a space, "on", letters, "=". */
static bool holds_handler(struct setpay_view bytes)
{
    for (size_t at = 0; at + 3 < bytes.size; at++) {
        const char *text = (const char *)bytes.data + at;
        if (strchr(" \t\r\n/\"'", text[0]) == NULL || strncasecmp(text + 1, "on", 2) != 0)
            continue;
        size_t end = at + 3;
        while (end < bytes.size && ((bytes.data[end] | 0x20) >= 'a') &&
               ((bytes.data[end] | 0x20) <= 'z'))
            end++;
        while (end < bytes.size && strchr(" \t\r\n", bytes.data[end]) != NULL)
            end++;
        if (end < bytes.size && bytes.data[end] == '=')
            return true;
    }
    return false;
}

/* The first element is svg; before it at most an XML declaration, comments and spaces. */
static bool opens_with_svg(struct setpay_view bytes)
{
    size_t at = 0;
    for (;;) {
        while (at < bytes.size && strchr(" \t\r\n", bytes.data[at]) != NULL && bytes.data[at] != 0)
            at++;
        bool comment = starts_with(bytes, at, "<!--", 4);
        if (!comment && !starts_with(bytes, at, "<?xml", 5))
            return starts_with(bytes, at, "<svg", 4);
        const char *end = comment ? "-->" : "?>";
        const uint8_t *found = memmem(bytes.data + at, bytes.size - at, end, strlen(end));
        if (found == NULL)
            return false;
        at = (size_t)(found - bytes.data) + strlen(end);
    }
}

static bool is_still_svg(struct setpay_view bytes)
{
    static const char *const active[] = {
        "<!doctype",         "<!entity",    "<script",    "javascript:", "<iframe",
        "<foreignobject",    "<?xml-style", "@import",    ":script",     ":foreignobject",
        "xlink:href=\"http", "href=\"http", "href='http", "url(http",    "data:text"};
    if (!setpay_text_is_utf8(bytes) || !opens_with_svg(bytes) || holds_handler(bytes))
        return false;
    for (size_t i = 0; i < sizeof active / sizeof *active; i++) {
        if (holds(bytes, active[i]))
            return false;
    }
    return true;
}

enum setpay_error setpay_picture_check(enum setpay_picture_type type, struct setpay_view bytes,
                                       const char **expected)
{
    bool good = false;
    switch (type) {
    case SETPAY_PICTURE_SVG:
        *expected = "an SVG in UTF-8 without scripts, handlers, entities, or anything fetched from"
                    " elsewhere";
        good = is_still_svg(bytes);
        break;
    case SETPAY_PICTURE_PNG:
        *expected = "a PNG";
        good = starts_with(bytes, 0, "\x89PNG\r\n\x1a\n", 8);
        break;
    case SETPAY_PICTURE_JPEG:
        *expected = "a JPEG";
        good = starts_with(bytes, 0, "\xff\xd8\xff", 3);
        break;
    case SETPAY_PICTURE_WEBP:
        *expected = "a WebP";
        good = starts_with(bytes, 0, "RIFF", 4) && starts_with(bytes, 8, "WEBP", 4);
        break;
    }
    return good ? SETPAY_OK : SETPAY_E_INVALID;
}

enum setpay_error setpay_picture_guess(struct setpay_view bytes, enum setpay_picture_type *type)
{
    static const enum setpay_picture_type types[] = {SETPAY_PICTURE_PNG, SETPAY_PICTURE_JPEG,
                                                     SETPAY_PICTURE_WEBP};
    const char *expected = "";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (setpay_picture_check(types[i], bytes, &expected) == SETPAY_OK) {
            *type = types[i];
            return SETPAY_OK;
        }
    }
    return SETPAY_E_INVALID;
}

/* ------------------------------------------------------------------ base64 */

json_t *setpay_picture_body(const char *type, const char *alt, struct setpay_view bytes)
{
    if (bytes.size > INT32_MAX / 2)
        return NULL;
    char *text = malloc(bytes.size / 3 * 4 + 8);
    json_t *json = NULL;
    if (text != NULL) {
        int size = EVP_EncodeBlock((unsigned char *)text, bytes.data, (int)bytes.size);
        json = json_pack("{s:s, s:s, s:s#}", "type", type, "alt", alt, "data", text, size);
    }
    free(text);
    return json;
}

static enum setpay_error decode(const json_t *value, struct setpay_buffer *bytes,
                                struct setpay_json_fault *fault)
{
    size_t size = json_string_length(value);
    const char *text = json_string_value(value);
    uint8_t *room = NULL;
    if (!json_is_string(value) || size < 4 || size % 4 != 0 || size > INT32_MAX)
        return setpay_json_fault_set(fault, "data", "expected a picture in base64");
    size_t padding = text[size - 2] == '=' ? 2 : text[size - 1] == '=' ? 1 : 0;
    if (size / 4 * 3 - padding > SETPAY_PICTURE_BYTES_MAX)
        return setpay_json_fault_set(fault, "data", "found %zu bytes; expected at most %d",
                                     size / 4 * 3 - padding, SETPAY_PICTURE_BYTES_MAX);
    SETPAY_TRY(setpay_buffer_extend(bytes, size / 4 * 3, &room));
    if (EVP_DecodeBlock(room, (const unsigned char *)text, (int)size) < 0)
        return setpay_json_fault_set(fault, "data", "expected a picture in base64");
    bytes->size -= padding;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ rows */

enum setpay_error setpay_picture_find(struct setpay_db *db, const char *digest,
                                      enum setpay_picture_type *type, struct setpay_buffer *bytes)
{
    struct setpay_db_rows *rows;
    struct setpay_digest wanted;
    if (setpay_hex_decode(digest, wanted.bytes, sizeof wanted.bytes) != SETPAY_OK)
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT type, bytes FROM picture WHERE digest = $1",
                             SETPAY_DB_DIGEST(&wanted)));
    *type = (enum setpay_picture_type)setpay_db_get_int(rows, 0);
    setpay_db_get_buffer(rows, 1, bytes);
    return setpay_db_end(rows);
}

enum setpay_error setpay_picture_read_show(struct setpay_db *db, void *arg)
{
    struct setpay_picture_show *show = arg;
    return setpay_picture_find(db, show->digest, &show->type, &show->bytes);
}

enum setpay_error setpay_picture_list_json(struct setpay_db *db,
                                           const struct setpay_product *product, json_t **list)
{
    struct setpay_db_rows *rows;
    bool whole = true;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT s.digest, s.alt, p.type, LENGTH(p.bytes)"
                                " FROM product_picture s JOIN picture p ON p.digest = s.digest"
                                " WHERE s.product_seq = $1 ORDER BY s.position",
                                SETPAY_DB_INT(product->seq)));
    json_t *array = json_array();
    while (setpay_db_next(rows)) {
        char text[SETPAY_DIGEST_TEXT_SIZE];
        char alt[SETPAY_PICTURE_ALT_BYTES + 1];
        struct setpay_digest digest;
        json_t *json = json_object();
        setpay_db_get_digest(rows, 0, &digest);
        setpay_db_get_text(rows, 1, alt, sizeof alt);
        enum setpay_picture_type type = (enum setpay_picture_type)setpay_db_get_int(rows, 2);
        setpay_shop_set(json, "id", json_string(setpay_digest_format(&digest, text)), &whole);
        setpay_shop_set(json, "type", json_string(setpay_picture_type_name(type)), &whole);
        setpay_shop_set(json, "alt", json_string(alt), &whole);
        setpay_shop_set(json, "bytes", json_integer(setpay_db_get_int(rows, 3)), &whole);
        setpay_shop_append(array, json, &whole);
    }
    enum setpay_error error = setpay_db_end(rows);
    if (error == SETPAY_OK && !whole)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        *list = array;
    else
        json_decref(array);
    return error;
}

/* What no product shows any more. */
static enum setpay_error remove_unused(struct setpay_db *db)
{
    return setpay_db_run(db, "DELETE FROM picture WHERE digest NOT IN"
                             " (SELECT digest FROM product_picture)");
}

enum setpay_error setpay_picture_remove_all(struct setpay_db *db, int64_t product_seq)
{
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM product_picture WHERE product_seq = $1",
                             SETPAY_DB_INT(product_seq)));
    return remove_unused(db);
}

/* Behind the others of the product, or with another alt where it stands. */
static enum setpay_error put(struct setpay_db *db, const struct setpay_product *product,
                             const struct setpay_digest *digest, const char *alt,
                             struct setpay_shop_answer *answer)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_run(
        db, "UPDATE product_picture SET alt = $1 WHERE product_seq = $2 AND digest = $3",
        SETPAY_DB_TEXT(alt), SETPAY_DB_INT(product->seq), SETPAY_DB_DIGEST(digest)));
    if (setpay_db_changes(db) > 0)
        return SETPAY_OK;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COUNT(*), COALESCE(MAX(position), 0) FROM product_picture"
                             " WHERE product_seq = $1",
                             SETPAY_DB_INT(product->seq)));
    int64_t count = setpay_db_get_int(rows, 0);
    int64_t last = setpay_db_get_int(rows, 1);
    SETPAY_TRY(setpay_db_end(rows));
    if (count >= SETPAY_PICTURES_MAX)
        return setpay_shop_refuse(answer, SETPAY_E_STATE, "",
                                  "the product has %d pictures, as many as it can have",
                                  SETPAY_PICTURES_MAX);
    return setpay_db_run(
        db,
        "INSERT INTO product_picture (product_seq, position, digest, alt) VALUES ($1, $2, $3, $4)",
        SETPAY_DB_INT(product->seq), SETPAY_DB_INT(last + 1), SETPAY_DB_DIGEST(digest),
        SETPAY_DB_TEXT(alt));
}

static enum setpay_error keep(struct setpay_db *db, enum setpay_picture_type type,
                              struct setpay_view bytes, struct setpay_digest *digest)
{
    SETPAY_TRY(setpay_sha256(bytes, digest));
    enum setpay_error error =
        setpay_db_run(db, "INSERT INTO picture (digest, type, bytes) VALUES ($1, $2, $3)",
                      SETPAY_DB_DIGEST(digest), SETPAY_DB_INT(type), SETPAY_DB_VIEW(bytes));
    return error == SETPAY_E_DUPLICATE ? SETPAY_OK : error;
}

/* ------------------------------------------------------------------ acts */

static enum setpay_error read_type(const json_t *body, enum setpay_picture_type *type,
                                   struct setpay_json_fault *fault)
{
    char words[SETPAY_JSON_FOUND_SIZE];
    const json_t *value = json_object_get(body, "type");
    if (!json_is_string(value) ||
        setpay_picture_type_parse(json_string_value(value), type) != SETPAY_OK)
        return setpay_json_fault_set(
            fault, "type", "found %s; expected image/svg+xml, image/png, image/jpeg or image/webp",
            setpay_json_found(value, words));
    return SETPAY_OK;
}

static enum setpay_error add(struct setpay_db *db, const struct setpay_shop_ask *ask,
                             struct setpay_product *product, struct setpay_buffer *bytes,
                             struct setpay_shop_answer *answer)
{
    static const char *const names[] = {"type", "alt", "data", NULL};
    char alt[SETPAY_PICTURE_ALT_BYTES + 1] = "";
    char text[SETPAY_DIGEST_TEXT_SIZE];
    enum setpay_picture_type type = SETPAY_PICTURE_SVG;
    struct setpay_digest digest;
    const char *expected = "";
    struct setpay_json_fault *fault = &answer->fault;
    SETPAY_TRY(setpay_json_members_check(ask->body, names, "", fault));
    SETPAY_TRY(read_type(ask->body, &type, fault));
    SETPAY_TRY(
        setpay_shop_get_text(ask->body, "alt", "", true, SETPAY_PICTURE_ALT_BYTES, alt, fault));
    SETPAY_TRY(decode(json_object_get(ask->body, "data"), bytes, fault));
    if (setpay_picture_check(type, setpay_buffer_view(bytes), &expected) != SETPAY_OK)
        return setpay_json_fault_set(fault, "data", "this is not what it should be; expected %s",
                                     expected);
    SETPAY_TRY(keep(db, type, setpay_buffer_view(bytes), &digest));
    SETPAY_TRY(put(db, product, &digest, alt, answer));
    (void)snprintf(answer->made, sizeof answer->made, "%s", setpay_digest_format(&digest, text));
    SETPAY_TRY(setpay_product_changed(db, product, ask->now_ms));
    return setpay_product_answer(db, product, answer);
}

enum setpay_error setpay_picture_add(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    struct setpay_buffer bytes;
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    setpay_buffer_init(&bytes, SETPAY_PICTURE_BYTES_MAX + 4);
    enum setpay_error error = add(db, ask, &product, &bytes, answer);
    setpay_buffer_clear(&bytes);
    return error;
}

enum setpay_error setpay_picture_list(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                      struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    json_t *list = NULL;
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    SETPAY_TRY(setpay_picture_list_json(db, &product, &list));
    answer->version = product.version;
    answer->json = json_pack("{s:o}", "pictures", list);
    return answer->json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* ------------------------------------------------------------------ changing */

/* What a product shows, in order. */
struct shown {
    struct setpay_digest digests[SETPAY_PICTURES_MAX];
    size_t count;
};

static enum setpay_error read_shown(struct setpay_db *db, int64_t product_seq, struct shown *shown)
{
    struct setpay_db_rows *rows;
    shown->count = 0;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT digest FROM product_picture WHERE product_seq = $1"
                                " ORDER BY position",
                                SETPAY_DB_INT(product_seq)));
    while (shown->count < SETPAY_PICTURES_MAX && setpay_db_next(rows))
        setpay_db_get_digest(rows, 0, &shown->digests[shown->count++]);
    return setpay_db_end(rows);
}

/* Pure: the picture at from stands at to, the others as they were to each other. */
static void move(struct shown *shown, size_t from, size_t to)
{
    const struct setpay_digest moved = shown->digests[from];
    struct setpay_digest *all = shown->digests;
    if (from < to)
        memmove(&all[from], &all[from + 1], (to - from) * sizeof *all);
    else
        memmove(&all[to + 1], &all[to], (from - to) * sizeof *all);
    all[to] = moved;
}

static enum setpay_error write_shown(struct setpay_db *db, int64_t product_seq,
                                     const struct shown *shown)
{
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE product_picture SET position = position + $1"
                             " WHERE product_seq = $2",
                             SETPAY_DB_INT(OLD_POSITIONS), SETPAY_DB_INT(product_seq)));
    for (size_t i = 0; i < shown->count; i++)
        SETPAY_TRY(setpay_db_run(db,
                                 "UPDATE product_picture SET position = $1"
                                 " WHERE product_seq = $2 AND digest = $3",
                                 SETPAY_DB_INT((int64_t)i + 1), SETPAY_DB_INT(product_seq),
                                 SETPAY_DB_DIGEST(&shown->digests[i])));
    return SETPAY_OK;
}

static enum setpay_error no_such_picture(const struct setpay_product *product,
                                         struct setpay_shop_answer *answer)
{
    return setpay_shop_refuse(answer, SETPAY_E_NOT_FOUND, "picture",
                              "the product '%s' has no such picture", product->slug);
}

enum setpay_error setpay_picture_set(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct setpay_shop_answer *answer)
{
    static const char *const names[] = {"alt", "position", NULL};
    char alt[SETPAY_PICTURE_ALT_BYTES + 1] = "";
    struct setpay_product product = {.seq = 0};
    struct setpay_digest digest = {{0}};
    struct shown shown;
    size_t at = 0;
    SETPAY_TRY(setpay_json_members_check(ask->body, names, "", &answer->fault));
    if (json_object_size(ask->body) == 0)
        return setpay_json_fault_set(&answer->fault, "alt",
                                     "found nothing; expected alt or"
                                     " position");
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    SETPAY_TRY(read_shown(db, product.seq, &shown));
    if (setpay_hex_decode(ask->sub, digest.bytes, sizeof digest.bytes) != SETPAY_OK)
        return no_such_picture(&product, answer);
    while (at < shown.count && !setpay_digest_equal(&shown.digests[at], &digest))
        at++;
    if (at == shown.count)
        return no_such_picture(&product, answer);
    int64_t position = (int64_t)at + 1;
    SETPAY_TRY(setpay_shop_get_text(ask->body, "alt", "", false, SETPAY_PICTURE_ALT_BYTES, alt,
                                    &answer->fault));
    SETPAY_TRY(setpay_shop_get_int(ask->body, "position", "", false, 1, (int64_t)shown.count,
                                   &position, &answer->fault));
    if (json_object_get(ask->body, "alt") != NULL)
        SETPAY_TRY(setpay_db_run(
            db, "UPDATE product_picture SET alt = $1 WHERE product_seq = $2 AND digest = $3",
            SETPAY_DB_TEXT(alt), SETPAY_DB_INT(product.seq), SETPAY_DB_DIGEST(&digest)));
    move(&shown, at, (size_t)position - 1);
    SETPAY_TRY(write_shown(db, product.seq, &shown));
    SETPAY_TRY(setpay_product_changed(db, &product, ask->now_ms));
    return setpay_product_answer(db, &product, answer);
}

enum setpay_error setpay_picture_remove(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                        struct setpay_shop_answer *answer)
{
    struct setpay_product product = {.seq = 0};
    struct setpay_digest digest;
    SETPAY_TRY(setpay_product_asked(db, ask, &product, answer));
    bool is_digest = setpay_hex_decode(ask->sub, digest.bytes, sizeof digest.bytes) == SETPAY_OK;
    if (is_digest)
        SETPAY_TRY(
            setpay_db_run(db, "DELETE FROM product_picture WHERE product_seq = $1 AND digest = $2",
                          SETPAY_DB_INT(product.seq), SETPAY_DB_DIGEST(&digest)));
    if (!is_digest || setpay_db_changes(db) == 0)
        return no_such_picture(&product, answer);
    SETPAY_TRY(remove_unused(db));
    SETPAY_TRY(setpay_product_changed(db, &product, ask->now_ms));
    return setpay_product_answer(db, &product, answer);
}
