/*
 * Templates of the shop's pages, and values in them. Input: a template, a byte 1, a value. Whatever
 * the value is, the page has the HTML that the template has with an empty one: it is walked from
 * its start to its end and comes to the same place, with as many tags.
 */
#include "merchant/store/www/html.h"
#include "merchant/store/www/template.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

/* The page; false where a value is missing or the page is too long. */
static bool render(const struct setpay_template *template, const char *value,
                   struct setpay_buffer *out)
{
    struct setpay_problem problem = {{0}};
    json_t *values = json_pack("{s:s, s:s, s:i, s:n, s:[{s:s}, {s:s}], s:[s, i]}", "a", value, "b",
                               "b", "n", 12, "z", "l", "a", value, "c", "c", "p", value, 3);
    if (values == NULL)
        return false; /* not UTF-8 */
    const struct setpay_page page = {.values = values};
    enum setpay_error error = setpay_template_render(template, &page, out, &problem);
    json_decref(values);
    FUZZ_CHECK(error == SETPAY_OK || error == SETPAY_E_TOO_BIG || problem.text[0] != '\0');
    return error == SETPAY_OK;
}

static size_t count_of(struct setpay_view text, char c)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == (uint8_t)c ? 1 : 0;
    return count;
}

static void check_page(const struct setpay_buffer *page, size_t tags)
{
    struct setpay_html_cursor cursor = {.state = SETPAY_HTML_IN_TEXT};
    const char *wrong = NULL;
    FUZZ_CHECK(setpay_html_walk(&cursor, setpay_buffer_view(page), &wrong) == SETPAY_OK);
    FUZZ_CHECK(cursor.state == SETPAY_HTML_IN_TEXT);
    FUZZ_CHECK(count_of(setpay_buffer_view(page), '<') == tags);
}

static void check_values(const struct setpay_template *template, const char *value)
{
    struct setpay_buffer plain;
    struct setpay_buffer page;
    setpay_buffer_init(&plain, SETPAY_PAGE_BYTES);
    setpay_buffer_init(&page, SETPAY_PAGE_BYTES);
    /* One that is there, so that the same branches are taken. */
    if (render(template, "x", &plain) && render(template, value, &page) && value[0] != '\0') {
        check_page(&plain, count_of(setpay_buffer_view(&plain), '<'));
        check_page(&page, count_of(setpay_buffer_view(&plain), '<'));
    }
    setpay_buffer_clear(&plain);
    setpay_buffer_clear(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, 1, size);
    struct setpay_view text = setpay_view_of(data, end == NULL ? size : (size_t)(end - data));
    char *value = fuzz_text(setpay_view_of(data + text.size + (end != NULL ? 1 : 0),
                                           size - text.size - (end != NULL ? 1 : 0)));
    const struct setpay_template_source sources[] = {
        {"page", text},
        {"part", setpay_view_string("<i title=\"{{a}}\">{{b}}</i>")},
        {NULL, {NULL, 0}}};
    struct setpay_template *template = NULL;
    struct setpay_problem problem = {{0}};
    if (size > 0 && setpay_template_new(sources, "page", &template, &problem) == SETPAY_OK)
        check_values(template, value);
    else
        FUZZ_CHECK(size == 0 || (template == NULL && problem.text[0] != '\0'));
    setpay_template_free(template);
    free(value);
    return 0;
}
