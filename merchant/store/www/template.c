/*
 * Templates: read once into a list of nodes, in which blocks are jumps; then walked for each page.
 *
 * Includes are read in place, so that the page's HTML is followed from its first byte to its last,
 * and the place of every value is known before there is one. Where a block may or may not be taken,
 * both ways must end at the same kind of place.
 */
#include "merchant/store/www/template.h"

#include "merchant/store/www/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { LITERAL, VALUE, IF, ELSE, EACH, END };

struct node {
    enum kind kind;
    enum setpay_html_place place; /* VALUE */
    struct setpay_view text;      /* LITERAL; of the others the name */
    size_t jump;                  /* IF: to ELSE or END; ELSE and EACH: to END; END: to its start */
};

struct setpay_template {
    struct node nodes[SETPAY_TEMPLATE_NODES];
    size_t count;
};

/* ------------------------------------------------------------------ reading */

/* A block that is open. */
struct block {
    enum kind kind;
    size_t at;
    struct setpay_html_cursor before;
};

struct reading {
    struct setpay_template *template;
    const struct setpay_template_source *sources;
    struct setpay_html_cursor cursor;
    struct block blocks[SETPAY_TEMPLATE_DEPTH];
    size_t depth;
    struct setpay_problem *problem;
    const char *source; /* where it is now, for words */
    int line;
};

static enum setpay_error wrong(struct reading *r, const char *words)
{
    return setpay_problem_set(r->problem, SETPAY_E_INVALID, "%s:%d: %s", r->source, r->line, words);
}

static enum setpay_error add_node(struct reading *r, enum kind kind, struct setpay_view text)
{
    if (r->template->count == SETPAY_TEMPLATE_NODES)
        return wrong(r, "the template is too long");
    r->template->nodes[r->template->count++] =
        (struct node){.kind = kind, .text = text, .place = SETPAY_HTML_NOWHERE};
    return SETPAY_OK;
}

static enum setpay_error read_literal(struct reading *r, struct setpay_view text)
{
    const char *words = NULL;
    if (text.size == 0)
        return SETPAY_OK;
    if (setpay_html_walk(&r->cursor, text, &words) != SETPAY_OK)
        return wrong(r, words);
    return add_node(r, LITERAL, text);
}

static enum setpay_error read_value(struct reading *r, struct setpay_view name)
{
    enum setpay_html_place place = setpay_html_place(&r->cursor);
    if (place == SETPAY_HTML_NOWHERE)
        return wrong(r, "no value may stand here: expected it in text or in a quoted attribute"
                        " that can't run anything");
    SETPAY_TRY(add_node(r, VALUE, name));
    r->template->nodes[r->template->count - 1].place = place;
    setpay_html_pass_value(&r->cursor);
    return SETPAY_OK;
}

static enum setpay_error open_block(struct reading *r, enum kind kind, struct setpay_view name)
{
    if (r->depth == SETPAY_TEMPLATE_DEPTH)
        return wrong(r, "blocks are nested too deep");
    r->blocks[r->depth++] =
        (struct block){.kind = kind, .at = r->template->count, .before = r->cursor};
    return add_node(r, kind, name);
}

static enum setpay_error read_else(struct reading *r)
{
    struct block *block = r->depth > 0 ? &r->blocks[r->depth - 1] : NULL;
    if (block == NULL || block->kind != IF)
        return wrong(r, "an else without its if");
    struct setpay_html_cursor before = block->before;
    r->template->nodes[block->at].jump = r->template->count;
    block->kind = ELSE;
    block->at = r->template->count;
    block->before = r->cursor; /* what the other branch must come to */
    r->cursor = before;
    return add_node(r, ELSE, SETPAY_VIEW_EMPTY);
}

static enum setpay_error close_block(struct reading *r, bool is_each)
{
    struct block *block = r->depth > 0 ? &r->blocks[r->depth - 1] : NULL;
    if (block == NULL || (block->kind == EACH) != is_each)
        return wrong(r, "an end without its start");
    if (!setpay_html_same(&r->cursor, &block->before))
        return wrong(r, "the block ends elsewhere in the HTML than it would without it");
    r->template->nodes[block->at].jump = r->template->count;
    r->depth--;
    SETPAY_TRY(add_node(r, END, SETPAY_VIEW_EMPTY));
    r->template->nodes[r->template->count - 1].jump = block->at;
    return SETPAY_OK;
}

static enum setpay_error read_source(struct reading *r, struct setpay_view name, int includes);

/* Behind a word of a tag; empty where the tag does not start with it. */
static struct setpay_view behind(struct setpay_view tag, const char *word)
{
    size_t size = strlen(word);
    if (tag.size <= size || memcmp(tag.data, word, size) != 0)
        return SETPAY_VIEW_EMPTY;
    return setpay_view_of(tag.data + size, tag.size - size);
}

