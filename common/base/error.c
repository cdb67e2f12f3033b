/*
 * The error table in memory, and the few decisions that follow from it: exit status of a command,
 * meaning of a peer's Error message.
 *
 * Always true: every error of the enumeration has exactly one row here, since both are made from
 * error_table.h, and no row says more to a peer than its wire code.
 */
#include "common/base/error.h"

#include "common/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    /* 3 is the issuer's decline, proved by a receipt: a purchase's status, never an error. */
    EXIT_AGAIN = 4,
    EXIT_SECURITY = 5,
    EXIT_NOT_AGREED = 6,
};

static const struct setpay_error_info success = {
    .error = SETPAY_OK,
    .kind = SETPAY_KIND_NONE,
    .wire = SETPAY_WIRE_UNSPECIFIED,
    .level = SETPAY_LOG_DEBUG,
    .name = "OK",
    .rule = "",
    .text = "success",
};

/* INTERNAL is the table's last row: the answer for values that no row has. */
static const struct setpay_error_info table[] = {
#define SETPAY_ERROR_ROW(name_, kind_, number_, wire_, level_, rule_, text_)                       \
    {                                                                                              \
        .error = SETPAY_E_##name_,                                                                 \
        .kind = SETPAY_KIND_##kind_,                                                               \
        .wire = (wire_),                                                                           \
        .level = (level_),                                                                         \
        .name = #name_,                                                                            \
        .rule = (rule_),                                                                           \
        .text = (text_),                                                                           \
    },
#include "common/base/error_table.h"
#undef SETPAY_ERROR_ROW
};

#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

const struct setpay_error_info *setpay_error_info(enum setpay_error error)
{
    const struct setpay_error_info *internal = NULL;

    if (error == SETPAY_OK)
        return &success;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (table[i].error == error)
            return &table[i];
        if (table[i].error == SETPAY_E_INTERNAL)
            internal = &table[i];
    }
    return internal;
}

enum setpay_error_kind setpay_error_kind(enum setpay_error error)
{
    return setpay_error_info(error)->kind;
}

const char *setpay_error_name(enum setpay_error error)
{
    return setpay_error_info(error)->name;
}

const char *setpay_error_text(enum setpay_error error)
{
    return setpay_error_info(error)->text;
}

const char *setpay_error_rule(enum setpay_error error)
{
    return setpay_error_info(error)->rule;
}

int setpay_error_exit_status(enum setpay_error error)
{
    switch (setpay_error_kind(error)) {
    case SETPAY_KIND_NONE:
        return EXIT_DONE;
    case SETPAY_KIND_AGAIN:
    case SETPAY_KIND_BUSY:
        return EXIT_AGAIN;
    case SETPAY_KIND_PROTOCOL:
    case SETPAY_KIND_SECURITY:
        /* The other side's word is no check of ours that failed. */
        return error == SETPAY_E_PEER_REFUSED ? EXIT_FAILED : EXIT_SECURITY;
    case SETPAY_KIND_DECLINED:
        return error == SETPAY_E_NOT_AGREED     ? EXIT_NOT_AGREED
               : error == SETPAY_E_PAYMENT_OPEN ? EXIT_AGAIN
                                                : EXIT_FAILED;
    case SETPAY_KIND_USAGE:
        /* The caller's fault either way, but only these are about how the command was written. */
        if (error == SETPAY_E_USAGE || error == SETPAY_E_CONFIG || error == SETPAY_E_INVALID)
            return EXIT_USAGE;
        return EXIT_FAILED;
    case SETPAY_KIND_SYSTEM:
        break;
    }
    return EXIT_FAILED;
}

/* A peer's Error message is unsigned or at best its own view, so that only two codes change what we
 * do next: "busy" is worth a repeat, "date" a look at the clock. */
enum setpay_error setpay_error_from_wire(uint32_t wire_code)
{
    switch (wire_code) {
    case SETPAY_WIRE_BUSY:
        return SETPAY_E_PEER_BUSY;
    case SETPAY_WIRE_DATE:
        return SETPAY_E_PEER_DATE;
    default:
        return SETPAY_E_PEER_REFUSED;
    }
}

const struct setpay_error_info *setpay_error_table(unsigned *count)
{
    *count = (unsigned)TABLE_COUNT;
    return table;
}

void setpay_problem_write(struct setpay_problem *problem, const char *format, ...)
{
    int errno_before = errno;
    va_list args;

    if (problem == NULL)
        return;
    va_start(args, format);
    if (vsnprintf(problem->text, sizeof(problem->text), format, args) < 0)
        problem->text[0] = '\0';
    va_end(args);
    errno = errno_before;
}
