/*
 * SQL inside a transaction (common/store/db.h), opening, and schema steps.
 */
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_error(expression, expected)                                                         \
    assert_string_equal(setpay_error_name(expression), setpay_error_name(expected))
#define assert_success(expression) assert_error(expression, SETPAY_OK)

struct fixture {
    struct test_folder folder;
    struct setpay_store *store;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    test_folder_make(&fixture->folder);
    fixture->store = test_store_open(&fixture->folder, 0, 0);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    setpay_store_close(fixture->store);
    test_folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

/* ------------------------------------------------------------------ values */

static enum setpay_error round_trip(struct setpay_db *db, void *arg)
{
    struct setpay_id id;
    struct setpay_digest digest;
    struct setpay_db_rows *rows = NULL;
    char text[8];
    (void)arg;
    memset(&id, 0x11, sizeof id);
    memset(&digest, 0x22, sizeof digest);
    SETPAY_TRY(setpay_db_run(db, "CREATE TEMPORARY TABLE v (a BIGINT, b TEXT, c BLOB, d BLOB,"
                                 " e BLOB, f TEXT, g BLOB)"));
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO v VALUES ($1, $2, $3, $4, $5, $6, $7)",
                             SETPAY_DB_INT(INT64_MIN), SETPAY_DB_TEXT("gr\xc3\xbc\xc3\x9f"),
                             SETPAY_DB_VIEW(SETPAY_VIEW_ARRAY("a\0b")), SETPAY_DB_ID(&id),
                             SETPAY_DB_DIGEST(&digest), SETPAY_DB_TEXT(NULL),
                             SETPAY_DB_VIEW(SETPAY_VIEW_EMPTY)));
    assert_int_equal(setpay_db_changes(db), 1);
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT * FROM v"));
    struct setpay_id id_back;
    struct setpay_digest digest_back;
    struct setpay_buffer buffer;
    setpay_buffer_init(&buffer, 64);
    assert_true(setpay_db_get_int(rows, 0) == INT64_MIN);
    setpay_db_get_text(rows, 1, text, sizeof text);
    assert_string_equal(text, "gr\xc3\xbc\xc3\x9f");
    setpay_db_get_buffer(rows, 2, &buffer);
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.data, "a\0b", 4);
    setpay_db_get_id(rows, 3, &id_back);
    setpay_db_get_digest(rows, 4, &digest_back);
    assert_true(setpay_id_equal(&id, &id_back));
    assert_true(setpay_digest_equal(&digest, &digest_back));
    assert_true(setpay_db_is_null(rows, 5));
    assert_int_equal(setpay_db_get_view(rows, 5).size, 0);
    assert_false(setpay_db_is_null(rows, 6));
    assert_int_equal(setpay_db_get_view(rows, 6).size, 0);
    setpay_buffer_clear(&buffer);
    return setpay_db_end(rows);
}

static void values_come_back_as_they_went(void **state)
{
    struct fixture *fixture = *state;
    assert_success(setpay_store_submit_wait(fixture->store, round_trip, NULL));
}

/* Each reads column 0 of a row in a way that does not fit. */
static void get_int(struct setpay_db_rows *rows)
{
    assert_int_equal(setpay_db_get_int(rows, 0), 0);
}

static void get_bool(struct setpay_db_rows *rows)
{
    assert_false(setpay_db_get_bool(rows, 0));
}

static void get_short_text(struct setpay_db_rows *rows)
{
    char text[5] = "x";
    setpay_db_get_text(rows, 0, text, sizeof text);
    assert_string_equal(text, "");
}

static void get_id(struct setpay_db_rows *rows)
{
    struct setpay_id id;
    memset(&id, 1, sizeof id);
    setpay_db_get_id(rows, 0, &id);
    assert_true(setpay_id_is_zero(&id));
}

static void get_digest(struct setpay_db_rows *rows)
{
    struct setpay_digest digest;
    setpay_db_get_digest(rows, 0, &digest);
    assert_true(setpay_digest_is_zero(&digest));
}

static void get_view(struct setpay_db_rows *rows)
{
    assert_int_equal(setpay_db_get_view(rows, 0).size, 0);
}

static void get_beyond(struct setpay_db_rows *rows)
{
    assert_int_equal(setpay_db_get_int(rows, 1), 0);
}

struct misfit {
    const char *sql;
    void (*get)(struct setpay_db_rows *rows);
    enum setpay_error error;
};

