/*
 * The person at the terminal: secrets typed without echo, a question with yes or no, a line that
 * shows how far a payment is.
 */
#ifndef SETPAY_BASE_TERMINAL_H
#define SETPAY_BASE_TERMINAL_H

#include "common/base/error.h"
#include "common/base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Somebody can be asked: standard input is a terminal. */
bool setpay_terminal_there(void);

/* The terminal for words that belong to a question, whatever standard output is; close it with
 * fclose. NULL where there is none. */
FILE *setpay_terminal_open(void);

/* Asks on the terminal, without echo. An empty line leaves *line empty. A signal ends or stops the
 * program as ever, with the terminal as it was before. *line must be empty.
 * SETPAY_E_NOT_AGREED where the person ended the input, SETPAY_E_USAGE for a line of more than max
 * bytes, SETPAY_E_IO. */
enum setpay_error setpay_terminal_ask_secret(const char *question, size_t max,
                                             struct setpay_secret *line,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* The next line of standard input, byte by byte, so that nothing of the lines behind it stays in a
 * buffer. *end: there was none. Errors as above. */
enum setpay_error setpay_terminal_read_secret(size_t max, struct setpay_secret *line, bool *end,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Asks on the terminal; SETPAY_OK only for "y" or "yes" in any case, else SETPAY_E_NOT_AGREED. */
enum setpay_error setpay_terminal_ask_yes(const char *question,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Shows words in place of those before, on standard error and only if that is a terminal; NULL
 * takes the line away. */
void setpay_terminal_progress(const char *words);

/* Colour for this stream: it is a terminal, and neither NO_COLOR nor TERM=dumb speaks against it.
 */
bool setpay_terminal_wants_colour(FILE *stream);

#endif
