/*
 * setpay-explorer: makes the page of a purchase. Its own program, and not a part of a party's: it
 * looks into all three, as only who owns a sandbox can.
 */
#include "tests/sandbox/explorer/explorer.h"

#include "common/base/log.h"
#include "common/base/noun.h"
#include "common/base/secret.h"
#include "common/crypto/file.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE_MODE 0600 /* it has the order in it */

static const char usage[] =
    "usage: setpay-explorer page [ORDER] --dir D --output FILE\n"
    "\n"
    "One purchase of a sandbox as wallet, merchant and gateway saw it, message by message, as one\n"
    "HTML file: what each can read, what is shut for it, and what never came to it. Signatures "
    "and\n"
    "digests are computed again.\n"
    "\n"
    "  ORDER            the order's id (default: the newest that was paid)\n"
    "  --dir D          the sandbox's folder\n"
    "  --output FILE    the page; what is there is replaced\n"
    "  --help           this text\n"
    "  --version        the version\n"
    "\n"
    "Exit status: 0 the page is made, and all holds; 1 no page; 2 a wrong word;\n"
    "5 the page is made, and says what does not hold.\n";

struct words {
    const char *command, *order_id, *folder, *output;
    bool help, version;
};

static int SETPAY_PRINTF(1, 2) misused(const char *format, ...)
{
    va_list args;
    (void)fprintf(stderr, "setpay-explorer: ");
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, " (see setpay-explorer --help)\n");
    return 2;
}

/* 0, or the exit status. */
static int take_option(int argc, char **argv, int *at, struct words *words)
{
    const char *word = argv[*at];
    const char **value = strcmp(word, "--dir") == 0      ? &words->folder
                         : strcmp(word, "--output") == 0 ? &words->output
                                                         : NULL;
    if (strcmp(word, "--help") == 0)
        words->help = true;
    else if (strcmp(word, "--version") == 0)
        words->version = true;
    else if (value == NULL)
        return misused("unknown option '%s'", word);
    else if (*at + 1 >= argc || *argv[*at + 1] == '\0')
        return misused("%s needs a value", word);
    else
        *value = argv[++*at];
    return 0;
}

static int take_words(int argc, char **argv, struct words *words)
{
    for (int i = 1; i < argc; i++) {
        int status = 0;
        if (argv[i][0] == '-')
            status = take_option(argc, argv, &i, words);
        else if (words->command == NULL)
            words->command = argv[i];
        else if (words->order_id == NULL)
            words->order_id = argv[i];
        else
            status = misused("'%s' is one word too many", argv[i]);
        if (status != 0)
            return status;
    }
    if (words->help || words->version)
        return 0;
    if (words->command == NULL)
        return misused("a command is needed: page");
    if (strcmp(words->command, "page") != 0)
        return misused("unknown command '%s': expected page", words->command);
    if (words->folder == NULL || words->output == NULL)
        return misused("%s is missing", words->folder == NULL ? "--dir" : "--output");
    return 0;
}

static enum setpay_error make_page(const struct words *words, struct explorer *explorer,
                                   struct setpay_problem *problem)
{
    struct setpay_buffer html;
    setpay_buffer_init(&html, EXPLORER_PAGE_BYTES);
    explorer->folder = words->folder;
    explorer->order_id = words->order_id;
    enum setpay_error error = explorer_read(explorer, problem);
    if (error == SETPAY_OK) {
        explorer_check(explorer);
        error = explorer_page(explorer, &html, problem);
    }
    if (error == SETPAY_OK)
        error =
            setpay_file_write(words->output, setpay_buffer_view(&html), PAGE_MODE, true, problem);
    setpay_buffer_clear(&html);
    return error;
}

static int run(const struct words *words)
{
    struct setpay_problem problem = {{0}};
    struct explorer *explorer = calloc(1, sizeof *explorer);
    enum setpay_error error =
        explorer == NULL ? SETPAY_E_NOMEM : make_page(words, explorer, &problem);
    int status = error == SETPAY_OK ? 0 : 1;
    if (error != SETPAY_OK) {
        (void)fprintf(stderr, "setpay-explorer: %s\n",
                      problem.text[0] != '\0' ? problem.text : setpay_error_text(error));
    } else if (explorer->failed_count > 0) {
        (void)fprintf(stderr,
                      "setpay-explorer: %zu of %zu checks %s NOT hold: the page says which\n",
                      explorer->failed_count, explorer->check_count,
                      setpay_noun((int64_t)explorer->failed_count, "does", "do"));
        status = setpay_error_exit_status(SETPAY_E_SIGNATURE);
    }
    if (explorer != NULL)
        explorer_clear(explorer);
    free(explorer);
    return status;
}

int main(int argc, char **argv)
{
    struct words words = {0};
    (void)umask(077);
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int status = take_words(argc, argv, &words);
    if (status != 0)
        return status;
    if (words.help)
        return fputs(usage, stdout) < 0;
    if (words.version)
        return printf("setpay-explorer " SETPAY_VERSION "\n") < 0;
    if (setpay_secret_system_init() != SETPAY_OK) {
        (void)fprintf(stderr, "setpay-explorer: %s\n", setpay_error_text(SETPAY_E_NOMEM));
        return 1;
    }
    return run(&words);
}