static enum setpay_error read_misfit(struct setpay_db *db, void *arg)
{
    const struct misfit *misfit = arg;
    struct setpay_db_rows *rows = NULL;
    SETPAY_TRY(setpay_db_one(db, &rows, misfit->sql));
    misfit->get(rows);
    return setpay_db_end(rows);
}

static void a_column_that_does_not_fit_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct misfit misfits[] = {
        {"SELECT 'text'", get_int, SETPAY_E_STORE},
        {"SELECT NULL", get_int, SETPAY_E_STORE},
        {"SELECT 1.5", get_int, SETPAY_E_STORE},
        {"SELECT 2", get_bool, SETPAY_E_STORE},
        {"SELECT 'abcde'", get_short_text, SETPAY_E_STORE},
        {"SELECT x'6162'", get_short_text, SETPAY_E_STORE},
        {"SELECT x'0102'", get_id, SETPAY_E_STORE},
        {"SELECT NULL", get_id, SETPAY_E_STORE},
        {"SELECT zeroblob(33)", get_digest, SETPAY_E_STORE},
        {"SELECT 7", get_view, SETPAY_E_STORE},
        {"SELECT 7", get_beyond, SETPAY_E_INTERNAL},
    };
    for (size_t i = 0; i < sizeof misfits / sizeof misfits[0]; i++)
        assert_error(setpay_store_submit_wait(fixture->store, read_misfit, &misfits[i]),
                     misfits[i].error);
}

/* ------------------------------------------------------------------ statements */

static enum setpay_error wrong_statements(struct setpay_db *db, void *arg)
{
    (void)arg;
    assert_error(setpay_db_run(db, "DELETE FROM nowhere"), SETPAY_E_INTERNAL);
    assert_error(setpay_db_run(db, "DELETE FROM item WHERE key = $1"), SETPAY_E_INTERNAL);
    assert_error(
        setpay_db_run(db, "DELETE FROM item WHERE key = $1", SETPAY_DB_INT(1), SETPAY_DB_INT(2)),
        SETPAY_E_INTERNAL);
    assert_error(setpay_db_run(db, "DELETE FROM item WHERE key = $2 OR key = $1", SETPAY_DB_INT(1),
                               SETPAY_DB_INT(2)),
                 SETPAY_E_INTERNAL);
    assert_error(setpay_db_run(db, "DELETE FROM item WHERE key = ?", SETPAY_DB_INT(1)),
                 SETPAY_E_INTERNAL);
    assert_error(setpay_db_run(db, "DELETE FROM item; DELETE FROM item"), SETPAY_E_INTERNAL);
    assert_error(setpay_db_run(db, "SELECT 1"), SETPAY_E_INTERNAL);
    assert_error(setpay_db_run(db, "INSERT INTO item (key, value) VALUES (1, NULL)"),
                 SETPAY_E_INTERNAL);
    return SETPAY_OK;
}

static void a_wrong_statement_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_success(setpay_store_submit_wait(fixture->store, wrong_statements, NULL));
}

static enum setpay_error duplicate_then_more(struct setpay_db *db, void *arg)
{
    (void)arg;
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO item (key, value) VALUES ($1, $2)", SETPAY_DB_INT(1),
                             SETPAY_DB_TEXT("a")));
    assert_error(setpay_db_run(db, "INSERT INTO item (key, value) VALUES ($1, $2)",
                               SETPAY_DB_INT(1), SETPAY_DB_TEXT("b")),
                 SETPAY_E_DUPLICATE);
    assert_int_equal(setpay_db_changes(db), 0);
    SETPAY_TRY(setpay_db_run(db,
                             "UPDATE item SET version = version + 1 WHERE key = $1 AND"
                             " version = $2",
                             SETPAY_DB_INT(1), SETPAY_DB_INT(5)));
    assert_int_equal(setpay_db_changes(db), 0);
    return setpay_db_run(db, "INSERT INTO item (key, value) VALUES ($1, $2)", SETPAY_DB_INT(2),
                         SETPAY_DB_TEXT("c"));
}

static void a_duplicate_leaves_the_operation_alive(void **state)
{
    struct fixture *fixture = *state;
    assert_success(setpay_store_submit_wait(fixture->store, duplicate_then_more, NULL));
    assert_int_equal(test_item_count(fixture->store), 2);
}

static enum setpay_error nested(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *outer = NULL;
    int *pairs = arg;
    SETPAY_TRY(setpay_db_select(db, &outer, "SELECT key FROM item ORDER BY key"));
    while (setpay_db_next(outer)) {
        struct setpay_db_rows *inner = NULL;
        SETPAY_TRY(setpay_db_select(db, &inner, "SELECT key FROM item ORDER BY key"));
        while (setpay_db_next(inner))
            (*pairs)++;
        SETPAY_TRY(setpay_db_end(inner));
    }
    return setpay_db_end(outer);
}

