/*
 * Asking. What always holds: when a function here returns, and when a signal ends or stops the
 * program inside one, the terminal echoes as it did before.
 *
 * For that, signals are blocked but while waiting for a line (ppoll lets them in), their handlers
 * only note them, and they are raised again once the terminal is put back. A stopped program that
 * goes on asks anew.
 */
#include "common/base/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU};
#define SIGNAL_COUNT (sizeof signals / sizeof *signals)

static volatile sig_atomic_t caught; /* 0: none */

static void note_signal(int number)
{
    caught = number;
}

/* A terminal without echo, and what has to be put back. */
struct silence {
    int terminal;
    struct termios before;
    sigset_t mask_before;
    struct sigaction actions_before[SIGNAL_COUNT];
};

bool setpay_terminal_there(void)
{
    return isatty(STDIN_FILENO) == 1;
}

FILE *setpay_terminal_open(void)
{
    int fd = setpay_terminal_there() ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;
    FILE *terminal = fd < 0 ? NULL : fdopen(fd, "w");

    if (terminal == NULL && fd >= 0)
        (void)close(fd);
    return terminal;
}

static void silence_end(const struct silence *silence)
{
    (void)tcsetattr(silence->terminal, TCSAFLUSH, &silence->before);
    for (size_t at = 0; at < SIGNAL_COUNT; at++)
        (void)sigaction(signals[at], &silence->actions_before[at], NULL);
    if (caught != 0)
        (void)raise(caught); /* while blocked: it acts with the next line */
    (void)sigprocmask(SIG_SETMASK, &silence->mask_before, NULL);
}

/* On failure everything is as before. */
static enum setpay_error silence_begin(struct silence *silence, struct setpay_problem *problem)
{
    struct sigaction note = {.sa_handler = note_signal};
    struct termios silent;
    sigset_t mask;

    if (tcgetattr(silence->terminal, &silence->before) != 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "the terminal can't be read: %s",
                                  strerror(errno));
    caught = 0;
    (void)sigemptyset(&mask);
    (void)sigemptyset(&note.sa_mask);
    for (size_t at = 0; at < SIGNAL_COUNT; at++)
        (void)sigaddset(&mask, signals[at]);
    (void)sigprocmask(SIG_BLOCK, &mask, &silence->mask_before);
    for (size_t at = 0; at < SIGNAL_COUNT; at++)
        (void)sigaction(signals[at], &note, &silence->actions_before[at]);
    silent = silence->before;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
    silent.c_lflag |= ICANON;
    if (tcsetattr(silence->terminal, TCSAFLUSH, &silent) == 0)
        return SETPAY_OK;
    (void)setpay_problem_set(problem, SETPAY_E_IO, "the terminal can't be set: %s",
                             strerror(errno));
    silence_end(silence);
    return SETPAY_E_IO;
}

/* Waits for a line with the signals let in; false when one came. */
static bool wait_for_line(const struct silence *silence)
{
    struct pollfd ready = {.fd = silence->terminal, .events = POLLIN};

    for (;;) {
        int count = ppoll(&ready, 1, NULL, &silence->mask_before);

        if (caught != 0)
            return false;
        if (count > 0 || (count < 0 && errno != EINTR))
            return true;
    }
}

enum line_end { LINE_READ, LINE_NONE, LINE_TOO_LONG, LINE_FAILED };

/* Bytes up to a line end into room of max bytes. */
static enum line_end read_line(int fd, uint8_t *room, size_t max, size_t *size)
{
    bool too_long = false;
    uint8_t byte = 0;

    *size = 0;
    for (;;) {
        ssize_t got = read(fd, &byte, 1);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return LINE_FAILED;
        if (got == 0 && *size == 0 && !too_long)
            return LINE_NONE;
        if (got == 0 || byte == '\n')
            break;
        if (*size == max)
            too_long = true;
        else
            room[(*size)++] = byte;
    }
    if (*size > 0 && room[*size - 1] == '\r')
        (*size)--;
    return too_long ? LINE_TOO_LONG : LINE_READ;
}