static bool is_word(struct setpay_view tag, const char *word)
{
    return setpay_view_equal(tag, setpay_view_string(word));
}

/* Letters, digits, '_', with dots between; or one dot. */
static bool is_value_name(struct setpay_view name)
{
    if (is_word(name, "."))
        return true;
    for (size_t i = 0; i < name.size; i++) {
        char c = (char)name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        bool dot = c == '.' && i > 0 && i + 1 < name.size && name.data[i - 1] != '.';
        if (!letter && !dot)
            return false;
    }
    return name.size > 0 && name.size < SETPAY_TEMPLATE_NAME_SIZE;
}

/* What stands between "{{" and "}}". */
static enum setpay_error read_tag(struct reading *r, struct setpay_view tag, int includes)
{
    struct setpay_view name;
    if (is_word(tag, "else"))
        return read_else(r);
    if (is_word(tag, "/if"))
        return close_block(r, false);
    if (is_word(tag, "/each"))
        return close_block(r, true);
    if ((name = behind(tag, "> ")).size > 0)
        return read_source(r, name, includes + 1);
    if ((name = behind(tag, "#if ")).size > 0 && is_value_name(name))
        return open_block(r, IF, name);
    if ((name = behind(tag, "#each ")).size > 0 && is_value_name(name))
        return open_block(r, EACH, name);
    if (is_value_name(tag))
        return read_value(r, tag);
    return wrong(r, "expected {{name}}, {{#if name}}, {{else}}, {{/if}}, {{#each name}}, {{/each}}"
                    " or {{> template}}");
}

static void count_lines(struct reading *r, struct setpay_view text)
{
    for (size_t i = 0; i < text.size; i++)
        r->line += text.data[i] == '\n' ? 1 : 0;
}

static enum setpay_error read_text(struct reading *r, struct setpay_view text, int includes)
{
    while (text.size > 0) {
        const uint8_t *open = memmem(text.data, text.size, "{{", 2);
        size_t before = open == NULL ? text.size : (size_t)(open - text.data);
        struct setpay_view literal = setpay_view_of(text.data, before);
        SETPAY_TRY(read_literal(r, literal));
        count_lines(r, literal);
        if (open == NULL)
            return SETPAY_OK;
        text = setpay_view_of(open + 2, text.size - before - 2);
        const uint8_t *close = memmem(text.data, text.size, "}}", 2);
        if (close == NULL)
            return wrong(r, "a {{ without its }}");
        size_t size = (size_t)(close - text.data);
        SETPAY_TRY(read_tag(r, setpay_view_of(text.data, size), includes));
        text = setpay_view_of(close + 2, text.size - size - 2);
    }
    return SETPAY_OK;
}

static enum setpay_error read_source(struct reading *r, struct setpay_view name, int includes)
{
    const struct setpay_template_source *source = r->sources;
    const char *outer = r->source;
    int outer_line = r->line;
    size_t depth = r->depth;
    while (source->name != NULL && !is_word(name, source->name))
        source++;
    if (includes > SETPAY_TEMPLATE_DEPTH)
        return wrong(r, "templates include each other too deep");
    if (source->name == NULL)
        return setpay_problem_set(r->problem, SETPAY_E_NOT_FOUND,
                                  "%s:%d: there is no template %.*s", r->source, r->line,
                                  (int)name.size, (const char *)name.data);
    r->source = source->name;
    r->line = 1;
    SETPAY_TRY(read_text(r, source->text, includes));
    if (r->depth != depth)
        return wrong(r, "a block is not closed where it was opened");
    r->source = outer;
    r->line = outer_line;
    return SETPAY_OK;
}

