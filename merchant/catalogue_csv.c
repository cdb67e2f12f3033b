/*
 * A catalogue out of CSV. What the columns hold is judged where it is imported, except for prices,
 * numbers and the form of the file, which are turned into JSON here.
 */
#include "merchant/catalogue_file.h"

#include "common/base/bytes.h"
#include "common/base/money.h"
#include "common/base/noun.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct csv {
    const char *name; /* of the file */
    char *at;         /* what is left; changed in place while it is read */
    int line;         /* of what is read next */
    char *columns[SETPAY_CATALOGUE_COLUMNS_MAX];
    size_t column_count;
    char *fields[SETPAY_CATALOGUE_COLUMNS_MAX];
    int row_line; /* where the row in fields begins */
    struct setpay_problem *problem;
};

#define REFUSE(csv, ...) refuse((csv), (csv)->row_line, __VA_ARGS__)

static enum setpay_error refuse(struct csv *csv, int line, const char *format, ...)
    SETPAY_PRINTF(3, 4);
static enum setpay_error refuse(struct csv *csv, int line, const char *format, ...)
{
    char words[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    return setpay_problem_set(csv->problem, SETPAY_E_USAGE, "%s, line %d: %s", csv->name, line,
                              words);
}

/* ------------------------------------------------------------------ rows and fields */

/* A field in quotes, in which a quote stands twice; NULL where it does not end. */
static char *read_quoted(struct csv *csv)
{
    char *start = csv->at + 1;
    char *to = start;
    for (char *from = start; *from != '\0'; from++) {
        if (*from == '\n')
            csv->line++;
        if (*from == '"' && from[1] != '"') {
            *to = '\0';
            csv->at = from + 1;
            return start;
        }
        if (*from == '"')
            from++;
        *to++ = *from;
    }
    return NULL;
}

/* One field, with what ends it: ',' '\n' or '\0'. */
static enum setpay_error read_field(struct csv *csv, char **field, char *end)
{
    if (*csv->at == '"') {
        *field = read_quoted(csv);
        if (*field == NULL)
            return REFUSE(csv, "a quote is opened and not closed");
    } else {
        *field = csv->at;
        csv->at += strcspn(csv->at, ",\r\n");
    }
    char *behind = csv->at;
    if (behind[0] == '\r' && behind[1] == '\n')
        behind++;
    *end = *behind;
    if (*end != ',' && *end != '\n' && *end != '\0')
        return REFUSE(csv, "found '%c' behind a quote; expected a comma or the end of the line",
                      *end);
    *csv->at = '\0';
    csv->at = *end == '\0' ? behind : behind + 1;
    return SETPAY_OK;
}

/* The next row into fields; *count 0 at the end. Empty lines are passed over. */
static enum setpay_error read_row(struct csv *csv, size_t *count)
{
    char end = ',';
    *count = 0;
    while (*csv->at == '\n' || *csv->at == '\r') {
        csv->line += *csv->at == '\n';
        csv->at++;
    }
    csv->row_line = csv->line;
    if (*csv->at == '\0')
        return SETPAY_OK;
    while (end == ',') {
        if (*count == SETPAY_CATALOGUE_COLUMNS_MAX)
            return REFUSE(csv, "expected at most %d columns", SETPAY_CATALOGUE_COLUMNS_MAX);
        SETPAY_TRY(read_field(csv, &csv->fields[(*count)++], &end));
    }
    csv->line += end == '\n';
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ columns */

static bool is_column(const char *name)
{
    static const char *const names[] = {"slug",      "name",       "description", "status",
                                        "tax_class", "sku",        "weight_g",    "on_hand",
                                        "low_at",    "categories", "picture",     "picture_alt"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    if (strncmp(name, "price:", 6) == 0)
        return setpay_currency_by_code(name + 6) != NULL;
    return strncmp(name, "option:", 7) == 0 && name[7] != '\0';
}

static enum setpay_error read_columns(struct csv *csv)
{
    size_t count = 0;
    SETPAY_TRY(read_row(csv, &count));
    for (size_t i = 0; i < count; i++) {
        if (!is_column(csv->fields[i]))
            return REFUSE(csv,
                          "unknown column '%.40s'; expected slug, name, description, status,"
                          " tax_class, categories, sku, weight_g, on_hand, low_at, picture,"
                          " picture_alt, option:NAME or price:CURRENCY",
                          csv->fields[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(csv->fields[i], csv->fields[k]) == 0)
                return REFUSE(csv, "the column '%.40s' stands there twice", csv->fields[i]);
        }
        csv->columns[i] = csv->fields[i];
    }
    csv->column_count = count;
    return SETPAY_OK;
}

/* The field in a column; "" where there is no such column. */
static const char *field_of(const struct csv *csv, const char *column)
{
    for (size_t i = 0; i < csv->column_count; i++) {
        if (strcmp(csv->columns[i], column) == 0)
            return csv->fields[i];
    }
    return "";
}

/* ------------------------------------------------------------------ JSON */

static enum setpay_error set(struct csv *csv, json_t *object, const char *name, json_t *value)
{
    if (value == NULL)
        return REFUSE(csv, "%s: the text is not UTF-8", name);
    return json_object_set_new(object, name, value) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error set_text(struct csv *csv, json_t *object, const char *column)
{
    const char *text = field_of(csv, column);
    return text[0] == '\0' ? SETPAY_OK : set(csv, object, column, json_string(text));
}

static enum setpay_error set_number(struct csv *csv, json_t *object, const char *column)
{
    const char *text = field_of(csv, column);
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (text[0] == '\0')
        return SETPAY_OK;
    if (*end != '\0' || errno != 0)
        return REFUSE(csv, "%s: found '%.40s'; expected a whole number", column, text);
    return set(csv, object, column, json_integer(number));
}

static enum setpay_error set_price(struct csv *csv, json_t *prices, const char *currency,
                                   const char *text)
{
    char whole[64];
    struct setpay_money money;
    (void)snprintf(whole, sizeof whole, "%.40s %.3s", text, currency);
    if (setpay_money_parse(whole, &money) != SETPAY_OK)
        return REFUSE(csv, "price:%s: found '%.40s'; expected an amount, like 12.50", currency,
                      text);
    return set(csv, prices, currency, json_integer(money.minor));
}

/* Takes nothing; *variant is owned. */
static enum setpay_error fill_variant(struct csv *csv, json_t *variant)
{
    json_t *options = json_object();
    json_t *prices = json_object();
    SETPAY_TRY(set(csv, variant, "options", options));
    SETPAY_TRY(set(csv, variant, "prices", prices));
    SETPAY_TRY(set_text(csv, variant, "sku"));
    SETPAY_TRY(set_number(csv, variant, "weight_g"));
    for (size_t i = 0; i < csv->column_count; i++) {
        const char *column = csv->columns[i];
        if (csv->fields[i][0] == '\0')
            continue;
        if (strncmp(column, "price:", 6) == 0)
            SETPAY_TRY(set_price(csv, prices, column + 6, csv->fields[i]));
        else if (strncmp(column, "option:", 7) == 0)
            SETPAY_TRY(set(csv, options, column + 7, json_string(csv->fields[i])));
    }
    if (field_of(csv, "on_hand")[0] == '\0') {
        /* It would have the variant counted, and there be none. */
        if (field_of(csv, "low_at")[0] != '\0')
            return REFUSE(csv, "low_at: found '%.40s' without on_hand; expected both, or neither",
                          field_of(csv, "low_at"));
        return SETPAY_OK;
    }
    json_t *stock = json_object();
    SETPAY_TRY(set(csv, variant, "stock", stock));
    SETPAY_TRY(set_number(csv, stock, "low_at"));
    return set_number(csv, stock, "on_hand");
}

static enum setpay_error add_picture(struct csv *csv, json_t *product)
{
    const char *file = field_of(csv, "picture");
    const char *alt = field_of(csv, "picture_alt");
    json_t *pictures = json_object_get(product, "pictures");
    if (file[0] == '\0')
        return SETPAY_OK;
    if (pictures == NULL) {
        SETPAY_TRY(set(csv, product, "pictures", json_array()));
        pictures = json_object_get(product, "pictures");
    }
    json_t *picture = json_pack("{s:s, s:s}", "file", file, "alt", alt);
    if (picture == NULL)
        return REFUSE(csv, "picture: the text is not UTF-8");
    return json_array_append_new(pictures, picture) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error fill_product(struct csv *csv, json_t *product)
{
    static const char *const texts[] = {"slug", "name", "description", "status", "tax_class"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        SETPAY_TRY(set_text(csv, product, texts[i]));
    json_t *categories = json_array();
    SETPAY_TRY(set(csv, product, "variants", json_array()));
    SETPAY_TRY(set(csv, product, "categories", categories));
    for (const char *at = field_of(csv, "categories"); *at != '\0';) {
        size_t size = strcspn(at, ";");
        json_t *slug = json_stringn(at, size);
        if (slug == NULL)
            return REFUSE(csv, "categories: the text is not UTF-8");
        if (json_array_append_new(categories, slug) != 0)
            return SETPAY_E_NOMEM;
        at += size + (at[size] == ';' ? 1 : 0);
    }
    return SETPAY_OK;
}

/* The product of this row: one that an earlier row has begun, or a new one. */
static enum setpay_error find_product(struct csv *csv, json_t *products, json_t **product)
{
    size_t index;
    json_t *held;
    const char *slug = field_of(csv, "slug");
    json_array_foreach(products, index, held)
    {
        const char *its = json_string_value(json_object_get(held, "slug"));
        if (its != NULL && strcmp(its, slug) == 0) {
            *product = held;
            return SETPAY_OK;
        }
    }
    if (slug[0] == '\0')
        return REFUSE(csv, "slug: found nothing; expected the product's slug");
    json_t *made = json_object();
    if (json_array_append_new(products, made) != 0)
        return SETPAY_E_NOMEM;
    *product = made;
    return fill_product(csv, made);
}

static enum setpay_error add_row(struct csv *csv, size_t count, json_t *products)
{
    json_t *product = NULL;
    if (count != csv->column_count)
        return REFUSE(csv, "found %zu %s; expected %zu, as many as columns", count,
                      setpay_noun((int64_t)count, "field", "fields"), csv->column_count);
    SETPAY_TRY(find_product(csv, products, &product));
    json_t *variant = json_object();
    if (json_array_append_new(json_object_get(product, "variants"), variant) != 0)
        return SETPAY_E_NOMEM;
    SETPAY_TRY(fill_variant(csv, variant));
    return add_picture(csv, product);
}

enum setpay_error setpay_catalogue_csv_parse(const char *name, const char *text, json_t **body,
                                             struct setpay_problem *problem)
{
    char *copy = strdup(text);
    json_t *made = json_pack("{s:[]}", "products");
    struct csv csv = {.name = name, .at = copy, .line = 1, .row_line = 1, .problem = problem};
    size_t count = 0;
    enum setpay_error error = copy == NULL || made == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK && strncmp(copy, "\xef\xbb\xbf", 3) == 0)
        csv.at += 3; /* a mark that spreadsheets put there */
    if (error == SETPAY_OK)
        error = read_columns(&csv);
    while (error == SETPAY_OK) {
        error = read_row(&csv, &count);
        if (error != SETPAY_OK || count == 0)
            break;
        error = add_row(&csv, count, json_object_get(made, "products"));
    }
    if (error == SETPAY_OK && json_array_size(json_object_get(made, "products")) == 0)
        error = refuse(&csv, csv.line, "found no product; expected a line of columns, and rows");
    if (error == SETPAY_OK)
        *body = made;
    else
        json_decref(made);
    free(copy);
    return error;
}
