/*
 * Templates: what is written stands escaped for its place; places without a safe way, and whatever
 * else is not understood, are refused with line and words; blocks, includes, missing values; and
 * every template of the shop holds.
 */
#include "merchant/store/admin/admin_internal.h"
#include "merchant/store/www/html.h"
#include "merchant/store/www/template.h"
#include "merchant/store/www/www_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct setpay_problem problem;

static enum setpay_error read_texts(const char *page, const char *part,
                                    struct setpay_template **template)
{
    struct setpay_template_source sources[] = {
        {"page", setpay_view_string(page)}, {"part", setpay_view_string(part)}, {NULL, {NULL, 0}}};
    problem.text[0] = '\0';
    return setpay_template_new(sources, "page", template, &problem);
}

/* The page as a text, for the test to compare; "!" and the words where it is refused. */
static const char *made(const char *text, const char *part, const char *values)
{
    static char out[4096];
    struct setpay_template *template = NULL;
    struct setpay_buffer html;
    json_t *json = json_loads(values, 0, NULL);
    assert_non_null(json);
    setpay_buffer_init(&html, sizeof out - 1);
    enum setpay_error error = read_texts(text, part, &template);
    if (error == SETPAY_OK) {
        const struct setpay_page page = {.values = json};
        error = setpay_template_render(template, &page, &html, &problem);
    }
    if (error == SETPAY_OK)
        (void)snprintf(out, sizeof out, "%.*s", (int)html.size,
                       html.size > 0 ? (const char *)html.data : "");
    else
        (void)snprintf(out, sizeof out, "!%s", problem.text);
    setpay_template_free(template);
    setpay_buffer_clear(&html);
    json_decref(json);
    return out;
}

static void test_a_value_is_escaped_for_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *values;
        const char *expected;
    } rows[] = {
        {"<p>{{a}}</p>", "{\"a\":\"<b>&'\\\"\"}", "<p>&lt;b&gt;&amp;&#39;&quot;</p>"},
        {"<p title=\"{{a}}\">", "{\"a\":\"\\\" onclick=\\\"x\"}",
         "<p title=\"&quot; onclick=&quot;x\">"},
        {"{{a}}", "{\"a\":12}", "12"},
        {"{{a}}", "{\"a\":null}", ""},
        {"{{a.b.c}}", "{\"a\":{\"b\":{\"c\":\"x\"}}}", "x"},
        {"<a href=\"{{a}}\">", "{\"a\":\"https://b.example/?c=1&d\"}",
         "<a href=\"https://b.example/?c=1&amp;d\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"/orders/x\"}", "<a href=\"/orders/x\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"setpay://h/pay/t\"}", "<a href=\"setpay://h/pay/t\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"javascript:alert(1)\"}", "<a href=\"#\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"JaVaScRiPt:alert(1)\"}", "<a href=\"#\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"java\\tscript:alert(1)\"}", "<a href=\"#\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\" javascript:alert(1)\"}", "<a href=\"#\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"data:text/html,x\"}", "<a href=\"#\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"//evil.example/\"}", "<a href=\"#\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"/\\\\evil.example/\"}", "<a href=\"#\">"},
        {"<a href=\"{{a}}\">", "{\"a\":\"\"}", "<a href=\"#\">"},
        {"<a href=\"/o/{{a}}\">", "{\"a\":\"../x?y=\\\"#\"}",
         "<a href=\"/o/..%2Fx%3Fy%3D%22%23\">"},
        {"<a href=\"/o?q={{a}}&r={{b}}\">", "{\"a\":\"1&r=2\",\"b\":\"ä\"}",
         "<a href=\"/o?q=1%26r%3D2&r=%C3%A4\">"},
        {"<!-- {not} --><p>{{a}}</p>", "{\"a\":\"x\"}", "<!-- {not} --><p>x</p>"},
        {"<br/><input value=\"{{a}}\" disabled>{{a}}", "{\"a\":\"x\"}",
         "<br/><input value=\"x\" disabled>x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = made(rows[i].text, "", rows[i].values);
        if (strcmp(found, rows[i].expected) != 0)
            fail_msg("row %zu: %s", i, found);
    }
}

static void test_a_place_without_a_safe_way_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<p onclick=\"{{a}}\">",
        "<p style=\"{{a}}\">",
        "<p srcdoc=\"{{a}}\">",
        "<p unknown=\"{{a}}\">",
        "<p {{a}}>",
        "<p {{a}}=\"x\">",
        "<{{a}}>",
        "<p title={{a}}>",
        "<p title='{{a}}'>",
        "<p title=\"x\"{{a}}>",
        "<!-- {{a}} -->",
        "<script>{{a}}</script>",
        "<script src=\"{{a}}\"></script>",
        "<style>{{a}}</style>",
        "<SCRIPT>{{a}}</SCRIPT>",
        "<base href=\"{{a}}\">",
        "<meta http-equiv=\"refresh\" content=\"{{a}}\">",
        "<script>alert(1)</script>",
        "<style>p{}</style>",
        "<p title='x'>",
        "<p title=x>",
        "a < b",
        "<p title=\"<\">",
        "<p title=\"x",
        "<p",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct setpay_template *template = NULL;
        if (read_texts(texts[i], "", &template) != SETPAY_E_INVALID)
            fail_msg("%s was taken", texts[i]);
        assert_null(template);
        assert_int_equal(strncmp(problem.text, "page:1: ", 8), 0);
    }
}

