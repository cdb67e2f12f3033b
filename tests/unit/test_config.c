/*
 * Configuration: what is read, what is refused, and that a refusal says file, line, key, what was
 * found and what is expected.
 */
#include "common/base/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct setpay_option options[] = {
    {"", "testing", SETPAY_OPTION_BOOL, "no", 0, 0, false, false, NULL, "test hooks"},
    {"", "data", SETPAY_OPTION_PATH, "data.db", 0, 0, false, false, NULL, "the database"},
    {"", "title", SETPAY_OPTION_TEXT, NULL, 0, 0, false, true, NULL, "a title"},
    {"net", "listen", SETPAY_OPTION_ADDRESS, NULL, 0, 0, true, false, NULL, "where to listen"},
    {"net", "workers", SETPAY_OPTION_INT, "2", 1, 64, false, false, NULL, "worker threads"},
    {"net", "timeout", SETPAY_OPTION_DURATION, "5s", 1, 60000, false, true, NULL, "time-out"},
    {"net", "offset", SETPAY_OPTION_INT, NULL, 0, 0, false, true, NULL, "any whole number"},
    {"log", "level", SETPAY_OPTION_CHOICE, "info", 0, 0, false, true, "debug|info|warn|error",
     "lowest level"},
    {"brand *", "bin", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL, "leading digits"},
    {"brand *", "limit", SETPAY_OPTION_INT, "10", 0, 100, false, false, NULL, "a limit"},
    {0},
};

static char folder[64];
static char file[96];