static void the_same_statement_may_be_nested(void **state)
{
    struct fixture *fixture = *state;
    int pairs = 0;
    assert_success(setpay_store_submit_wait(fixture->store, duplicate_then_more, NULL));
    assert_success(setpay_store_submit_wait(fixture->store, nested, &pairs));
    assert_int_equal(pairs, 4);
}

/* Keys of rows that were just inserted, and what they are where none was. */
static enum setpay_error insert_returning(struct setpay_db *db, void *arg)
{
    int64_t *keys = arg;
    SETPAY_TRY(setpay_db_insert(db, &keys[0],
                                "INSERT INTO item (key, value) VALUES ($1, 'a') RETURNING key",
                                SETPAY_DB_INT(41)));
    assert_error(setpay_db_insert(db, &keys[1],
                                  "INSERT INTO item (key, value) VALUES ($1, 'b') RETURNING key",
                                  SETPAY_DB_INT(41)),
                 SETPAY_E_DUPLICATE);
    assert_error(setpay_db_insert(db, &keys[1], "INSERT INTO item (key, value) VALUES ($1, 'c')",
                                  SETPAY_DB_INT(42)),
                 SETPAY_E_INTERNAL);
    return setpay_db_insert(db, &keys[2],
                            "INSERT INTO item (key, value) VALUES ($1, 'd') RETURNING key",
                            SETPAY_DB_INT(43));
}

static void an_insert_returns_its_key(void **state)
{
    struct fixture *fixture = *state;
    int64_t keys[3] = {-1, -1, -1};
    assert_success(setpay_store_submit_wait(fixture->store, insert_returning, keys));
    assert_int_equal(keys[0], 41);
    assert_int_equal(keys[1], -1);
    assert_int_equal(keys[2], 43);
}

static enum setpay_error leave_rows(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows = NULL;
    (void)arg;
    SETPAY_TRY(setpay_db_run(db, "INSERT INTO item (key, value) VALUES (9, 'x')"));
    return setpay_db_one(db, &rows, "SELECT 1");
}

static void rows_that_are_not_ended_fail_the_operation(void **state)
{
    struct fixture *fixture = *state;
    assert_error(setpay_store_submit_wait(fixture->store, leave_rows, NULL), SETPAY_E_INTERNAL);
    assert_int_equal(test_item_count(fixture->store), 0);
}

static enum setpay_error many_statements(struct setpay_db *db, void *arg)
{
    (void)arg;
    for (int i = 0; i < 2 * SETPAY_LIMIT_STORE_STATEMENTS; i++) {
        char sql[64];
        struct setpay_db_rows *rows = NULL;
        snprintf(sql, sizeof sql, "SELECT %d", i);
        SETPAY_TRY(setpay_db_one(db, &rows, sql));
        assert_int_equal(setpay_db_get_int(rows, 0), i);
        SETPAY_TRY(setpay_db_end(rows));
    }
    return SETPAY_OK;
}

static void more_statements_than_are_kept_still_run(void **state)
{
    struct fixture *fixture = *state;
    assert_success(setpay_store_submit_wait(fixture->store, many_statements, NULL));
}

static enum setpay_error write_in_read(struct setpay_db *db, void *arg)
{
    (void)arg;
    return setpay_db_run(db, "DELETE FROM item");
}

static void a_reader_can_not_write(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_reader *reader = NULL;
    assert_success(setpay_reader_new(fixture->store, &reader));
    assert_error(setpay_store_read(reader, write_in_read, NULL), SETPAY_E_INTERNAL);
    setpay_reader_free(reader);
}

/* ------------------------------------------------------------------ open */

static enum setpay_error try_open(const char *url, const struct setpay_store_schema *schema,
                                  struct setpay_problem *problem)
{
    struct setpay_store *store = NULL;
    struct setpay_store_options options = {.url = url, .schema = schema};
    enum setpay_error error = setpay_store_open(&options, &store, problem);
    setpay_store_close(store);
    return error;
}

