/*
 * Fields in words: what is shown of each, what is not, and what it stands for.
 */
#include "tests/sandbox/explorer/explorer.h"

#include "common/base/noun.h"
#include "common/wire/layouts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define VALUE_SIZE 1024
#define BYTES_SHOWN 12
#define DIGITS_SHOWN 16

/* ------------------------------------------------------------------ one field in words */

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), tail = strlen(end);
    return size >= tail && strcmp(name + size - tail, end) == 0;
}

/* Of a message of secrets only what says nothing about the card. */
static bool is_shown(const struct explorer_field *field)
{
    if (!field->is_secret)
        return strcmp(field->name, "oi_salt") != 0;
    switch (field->kind) {
    case SETPAY_WIRE_SECRET:
    case SETPAY_WIRE_DIGITS:
    case SETPAY_WIRE_BYTES:
    case SETPAY_WIRE_BLOCK:
        return false;
    case SETPAY_WIRE_TEXT:
        return strcmp(field->name, "brand") == 0 || strcmp(field->name, "merchant_id") == 0;
    default:
        return true;
    }
}

static void write_bytes(struct setpay_view bytes, char *value)
{
    char hex[2 * BYTES_SHOWN + 1];
    size_t shown = bytes.size < BYTES_SHOWN ? bytes.size : BYTES_SHOWN;
    setpay_hex_encode(setpay_view_of(bytes.data, shown), hex);
    (void)snprintf(value, VALUE_SIZE, "%s… (%zu %s)", hex, bytes.size,
                   setpay_noun((int64_t)bytes.size, "byte", "bytes"));
}

static void write_word(const char *word, char *value)
{
    size_t i = 0;
    for (; word[i] != '\0' && i + 1 < VALUE_SIZE; i++)
        value[i] = (char)tolower((unsigned char)word[i]);
    value[i] = '\0';
    for (char *at = value; *at != '\0'; at++)
        if (*at == '_')
            *at = ' ';
}

/* value has room for VALUE_SIZE. */
static void write_value(const struct explorer_field *field, char *value)
{
    char text[SETPAY_TIME_TEXT_SIZE + SETPAY_MONEY_TEXT_SIZE];
    switch (field->kind) {
    case SETPAY_WIRE_ID:
    case SETPAY_WIRE_DIGEST:
        setpay_hex_encode(field->bytes, value);
        break;
    case SETPAY_WIRE_TEXT:
        (void)snprintf(value, VALUE_SIZE, "%.*s", (int)field->bytes.size,
                       (const char *)field->bytes.data);
        break;
    case SETPAY_WIRE_I64:
        if (ends_with(field->name, "_ms"))
            (void)snprintf(value, VALUE_SIZE, "%s", setpay_time_format(field->number, text));
        else
            (void)snprintf(value, VALUE_SIZE, "%lld", (long long)field->number);
        break;
    case SETPAY_WIRE_U32:
        (void)snprintf(value, VALUE_SIZE, "%lld", (long long)field->number);
        break;
    case SETPAY_WIRE_BOOL:
        (void)snprintf(value, VALUE_SIZE, "%s", field->number != 0 ? "yes" : "no");
        break;
    case SETPAY_WIRE_ENUM:
        write_word(field->word, value);
        break;
    case SETPAY_WIRE_MONEY:
        (void)snprintf(value, VALUE_SIZE, "%s", setpay_money_format(&field->money, text));
        break;
    case SETPAY_WIRE_THUMBS:
        (void)snprintf(value, VALUE_SIZE, "%lld %s", (long long)field->number,
                       setpay_noun(field->number, "thumbprint", "thumbprints"));
        break;
    default:
        write_bytes(field->bytes, value);
    }
}

/* Whose certificate a thumbprint is, by what the party itself holds. */
static void write_owner(const struct explorer *explorer, enum explorer_party party,
                        struct setpay_view bytes, char *note)
{
    struct setpay_digest thumbprint;
    if (setpay_digest_from_view(bytes, &thumbprint) != SETPAY_OK)
        return;
    const struct setpay_certificate *certificate =
        explorer_certificate(explorer, party, &thumbprint);
    if (certificate == NULL || setpay_certificate_profile(certificate) == SETPAY_PROFILE_NONE)
        return;
    const struct setpay_profile_info *info =
        setpay_profile_info(setpay_certificate_profile(certificate));
    bool is_blind = strcmp(info->role, "cardholder") == 0;
    (void)snprintf(note, EXPLORER_WORDS, "certificate %s%s%s", info->name, is_blind ? "" : ", ",
                   is_blind ? "" : setpay_certificate_id(certificate));
}