static int make_folder(void **state)
{
    (void)state;
    (void)strcpy(folder, "/tmp/setpay-test-config-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_true(snprintf(file, sizeof(file), "%s/x.conf", folder) > 0);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(file);
    return rmdir(folder);
}

static void write_bytes(const char *bytes, size_t size)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

static struct setpay_config *load(const char *text)
{
    struct setpay_config *config = NULL;
    struct setpay_problem problem = {""};

    write_bytes(text, strlen(text));
    if (setpay_config_load(options, file, NULL, NULL, &config, &problem) != SETPAY_OK)
        fail_msg("%s", problem.text);
    assert_non_null(config);
    return config;
}

/* Loading fails with SETPAY_E_CONFIG and these words; "@" stands for the file's path. */
static void refuse_bytes(const char *bytes, size_t size, const char *words)
{
    struct setpay_config *config = NULL;
    struct setpay_problem problem = {""};
    char expected[1024];
    const char *rest = words[0] == '@' ? words + 1 : words;

    write_bytes(bytes, size);
    assert_int_equal(setpay_config_load(options, file, NULL, NULL, &config, &problem),
                     SETPAY_E_CONFIG);
    assert_null(config);
    (void)snprintf(expected, sizeof(expected), "%s%s", words[0] == '@' ? file : "", rest);
    assert_string_equal(problem.text, expected);
}

static void refuse(const char *text, const char *words)
{
    refuse_bytes(text, strlen(text), words);
}

/* Every type is read, defaults stand where nothing is said, and paths start from the file. */
static void test_values(void **state)
{
    struct setpay_config *config = load("# comment\n"
                                        "; another\n"
                                        "testing = yes\n"
                                        "  title = two words   ; behind it a comment\n"
                                        "\n"
                                        "[net]\n"
                                        "listen = 127.0.0.1:0\r\n"
                                        "timeout = 250ms\n"
                                        "offset = -7\n"
                                        "[ brand  visa ]\n"
                                        "bin = 4\n"
                                        "[brand maestro] # the other\n"
                                        "bin = 6759\n"
                                        "limit = 100\n");
    char path[128];

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/data.db", folder);
    assert_true(setpay_config_bool(config, "", "testing"));
    assert_string_equal(setpay_config_text(config, "", "data"), path);
    assert_string_equal(setpay_config_text(config, "", "title"), "two words");
    assert_string_equal(setpay_config_text(config, "net", "listen"), "127.0.0.1:0");
    assert_int_equal(setpay_config_int(config, "net", "workers"), 2);
    assert_int_equal(setpay_config_int(config, "net", "timeout"), 250);
    assert_int_equal(setpay_config_int(config, "net", "offset"), -7);
    assert_string_equal(setpay_config_text(config, "log", "level"), "info");
    assert_int_equal(setpay_config_instance_count(config, "brand"), 2);
    assert_string_equal(setpay_config_instance(config, "brand", 0), "visa");
    assert_string_equal(setpay_config_instance(config, "brand *", 1), "maestro");
    assert_null(setpay_config_instance(config, "brand", 2));
    assert_string_equal(setpay_config_text(config, "brand maestro", "bin"), "6759");
    assert_int_equal(setpay_config_int(config, "brand visa", "limit"), 10);
    assert_int_equal(setpay_config_int(config, "brand maestro", "limit"), 100);
    setpay_config_free(config);

    config = load("[net]\nlisten = [::1]:443\n");
    assert_false(setpay_config_is_set(config, "", "title"));
    assert_null(setpay_config_text(config, "", "title"));
    assert_int_equal(setpay_config_int(config, "net", "offset"), 0);
    assert_int_equal(setpay_config_instance_count(config, "brand"), 0);
    setpay_config_free(config);
}

/* Limits are inclusive. */
static void test_limits(void **state)
{
    static const struct {
        const char *text;
        int64_t workers;
        int64_t timeout;
    } rows[] = {
        {"[net]\nlisten=a:1\nworkers=1\ntimeout=1ms\n", 1, 1},
        {"[net]\nlisten=a:65535\nworkers=64\ntimeout=1m\n", 64, 60000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct setpay_config *config = load(rows[i].text);
        assert_int_equal(setpay_config_int(config, "net", "workers"), rows[i].workers);
        assert_int_equal(setpay_config_int(config, "net", "timeout"), rows[i].timeout);
        setpay_config_free(config);
    }
}

/* A wrong value names its line, key, what stands there and what should. */
static void test_wrong_values(void **state)
{
    static const struct {
        const char *key;
        const char *words; /* behind "@:2: key " */
    } rows[] = {
        {"workers = 0", "\"workers\" in [net]: found \"0\", expected a whole number from 1 to 64"},
        {"workers = 65",
         "\"workers\" in [net]: found \"65\", expected a whole number from 1 to 64"},
        {"workers = +5",
         "\"workers\" in [net]: found \"+5\", expected a whole number from 1 to 64"},
        {"workers = 5x",
         "\"workers\" in [net]: found \"5x\", expected a whole number from 1 to 64"},
        {"workers =", "\"workers\" in [net]: found \"\", expected a whole number from 1 to 64"},
        {"offset = 9223372036854775808",
         "\"offset\" in [net]: found \"9223372036854775808\", expected a whole number"},
        {"timeout = 5", "\"timeout\" in [net]: found \"5\", expected a duration (250ms, 5s, 10m, "
                        "24h, 7d) from 1ms to 1m"},
        {"timeout = 0ms", "\"timeout\" in [net]: found \"0ms\", expected a duration (250ms, 5s, "
                          "10m, 24h, 7d) from 1ms to 1m"},
        {"timeout = 61s", "\"timeout\" in [net]: found \"61s\", expected a duration (250ms, 5s, "
                          "10m, 24h, 7d) from 1ms to 1m"},
        {"timeout = 9223372036854775807d",
         "\"timeout\" in [net]: found \"9223372036854775807d\", expected a duration (250ms, 5s, "
         "10m, 24h, 7d) from 1ms to 1m"},
        {"listen = localhost", "\"listen\" in [net]: found \"localhost\", expected an address "
                               "(HOST:PORT or [IPV6]:PORT, port at most 65535)"},
        {"listen = a:65536", "\"listen\" in [net]: found \"a:65536\", expected an address "
                             "(HOST:PORT or [IPV6]:PORT, port at most 65535)"},
        {"listen = [::g]:1", "\"listen\" in [net]: found \"[::g]:1\", expected an address "
                             "(HOST:PORT or [IPV6]:PORT, port at most 65535)"},
        {"listen = :80", "\"listen\" in [net]: found \":80\", expected an address "
                         "(HOST:PORT or [IPV6]:PORT, port at most 65535)"},
    };
    char text[128];
    char words[512];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(text, sizeof(text), "[net]\n%s\n", rows[i].key);
        (void)snprintf(words, sizeof(words), "@:2: key %s", rows[i].words);
        refuse(text, words);
    }
    refuse("[log]\nlevel = loud\n", "@:2: key \"level\" in [log]: found \"loud\", expected one of "
                                    "debug|info|warn|error");
    refuse("[log]\nlevel = debug|info\n", "@:2: key \"level\" in [log]: found \"debug|info\", "
                                          "expected one of debug|info|warn|error");
    refuse("testing = true\n", "@:1: key \"testing\": found \"true\", expected yes or no");
    refuse("data =\n", "@:1: key \"data\": found \"\", expected a path");
}

/* Slips in names are answered with the nearest name. */
static void test_unknown_names(void **state)
{
    (void)state;
    refuse("[net]\nlisten=a:1\nworker = 2\n",
           "@:3: found key \"worker\" in [net], which is not known; the nearest known key is "
           "\"workers\"");
    refuse("workers = 2\n",
           "@:1: found key \"workers\", which is not known there; expected it in [net]");
    refuse("[net]\ntesting = yes\n", "@:2: found key \"testing\" in [net], which is not known "
                                     "there; expected it before the first section");
    refuse("colour = red\n",
           "@:1: found key \"colour\", which is not known; --help lists those that are");
    refuse("\n\n[nett]\n",
           "@:3: found section [nett], which is not known; the nearest known is [net]");
    refuse("[brand]\n", "@:1: found section [brand]; expected [brand NAME], NAME of letters, "
                        "digits, . _ -");
    refuse("[brand a b]\n", "@:1: found section [brand a b]; expected [brand NAME], NAME of "
                            "letters, digits, . _ -");
    refuse("[]\n", "@:1: found section [], which is not known; --help lists those that are");
    refuse(
        "[brand visa]\nlimits = 3\n",
        "@:2: found key \"limits\" in [brand visa], which is not known; the nearest known key is "
        "\"limit\"");
}

/* The form of the file itself. */
static void test_form(void **state)
{
    char text[5000];

    (void)state;
    refuse("[net]\nlisten=a:1\nworkers = 2\n[log]\n[net]\nworkers = 3\n",
           "@:6: found key \"workers\" in [net] again, expected it once; it stands in line 3 too");
    refuse("[net\n", "@:1: found \"[net\", expected a closing ]");
    refuse("[net] workers = 2\n",
           "@:1: found \"workers = 2\" behind the section, expected the end of the line");
    refuse("\nworkers\n", "@:2: found \"workers\", expected key = value or [section]");
    refuse("title ; = x\n", "@:1: found no value, expected key = value or [section]");
    refuse_bytes("title = a\0b\n", 12, "@:1: found bytes that are not UTF-8 text, expected text");
    refuse("title = \xff\n", "@:1: found bytes that are not UTF-8 text, expected text");
    refuse("title = a\x1b[2J\n", "@:1: found a control character, expected text");
    refuse("title = a\x7f\n", "@:1: found a control character, expected text");
    refuse("title = a\xc2\x9b\n", "@:1: found a control character, expected text");
    memset(text, 'a', sizeof(text));
    memcpy(text, "title = ", 8);
    refuse_bytes(text, sizeof(text), "@:1: found a line of 5000 bytes, expected at most 4093");
    /* The longest line that is taken, above what inih takes by itself; and no continuation. */
    {
        struct setpay_config *config;

        memcpy(text + 4093, "\n  [net]\n listen = a:1\n", 24);
        config = load(text);
        assert_int_equal(strlen(setpay_config_text(config, "", "title")), 4093 - 8);
        setpay_config_free(config);
    }
    refuse("", "@: key \"listen\" in [net]: found nothing, expected an address (HOST:PORT or "
               "[IPV6]:PORT, port at most 65535) (where to listen)");
    refuse("[net]\nlisten=a:1\n[brand visa]\n",
           "@: key \"bin\" in [brand visa]: found nothing, expected a text (leading digits)");
}

static void test_no_file(void **state)
{
    struct setpay_config *config = NULL;
    struct setpay_problem problem = {""};

    (void)state;
    assert_int_equal(
        setpay_config_load(options, "/tmp/setpay-none.conf", NULL, NULL, &config, &problem),
        SETPAY_E_CONFIG);
    assert_string_equal(problem.text, "/tmp/setpay-none.conf: can't be opened: No such file or "
                                      "directory; expected a readable file");
    assert_int_equal(setpay_config_load(options, "/", NULL, NULL, &config, &problem),
                     SETPAY_E_CONFIG);
    assert_string_equal(problem.text, "/:0: can't be read: Is a directory");
    assert_null(config);
}

/* The words of a line as argv; returns argc. */
static int split(char *line, char *argv[16])
{
    int argc = 0;
    char *rest = NULL;

    for (char *at = strtok_r(line, " ", &rest); at != NULL; at = strtok_r(NULL, " ", &rest))
        argv[argc++] = at;
    argv[argc] = NULL;
    return argc;
}

/* Flags win over the file; what the table does not know stays with the program, in order. */
static void test_flags(void **state)
{
    char line[] = "prog --net.workers 9 pay --log.level=warn --data x.db --yes link "
                  "--brand.visa.bin 4 -- --net.workers 7";
    char *argv[16];
    struct setpay_problem problem = {""};
    struct setpay_config *config = NULL;
    char path[4200];
    char *here = realpath(".", NULL);
    int argc = split(line, argv);

    (void)state;
    write_bytes("[net]\nlisten=a:1\nworkers = 3\n", 29);
    if (setpay_config_load(options, file, &argc, argv, &config, &problem) != SETPAY_OK)
        fail_msg("%s", problem.text);
    assert_int_equal(setpay_config_int(config, "net", "workers"), 9);
    assert_string_equal(setpay_config_text(config, "log", "level"), "warn");
    assert_string_equal(setpay_config_text(config, "brand visa", "bin"), "4");
    assert_int_equal(setpay_config_instance_count(config, "brand"), 1);
    assert_non_null(here);
    (void)snprintf(path, sizeof(path), "%s/x.db", here);
    assert_string_equal(setpay_config_text(config, "", "data"), path);
    assert_int_equal(argc, 7);
    assert_string_equal(argv[0], "prog");
    assert_string_equal(argv[1], "pay");
    assert_string_equal(argv[2], "--yes");
    assert_string_equal(argv[3], "link");
    assert_string_equal(argv[4], "--");
    assert_string_equal(argv[5], "--net.workers");
    assert_string_equal(argv[6], "7");
    assert_null(argv[7]);
    setpay_config_free(config);
    free(here);
}

/* Without a file there are defaults and flags; a wrong flag changes nothing. */
static void test_flags_only(void **state)
{
    char good[] = "prog --net.listen h:1";
    char wrong[] = "prog --net.listen h:1 --net.workers many";
    char bare[] = "prog --net.listen";
    char *argv[16];
    struct setpay_config *config = NULL;
    struct setpay_problem problem = {""};
    int argc = split(good, argv);

    (void)state;
    assert_int_equal(setpay_config_load(options, NULL, &argc, argv, &config, &problem), SETPAY_OK);
    assert_int_equal(argc, 1);
    assert_string_equal(setpay_config_text(config, "net", "listen"), "h:1");
    setpay_config_free(config);
    config = NULL;
    argc = split(wrong, argv);
    assert_int_equal(setpay_config_load(options, NULL, &argc, argv, &config, &problem),
                     SETPAY_E_CONFIG);
    assert_string_equal(problem.text, "argument --net.workers: found \"many\", expected a whole "
                                      "number from 1 to 64");
    assert_int_equal(argc, 5);
    assert_string_equal(argv[1], "--net.listen");
    assert_null(config);
    argc = split(bare, argv);
    assert_int_equal(setpay_config_load(options, NULL, &argc, argv, &config, &problem),
                     SETPAY_E_CONFIG);
    assert_string_equal(problem.text, "argument --net.listen: found nothing behind it, expected an "
                                      "address (HOST:PORT or [IPV6]:PORT, port at most 65535)");
    argc = 1;
    assert_int_equal(setpay_config_load(options, NULL, &argc, argv, &config, &problem),
                     SETPAY_E_CONFIG);
    assert_string_equal(problem.text,
                        "command line: key \"listen\" in [net]: found nothing, expected an address "
                        "(HOST:PORT or [IPV6]:PORT, port at most 65535) (where to listen)");
}

/* Every key of the table stands in the help and in the reference. */
static void test_printed(void **state)
{
    char *help = NULL;
    char *reference = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&help, &size);

    (void)state;
    assert_non_null(out);
    setpay_config_print_help(options, out);
    assert_int_equal(fclose(out), 0);
    out = open_memstream(&reference, &size);
    assert_non_null(out);
    setpay_config_print_reference(options, out);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(help, "  --net.workers N "));
    assert_non_null(strstr(help, "worker threads (default: 2)\n"));
    assert_non_null(strstr(help, "  --brand.NAME.bin TEXT "));
    assert_non_null(strstr(help, "  --testing yes|no "));
    assert_non_null(strstr(help, "where to listen (required)\n"));
    assert_non_null(strstr(reference, "### At the top of the file\n"));
    assert_non_null(strstr(reference, "### `[brand NAME]`\n"));
    assert_non_null(strstr(reference, "| `timeout` | a duration (250ms, 5s, 10m, 24h, 7d) from 1ms "
                                      "to 1m | `5s` | yes | time-out |\n"));
    assert_non_null(strstr(reference, "one of debug\\|info\\|warn\\|error"));
    free(help);
    free(reference);
}

