/*
 * What else is made of a sandbox's parts: its files, programs and ports (test_sandbox.c). All of it
 * ends the program where it fails.
 */
#ifndef SETPAY_TEST_SANDBOX_INTERNAL_H
#define SETPAY_TEST_SANDBOX_INTERNAL_H

#include "tests/support/test_sandbox.h"

/* Runs a program to its end, its output into the file; its exit status. */
int test_sandbox_run_program(const char *output, const char *const *words);
/* Starts a daemon with the configuration NAME.conf as a child that dies with this process. */
pid_t test_sandbox_start_program(const struct test_sandbox *sandbox, const char *program_name,
                                 const char *name, const char *crash);
/* A port that nobody has, kept for a daemon of the caller's. */
uint16_t test_sandbox_free_port(void);
/* The first line of a file, without its end. */
void test_sandbox_read_line(const char *path, char *line, size_t size);

struct test_sandbox_change {
    char from[128];
    char to[128];
};
/* Copies a text file, with lines in front (NULL for none) and every change made. */
void test_sandbox_copy_changed(const char *from, const char *to, const char *lines,
                               const struct test_sandbox_change *changes, int count);

#endif
