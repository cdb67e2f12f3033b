/*
 * Doctors: what clocks and dates mean, what is printed, probes that end in time, and a database
 * that is looked at and not touched.
 */
#include "common/net/doctor.h"
#include "tests/support/test_store.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_error(expression, expected)                                                         \
    assert_string_equal(setpay_error_name(expression), setpay_error_name(expected))

static const struct setpay_service_spec daemon_spec = {.name = "setpay-testd"};

static const char *text_of(const json_t *check, const char *name)
{
    const char *text = json_string_value(json_object_get(check, name));
    assert_non_null(text);
    return text;
}

static const json_t *last_check(const struct setpay_doctor *doctor)
{
    size_t count = json_array_size(doctor->checks);
    assert_true(count > 0);
    return json_array_get(doctor->checks, count - 1);
}

/* ------------------------------------------------------------------ the clock */

static void clocks_are_judged_by_rule_a5(void **state)
{
    static const struct {
        int64_t ahead_ms;
        const char *level;
        const char *words;
    } rows[] = {
        {0, "ok", "agrees with that of the gateway"},
        {149000, "ok", "agrees with that of the gateway"},
        {151000, "warn", "3 minutes behind that of the gateway"},
        {-151000, "warn", "3 minutes ahead of that of the gateway"},
        {301000, "fail", "5 minutes behind that of the gateway"},
        {-301000, "fail", "5 minutes ahead of that of the gateway"},
        {-172800000, "fail", "2 days ahead of that of the gateway"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct setpay_doctor doctor;
        assert_error(setpay_doctor_init(&doctor, &daemon_spec), SETPAY_OK);
        setpay_doctor_add_clock(&doctor, "the gateway", rows[i].ahead_ms, 0);
        setpay_doctor_clock(&doctor);
        assert_int_equal(json_array_size(doctor.checks), 1);
        assert_string_equal(text_of(last_check(&doctor), "name"), "clock");
        assert_string_equal(text_of(last_check(&doctor), "level"), rows[i].level);
        assert_non_null(strstr(text_of(last_check(&doctor), "words"), rows[i].words));
        assert_int_equal(text_of(last_check(&doctor), "what_to_do")[0] == '\0', i < 2);
        setpay_doctor_clear(&doctor);
    }
}

static void a_date_of_the_future_shows_a_clock_that_is_behind(void **state)
{
    struct setpay_doctor doctor;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    (void)state;
    assert_error(setpay_doctor_init(&doctor, &daemon_spec), SETPAY_OK);
    setpay_doctor_add_date(&doctor, "a list", now_ms + 4 * SETPAY_MINUTE_MS);
    setpay_doctor_clock(&doctor);
    assert_int_equal(doctor.failed, 0);
    setpay_doctor_add_date(&doctor, "a list", now_ms + 3 * SETPAY_HOUR_MS);
    setpay_doctor_add_date(&doctor, "an older list", now_ms);
    setpay_doctor_clock(&doctor);
    assert_int_equal(doctor.failed, 1);
    assert_non_null(strstr(text_of(last_check(&doctor), "words"),
                           "at least 3 hours behind: a list is from its future"));
    setpay_doctor_clear(&doctor);
}

static void the_daemons_clock_is_this_computers(void **state)
{
    struct setpay_doctor doctor;
    (void)state;
    assert_error(setpay_doctor_init(&doctor, &daemon_spec), SETPAY_OK);
    doctor.daemon_ahead_ms = 20 * SETPAY_SECOND_MS;
    setpay_doctor_clock(&doctor); /* it does not run: nothing is said of it */
    assert_int_equal(doctor.failed, 0);
    doctor.runs = true;
    setpay_doctor_clock(&doctor);
    assert_int_equal(doctor.failed, 1);
    assert_non_null(strstr(text_of(last_check(&doctor), "words"),
                           "the clock of setpay-testd is 20 seconds ahead of this computer's"));
    setpay_doctor_clear(&doctor);
}

static void spans_are_rounded(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "0 seconds"},        {1400, "1 second"},     {-61000, "61 seconds"},
                {119999, "120 seconds"}, {599990, "10 minutes"}, {7200000, "2 hours"},
                {90000000, "25 hours"},  {-172800000, "2 days"}};
    char out[SETPAY_SPAN_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_string_equal(setpay_doctor_span(rows[i].ms, out), rows[i].text);
}

/* ------------------------------------------------------------------ findings */

static void warnings_do_not_fail_and_nothing_reaches_the_terminal(void **state)
{
    struct setpay_doctor doctor, other;
    struct setpay_problem problem = {{0}};
    char *text = NULL;
    size_t size = 0;
    (void)state;
    assert_error(setpay_doctor_init(&doctor, &daemon_spec), SETPAY_OK);
    assert_error(setpay_doctor_init(&other, &daemon_spec), SETPAY_OK);
    setpay_doctor_say(&other, SETPAY_FINDING_WARN, "disk", "", "make room", "little room");
    setpay_doctor_take(&doctor, other.checks);
    assert_error(setpay_doctor_verdict(&doctor, &problem), SETPAY_OK);
    setpay_doctor_say(&other, SETPAY_FINDING_FAIL, "files", "/a\n/\033[2J", "chmod '/a\n/\033[2J'",
                      "%s: no \302\233file", "/a\n/\033[2J");
    setpay_doctor_clear(&doctor);
    assert_error(setpay_doctor_init(&doctor, &daemon_spec), SETPAY_OK);
    setpay_doctor_take(&doctor, other.checks);
    assert_error(setpay_doctor_verdict(&doctor, &problem), SETPAY_E_STATE);
    assert_string_equal(problem.text, "1 of 2 findings needs attention");
    json_t *result = setpay_doctor_result(&doctor);
    assert_true(json_is_false(json_object_get(result, "ok")));
    FILE *out = open_memstream(&text, &size);
    setpay_doctor_print(out, result, false);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "  warn  disk           little room\n"
                              "                       -> make room\n"
                              "  FAIL  files          /a?/?[2J: no ?file\n"
                              "                       -> chmod '/a?/?[2J'\n");
    free(text);
    json_decref(result);
    setpay_doctor_clear(&doctor);
    setpay_doctor_clear(&other);
}

