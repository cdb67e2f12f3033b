/*
 * A store in a temporary folder, for tests: a small schema, a gate that stops the committer, and
 * operations on the table item (key, value, version).
 */
#ifndef SETPAY_TESTS_STORE_H
#define SETPAY_TESTS_STORE_H

#include "common/store/store.h"

#include <semaphore.h>

/* SQL: takes away what keeps a gateway's ledger from being changed, as who edits it would. */
#define TEST_LEDGER_UNGUARD                                                                        \
    "DROP TRIGGER IF EXISTS ledger_entry_update;"                                                  \
    "DROP TRIGGER IF EXISTS ledger_entry_delete;"                                                  \
    "DROP TRIGGER IF EXISTS ledger_posting_update;"                                                \
    "DROP TRIGGER IF EXISTS ledger_posting_delete;"

struct test_folder {
    char path[64];
    char file[96]; /* the database */
    char url[112];
};

extern const struct setpay_store_schema test_store_schema;

void test_folder_make(struct test_folder *folder);
void test_folder_remove(const struct test_folder *folder);
/* Aborts where it can't be opened. */
struct setpay_store *test_store_open(const struct test_folder *folder, size_t queue_max,
                                     size_t group_max);
/* Whether any file of the database (itself, log, index) holds the bytes. */
bool test_folder_holds(const struct test_folder *folder, const void *bytes, size_t size);

/* An operation that holds the committer: entered says that it is inside, then it waits for leave.
 */
struct test_gate {
    sem_t entered;
    sem_t leave;
};
void test_gate_close(struct test_gate *gate, struct setpay_store *store);
void test_gate_open(struct test_gate *gate);

/* INSERT of one item; error, where not SETPAY_OK, is given after the INSERT. */
struct test_item {
    int64_t key;
    const char *value;
    enum setpay_error error;
    /* What done heard. */
    enum setpay_error result;
    sem_t *done;
};
enum setpay_error test_item_insert(struct setpay_db *db, void *item);
void test_item_done(void *item, enum setpay_error error);
/* The number of items, read through a reader of its own. */
int64_t test_item_count(struct setpay_store *store);
bool test_item_exists(struct setpay_store *store, int64_t key);

#endif