enum setpay_error setpay_template_new(const struct setpay_template_source *sources,
                                      const char *name, struct setpay_template **template,
                                      struct setpay_problem *problem)
{
    struct setpay_template *made = calloc(1, sizeof *made);
    struct reading reading = {
        .template = made, .sources = sources, .problem = problem, .source = name, .line = 1};
    if (made == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = read_source(&reading, setpay_view_string(name), 0);
    if (error == SETPAY_OK && reading.cursor.state != SETPAY_HTML_IN_TEXT)
        error = wrong(&reading, "the page ends inside a tag");
    if (error == SETPAY_OK)
        *template = made;
    else
        free(made);
    return error;
}

void setpay_template_free(struct setpay_template *template)
{
    free(template);
}

/* ------------------------------------------------------------------ rendering */

struct rendering {
    const struct setpay_template *template;
    const struct setpay_page *page;
    struct setpay_buffer *out;
    struct setpay_problem *problem;
    const json_t *scopes[SETPAY_TEMPLATE_DEPTH + 1]; /* the innermost last */
    size_t scope_count;
};

enum setpay_error setpay_page_add_trusted_html(struct setpay_page *page, const char *name,
                                               struct setpay_view html)
{
    if (page->trusted_count == SETPAY_PAGE_TRUSTED)
        return SETPAY_E_TOO_BIG;
    page->trusted[page->trusted_count].name = name;
    page->trusted[page->trusted_count].html = html;
    page->trusted_count++;
    return SETPAY_OK;
}

/* A member by "a" or "a.b.c" of one object. */
static const json_t *member_of(const json_t *object, struct setpay_view name)
{
    char one[SETPAY_TEMPLATE_NAME_SIZE];
    while (object != NULL && name.size > 0) {
        const uint8_t *dot = memchr(name.data, '.', name.size);
        size_t size = dot == NULL ? name.size : (size_t)(dot - name.data);
        memcpy(one, name.data, size);
        one[size] = '\0';
        object = json_object_get(object, one);
        size += dot == NULL ? 0 : 1;
        name = setpay_view_of(name.data + size, name.size - size);
    }
    return object;
}

static const json_t *find(const struct rendering *r, struct setpay_view name)
{
    const json_t *found = NULL;
    if (is_word(name, "."))
        return r->scopes[r->scope_count - 1];
    for (size_t i = r->scope_count; i-- > 0 && found == NULL;)
        found = member_of(r->scopes[i], name);
    return found;
}

static const struct setpay_view *find_trusted(const struct rendering *r, struct setpay_view name)
{
    for (size_t i = 0; i < r->page->trusted_count; i++) {
        if (is_word(name, r->page->trusted[i].name))
            return &r->page->trusted[i].html;
    }
    return NULL;
}

static enum setpay_error complain(const struct rendering *r, enum setpay_error error,
                                  struct setpay_view name, const char *words)
{
    return setpay_problem_set(r->problem, error, "%.*s: %s", (int)name.size,
                              (const char *)name.data, words);
}

static enum setpay_error render_value(const struct rendering *r, const struct node *node)
{
    char number[24];
    const struct setpay_view *trusted = find_trusted(r, node->text);
    if (trusted != NULL)
        return node->place == SETPAY_HTML_TEXT
                   ? setpay_buffer_append(r->out, *trusted)
                   : complain(r, SETPAY_E_INVALID, node->text, "HTML inside a tag");
    const json_t *value = find(r, node->text);
    if (value == NULL)
        return complain(r, SETPAY_E_NOT_FOUND, node->text, "the page has no such value");
    switch (json_typeof(value)) {
    case JSON_STRING:
        return setpay_html_escape(
            node->place, setpay_view_of(json_string_value(value), json_string_length(value)),
            r->out);
    case JSON_INTEGER:
        (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return setpay_html_escape(node->place, setpay_view_string(number), r->out);
    case JSON_NULL:
        return SETPAY_OK;
    default:
        return complain(r, SETPAY_E_INVALID, node->text, "neither a text nor a whole number");
    }
}

static bool is_true(const json_t *value)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_NULL:
    case JSON_FALSE:
        return false;
    case JSON_STRING:
        return json_string_length(value) > 0;
    case JSON_ARRAY:
        return json_array_size(value) > 0;
    default:
        return true;
    }
}

static enum setpay_error render(struct rendering *r, size_t from, size_t to);

static enum setpay_error render_each(struct rendering *r, size_t at)
{
    const struct node *node = &r->template->nodes[at];
    const json_t *list = find(r, node->text);
    size_t index;
    const json_t *item;
    if (list == NULL)
        return complain(r, SETPAY_E_NOT_FOUND, node->text, "the page has no such list");
    if (!json_is_array(list))
        return complain(r, SETPAY_E_INVALID, node->text, "not a list");
    json_array_foreach(list, index, item)
    {
        r->scopes[r->scope_count++] = item;
        SETPAY_TRY(render(r, at + 1, node->jump));
        r->scope_count--;
    }
    return SETPAY_OK;
}

/* The nodes from … to - 1. */
static enum setpay_error render(struct rendering *r, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++) {
        const struct node *node = &r->template->nodes[at];
        switch (node->kind) {
        case LITERAL:
            SETPAY_TRY(setpay_buffer_append(r->out, node->text));
            break;
        case VALUE:
            SETPAY_TRY(render_value(r, node));
            break;
        case IF:
            if (find_trusted(r, node->text) == NULL && !is_true(find(r, node->text)))
                at = node->jump; /* behind ELSE, or behind END */
            break;
        case ELSE: /* met only behind the branch that was taken */
            at = node->jump;
            break;
        case EACH:
            SETPAY_TRY(render_each(r, at));
            at = node->jump;
            break;
        case END:
            break;
        }
    }
    return SETPAY_OK;
}

enum setpay_error setpay_template_render(const struct setpay_template *template,
                                         const struct setpay_page *page, struct setpay_buffer *out,
                                         struct setpay_problem *problem)
{
    struct rendering rendering = {.template = template,
                                  .page = page,
                                  .out = out,
                                  .problem = problem,
                                  .scopes = {page->values},
                                  .scope_count = 1};
    return render(&rendering, 0, template->count);
}
