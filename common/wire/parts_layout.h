/* The layouts of what several messages hold. Inside common/wire only. */
#ifndef SETPAY_WIRE_PARTS_LAYOUT_H
#define SETPAY_WIRE_PARTS_LAYOUT_H

#include "common/wire/layout.h"

/* Three kinds of request headers: PInitReq's (no sender, a host), PCertReq's (a sender, a gateway's
 * id), all others' (both thumbprints). Two of answers: PInitRes's has no receiver. */
extern const struct setpay_wire_layout setpay_layout_header_host;
extern const struct setpay_wire_layout setpay_layout_header_gateway;
extern const struct setpay_wire_layout setpay_layout_header;
extern const struct setpay_wire_layout setpay_layout_answer_header_open;
extern const struct setpay_wire_layout setpay_layout_answer_header;
extern const struct setpay_wire_layout setpay_layout_terms;
extern const struct setpay_wire_layout setpay_layout_sealed_receipt;
extern const struct setpay_wire_layout setpay_layout_step_done;

/* Rows that many tables have; S is the name of our struct. */
#define SETPAY_ROW_HEADER(number_, S, layout_)                                                     \
    SETPAY_ROW(number_, MESSAGE, S, header), .inner = &setpay_layout_##layout_
#define SETPAY_ROW_MONEY(number_, S, M, minimum_)                                                  \
    SETPAY_ROW(number_, MONEY, S, M), .minimum = (minimum_)
#define SETPAY_ROW_TERMS(number_, S)                                                               \
    SETPAY_ROW(number_, MESSAGE, S, terms), .inner = &setpay_layout_terms
#define SETPAY_ROW_TIME(number_, S, M)                                                             \
    SETPAY_ROW(number_, I64, S, M), .minimum = 1, .maximum = SETPAY_WIRE_TIME_MAX
#define SETPAY_ROW_SIGNATURE(number_, S, M)                                                        \
    SETPAY_ROW(number_, SIGNATURE, S, M), .minimum = SETPAY_WIRE_SIGNATURE_MIN,                    \
                                          .maximum = SETPAY_WIRE_SIGNATURE_MAX
#define SETPAY_ROW_THUMBS(number_, S, M)                                                           \
    SETPAY_ROW(number_, THUMBS, S, M), .maximum = SETPAY_LIMIT_THUMBS
#define SETPAY_ROW_ACTION_CODE(number_, S) SETPAY_ROW_TEXT(number_, S, action_code, 2, ALNUM)
#define SETPAY_ROW_RECEIPT(number_, S)                                                             \
    SETPAY_ROW(number_, MESSAGE, S, receipt), .inner = &setpay_layout_sealed_receipt
/* A number of receipts of one purchase, absent where it is 0. */
#define SETPAY_ROW_RECEIPTS(number_, S, M)                                                         \
    SETPAY_ROW(number_, U32, S, M), .optional = true, .minimum = 1, .maximum = 999999
#define SETPAY_ROW_APPROVAL_CODE(number_, S)                                                       \
    SETPAY_ROW_TEXT(number_, S, approval_code, 6, CODE), .optional = true

/* The end of the year 9999: later times are a mistake, and sums with them can't overflow. */
#define SETPAY_WIRE_TIME_MAX INT64_C(253402300799999)
#define SETPAY_WIRE_SIGNATURE_MIN 8

/* The public pair of functions of one message. */
#define SETPAY_WIRE_MESSAGE_FUNCTIONS(name)                                                        \
    enum setpay_error setpay_##name##_build(const struct setpay_##name *message,                   \
                                            struct setpay_buffer *bytes)                           \
    {                                                                                              \
        return setpay_wire_build(&setpay_layout_##name, message, bytes);                           \
    }                                                                                              \
    enum setpay_error setpay_##name##_parse(struct setpay_view bytes,                              \
                                            struct setpay_##name *message)                         \
    {                                                                                              \
        return setpay_wire_parse(&setpay_layout_##name, bytes, message);                           \
    }
#define SETPAY_WIRE_MESSAGE_CLEAR(name)                                                            \
    void setpay_##name##_clear(struct setpay_##name *message)                                      \
    {                                                                                              \
        setpay_wire_clear(&setpay_layout_##name, message);                                         \
    }

#endif
