/*
 * codec_corpus: our codec of ISO 8583 as a program, for tests that hold it to another one. JSON
 * lines; a message is {"0":"0100","2":"4242…","4":"…"}, its bytes are hexadecimal.
 *
 *     codec_corpus table          the fields and the message types of the codec
 *     codec_corpus make SEED      messages of every type with every field at each of its edges,
 *                                 among others by chance: {"bytes":…,"message":{…}}
 *     codec_corpus pack           messages from standard input: {"bytes":…} or {"error":NAME}
 *     codec_corpus unpack         bytes from standard input, a line each: {"message":{…},
 *                                 "bytes":packed again} or {"error":NAME}
 */
#include "common/base/error.h"
#include "common/base/secret.h"
#include "gateway/network/iso8583.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 999
#define LINE_BYTES (4 * SETPAY_ISO_MESSAGE_MAX + 16384)

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static void print(json_t *line)
{
    NEED(line != NULL && json_dumpf(line, stdout, JSON_COMPACT) == 0 && putchar('\n') != EOF);
    json_decref(line);
}

/* ------------------------------------------------------------------ messages */

static json_t *describe(const struct setpay_iso_message *message)
{
    json_t *all = json_object();
    json_object_set_new(all, "0", json_string(message->mti));
    for (unsigned field = 2; field < SETPAY_ISO_FIELD_COUNT; field++) {
        char name[8];
        if (!setpay_iso_has(message, field))
            continue;
        struct setpay_view value = setpay_iso_field_info(field)->secret
                                       ? setpay_secret_view(setpay_iso_secret(message, field))
                                       : setpay_iso_view(message, field);
        snprintf(name, sizeof(name), "%u", field);
        json_object_set_new(all, name, json_stringn((const char *)value.data, value.size));
    }
    return all;
}

/* Without the length in front. */
static json_t *bytes_of(const struct setpay_iso_message *message)
{
    struct setpay_secret frame = {0};
    char hex[2 * SETPAY_ISO_MESSAGE_MAX + 8];
    NEED(setpay_iso_build(message, &frame) == SETPAY_OK);
    setpay_hex_encode(
        setpay_view_of(frame.data + SETPAY_ISO_HEADER_SIZE, frame.size - SETPAY_ISO_HEADER_SIZE),
        hex);
    setpay_secret_clear(&frame);
    return json_string(hex);
}

static bool type_known(const char *mti)
{
    struct setpay_iso_message message = {0};
    return setpay_iso_set_mti(&message, mti) == SETPAY_OK;
}

static void print_table(void)
{
    static const char *const types[] = {"n", "an", "ans", "xn", "b"};
    static const char *const lengths[] = {"fixed", "llvar", "lllvar"};
    size_t count;
    const struct setpay_iso_field_info *table = setpay_iso_field_table(&count);
    json_t *fields = json_object();
    json_t *mtis = json_array();
    for (size_t i = 0; i < count; i++) {
        char name[8];
        snprintf(name, sizeof(name), "%u", table[i].number);
        json_object_set_new(fields, name,
                            json_pack("{s:s, s:s, s:i}", "type", types[table[i].type], "length",
                                      lengths[table[i].length], "max", (int)table[i].max));
    }
    for (unsigned number = 0; number < 10000; number++) {
        char mti[8];
        snprintf(mti, sizeof(mti), "%04u", number);
        if (type_known(mti))
            json_array_append_new(mtis, json_string(mti));
    }
    print(json_pack("{s:o, s:o}", "fields", fields, "types", mtis));
}

/* ------------------------------------------------------------------ making */

static uint64_t random_state;

static unsigned chance(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 33) % below;
}

enum edge { LEAST, MOST, LOWEST, HIGHEST, ANY, EDGE_COUNT };

static char character(enum setpay_iso_type type, size_t at, enum edge edge)
{
    static const char an[] = " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned count = type == SETPAY_ISO_AN ? sizeof(an) - 1 : type == SETPAY_ISO_ANS ? 95 : 10;
    unsigned place = edge == LOWEST ? 0 : edge == HIGHEST ? count - 1 : chance(count);
    if (type == SETPAY_ISO_XN && at == 0)
        return edge == LOWEST || (edge != HIGHEST && place % 2 == 0) ? 'C' : 'D';
    if (type == SETPAY_ISO_AN)
        return an[place];
    return (char)((type == SETPAY_ISO_ANS ? ' ' : '0') + (int)place);
}

