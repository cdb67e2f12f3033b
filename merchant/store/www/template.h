/*
 * Templates of the shop's pages.
 *
 *     {{name}}  {{item.name}}  {{.}}      a value; {{.}} is the item of a list of plain values
 *     {{#if name}} … {{else}} … {{/if}}   there, and neither false, null, "" nor an empty list
 *     {{#each items}} … {{/each}}         once for each; the item's members are found first
 *     {{> name}}                          another template, here
 *
 * Every value is escaped for the place where it stands, which is found out when the template is
 * read: HTML text, a quoted attribute, a whole URL (only with a scheme that can't script), a part
 * of a URL. A place for which there is no safe way (an attribute without quotes, a script, a style,
 * an event's handler, a comment, a tag's or attribute's name) is refused then. So no page can be
 * made to say what its author did not write; the one exception is setpay_page_add_trusted_html,
 * whose uses a test lists.
 */
#ifndef SETPAY_MERCHANT_WWW_TEMPLATE_H
#define SETPAY_MERCHANT_WWW_TEMPLATE_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <jansson.h>
#include <stddef.h>

#define SETPAY_TEMPLATE_NAME_SIZE 32
#define SETPAY_TEMPLATE_DEPTH 8 /* of blocks and of includes */
#define SETPAY_TEMPLATE_NODES 1024
#define SETPAY_PAGE_BYTES (1024 * 1024)
#define SETPAY_PAGE_TRUSTED 4

/* A template's text; a list of them ends with a NULL name. Texts outlive what is made of them. */
struct setpay_template_source {
    const char *name;
    struct setpay_view text;
};

struct setpay_template; /* immutable: any number of threads */

/* Reads the template name out of sources. SETPAY_E_INVALID with words in problem ("page:12: …"),
 * SETPAY_E_NOT_FOUND, SETPAY_E_NOMEM. */
enum setpay_error setpay_template_new(const struct setpay_template_source *sources,
                                      const char *name, struct setpay_template **template,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_template_free(struct setpay_template *template);

/* What a page is made of: values as JSON (borrowed), and HTML that is put in as it is. */
struct setpay_page {
    const json_t *values;
    struct {
        const char *name;
        struct setpay_view html;
    } trusted[SETPAY_PAGE_TRUSTED];
    size_t trusted_count;
};
/* The only way to a page for text that is not escaped: html, borrowed, comes from the program
 * itself and holds nothing that anybody else has written. It may stand in text alone, not in a tag.
 */
enum setpay_error setpay_page_add_trusted_html(struct setpay_page *page, const char *name,
                                               struct setpay_view html) SETPAY_MUST_CHECK;

/* Appends to out. SETPAY_E_NOT_FOUND for a value that is not there, SETPAY_E_INVALID for one that
 * can't stand in its place (a list or an object, or a list that is none), each with words in
 * problem; SETPAY_E_TOO_BIG, SETPAY_E_NOMEM. */
enum setpay_error setpay_template_render(const struct setpay_template *template,
                                         const struct setpay_page *page, struct setpay_buffer *out,
                                         struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
