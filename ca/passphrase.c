/*
 * Asking a person for the passphrase: on the terminal itself, without echo, into secret memory.
 * The terminal is put back also when nothing was typed.
 */
#include "ca/cli.h"

#include "common/crypto/file.h"

#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define PASSPHRASE_MAX 1024

/* Reads one line, without its end, into room; the number of bytes, or -1. */
static ssize_t read_line(int terminal, uint8_t *room, size_t size)
{
    size_t used = 0;

    while (used < size) {
        ssize_t got = read(terminal, room + used, 1);

        if (got <= 0)
            return -1;
        if (room[used] == '\n') {
            room[used] = 0;
            return (ssize_t)used;
        }
        used++;
    }
    return -1;
}

static enum setpay_error ask(int terminal, const char *words, struct setpay_secret *passphrase)
{
    struct setpay_secret line = {0};
    struct termios before;
    struct termios silent;
    ssize_t size;
    enum setpay_error error;

    if (tcgetattr(terminal, &before) != 0)
        return SETPAY_E_IO;
    error = setpay_secret_alloc(&line, PASSPHRASE_MAX);
    if (error != SETPAY_OK)
        return error;
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (write(terminal, words, strlen(words)) < 0 || tcsetattr(terminal, TCSAFLUSH, &silent) != 0) {
        setpay_secret_clear(&line);
        return SETPAY_E_IO;
    }
    size = read_line(terminal, line.data, line.size);
    (void)tcsetattr(terminal, TCSAFLUSH, &before);
    if (write(terminal, "\n", 1) < 0 || size < 0)
        error = SETPAY_E_IO;
    else if (size == 0)
        error = SETPAY_E_PASSPHRASE;
    else
        error = setpay_secret_copy(passphrase, setpay_view_of(line.data, (size_t)size));
    setpay_secret_clear(&line);
    return error;
}

enum setpay_error setpay_ca_passphrase_read(const char *file, bool twice,
                                            struct setpay_secret *passphrase,
                                            struct setpay_problem *problem)
{
    struct setpay_secret again = {0};
    int terminal;
    enum setpay_error error;

    if (file != NULL)
        return setpay_file_read_secret(file, passphrase, problem);
    terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0)
        return setpay_problem_set(problem, SETPAY_E_PASSPHRASE,
                                  "there is no terminal to ask for the passphrase: give "
                                  "--passphrase-file");
    error = ask(terminal, "Passphrase of the CA: ", passphrase);
    if (error == SETPAY_OK && twice) {
        error = ask(terminal, "Once more: ", &again);
        if (error == SETPAY_OK && !setpay_secret_equal(passphrase, &again))
            error = setpay_problem_set(problem, SETPAY_E_PASSPHRASE,
                                       "the two passphrases are not the same");
    }
    (void)close(terminal);
    setpay_secret_clear(&again);
    if (error != SETPAY_OK)
        setpay_secret_clear(passphrase);
    return error;
}
