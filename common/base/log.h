/*
 * Logs: one line an event, logfmt or JSON. A field is made by one of the functions below; none of
 * them takes a secret, and text fields have digits masked that could be a card number (12 to 19
 * digits, grouped or not, that pass the Luhn check).
 *
 *     setpay_log(SETPAY_LOG_INFO, "auth.approved", setpay_field_id("xid", &xid),
 *                setpay_field_money("amount", &amount));
 *
 * gives  ts=2026-11-23T18:41:11.042Z level=info event=auth.approved xid=8f… amount="12.50 EUR"
 */
#ifndef SETPAY_BASE_LOG_H
#define SETPAY_BASE_LOG_H

#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"

#include <stdint.h>

enum setpay_log_level {
    SETPAY_LOG_DEBUG = 0,
    SETPAY_LOG_INFO = 1,
    SETPAY_LOG_WARN = 2,
    SETPAY_LOG_ERROR = 3,
};

enum setpay_log_format { SETPAY_LOG_LOGFMT, SETPAY_LOG_JSON };

enum setpay_field_type {
    SETPAY_FIELD_END,
    SETPAY_FIELD_TEXT,
    SETPAY_FIELD_INT,
    SETPAY_FIELD_ID,
    SETPAY_FIELD_DIGEST,
    SETPAY_FIELD_MONEY,
    SETPAY_FIELD_ERROR,
};

struct setpay_field {
    const char *name;
    enum setpay_field_type type;
    union {
        const char *text;
        int64_t integer;
        struct setpay_id id;
        struct setpay_digest digest;
        struct setpay_money money;
        enum setpay_error error;
    } value;
};

struct setpay_field setpay_field_text(const char *name,
                                      const char *text); /* borrows for the call */
struct setpay_field setpay_field_int(const char *name, int64_t value);
struct setpay_field setpay_field_id(const char *name, const struct setpay_id *id);
struct setpay_field setpay_field_digest(const char *name, const struct setpay_digest *digest);
struct setpay_field setpay_field_money(const char *name, const struct setpay_money *money);
/* Two fields in the line: error=NAME, and rule=G4 where the error guards one. */
struct setpay_field setpay_field_error(enum setpay_error error);

/* Defaults: standard error, info, logfmt. path NULL keeps standard error. SETPAY_E_IO. */
enum setpay_error setpay_log_open(const char *path, enum setpay_log_level level,
                                  enum setpay_log_format format) SETPAY_MUST_CHECK;
/* Opens the path again (after rotation). */
enum setpay_error setpay_log_reopen(void) SETPAY_MUST_CHECK;
void setpay_log_set_level(enum setpay_log_level level);

/* Writes one line with one write(2). Any thread. fields ends with a SETPAY_FIELD_END. */
void setpay_log_write(enum setpay_log_level level, const char *event,
                      const struct setpay_field *fields);
#define setpay_log(level, event, ...)                                                              \
    setpay_log_write((level), (event),                                                             \
                     (const struct setpay_field[]){__VA_ARGS__, {.type = SETPAY_FIELD_END}})
/* The log line of an error at the level that the table gives it. */
#define setpay_log_error(error, event, ...)                                                        \
    setpay_log_write((enum setpay_log_level)setpay_error_info(error)->level, (event),              \
                     (const struct setpay_field[]){                                                \
                         setpay_field_error(error), __VA_ARGS__, {.type = SETPAY_FIELD_END}})

/* Masks card-number-like digit runs in place; what the text fields use. */
void setpay_log_mask(char *text);

#endif
