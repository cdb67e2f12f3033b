/*
 * Everything that comes from a merchant passes setpay_cli_text_clean before a person sees it: a
 * shop's or an article's name must not be able to repaint the confirmation that it stands in.
 *
 * Vocabulary: a column is one place of a terminal; a cell is one text of a table.
 */
#include "cardholder/cli/text.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS "\xe2\x80\xa6"    /* U+2026 */

/* The longest form that a byte may take. */
#define GROWTH (sizeof REPLACEMENT - 1)

void setpay_cli_text_init(void)
{
    /* Only the widths: numbers and words stay those of the C locale. */
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        (void)setlocale(LC_CTYPE, "");
}

/* The character at *at, which moves behind it; a byte that is no UTF-8 gives UINT32_MAX. */
static uint32_t next_character(const char **at)
{
    const unsigned char *bytes = (const unsigned char *)*at;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    size_t more = 0;
    uint32_t character = bytes[0];

    if (bytes[0] >= 0xf0 && bytes[0] <= 0xf4)
        more = 3;
    else if (bytes[0] >= 0xe0)
        more = 2;
    else if (bytes[0] >= 0xc2)
        more = 1;
    (*at)++;
    if (more == 0)
        return bytes[0] < 0x80 ? character : UINT32_MAX;
    if (bytes[0] > 0xf4)
        return UINT32_MAX;
    character &= 0x3fU >> more;
    for (size_t i = 1; i <= more; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return UINT32_MAX;
        character = character << 6 | (bytes[i] & 0x3fU);
    }
    if (character < least[more] || character > 0x10ffff ||
        (character >= 0xd800 && character <= 0xdfff))
        return UINT32_MAX;
    *at += more;
    return character;
}

static size_t character_width(uint32_t character)
{
    int width = character == UINT32_MAX ? 1 : wcwidth((wchar_t)character);

    return width < 0 ? 1 : (size_t)width;
}

/* What could act on a terminal, or on the order in which the characters around it are shown. */
static bool is_harmful(uint32_t character)
{
    return character == UINT32_MAX || character < 0x20 || (character >= 0x7f && character < 0xa0) ||
           character == 0x00ad || character == 0x061c ||
           (character >= 0x200b && character <= 0x200f) ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2060 && character <= 0x206f) || character == 0xfeff ||
           (character >= 0xfff9 && character <= 0xfffb) ||
           (character >= 0xe0000 && character <= 0xe007f);
}

size_t setpay_cli_text_width(const char *text)
{
    size_t width = 0;

    while (*text != '\0')
        width += character_width(next_character(&text));
    return width;
}

char *setpay_cli_text_clean(const char *text, size_t max_width)
{
    char *clean = NULL;
    size_t used = 0;
    size_t width = 0;
    size_t cut_at = 0; /* where an ellipsis still fits */

    if (text == NULL)
        return NULL;
    clean = malloc(strlen(text) * GROWTH + sizeof ELLIPSIS);
    if (clean == NULL)
        return NULL;
    while (*text != '\0') {
        const char *start = text;
        uint32_t character = next_character(&text);
        bool harmful = is_harmful(character);
        size_t takes = harmful ? 1 : character_width(character);

        if (max_width > 0 && width + takes > max_width) {
            memcpy(clean + cut_at, ELLIPSIS, sizeof ELLIPSIS);
            return clean;
        }
        if (harmful) {
            memcpy(clean + used, REPLACEMENT, sizeof REPLACEMENT - 1);
            used += sizeof REPLACEMENT - 1;
        } else {
            memcpy(clean + used, start, (size_t)(text - start));
            used += (size_t)(text - start);
        }
        width += takes;
        if (width < max_width)
            cut_at = used;
    }
    clean[used] = '\0';
    return clean;
}

enum setpay_error setpay_cli_table_add(struct setpay_cli_table *table, const char *cell)
{
    size_t column = table->cell_count % table->column_count;

    if (table->cell_count == table->capacity) {
        size_t capacity = table->capacity == 0 ? 32 : table->capacity * 2;
        char **cells = realloc(table->cells, capacity * sizeof *cells);

        if (cells == NULL)
            return SETPAY_E_NOMEM;
        table->cells = cells;
        table->capacity = capacity;
    }
    table->cells[table->cell_count] = setpay_cli_text_clean(
        cell == NULL || *cell == '\0' ? "-" : cell, table->columns[column].max_width);
    if (table->cells[table->cell_count] == NULL)
        return SETPAY_E_NOMEM;
    table->cell_count++;
    return SETPAY_OK;
}

static const char *title_of(const struct setpay_cli_table *table, size_t column)
{
    return table->columns[column].title == NULL ? "" : table->columns[column].title;
}

static size_t column_width(const struct setpay_cli_table *table, size_t column)
{
    size_t widest = setpay_cli_text_width(title_of(table, column));

    for (size_t at = column; at < table->cell_count; at += table->column_count) {
        size_t width = setpay_cli_text_width(table->cells[at]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

static void print_blanks(FILE *out, size_t count)
{
    (void)fprintf(out, "%*s", (int)count, "");
}

/* One cell, and the blanks that bring it to the column's width; none at the end of a line. */
static void print_cell(const struct setpay_cli_table *table, FILE *out, size_t column, size_t width,
                       const char *text)
{
    size_t missing = width - setpay_cli_text_width(text);

    if (table->columns[column].right)
        print_blanks(out, missing);
    (void)fputs(text, out);
    if (column + 1 == table->column_count)
        (void)fputc('\n', out);
    else
        print_blanks(out, (table->columns[column].right ? 0 : missing) + 2);
}

void setpay_cli_table_print(const struct setpay_cli_table *table, FILE *out, size_t indent,
                            bool bold)
{
    size_t *widths = calloc(table->column_count, sizeof *widths);

    if (widths == NULL)
        return;
    for (size_t column = 0; column < table->column_count; column++)
        widths[column] = column_width(table, column);
    if (table->columns[0].title != NULL) {
        print_blanks(out, indent);
        (void)fputs(bold ? "\033[1m" : "", out);
        for (size_t column = 0; column < table->column_count; column++)
            print_cell(table, out, column, widths[column], title_of(table, column));
        (void)fputs(bold ? "\033[0m" : "", out);
    }
    for (size_t at = 0; at < table->cell_count; at++) {
        size_t column = at % table->column_count;

        if (column == 0)
            print_blanks(out, indent);
        print_cell(table, out, column, widths[column], table->cells[at]);
    }
    free(widths);
}

void setpay_cli_table_clear(struct setpay_cli_table *table)
{
    for (size_t at = 0; at < table->cell_count; at++)
        free(table->cells[at]);
    free(table->cells);
    table->cells = NULL;
    table->cell_count = 0;
    table->capacity = 0;
}
