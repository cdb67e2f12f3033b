/*
 * Text for a terminal: how wide it is, what of it may be shown, and tables whose columns line up.
 * Pure but for the stream that is printed to. All text is UTF-8.
 */
#ifndef SETPAY_CARDHOLDER_CLI_TEXT_H
#define SETPAY_CARDHOLDER_CLI_TEXT_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Call once at start: the widths of characters are the C library's, for UTF-8. */
void setpay_cli_text_init(void);

/* Columns that the text takes on a terminal: 2 for wide characters, 0 for combining ones. */
size_t setpay_cli_text_width(const char *text);

/* A copy of a text of strangers (owned; free) that can't move the cursor, change colours, break the
 * line or turn the direction of what follows: each such character, and each byte that is not UTF-8,
 * becomes U+FFFD. At most max_width columns, the last an ellipsis where it was cut; 0: all of it.
 * NULL for NULL, and where memory is short. */
char *setpay_cli_text_clean(const char *text, size_t max_width);

struct setpay_cli_column {
    const char *title; /* NULL in all of them: no head line */
    bool right;        /* aligned to the right: amounts, counts */
    size_t max_width;  /* cells are cut; 0: never */
};

/* Cells are cleaned and copied when they are added. Zeroed memory with columns is an empty table.
 */
struct setpay_cli_table {
    const struct setpay_cli_column *columns; /* borrowed */
    size_t column_count;
    char **cells; /* owned; row by row */
    size_t cell_count;
    size_t capacity;
};

/* One more cell; NULL is shown as "-". SETPAY_E_NOMEM. */
enum setpay_error setpay_cli_table_add(struct setpay_cli_table *table,
                                       const char *cell) SETPAY_MUST_CHECK;
/* indent blanks in front of each line; bold: head line in bold. */
void setpay_cli_table_print(const struct setpay_cli_table *table, FILE *out, size_t indent,
                            bool bold);
void setpay_cli_table_clear(struct setpay_cli_table *table);

#endif
