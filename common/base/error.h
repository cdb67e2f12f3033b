/*
 * Errors: one enumeration, returned by value, 0 is success.
 *
 * The high byte of a value is its kind, and the kind alone decides what a program does next: try
 * again, refuse, answer "busy", stop. One table (error_table.h) holds for every error its kind, the
 * number that travels in an Error message, the level of its log line, the numbered rule that it
 * guards (docs/protocol.md) and a text for people. Nothing here is thread-local or global.
 *
 * To the outside, errors that an attacker could tell apart to learn a secret share a wire code.
 */
#ifndef SETPAY_BASE_ERROR_H
#define SETPAY_BASE_ERROR_H

#include <stdint.h>

#define SETPAY_MUST_CHECK __attribute__((warn_unused_result))
#define SETPAY_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* What a program does about an error. */
enum setpay_error_kind {
    SETPAY_KIND_NONE = 0,     /* success */
    SETPAY_KIND_AGAIN = 1,    /* no answer yet, or can't be reached: safe to repeat */
    SETPAY_KIND_BUSY = 2,     /* a bounded queue is full: repeat later; never stored as an answer */
    SETPAY_KIND_PROTOCOL = 3, /* the peer broke the protocol: malformed, out of order, mismatched */
    SETPAY_KIND_SECURITY = 4, /* a signature, certificate, digest or freshness check failed */
    SETPAY_KIND_DECLINED = 5, /* a well-formed wish that was refused: by issuer, state or policy */
    SETPAY_KIND_USAGE = 6,    /* the person or program that called us got it wrong */
    SETPAY_KIND_SYSTEM = 7,   /* memory, disk, database, library: ours to mend */
};

#define SETPAY_ERROR_VALUE(kind, number) (((kind) << 16) | (number))

enum setpay_error {
    SETPAY_OK = 0,
#define SETPAY_ERROR_ROW(name, kind, number, wire, level, rule, text)                              \
    SETPAY_E_##name = SETPAY_ERROR_VALUE(SETPAY_KIND_##kind, number),
#include "common/base/error_table.h"
#undef SETPAY_ERROR_ROW
};

/* The codes of an Error message on the wire (proto/setpay/v1/error.proto has the same numbers). */
enum setpay_wire_code {
    SETPAY_WIRE_UNSPECIFIED = 1,
    SETPAY_WIRE_NOT_SUPPORTED = 2, /* version, suite or message type unknown here */
    SETPAY_WIRE_DECODING = 3,      /* not a message in its one permitted form */
    SETPAY_WIRE_TOO_BIG = 4,
    SETPAY_WIRE_CERTIFICATE = 5, /* chain, role, validity */
    SETPAY_WIRE_CERTIFICATE_MISSING = 6,
    SETPAY_WIRE_REVOKED = 7,
    SETPAY_WIRE_CRYPTOGRAPHIC = 8, /* signature, dual signature, envelope, account: all alike */
    SETPAY_WIRE_MISMATCH = 9,      /* ids, amounts or parties disagree */
    SETPAY_WIRE_DATE = 10,         /* A5: final for this rrpid */
    SETPAY_WIRE_EXPIRED = 11,      /* offer or instruction */
    SETPAY_WIRE_RRPID_REUSED = 12, /* A6 */
    SETPAY_WIRE_UNKNOWN_TRANSACTION = 13,
    SETPAY_WIRE_ALREADY_USED = 14,  /* M4, G6 */
    SETPAY_WIRE_NOT_PERMITTED = 15, /* disabled merchant, wrong owner, state does not allow it */
    SETPAY_WIRE_AMOUNT = 16,        /* G8 */
    SETPAY_WIRE_BUSY = 17,          /* repeat the same request later */
    SETPAY_WIRE_TOO_SOON = 18,      /* G6: a further authorisation, before its time */
    SETPAY_WIRE_AGREEMENT = 19,     /* G6: no further authorisation will ever be taken */
    SETPAY_WIRE_ENDED = 20,         /* M4: the order is over, and is not paid any more */
};

/* One row of the table. Strings are static. */
struct setpay_error_info {
    enum setpay_error error;
    enum setpay_error_kind kind;
    enum setpay_wire_code wire;
    int level;        /* enum setpay_log_level of its log line */
    const char *name; /* "SIGNATURE" */
    const char *rule; /* "A2", or "" where no numbered rule applies */
    const char *text; /* one sentence part for people, no full stop */
};

/* The row of an error; an unknown value gets the row of SETPAY_E_INTERNAL. Never NULL. */
const struct setpay_error_info *setpay_error_info(enum setpay_error error);

enum setpay_error_kind setpay_error_kind(enum setpay_error error);
const char *setpay_error_name(enum setpay_error error);
const char *setpay_error_text(enum setpay_error error);
const char *setpay_error_rule(enum setpay_error error);

/* Exit status of a command that ends with this error (docs/reference: 0 to 6, but never 3). */
int setpay_error_exit_status(enum setpay_error error);

/* The error that a received wire code stands for on our side: a kind, never more than the peer
 * said. */
enum setpay_error setpay_error_from_wire(uint32_t wire_code);

/* All rows, for tests and for the reference page. */
const struct setpay_error_info *setpay_error_table(unsigned *count);

/*
 * Words for a person about one failure: which file, line, field or argument, what was found, what
 * is expected. Filled beside an error by functions that read what people write. Never holds a
 * secret.
 */
struct setpay_problem {
    char text[512];
};

/* Writes the words, cut at the size. errno stays as it was. problem may be NULL. */
void setpay_problem_write(struct setpay_problem *problem, const char *format, ...)
    SETPAY_PRINTF(2, 3);
/* The same, and gives back error, so that a caller can return the call. In the caller's sight, so
 * that an analyser knows too what comes back. */
#define setpay_problem_set(problem, error, ...)                                                    \
    (setpay_problem_write(problem, __VA_ARGS__), setpay_problem_error(error))
static inline enum setpay_error setpay_problem_error(enum setpay_error error)
{
    return error;
}

/* For functions that own nothing: hand an error up. Never in a function with an out: label. */
#define SETPAY_TRY(expression)                                                                     \
    do {                                                                                           \
        enum setpay_error try_error_ = (expression);                                               \
        if (try_error_ != SETPAY_OK)                                                               \
            return try_error_;                                                                     \
    } while (0)

#endif
