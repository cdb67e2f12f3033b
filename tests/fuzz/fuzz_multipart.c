/*
 * A form with a file as a browser sends it: refused, or texts that are UTF-8 without NUL, each name
 * once, and at most one file within its limit.
 */
#include "merchant/store/admin/multipart.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define FILE_MAX 1024

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check_field(const struct setpay_form *form, size_t index)
{
    const char *name = form->fields[index].name;
    const char *value = form->fields[index].value;
    FUZZ_CHECK(name[0] != '\0');
    FUZZ_CHECK(setpay_text_is_utf8(setpay_view_string(name)));
    FUZZ_CHECK(setpay_text_is_utf8(setpay_view_string(value)));
    FUZZ_CHECK(setpay_form_get(form, name) == value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_form form = {.text = NULL};
    struct setpay_buffer file;
    setpay_buffer_init(&file, FILE_MAX);
    enum setpay_error error = setpay_multipart_parse("multipart/form-data; boundary=x",
                                                     setpay_view_of(data, size), &form, &file);
    if (error == SETPAY_OK) {
        FUZZ_CHECK(form.count <= SETPAY_MULTIPART_PARTS_MAX && file.size <= FILE_MAX);
        for (size_t i = 0; i < form.count; i++)
            check_field(&form, i);
        setpay_form_clear(&form);
    } else {
        FUZZ_CHECK(error == SETPAY_E_INVALID || error == SETPAY_E_TOO_BIG);
        FUZZ_CHECK(form.text == NULL && form.count == 0);
    }
    setpay_buffer_clear(&file);
    return 0;
}