static void add_pending(void *arg, const char *section, const char *key)
{
    char *list = arg;
    size_t size = strlen(list);
    (void)snprintf(list + size, 200 - size, "[%s]%s ", section, key);
}

/* What a reload leaves for the next start is named; what it takes over, and what is written in
 * another way, is not. */
static void test_pending(void **state)
{
    struct setpay_config *running = load("title = one\n[net]\nlisten = 127.0.0.1:0\nworkers = 3\n"
                                         "[brand visa]\nbin = 4\nlimit = 10\n"
                                         "[brand gone]\nbin = 5\n");
    static const struct {
        const char *text, *pending;
    } cases[] = {
        {"title = one\n[net]\nlisten = 127.0.0.1:0\nworkers = 3\n"
         "[brand visa]\nbin = 4\n[brand gone]\nbin = 5\n",
         ""},
        {"title = two\n[net]\nlisten = 127.0.0.1:0\nworkers = 3\ntimeout = 1s\noffset = 0\n"
         "[brand visa]\nbin = 4\n[brand gone]\nbin = 5\n",
         ""},
        {"testing = yes\ndata = other.db\n[net]\nlisten = 127.0.0.1:1\n"
         "[brand visa]\nbin = 41\nlimit = 11\n[brand gone]\nbin = 5\n",
         "[]testing []data [net]listen [net]workers [brand visa]bin [brand visa]limit "},
        {"[net]\nlisten = 127.0.0.1:0\nworkers = 3\n[brand visa]\nbin = 4\n"
         "[brand come]\nbin = 6\n",
         "[brand come]bin [brand come]limit [brand gone]bin [brand gone]limit "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char found[200] = "";
        struct setpay_config *fresh = load(cases[i].text);
        setpay_config_each_pending(running, fresh, add_pending, found);
        assert_string_equal(found, cases[i].pending);
        setpay_config_free(fresh);
    }
    setpay_config_free(running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),       cmocka_unit_test(test_limits),
        cmocka_unit_test(test_wrong_values), cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_form),         cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_flags),        cmocka_unit_test(test_flags_only),
        cmocka_unit_test(test_printed),      cmocka_unit_test(test_pending),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
