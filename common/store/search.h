/*
 * Words in texts: the one place where the store's SQL is an engine's own. SQLite's is FTS5; another
 * engine behind the interface has an index of its own kind here, and the same functions.
 *
 * There is one index in a database. A document is known by the number of the row that it is about.
 */
#ifndef SETPAY_STORE_SEARCH_H
#define SETPAY_STORE_SEARCH_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/store/db.h"

/* Of what a person types: further words are not looked at, longer texts are refused. */
#define SETPAY_SEARCH_WORDS_MAX 12
#define SETPAY_SEARCH_TEXT_BYTES 256
#define SETPAY_SEARCH_QUERY_BYTES (SETPAY_SEARCH_TEXT_BYTES * 3)

/* SQL for a migration: letters count without case and accents, and beginnings of words are found.
 */
#define SETPAY_SEARCH_SCHEMA                                                                       \
    "CREATE VIRTUAL TABLE search USING fts5(title, body,"                                          \
    " tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3');"

/* For statements: the documents that a query (setpay_search_query) finds, as a table expression
 * with the columns row and rank, whole numbers; the best has the lowest. parameter: "$1". */
#define SETPAY_SEARCH_HITS(parameter)                                                              \
    "(SELECT rowid AS row, CAST(1000000 * bm25(search, 8.0, 1.0) AS INTEGER) AS rank"              \
    " FROM search WHERE search MATCH " parameter ")"

/* The text of a person as a query: every word has to be there, the last one perhaps unfinished.
 * Nothing in it is taken for an operator. *query (SETPAY_SEARCH_QUERY_BYTES) is empty where the
 * text holds no word: then nothing is to be searched for. SETPAY_E_TOO_BIG, SETPAY_E_INVALID (not
 * UTF-8). */
enum setpay_error setpay_search_query(const char *text, char *query) SETPAY_MUST_CHECK;

/* Inside an operation: the document is now this one; or is gone. */
enum setpay_error setpay_search_put(struct setpay_db *db, int64_t row, const char *title,
                                    const char *body) SETPAY_MUST_CHECK;
enum setpay_error setpay_search_remove(struct setpay_db *db, int64_t row) SETPAY_MUST_CHECK;

#endif
