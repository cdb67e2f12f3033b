/*
 * The codec of ISO 8583: what parses is built to the same bytes again, what does not leaves nothing
 * behind; and the header in front of it. Input: a message without its header.
 */
#include "gateway/network/iso8583.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check_header(const uint8_t header[SETPAY_ISO_HEADER_SIZE])
{
    size_t size = SIZE_MAX;
    if (setpay_iso_frame_size(header, &size) == SETPAY_OK)
        FUZZ_CHECK(size >= SETPAY_ISO_MESSAGE_MIN && size <= SETPAY_ISO_MESSAGE_MAX &&
                   size == ((size_t)header[0] << 8 | header[1]));
    else
        FUZZ_CHECK(size == SIZE_MAX);
}

/* Every field has the form that the table gives it. */
static void check_fields(const struct setpay_iso_message *message)
{
    for (unsigned field = 2; field < SETPAY_ISO_FIELD_COUNT; field++) {
        const struct setpay_iso_field_info *info = setpay_iso_field_info(field);
        uint64_t number;
        char text[SETPAY_ISO_MESSAGE_MAX];
        if (!setpay_iso_has(message, field))
            continue;
        FUZZ_CHECK(info != NULL);
        struct setpay_view value = info->secret
                                       ? setpay_secret_view(setpay_iso_secret(message, field))
                                       : setpay_iso_view(message, field);
        FUZZ_CHECK(value.size >= 1 && value.size <= info->max);
        FUZZ_CHECK(info->length != SETPAY_ISO_FIXED || value.size == info->max);
        for (size_t i = 0; i < value.size && info->type != SETPAY_ISO_B; i++)
            FUZZ_CHECK(value.data[i] >= 0x20 && value.data[i] <= 0x7e);
        if (info->secret)
            continue;
        FUZZ_CHECK(setpay_iso_get_text(message, field, text, sizeof(text)) == SETPAY_OK);
        if (info->type == SETPAY_ISO_N && value.size <= 19)
            FUZZ_CHECK(setpay_iso_get_number(message, field, &number) == SETPAY_OK);
    }
}

static void check_elements(const struct setpay_iso_message *message)
{
    struct setpay_view data;
    static const unsigned tags[] = {
        SETPAY_ISO_ELEMENT_POSTCODE,
        SETPAY_ISO_ELEMENT_HOUSE,
        SETPAY_ISO_ELEMENT_ECOMMERCE,
        SETPAY_ISO_ELEMENT_SECURITY_CODE,
        0,
        99,
    };
    enum setpay_error first = setpay_iso_element(message, tags[0], &data);
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        enum setpay_error error = setpay_iso_element(message, tags[i], &data);
        FUZZ_CHECK(error == first); /* the field's form is right or wrong for all of it */
        FUZZ_CHECK(error != SETPAY_OK || data.size <= 99);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct setpay_iso_message message; /* 3 KiB */
    struct setpay_secret frame = {0};
    struct setpay_problem problem = {{0}};
    if (size >= SETPAY_ISO_HEADER_SIZE)
        check_header(data);
    if (setpay_iso_parse(setpay_view_of(data, size), &message, &problem) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_blank(&message, sizeof(message)));
        FUZZ_CHECK(problem.text[0] != '\0');
        return 0;
    }
    check_fields(&message);
    check_elements(&message);
    FUZZ_CHECK(setpay_iso_build(&message, &frame) == SETPAY_OK);
    FUZZ_CHECK(frame.size == size + SETPAY_ISO_HEADER_SIZE);
    FUZZ_CHECK(memcmp(frame.data + SETPAY_ISO_HEADER_SIZE, data, size) == 0);
    setpay_secret_clear(&frame);
    setpay_iso_clear(&message);
    return 0;
}