static void test_blocks_choose_and_repeat(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *values;
        const char *expected;
    } rows[] = {
        {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":\"x\"}", "y"},
        {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":\"\"}", "n"},
        {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":false}", "n"},
        {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":true}", "y"},
        {"{{#if a}}y{{else}}n{{/if}}", "{\"a\":[]}", "n"},
        {"{{#if a}}y{{else}}n{{/if}}", "{}", "n"},
        {"{{#if a}}y{{/if}}.", "{}", "."},
        {"{{#if a}}{{#if b}}1{{else}}2{{/if}}{{else}}3{{/if}}", "{\"a\":1}", "2"},
        {"{{#each l}}<i>{{n}}{{o}}</i>{{/each}}", "{\"o\":\"!\",\"l\":[{\"n\":1},{\"n\":\"<\"}]}",
         "<i>1!</i><i>&lt;!</i>"},
        {"{{#each l}}{{.}},{{/each}}", "{\"l\":[\"a\",2]}", "a,2,"},
        {"{{#each l}}{{#each m}}{{n}}{{x}} {{/each}}{{/each}}",
         "{\"l\":[{\"n\":1,\"m\":[{\"x\":\"a\"},{\"x\":\"b\",\"n\":3}]},{\"n\":2,\"m\":[]}]}",
         "1a 3b "},
        {"{{#each l}}{{#if a}}{{a}}{{else}}-{{/if}}{{/each}}.", "{\"l\":[{\"a\":1},{}]}", "1-."},
        {"<p class=\"a{{#if b}} b{{/if}}\">", "{\"b\":1}", "<p class=\"a b\">"},
        {"{{a}}", "{}", "!a: the page has no such value"},
        {"{{a}}", "{\"a\":[1]}", "!a: neither a text nor a whole number"},
        {"{{a}}", "{\"a\":true}", "!a: neither a text nor a whole number"},
        {"{{#each a}}{{/each}}", "{}", "!a: the page has no such list"},
        {"{{#each a}}{{/each}}", "{\"a\":1}", "!a: not a list"},
        {"a{{> part}}c", "{\"b\":\"<\"}", "a<p>&lt;</p>c"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = made(rows[i].text, "<p>{{b}}</p>", rows[i].values);
        if (strcmp(found, rows[i].expected) != 0)
            fail_msg("row %zu: %s", i, found);
    }
}

static void test_what_is_not_understood_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *words;
    } rows[] = {
        {"a\nb{{c", "page:2: a {{ without its }}"},
        {"\n\n{{#if a}}", "page:4: a block"},
        {"{{/if}}", "page:1: an end"},
        {"{{#each a}}{{/if}}", "page:1: an end"},
        {"{{#if a}}{{/each}}", "page:1: an end"},
        {"{{else}}", "page:1: an else"},
        {"{{#if a}}{{else}}{{else}}{{/if}}", "page:1: an else"},
        {"{{#each a}}{{else}}{{/each}}", "page:1: an else"},
        {"{{ a }}", "page:1: expected"},
        {"{{}}", "page:1: expected"},
        {"{{a..b}}", "page:1: expected"},
        {"{{.a}}", "page:1: expected"},
        {"{{&a}}", "page:1: expected"},
        {"{{{a}}}", "page:1: expected"},
        {"{{#unless a}}{{/unless}}", "page:1: expected"},
        {"{{> none}}", "page:1: there is no template none"},
        {"{{> page}}", "page:1: templates include"},
        {"{{#if a}}<p {{/if}}>", "page:1: the block ends elsewhere"},
        {"{{#if a}}<p title=\"{{else}}<p class=\"{{/if}}x\">", "page:1: the block ends elsewhere"},
        {"<a href=\"{{#if a}}{{b}}{{/if}}{{c}}\">", "page:1: the block ends elsewhere"},
        {"{{> part}}", "part:1: a block is not closed"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_template *template = NULL;
        assert_int_not_equal(read_texts(rows[i].text, "{{#if a}}", &template), SETPAY_OK);
        if (i == 1)
            continue; /* its line is that of the end */
        if (strncmp(problem.text, rows[i].words, strlen(rows[i].words)) != 0)
            fail_msg("row %zu: %s", i, problem.text);
    }
}