static void add(struct setpay_iso_message *message, const struct setpay_iso_field_info *info,
                enum edge edge)
{
    char value[VALUE_MAX];
    size_t size = info->max;
    NEED(size <= sizeof(value));
    if (info->length != SETPAY_ISO_FIXED && edge != MOST)
        size = edge == LEAST ? 1 : 1 + chance(info->max);
    for (size_t i = 0; i < size; i++)
        value[i] = character(info->type, i, edge);
    NEED(setpay_iso_set(message, info->number, setpay_view_of(value, size)) == SETPAY_OK);
}

static void make_one(const char *mti, const struct setpay_iso_field_info *table, size_t count,
                     size_t chosen, enum edge edge)
{
    struct setpay_iso_message message = {0};
    NEED(setpay_iso_set_mti(&message, mti) == SETPAY_OK);
    unsigned others = chance(4); /* none of the others, or one in so many */
    for (size_t i = 0; i < count; i++)
        if (i == chosen)
            add(&message, &table[i], edge);
        else if (others != 0 && chance(others + 1) == 0)
            add(&message, &table[i], (enum edge)chance(EDGE_COUNT));
    print(json_pack("{s:o, s:o}", "bytes", bytes_of(&message), "message", describe(&message)));
    setpay_iso_clear(&message);
}

static void make(const char *seed)
{
    size_t count;
    const struct setpay_iso_field_info *table = setpay_iso_field_table(&count);
    random_state = strtoull(seed, NULL, 10);
    for (unsigned number = 0; number < 10000; number++) {
        char mti[8];
        snprintf(mti, sizeof(mti), "%04u", number);
        if (!type_known(mti))
            continue;
        for (size_t i = 0; i < count; i++)
            for (int edge = 0; edge < EDGE_COUNT; edge++)
                make_one(mti, table, count, i, (enum edge)edge);
    }
}

/* ------------------------------------------------------------------ reading */

static void print_error(enum setpay_error error)
{
    print(json_pack("{s:s}", "error", setpay_error_name(error)));
}

static void pack(const char *line)
{
    struct setpay_iso_message message = {0};
    json_t *all = json_loads(line, JSON_ALLOW_NUL, NULL);
    const char *name;
    json_t *value;
    NEED(json_is_object(all));
    const char *mti = json_string_value(json_object_get(all, "0"));
    enum setpay_error error = setpay_iso_set_mti(&message, mti == NULL ? "" : mti);
    json_object_foreach(all, name, value)
    {
        if (error == SETPAY_OK && strcmp(name, "0") != 0)
            error =
                setpay_iso_set(&message, (unsigned)strtoul(name, NULL, 10),
                               setpay_view_of(json_string_value(value), json_string_length(value)));
    }
    if (error == SETPAY_OK)
        print(json_pack("{s:o}", "bytes", bytes_of(&message)));
    else
        print_error(error);
    setpay_iso_clear(&message);
    json_decref(all);
}

static void unpack(const char *line)
{
    static uint8_t bytes[2 * SETPAY_ISO_MESSAGE_MAX];
    struct setpay_iso_message message = {0};
    size_t size = strlen(line) / 2;
    NEED(size <= sizeof(bytes) && setpay_hex_decode(line, bytes, size) == SETPAY_OK);
    enum setpay_error error = setpay_iso_parse(setpay_view_of(bytes, size), &message, NULL);
    if (error == SETPAY_OK)
        print(json_pack("{s:o, s:o}", "message", describe(&message), "bytes", bytes_of(&message)));
    else
        print_error(error);
    setpay_iso_clear(&message);
}

int main(int argc, char **argv)
{
    static char line[LINE_BYTES];
    NEED(setpay_secret_system_init() == SETPAY_OK);
    bool packs = argc == 2 && strcmp(argv[1], "pack") == 0;
    if (argc == 2 && strcmp(argv[1], "table") == 0) {
        print_table();
    } else if (argc == 3 && strcmp(argv[1], "make") == 0) {
        make(argv[2]);
    } else if (packs || (argc == 2 && strcmp(argv[1], "unpack") == 0)) {
        while (fgets(line, sizeof(line), stdin) != NULL) {
            line[strcspn(line, "\n")] = '\0';
            if (packs)
                pack(line);
            else
                unpack(line);
        }
    } else {
        fputs("usage: codec_corpus table | make SEED | pack | unpack\n", stderr);
        return 2;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
