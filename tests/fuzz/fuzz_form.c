/*
 * What a browser sends of a form: refused, or names and values that are UTF-8 without NUL, each
 * name once and none of them empty, and copies of them that fit and end between characters.
 */
#include "merchant/store/www/form.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

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
    char copy[8];
    FUZZ_CHECK(name[0] != '\0');
    FUZZ_CHECK(setpay_text_is_utf8(setpay_view_string(name)));
    FUZZ_CHECK(setpay_text_is_utf8(setpay_view_string(value)));
    /* It is found by its name, so no other has that. */
    FUZZ_CHECK(setpay_form_get(form, name) == value);
    enum setpay_error error = setpay_form_copy(form, name, copy, sizeof copy);
    FUZZ_CHECK(error == SETPAY_OK || error == SETPAY_E_TOO_BIG);
    FUZZ_CHECK(strlen(copy) < sizeof copy && strstr(value, copy) != NULL);
    FUZZ_CHECK(setpay_text_is_utf8(setpay_view_string(copy)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_form form = {.text = NULL};
    enum setpay_error error = setpay_form_parse(setpay_view_of(data, size), &form);
    if (error != SETPAY_OK) {
        FUZZ_CHECK(error == SETPAY_E_INVALID || error == SETPAY_E_TOO_BIG);
        FUZZ_CHECK(form.text == NULL && form.count == 0);
        return 0;
    }
    FUZZ_CHECK(form.count <= SETPAY_FORM_FIELDS_MAX);
    for (size_t i = 0; i < form.count; i++)
        check_field(&form, i);
    setpay_form_clear(&form);
    return 0;
}