static void test_trusted_html_stands_in_text_alone(void **state)
{
    (void)state;
    struct setpay_template *template = NULL;
    struct setpay_buffer html;
    json_t *values = json_pack("{s:s}", "a", "<b>");
    struct setpay_page page = {.values = values};
    assert_int_equal(setpay_page_add_trusted_html(&page, "raw", setpay_view_string("<hr>")),
                     SETPAY_OK);
    setpay_buffer_init(&html, 256);
    assert_int_equal(read_texts("{{a}}{{#if raw}}{{raw}}{{/if}}", "", &template), SETPAY_OK);
    assert_int_equal(setpay_template_render(template, &page, &html, &problem), SETPAY_OK);
    assert_int_equal(html.size, strlen("&lt;b&gt;<hr>"));
    assert_memory_equal(html.data, "&lt;b&gt;<hr>", html.size);
    setpay_template_free(template);
    assert_int_equal(read_texts("<p title=\"{{raw}}\">", "", &template), SETPAY_OK);
    assert_int_equal(setpay_template_render(template, &page, &html, &problem), SETPAY_E_INVALID);
    setpay_template_free(template);
    /* A page has an end. */
    setpay_buffer_clear(&html);
    setpay_buffer_init(&html, 8);
    assert_int_equal(read_texts("123456789", "", &template), SETPAY_OK);
    assert_int_equal(setpay_template_render(template, &page, &html, &problem), SETPAY_E_TOO_BIG);
    setpay_template_free(template);
    setpay_buffer_clear(&html);
    json_decref(values);
}

static void test_every_template_of_the_shop_holds(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SETPAY_WWW_PAGES; i++) {
        struct setpay_template *template = NULL;
        const char *name = setpay_www_page_name((enum setpay_www_page)i);
        if (setpay_template_new(setpay_www_sources, name, &template, &problem) != SETPAY_OK)
            fail_msg("%s", problem.text);
        setpay_template_free(template);
    }
}

/* Old orders may all have been sent, and those that wait stand on the next page. */
static void test_nothing_is_to_be_sent_where_no_page_follows(void **state)
{
    (void)state;
    static const char common[] = "{\"title\":\"Shipments\",\"shop\":\"Cups\",\"css\":\"a.css\","
                                 "\"who\":\"\",\"sent\":false}";
    static const char nothing[] = "Nothing is to be sent.", more[] = "/shipments?from=7";
    static const struct {
        const char *values;
        bool nothing, more;
    } rows[] = {
        {"{\"orders\":[],\"next\":\"\"}", true, false},
        {"{\"orders\":[],\"next\":\"7\"}", false, true},
        {"{\"orders\":[{\"id\":\"ord\",\"what\":\"\",\"where\":\"\",\"at\":\"\",\"amount\":\"\"}],"
         "\"next\":\"\"}",
         false, false},
    };
    struct setpay_template *template = NULL;
    const char *name = setpay_admin_page_name(SETPAY_ADMIN_SHIPMENTS);
    assert_int_equal(setpay_template_new(setpay_admin_sources, name, &template, &problem),
                     SETPAY_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_buffer html;
        json_t *values = json_loads(rows[i].values, 0, NULL);
        json_t *fixed = json_loads(common, 0, NULL);
        const struct setpay_page page = {.values = values};
        assert_int_equal(json_object_update_missing(values, fixed), 0);
        json_decref(fixed);
        setpay_buffer_init(&html, SETPAY_PAGE_BYTES);
        if (setpay_template_render(template, &page, &html, &problem) != SETPAY_OK)
            fail_msg("row %zu: %s", i, problem.text);
        bool says_nothing = memmem(html.data, html.size, nothing, strlen(nothing)) != NULL;
        bool says_more = memmem(html.data, html.size, more, strlen(more)) != NULL;
        if (says_nothing != rows[i].nothing || says_more != rows[i].more)
            fail_msg("row %zu: %.*s", i, (int)html.size, (const char *)html.data);
        setpay_buffer_clear(&html);
        json_decref(values);
    }
    setpay_template_free(template);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value_is_escaped_for_its_place),
        cmocka_unit_test(test_a_place_without_a_safe_way_is_refused),
        cmocka_unit_test(test_blocks_choose_and_repeat),
        cmocka_unit_test(test_what_is_not_understood_is_refused_with_its_line),
        cmocka_unit_test(test_trusted_html_stands_in_text_alone),
        cmocka_unit_test(test_every_template_of_the_shop_holds),
        cmocka_unit_test(test_nothing_is_to_be_sent_where_no_page_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