static const char *note_of(enum explorer_party party, const struct explorer_field *field)
{
    static const struct {
        const char *name;
        int party; /* EXPLORER_PARTIES: whichever */
        const char *words;
    } notes[] = {
        {"oimd", EXPLORER_GATEWAY, "stands for the order, which never comes here"},
        {"oimd", EXPLORER_PARTIES, "digest of the order"},
        {"pimd", EXPLORER_MERCHANT, "stands for the payment instruction, which stays sealed here"},
        {"pimd", EXPLORER_PARTIES, "digest of the payment instruction"},
        {"pomd", EXPLORER_PARTIES, "the joint digest, which the cardholder has signed"},
        {"request_hash", EXPLORER_PARTIES, "digest of the request that this answers"},
        {"offer", EXPLORER_PARTIES, "digest of the merchant's offer"},
        {"envelope", EXPLORER_PARTIES, "digest of the sealed instruction"},
        {"previous", EXPLORER_PARTIES, "digest of the receipt before; zeros in the first"},
        {"oi_salt", EXPLORER_PARTIES, "32 random bytes"},
        {"dual_signature", EXPLORER_PARTIES, "the cardholder's one signature, DS"},
    };
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (strcmp(notes[i].name, field->name) == 0 &&
            (notes[i].party == EXPLORER_PARTIES || notes[i].party == (int)party))
            return notes[i].words;
    return "";
}

struct fill {
    const struct explorer *explorer;
    enum explorer_party party;
    const char *only;    /* paths that begin so, and without it; or "" */
    const char *without; /* no path that begins so; or "" */
    json_t *main, *more;
};

static bool is_main(const struct explorer_field *field)
{
    static const char *const names[] = {
        "name",        "amount",        "merchant_name", "lid_m",      "status",   "outcome",
        "intent",      "approval_code", "oimd",          "pimd",       "pomd",     "offer",
        "merchant_id", "envelope",      "pan",           "ciphertext", "remaining"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], field->name) == 0)
            return field->is_there;
    return strcmp(field->path, "kind") == 0;
}

json_t *explorer_field_json(const char *path, const char *value, const char *note, bool is_code)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:b, s:b}", "path", path, "value", value, "note",
                     note, "code", is_code ? 1 : 0, "sealed", 0, "hidden", 0, "absent", 0);
}

static json_t *describe(const struct explorer *explorer, enum explorer_party party,
                        const struct explorer_field *field, const char *path)
{
    char value[VALUE_SIZE] = "", note[EXPLORER_WORDS];
    bool sealed = strcmp(field->name, "ciphertext") == 0, hidden = !is_shown(field);
    bool is_code = field->kind == SETPAY_WIRE_ID || field->kind == SETPAY_WIRE_DIGEST ||
                   field->kind == SETPAY_WIRE_SIGNATURE || field->kind == SETPAY_WIRE_BYTES;
    (void)snprintf(note, sizeof note, "%s", note_of(party, field));
    if (!field->is_there)
        (void)snprintf(value, sizeof value, "–");
    else if (sealed)
        (void)snprintf(value, sizeof value, "%zu bytes, for the wallet", field->bytes.size);
    else if (strcmp(field->name, "pan") == 0 && field->bytes.size >= 12)
        (void)snprintf(value, sizeof value, "•••• %.4s",
                       (const char *)field->bytes.data + field->bytes.size - 4);
    else if (hidden)
        (void)snprintf(value, sizeof value, "•••• %snot shown on this page",
                       field->is_secret ? "read here, " : "");
    else
        write_value(field, value);
    if (field->kind == SETPAY_WIRE_DIGEST && *note == '\0' && field->is_there)
        write_owner(explorer, party, field->bytes, note);
    json_t *json = explorer_field_json(path, value, note, is_code && !hidden && field->is_there);
    json_object_set_new(json, "sealed", json_boolean(sealed && field->is_there));
    json_object_set_new(json, "hidden",
                        json_boolean(hidden && field->is_there && strcmp(field->name, "pan") != 0));
    json_object_set_new(json, "absent", json_boolean(!field->is_there));
    return json;
}