/* ------------------------------------------------------------------ probes */

/* A socket that is bound, and listens or not; its address into the probe. */
static int open_port(struct setpay_probe *probe, bool listens)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (listens)
        assert_int_equal(listen(fd, 4), 0);
    (void)snprintf(probe->address, sizeof probe->address, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void probes_end_in_time(void **state)
{
    struct setpay_probe probes[4] = {0};
    int fds[3];
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    int64_t began_ms = setpay_clock_monotonic_ms();
    (void)state;
    fds[0] = open_port(&probes[0], false);
    fds[1] = open_port(&probes[1], true);
    fds[2] = open_port(&probes[2], true); /* accepts, and never says a word */
    probes[2].context = tls;
    probes[2].context_name = "localhost";
    (void)snprintf(probes[3].address, sizeof probes[3].address, "no address");
    setpay_probes_run(probes, 4, 300);
    assert_error(probes[0].error, SETPAY_E_UNREACHABLE);
    assert_string_equal(probes[0].words, strerror(ECONNREFUSED));
    assert_error(probes[1].error, SETPAY_OK);
    assert_error(probes[2].error, SETPAY_E_TIMEOUT);
    assert_error(probes[3].error, SETPAY_E_UNREACHABLE);
    assert_non_null(strstr(probes[3].words, "expected HOST:PORT"));
    assert_true(setpay_clock_monotonic_ms() - began_ms < 5000);
    for (size_t i = 0; i < 3; i++)
        (void)close(fds[i]);
    SSL_CTX_free(tls);
}

/* ------------------------------------------------------------------ a database */

static enum setpay_error count_items(struct setpay_db *db, void *count)
{
    struct setpay_db_rows *rows = NULL;
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*) FROM item"));
    *(int64_t *)count = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static size_t files_in(const char *path)
{
    size_t count = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    (void)closedir(folder);
    return count;
}

static void a_closed_database_is_read_and_not_touched(void **state)
{
    static const struct setpay_store_migration steps[] = {{1, "CREATE TABLE item (key INTEGER)"},
                                                          {0, NULL}};
    static const struct setpay_store_schema another = {.name = "another", .steps = steps};
    struct test_folder folder;
    struct test_item item = {.key = 7, .value = "v"};
    struct setpay_problem problem = {{0}};
    struct stat before, after;
    int64_t count = -1;
    (void)state;
    test_folder_make(&folder);
    struct setpay_store_options options = {.url = folder.url, .schema = &test_store_schema};
    assert_error(setpay_store_peek(&options, count_items, &count, &problem), SETPAY_E_NOT_FOUND);
    assert_int_equal(files_in(folder.path), 0);
    struct setpay_store *store = test_store_open(&folder, 0, 0);
    assert_error(setpay_store_submit_wait(store, test_item_insert, &item), SETPAY_OK);
    setpay_store_close(store);
    size_t files = files_in(folder.path);
    assert_int_equal(stat(folder.file, &before), 0);
    assert_error(setpay_store_peek(&options, count_items, &count, &problem), SETPAY_OK);
    assert_int_equal(count, 1);
    options.schema = &another;
    assert_error(setpay_store_peek(&options, count_items, &count, &problem), SETPAY_E_CONFIG);
    assert_non_null(strstr(problem.text, "not to \"another\""));
    assert_int_equal(stat(folder.file, &after), 0);
    assert_int_equal(files_in(folder.path), files);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    test_folder_remove(&folder);
}

/* What a crash leaves behind is not half read. */
static void a_log_that_is_left_is_left_alone(void **state)
{
    struct test_folder folder;
    struct test_item item = {.key = 7, .value = "v"};
    struct setpay_problem problem = {{0}};
    int64_t count = -1;
    (void)state;
    test_folder_make(&folder);
    struct setpay_store_options options = {.url = folder.url, .schema = &test_store_schema};
    struct setpay_store *store = test_store_open(&folder, 0, 0);
    assert_error(setpay_store_submit_wait(store, test_item_insert, &item), SETPAY_OK);
    assert_error(setpay_store_peek(&options, count_items, &count, &problem), SETPAY_E_CONFLICT);
    assert_int_equal(count, -1);
    setpay_store_close(store);
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_judged_by_rule_a5),
        cmocka_unit_test(a_date_of_the_future_shows_a_clock_that_is_behind),
        cmocka_unit_test(the_daemons_clock_is_this_computers),
        cmocka_unit_test(spans_are_rounded),
        cmocka_unit_test(warnings_do_not_fail_and_nothing_reaches_the_terminal),
        cmocka_unit_test(probes_end_in_time),
        cmocka_unit_test(a_closed_database_is_read_and_not_touched),
        cmocka_unit_test(a_log_that_is_left_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
