/*
 * Full-text search with SQLite's FTS5.
 *
 * Its query language has operators, columns and quotes. A word is therefore always handed over as a
 * quoted string, in which only the quote itself is special; so no text that a person types can be
 * anything but words, or be refused for its form.
 */
#include "common/store/search.h"

#include <stdbool.h>
#include <string.h>

/* What a word is made of, as far as that can be told by bytes: the rest separates. What is beyond
 * ASCII is left to the engine's tokeniser. */
static bool is_of_word(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

enum setpay_error setpay_search_query(const char *text, char *query)
{
    size_t size = strlen(text);
    size_t used = 0;
    size_t words = 0;
    query[0] = '\0';
    if (size > SETPAY_SEARCH_TEXT_BYTES)
        return SETPAY_E_TOO_BIG;
    if (!setpay_text_is_utf8(setpay_view_of(text, size)))
        return SETPAY_E_INVALID;
    for (size_t at = 0; at < size && words < SETPAY_SEARCH_WORDS_MAX; words++) {
        while (at < size && !is_of_word((unsigned char)text[at]))
            at++;
        size_t start = at;
        while (at < size && is_of_word((unsigned char)text[at]))
            at++;
        if (at == start)
            break;
        if (words > 0)
            query[used++] = ' ';
        query[used++] = '"';
        memcpy(query + used, text + start, at - start);
        used += at - start;
        query[used++] = '"';
    }
    if (words > 0)
        query[used++] = '*';
    query[used] = '\0';
    return SETPAY_OK;
}

enum setpay_error setpay_search_remove(struct setpay_db *db, int64_t row)
{
    return setpay_db_run(db, "DELETE FROM search WHERE rowid = $1", SETPAY_DB_INT(row));
}

enum setpay_error setpay_search_put(struct setpay_db *db, int64_t row, const char *title,
                                    const char *body)
{
    SETPAY_TRY(setpay_search_remove(db, row));
    return setpay_db_run(db, "INSERT INTO search (rowid, title, body) VALUES ($1, $2, $3)",
                         SETPAY_DB_INT(row), SETPAY_DB_TEXT(title), SETPAY_DB_TEXT(body));
}