/* A copy with the first digits of a digest, which are enough to see that two are the same. */
static json_t *shorter(const json_t *field)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)field);
    const char *value = json_string_value(json_object_get(copy, "value"));
    if (json_is_true(json_object_get(copy, "code")) && strlen(value) > DIGITS_SHOWN)
        json_object_set_new(copy, "value", json_sprintf("%.*s…", DIGITS_SHOWN, value));
    return copy;
}

static enum setpay_error add_field(void *arg, const struct explorer_field *field)
{
    const struct fill *fill = arg;
    const char *path = field->path;
    size_t only = strlen(fill->only), without = strlen(fill->without);
    if (only > 0 && strncmp(path, fill->only, only) != 0)
        return SETPAY_OK;
    if (without > 0 && strncmp(path, fill->without, without) == 0)
        return SETPAY_OK;
    json_t *json = describe(fill->explorer, fill->party, field, path + only);
    if (json == NULL || (is_main(field) && json_array_append_new(fill->main, shorter(json)) != 0) ||
        json_array_append_new(fill->more, json) != 0)
        return SETPAY_E_NOMEM;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ into a cell */

/* A digest that stands in the place of a message. */
enum setpay_error explorer_digest_json(json_t *cell, const char *path,
                                       const struct setpay_digest *digest, const char *note)
{
    char hex[SETPAY_DIGEST_TEXT_SIZE];
    json_t *field = explorer_field_json(path, setpay_digest_format(digest, hex), note, true);
    enum setpay_error error =
        json_array_append_new(json_object_get(cell, "main"), shorter(field)) == 0 ? SETPAY_OK
                                                                                  : SETPAY_E_NOMEM;
    json_decref(field);
    return error;
}

/* Fields of a message into a cell; what can't be read is told in it. */
enum setpay_error explorer_cell_fill(struct explorer *explorer, enum explorer_party party,
                                     json_t *cell, const struct setpay_wire_layout *layout,
                                     struct setpay_view content, const void *parsed,
                                     const char *only, const char *without)
{
    char count[32];
    struct fill fill = {explorer,
                        party,
                        only,
                        without,
                        json_object_get(cell, "main"),
                        json_object_get(cell, "more")};
    enum setpay_error error = parsed != NULL ? explorer_fields_of(layout, parsed, add_field, &fill)
                                             : explorer_fields(layout, content, add_field, &fill);
    if (error == SETPAY_E_NOMEM)
        return error;
    if (error != SETPAY_OK) {
        explorer_note(explorer, party, false, setpay_error_text(error), "the %s's copy can be read",
                      explorer_party_name(party));
        json_object_set_new(cell, "wrong", json_string(setpay_error_text(error)));
    }
    (void)snprintf(count, sizeof count, "%zu", json_array_size(fill.more));
    return json_object_set_new(cell, "count",
                               json_string(json_array_size(fill.more) > 0 ? count : "")) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}

/* ------------------------------------------------------------------ one value of a party */

struct wanted {
    const char *name;
    char value[VALUE_SIZE];
    bool found;
};

static enum setpay_error want(void *arg, const struct explorer_field *field)
{
    struct wanted *wanted = arg;
    if (wanted->found || !field->is_there || strcmp(field->name, wanted->name) != 0 ||
        !is_shown(field))
        return SETPAY_OK;
    write_value(field, wanted->value);
    wanted->found = true;
    return SETPAY_OK;
}

json_t *explorer_value(const struct explorer *explorer, enum explorer_party party, const char *name)
{
    struct wanted wanted = {.name = name};
    for (size_t i = 0; i < explorer->held_count && !wanted.found; i++) {
        const struct explorer_held *held = &explorer->held[i];
        if (held->party == party &&
            explorer_fields(explorer_kind(held->type)->layout, setpay_buffer_view(&held->content),
                            want, &wanted) != SETPAY_OK)
            continue; /* told where it is shown */
    }
    struct setpay_receipt receipt;
    for (size_t i = 0; i < explorer->receipt_count && !wanted.found; i++)
        if (explorer_receipt_read(explorer, party, i, &receipt) == SETPAY_OK &&
            explorer_fields_of(&setpay_layout_receipt, &receipt, want, &wanted) != SETPAY_OK)
            break;
    return wanted.found ? json_string(wanted.value) : NULL;
}