static void urls_that_are_refused(void **state)
{
    static const char *const urls[] = {
        "", "file.db", "sqlite:", "mysql://h/d", "sqlite::memory:", "sqlite:/tmp/x?mode=ro"};
    struct setpay_problem problem;
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_error(try_open(urls[i], &test_store_schema, &problem), SETPAY_E_CONFIG);
        assert_non_null(strstr(problem.text, "sqlite:PATH"));
    }
    assert_error(try_open("postgresql://user:word@host/d", &test_store_schema, &problem),
                 SETPAY_E_CONFIG);
    assert_non_null(strstr(problem.text, "not built into this program"));
    assert_null(strstr(problem.text, "word"));
    assert_error(try_open("sqlite:/nowhere/at/all.db", &test_store_schema, &problem), SETPAY_E_IO);
}

static void a_second_open_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct setpay_problem problem;
    char link_url[128];
    char link_path[112];
    assert_error(try_open(fixture->folder.url, &test_store_schema, &problem), SETPAY_E_RUNNING);
    snprintf(link_path, sizeof link_path, "%s/link.db", fixture->folder.path);
    assert_int_equal(symlink(fixture->folder.file, link_path), 0);
    snprintf(link_url, sizeof link_url, "sqlite:%s", link_path);
    assert_error(try_open(link_url, &test_store_schema, &problem), SETPAY_E_RUNNING);
    setpay_store_close(fixture->store);
    fixture->store = test_store_open(&fixture->folder, 0, 0);
}

static void the_files_are_the_owners_alone(void **state)
{
    struct fixture *fixture = *state;
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char path[128];
        struct stat status;
        snprintf(path, sizeof path, "%s%s", fixture->folder.file, suffixes[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
}

/* ------------------------------------------------------------------ schema steps */

static const char *const first_step = "CREATE TABLE a (x BIGINT)";

static void schema_steps(void **state)
{
    const struct setpay_store_migration one[] = {{1, first_step}, {0, NULL}};
    const struct setpay_store_migration two[] = {
        {1, first_step}, {2, "ALTER TABLE a ADD COLUMN y TEXT"}, {0, NULL}};
    const struct setpay_store_migration changed[] = {{1, "CREATE TABLE a (x TEXT)"}, {0, NULL}};
    const struct setpay_store_migration failing[] = {
        {1, first_step}, {2, "CREATE TABLE b (x BIGINT); CREATE TABLE a (x BIGINT)"}, {0, NULL}};
    const struct setpay_store_migration gap[] = {{1, first_step}, {3, "SELECT 1"}, {0, NULL}};
    const struct setpay_store_schema schemas[] = {{"s", one, NULL},     {"s", two, NULL},
                                                  {"s", changed, NULL}, {"s", failing, NULL},
                                                  {"s", gap, NULL},     {"other", one, NULL}};
    const struct {
        int schema;
        enum setpay_error error;
        const char *words;
    } tries[] = {
        {0, SETPAY_OK, ""},
        {0, SETPAY_OK, ""},
        {5, SETPAY_E_CONFIG, "belongs to \"s\""},
        {2, SETPAY_E_CONFIG, "step 1"},
        {4, SETPAY_E_INTERNAL, "not numbered"},
        {3, SETPAY_E_INTERNAL, "step 2"}, /* table b must not stay: the next try would fail */
        {3, SETPAY_E_INTERNAL, "table a already exists"},
        {1, SETPAY_OK, ""},
        {1, SETPAY_OK, ""},
        {0, SETPAY_E_CONFIG, "newer"},
    };
    struct test_folder folder;
    struct setpay_problem problem;
    (void)state;
    test_folder_make(&folder);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        assert_error(try_open(folder.url, &schemas[tries[i].schema], &problem), tries[i].error);
        assert_non_null(strstr(problem.text, tries[i].words));
    }
    test_folder_remove(&folder);
}

static void what_is_no_database_is_refused(void **state)
{
    struct test_folder folder;
    struct setpay_problem problem;
    (void)state;
    test_folder_make(&folder);
    FILE *file = fopen(folder.file, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is a letter\n", file);
    fclose(file);
    assert_error(try_open(folder.url, &test_store_schema, &problem), SETPAY_E_STORE);
    test_folder_remove(&folder);
}

int main(void)
{
#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        test(values_come_back_as_they_went),
        test(a_column_that_does_not_fit_is_an_error),
        test(a_wrong_statement_is_refused),
        test(a_duplicate_leaves_the_operation_alive),
        test(the_same_statement_may_be_nested),
        test(an_insert_returns_its_key),
        test(rows_that_are_not_ended_fail_the_operation),
        test(more_statements_than_are_kept_still_run),
        test(a_reader_can_not_write),
        cmocka_unit_test(urls_that_are_refused),
        test(a_second_open_is_refused),
        test(the_files_are_the_owners_alone),
        cmocka_unit_test(schema_steps),
        cmocka_unit_test(what_is_no_database_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