static enum setpay_error line_error(enum line_end end, size_t max, struct setpay_problem *problem)
{
    switch (end) {
    case LINE_TOO_LONG:
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "the line is too long: expected at most %zu bytes", max);
    case LINE_FAILED:
        return setpay_problem_set(problem, SETPAY_E_IO, "the input can't be read: %s",
                                  strerror(errno));
    default:
        return SETPAY_OK;
    }
}

/* Reads one line into a secret of just its size. */
static enum setpay_error take_line(int fd, size_t max, struct setpay_secret *line,
                                   enum line_end *end, struct setpay_problem *problem)
{
    struct setpay_secret room = {0};
    size_t size = 0;
    enum setpay_error error;

    SETPAY_TRY(setpay_secret_alloc(&room, max));
    *end = read_line(fd, room.data, max, &size);
    error = line_error(*end, max, problem);
    if (error == SETPAY_OK && size > 0)
        error = setpay_secret_copy(line, setpay_view_of(room.data, size));
    setpay_secret_clear(&room);
    return error;
}

static void say(int terminal, const char *words)
{
    size_t left = strlen(words);

    while (left > 0) {
        ssize_t wrote = write(terminal, words, left);

        if (wrote < 0 && errno != EINTR)
            return;
        if (wrote > 0) {
            words += wrote;
            left -= (size_t)wrote;
        }
    }
}

enum setpay_error setpay_terminal_ask_secret(const char *question, size_t max,
                                             struct setpay_secret *line,
                                             struct setpay_problem *problem)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    enum line_end end = LINE_READ;
    enum setpay_error error;
    bool again;

    if (terminal < 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "the terminal can't be opened: %s",
                                  strerror(errno));
    do {
        struct silence silence = {.terminal = terminal};

        again = false;
        error = silence_begin(&silence, problem);
        if (error != SETPAY_OK)
            break;
        say(terminal, question);
        if (wait_for_line(&silence))
            error = take_line(terminal, max, line, &end, problem);
        else
            again = true; /* unless the signal ends the program now */
        say(terminal, "\n");
        silence_end(&silence);
    } while (again);
    (void)close(terminal);
    if (error == SETPAY_OK && end == LINE_NONE)
        return setpay_problem_set(problem, SETPAY_E_NOT_AGREED, "nothing was entered");
    return error;
}

enum setpay_error setpay_terminal_read_secret(size_t max, struct setpay_secret *line, bool *end,
                                              struct setpay_problem *problem)
{
    enum line_end how = LINE_READ;
    enum setpay_error error = take_line(STDIN_FILENO, max, line, &how, problem);

    if (error == SETPAY_OK)
        *end = how == LINE_NONE;
    return error;
}

enum setpay_error setpay_terminal_ask_yes(const char *question, struct setpay_problem *problem)
{
    int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    uint8_t answer[16];
    size_t size = 0;
    enum line_end end;

    if (terminal < 0)
        return setpay_problem_set(problem, SETPAY_E_IO, "the terminal can't be opened: %s",
                                  strerror(errno));
    say(terminal, question);
    end = read_line(terminal, answer, sizeof answer - 1, &size);
    if (end != LINE_READ)
        say(terminal, "\n");
    (void)close(terminal);
    answer[size] = '\0';
    if (end == LINE_READ &&
        (strcasecmp((char *)answer, "y") == 0 || strcasecmp((char *)answer, "yes") == 0))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_NOT_AGREED, "you said no; nothing was done");
}

void setpay_terminal_progress(const char *words)
{
    if (isatty(STDERR_FILENO) != 1)
        return;
    say(STDERR_FILENO, "\r\033[K");
    if (words != NULL)
        say(STDERR_FILENO, words);
}

bool setpay_terminal_wants_colour(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    const char *kind = getenv("TERM");

    return isatty(fileno(stream)) == 1 && (no_color == NULL || *no_color == '\0') && kind != NULL &&
           strcmp(kind, "dumb") != 0;
}
