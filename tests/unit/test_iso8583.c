/* The ISO 8583 codec: what is right is taken, and each way of being wrong has its exact error. */
#include "gateway/network/iso8583.h"

#include "common/base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

#define HEADER SETPAY_ISO_HEADER_SIZE

/* An echo test: 0800, fields 7, 11, 12, 13 and 70; known byte for byte. */
static const uint8_t echo_bytes[] = {
    '0', '8', '0', '0', 0x82, 0x38, 0,   0,   0,   0,   0,   0,   0x04, 0,   0,   0,   0,
    0,   0,   0,   '1', '1',  '2',  '3', '1', '8', '4', '1', '1', '1',  '0', '0', '0', '0',
    '4', '2', '1', '8', '4',  '1',  '1', '1', '1', '1', '2', '3', '3',  '0', '1'};

static void fill_echo(struct setpay_iso_message *message)
{
    assert_int_equal(setpay_iso_set_mti(message, "0800"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(message, 7, "1123184111"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_number(message, 11, 42), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(message, 12, "184111"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(message, 13, "1123"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_number(message, 70, 301), SETPAY_OK);
}

static enum setpay_error parse(const uint8_t *bytes, size_t size)
{
    struct setpay_iso_message message = {0};
    struct setpay_iso_message empty = {0};
    struct setpay_problem problem = {{0}};
    enum setpay_error error = setpay_iso_parse(setpay_view_of(bytes, size), &message, &problem);
    if (error != SETPAY_OK) {
        assert_memory_equal(&message, &empty, sizeof(message));
        assert_true(problem.text[0] != '\0');
    }
    setpay_iso_clear(&message);
    return error;
}

/* The bytes of a message are the ones that the standard gives, with the header in front. */
static void builds_known_bytes(void **state)
{
    struct setpay_iso_message message = {0};
    struct setpay_secret frame = {0};
    (void)state;
    fill_echo(&message);
    assert_int_equal(setpay_iso_build(&message, &frame), SETPAY_OK);
    assert_int_equal(frame.size, HEADER + sizeof(echo_bytes));
    assert_int_equal(frame.data[0], 0);
    assert_int_equal(frame.data[1], sizeof(echo_bytes));
    assert_memory_equal(frame.data + HEADER, echo_bytes, sizeof(echo_bytes));
    setpay_secret_clear(&frame);
    setpay_iso_clear(&message);
}

/* What was built is read back field by field, secrets as secrets, also above field 64. */
static void reads_what_it_builds(void **state)
{
    struct setpay_iso_message message = {0};
    struct setpay_iso_message read = {0};
    struct setpay_secret frame = {0};
    struct setpay_view element;
    char text[64];
    uint64_t number;
    (void)state;
    assert_int_equal(setpay_iso_set_mti(&message, "0100"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(&message, 2, "4242424242424242"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_number(&message, 4, 1250), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(&message, 14, "3012"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_padded(&message, 42, "shop-1"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(&message, 48, "1005101151102129203123"), SETPAY_OK);
    assert_int_equal(setpay_iso_set_text(&message, 126, "00112233445566778899aabbccddeeff"),
                     SETPAY_OK);
    assert_int_equal(setpay_iso_build(&message, &frame), SETPAY_OK);
    assert_int_equal(
        setpay_iso_parse(setpay_view_of(frame.data + HEADER, frame.size - HEADER), &read, NULL),
        SETPAY_OK);
    assert_string_equal(read.mti, "0100");
    assert_int_equal(setpay_iso_get_number(&read, 4, &number), SETPAY_OK);
    assert_int_equal(number, 1250);
    assert_int_equal(setpay_iso_get_text(&read, 42, text, sizeof(text)), SETPAY_OK);
    assert_string_equal(text, "shop-1");
    assert_true(setpay_secret_equal(setpay_iso_secret(&read, 2), setpay_iso_secret(&message, 2)));
    assert_null(memmem(read.text, sizeof(read.text), "4242424242424242", 16));
    assert_int_equal(setpay_iso_element(&read, 92, &element), SETPAY_OK);
    assert_true(setpay_view_equal(element, setpay_view_string("123")));
    assert_int_equal(setpay_iso_element(&read, 10, &element), SETPAY_OK);
    assert_true(setpay_view_equal(element, setpay_view_string("10115")));
    assert_int_equal(setpay_iso_element(&read, 42, &element), SETPAY_OK);
    assert_int_equal(element.size, 0);
    setpay_secret_clear(&frame);
    setpay_iso_clear(&message);
    setpay_iso_clear(&read);
}

/* Every field of the table goes through, at its greatest length and at its least. */
static void takes_every_field(void **state)
{
    size_t count;
    const struct setpay_iso_field_info *table = setpay_iso_field_table(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (int least = 0; least < 2; least++) {
            char value[1000];
            size_t size = least && table[i].length != SETPAY_ISO_FIXED ? 1 : table[i].max;
            struct setpay_iso_message message = {0};
            struct setpay_secret frame = {0};
            memset(value, '7', sizeof(value));
            if (table[i].type == SETPAY_ISO_XN)
                value[0] = 'C';
            assert_int_equal(setpay_iso_set_mti(&message, "0100"), SETPAY_OK);
            assert_int_equal(setpay_iso_set(&message, table[i].number, setpay_view_of(value, size)),
                             SETPAY_OK);
            assert_int_equal(setpay_iso_build(&message, &frame), SETPAY_OK);
            assert_int_equal(parse(frame.data + HEADER, frame.size - HEADER), SETPAY_OK);
            /* … and no longer, and no other kind of character. */
            assert_int_equal(setpay_iso_set(&message, table[i].number, setpay_view_of(value, size)),
                             SETPAY_E_FIELD); /* twice */
            setpay_iso_clear(&message);
            assert_int_equal(setpay_iso_set(&message, table[i].number,
                                            setpay_view_of(value, (size_t)table[i].max + 1)),
                             SETPAY_E_FIELD);
            assert_int_equal(setpay_iso_set(&message, table[i].number, setpay_view_of(value, 0)),
                             SETPAY_E_FIELD);
            value[0] = '\n';
            assert_int_equal(setpay_iso_set(&message, table[i].number, setpay_view_of(value, size)),
                             SETPAY_E_FIELD);
            assert_false(setpay_iso_has(&message, table[i].number));
            setpay_secret_clear(&frame);
            setpay_iso_clear(&message);
        }
    }
}

/* Cut anywhere, a message is malformed; with anything behind it, it is not in its one form. */
static void refuses_cut_and_overlong(void **state)
{
    uint8_t longer[sizeof(echo_bytes) + 1];
    static uint8_t huge[SETPAY_ISO_MESSAGE_MAX + 1];
    (void)state;
    assert_int_equal(parse(echo_bytes, sizeof(echo_bytes)), SETPAY_OK);
    for (size_t size = 0; size < sizeof(echo_bytes); size++)
        assert_int_equal(parse(echo_bytes, size), SETPAY_E_MALFORMED);
    memcpy(longer, echo_bytes, sizeof(echo_bytes));
    longer[sizeof(echo_bytes)] = '0';
    assert_int_equal(parse(longer, sizeof(longer)), SETPAY_E_NOT_CANONICAL);
    memcpy(huge, echo_bytes, sizeof(echo_bytes));
    assert_int_equal(parse(huge, sizeof(huge)), SETPAY_E_TOO_BIG);
}

static enum setpay_error parse_changed(size_t at, uint8_t value)
{
    uint8_t changed[sizeof(echo_bytes)];
    memcpy(changed, echo_bytes, sizeof(changed));
    changed[at] = value;
    return parse(changed, sizeof(changed));
}

/* Unknown types, unknown fields, other characters, third and empty bitmaps. */
static void refuses_what_is_tampered(void **state)
{
    uint8_t empty_secondary[sizeof(echo_bytes) - 3];
    (void)state;
    assert_int_equal(parse_changed(0, '1'), SETPAY_E_MESSAGE_TYPE); /* another version */
    assert_int_equal(parse_changed(1, '9'), SETPAY_E_MESSAGE_TYPE);
    assert_int_equal(parse_changed(3, 'x'), SETPAY_E_MESSAGE_TYPE);
    assert_int_equal(parse_changed(4, 0x8a), SETPAY_E_FIELD); /* field 5 is not in the table */
    assert_int_equal(parse_changed(12, 0x84), SETPAY_E_NOT_CANONICAL); /* bit 65 */
    assert_int_equal(parse_changed(20, 'x'), SETPAY_E_FIELD);          /* field 7 */
    assert_int_equal(parse_changed(48, 0), SETPAY_E_FIELD);            /* field 70 */
    memcpy(empty_secondary, echo_bytes, sizeof(empty_secondary));
    empty_secondary[12] = 0;
    assert_int_equal(parse(empty_secondary, sizeof(empty_secondary)), SETPAY_E_NOT_CANONICAL);
    assert_int_equal(parse_changed(4, 0x02), SETPAY_E_FIELD); /* the bitmap read as field 7 */
}

/* Lengths of variable fields: not digits, zero, above the maximum, beyond the end. */
static void refuses_bad_lengths(void **state)
{
    uint8_t bytes[] = {'0', '1', '0', '0', 0,   0,   0,   1,   0,   0,
                       0,   0,   '0', '6', '4', '5', '6', '7', '8', '9'};
    (void)state;
    assert_int_equal(parse(bytes, sizeof(bytes)), SETPAY_OK);
    bytes[12] = 'a';
    assert_int_equal(parse(bytes, sizeof(bytes)), SETPAY_E_MALFORMED);
    bytes[12] = '0';
    bytes[13] = '0';
    assert_int_equal(parse(bytes, sizeof(bytes)), SETPAY_E_FIELD);
    bytes[12] = '1';
    bytes[13] = '2';
    assert_int_equal(parse(bytes, sizeof(bytes)), SETPAY_E_FIELD);
    bytes[12] = '0';
    bytes[13] = '7';
    assert_int_equal(parse(bytes, sizeof(bytes)), SETPAY_E_MALFORMED);
    bytes[13] = '5';
    assert_int_equal(parse(bytes, sizeof(bytes)), SETPAY_E_NOT_CANONICAL);
}

/* Field 48 is elements by rising tag and nothing else. */
static void reads_elements_strictly(void **state)
{
    static const struct {
        const char *text;
        enum setpay_error error;
    } cases[] = {
        {"9203123", SETPAY_OK},
        {"1001X9203123", SETPAY_OK},
        {"9203123100112", SETPAY_E_FIELD},  /* falling */
        {"92031239203123", SETPAY_E_FIELD}, /* twice */
        {"9204123", SETPAY_E_FIELD},
        {"9200", SETPAY_E_FIELD},
        {"92", SETPAY_E_FIELD},
        {"9x03123", SETPAY_E_FIELD},
        {"92031231", SETPAY_E_FIELD},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct setpay_iso_message message = {0};
        struct setpay_view data = SETPAY_VIEW_EMPTY;
        assert_int_equal(setpay_iso_set_text(&message, 48, cases[i].text), SETPAY_OK);
        assert_int_equal(setpay_iso_element(&message, 92, &data), cases[i].error);
        assert_int_equal(data.size, cases[i].error == SETPAY_OK ? 3 : 0);
        setpay_iso_clear(&message);
    }
}

/* A header announces 12 to 2048 bytes. */
static void bounds_frames(void **state)
{
    size_t size = 7;
    (void)state;
    assert_int_equal(setpay_iso_frame_size((const uint8_t[]){0, 11}, &size), SETPAY_E_MALFORMED);
    assert_int_equal(setpay_iso_frame_size((const uint8_t[]){8, 1}, &size), SETPAY_E_TOO_BIG);
    assert_int_equal(size, 7);
    assert_int_equal(setpay_iso_frame_size((const uint8_t[]){8, 0}, &size), SETPAY_OK);
    assert_int_equal(size, 2048);
}

/* What is above the limit is not built. */
static void refuses_to_build(void **state)
{
    struct setpay_iso_message message = {0};
    struct setpay_secret frame = {0};
    (void)state;
    assert_int_equal(setpay_iso_build(&message, &frame), SETPAY_E_MESSAGE_TYPE);
    assert_int_equal(setpay_iso_set_mti(&message, "0199"), SETPAY_E_MESSAGE_TYPE);
    assert_int_equal(setpay_iso_set_mti(&message, "01000"), SETPAY_E_MESSAGE_TYPE);
    assert_int_equal(setpay_iso_set_number(&message, 11, 1000000), SETPAY_E_FIELD);
    assert_int_equal(setpay_iso_set_text(&message, 5, "1"), SETPAY_E_FIELD);
    assert_int_equal(setpay_iso_set_text(&message, 200, "1"), SETPAY_E_FIELD);
    assert_null(frame.data);
    setpay_iso_clear(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_known_bytes),       cmocka_unit_test(reads_what_it_builds),
        cmocka_unit_test(takes_every_field),        cmocka_unit_test(refuses_cut_and_overlong),
        cmocka_unit_test(refuses_what_is_tampered), cmocka_unit_test(refuses_bad_lengths),
        cmocka_unit_test(reads_elements_strictly),  cmocka_unit_test(bounds_frames),
        cmocka_unit_test(refuses_to_build),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
