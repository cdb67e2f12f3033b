/*
 * The gateway's side of the card network: one thread owns the lines to the issuers, their sign-on,
 * the trace numbers under way and the advices, reversals and presentments that are still to be
 * acknowledged.
 * Workers hand in requests from any thread and get each answer as one job on an executor of theirs.
 *
 * What always holds: a callback comes exactly once for each request that was taken. An answer is
 * matched by trace number, transmission date and time, retrieval reference, amount and currency;
 * what matches nothing (late, duplicate) is logged and dropped. The network keeps nothing on disk:
 * who asks stores the trace before the call, and hands what is open in again after a restart.
 */
#ifndef SETPAY_GATEWAY_NETWORK_NETWORK_H
#define SETPAY_GATEWAY_NETWORK_NETWORK_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/base/secret.h"
#include "gateway/network/totals.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct ssl_ctx_st;
struct setpay_network;

#define SETPAY_NETWORK_ROUTES_MAX 32
#define SETPAY_NETWORK_NAME_SIZE 64         /* of a route, with its NUL */
#define SETPAY_NETWORK_PERIOD_MAX 999999999 /* of a reconciliation; the first is 1 */
#define SETPAY_NETWORK_REQUESTS_MAX 4096    /* authorisations under way on all lines */
/* Reversals that are not acknowledged yet. Their frames lie in secret memory, of which there is
 * little, and which all keys and instructions need too; the others wait in the database. */
#define SETPAY_NETWORK_REVERSALS_MAX 2048
#define SETPAY_NETWORK_REVERSALS_AT_ONCE 64    /* of these, sent and not answered, on one line */
#define SETPAY_NETWORK_OUTPUT_MAX (256 * 1024) /* bytes that wait to be sent on one line */

/* One issuer, or network of issuers. */
struct setpay_network_route {
    const char *name; /* for logs and figures */
    const char
        *prefixes; /* PAN prefixes and ranges: "4,51-55", "*" for any; the longest match wins */
    const char *address;    /* HOST:PORT with a numeric host; without TLS loopback only */
    struct ssl_ctx_st *tls; /* NULL: plain; borrowed for the call */
    const char *tls_name;   /* the name that the issuer's certificate must bear */
};

struct setpay_network_config {
    const struct setpay_network_route *routes; /* copied */
    size_t route_count;
    const char *acquirer_id; /* field 32, 1 to 11 digits, one gateway's own */
    const char *terminal_id; /* field 41, 1 to 8 characters */
    uint32_t stan_first;     /* 0: random */
    int64_t answer_timeout_ms;
    int64_t echo_interval_ms; /* of idleness */
    int64_t reconnect_min_ms; /* doubles up to max after each failure */
    int64_t reconnect_max_ms;
    int64_t repeat_min_ms; /* first repeat of a reversal; doubles up to max */
    int64_t repeat_max_ms;
};
/* Sensible values for all but routes and acquirer_id. */
void setpay_network_config_defaults(struct setpay_network_config *config);

/* Whether a network can be made of it, but for each route's prefixes, address and TLS.
 * SETPAY_E_CONFIG with words. */
enum setpay_error setpay_network_config_check(const struct setpay_network_config *config,
                                              struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* base is the loop that runs the network, and own (copied) the executor that posts to that loop's
 * thread; both outlive it. Call before the loop runs or on its thread. SETPAY_E_CONFIG with words.
 */
enum setpay_error setpay_network_new(const struct setpay_network_config *config,
                                     struct event_base *base, const struct setpay_executor *own,
                                     struct setpay_network **network,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Any thread: takes no new requests (SETPAY_E_DRAINING) and stops all reversals, whose callbacks
 * come now; authorisations under way still end as they would. */
enum setpay_error setpay_network_drain(struct setpay_network *network) SETPAY_MUST_CHECK;
/* On the loop's thread, once it is drained: signs off from every line that is up; done comes on
 * that thread when all have answered, or after a second. */
typedef void setpay_network_signed_off_cb(void *arg);
void setpay_network_sign_off(struct setpay_network *network, setpay_network_signed_off_cb *done,
                             void *arg);
/* On the loop's thread: one context for each route, in their order (NULL where it is plain), for
 * the connections that are made from now on. Those that are there stay, and so does what is under
 * way.
 */
void setpay_network_take_tls(struct setpay_network *network, struct ssl_ctx_st *const *tls);
/* NULL-safe. On the loop's thread once it is drained, or after the loop has ended. Requests under
 * way are answered as UNKNOWN, reversals as stopped. */
void setpay_network_free(struct setpay_network *network);

/* True while every line is signed on; while any is. Any thread. */
bool setpay_network_is_up(const struct setpay_network *network);
bool setpay_network_is_any_up(const struct setpay_network *network);
/* The name of the route that takes this card number; "" where none does. Any thread. */
void setpay_network_route_name(struct setpay_network *network, const struct setpay_secret *pan,
                               char name[SETPAY_NETWORK_NAME_SIZE]);
/* Every route and whether it is signed on, in the order of the configuration. Any thread. */
typedef void setpay_network_route_fn(void *arg, const char *name, bool is_up);
void setpay_network_each_route(struct setpay_network *network, setpay_network_route_fn *each,
                               void *arg);
/* False while the line that this card number goes to is not signed on: ask later. True also where
 * no line takes the number, since waiting would not help. Any thread. */
bool setpay_network_may_reach(struct setpay_network *network, const struct setpay_secret *pan);

/* For how long it has been so, by the monotonic clock; 0 where may_reach is true. Any thread. */
int64_t setpay_network_down_ms(struct setpay_network *network, const struct setpay_secret *pan);

/* Figures since the start; any thread. */
struct setpay_network_figures {
    uint64_t lines, lines_up;
    uint64_t authorisations_sent, authorisations_answered, authorisations_timed_out;
    uint64_t authorisations_not_sent, authorisations_lost;
    uint64_t answers_unmatched;
    uint64_t reversals_open, reversals_sent, reversals_repeated, reversals_acknowledged;
    uint64_t presentments_open, presentments_sent, presentments_repeated, presentments_answered;
    uint64_t advices_open, advices_sent, advices_repeated, advices_answered;
    uint64_t reconciliations_sent, reconciliations_repeated, reconciliations_answered;
    uint64_t sign_ons, sign_offs, sign_ons_refused, echoes, connections_lost, connections_failed,
        malformed;
};
void setpay_network_figures(const struct setpay_network *network,
                            struct setpay_network_figures *figures);

/*
 * What names one authorisation at the issuer: allocated first, stored by the caller with its intent
 * (rule G7), then used. Number and second together are used once by one gateway. The pair is all
 * that must be stored.
 */
struct setpay_network_trace {
    uint32_t stan;       /* 1 .. 999999: field 11 */
    setpay_time_ms time; /* whole seconds: fields 7, 12, 13, and the RRN of field 37 */
};
/* Any thread. */
void setpay_network_trace_allocate(struct setpay_network *network,
                                   struct setpay_network_trace *trace);
/* Field 37: last digit of the year, day of the year, hour, trace number. */
#define SETPAY_NETWORK_RRN_SIZE 13
void setpay_network_trace_rrn(const struct setpay_network_trace *trace,
                              char rrn[SETPAY_NETWORK_RRN_SIZE]);

/* The merchant as the issuer sees it. */
struct setpay_network_acceptor {
    char id[16];       /* field 42: 1 to 15 printable characters */
    char name[41];     /* field 43: name, town, country; at most 40 printable ASCII characters */
    uint16_t category; /* field 18, four digits */
};

/* Fills it: the name is cut at 40 and its characters outside printable ASCII become '?'.
 * SETPAY_E_FIELD for an id that field 42 can't carry or a category above 9999. */
enum setpay_error setpay_network_acceptor_set(struct setpay_network_acceptor *acceptor,
                                              const char *id, const char *name,
                                              unsigned category) SETPAY_MUST_CHECK;

enum setpay_network_outcome {
    SETPAY_NETWORK_ANSWERED,
    SETPAY_NETWORK_NOT_SENT, /* nothing left this machine: no route or line down; no reversal */
    SETPAY_NETWORK_UNKNOWN,  /* no answer in time, or the line was lost: a reversal must follow */
};

struct setpay_network_answer {
    enum setpay_network_outcome outcome;
    enum setpay_error reason; /* NOT_SENT, UNKNOWN: why; TIMEOUT, CLOSED, UNREACHABLE, … */
    struct setpay_network_trace trace;
    char response_code[3];      /* field 39; "" unless ANSWERED; "00" approved, "10" in part */
    char approval_code[7];      /* field 38; "" where declined */
    struct setpay_money amount; /* approved: the one asked, or less with "10"; zero if declined */
    char avs_result;            /* field 44: Y A Z N, U not checked; 0 where there is none */
    char cvv_result;            /* field 44: M N, U not checked; 0 where there is none */
};
typedef void setpay_network_answer_cb(void *arg, const struct setpay_network_answer *answer);

/* What else the cardholder has agreed to that the card is kept for. */
enum setpay_network_agreed {
    SETPAY_NETWORK_ONCE = 0, /* nothing */
    SETPAY_NETWORK_SPLIT,
    SETPAY_NETWORK_INSTALMENT,
    SETPAY_NETWORK_RECURRING,
};

/* Secrets are moved in when the call succeeds; the rest is copied. */
struct setpay_network_authorisation {
    struct setpay_network_trace trace;
    struct setpay_secret pan;
    struct setpay_secret expiry;        /* YYMM */
    struct setpay_secret security_code; /* empty: none */
    struct setpay_secret postcode;      /* empty: none */
    struct setpay_secret house_digits;  /* empty: none */
    struct setpay_money amount;
    char ecommerce_indicator[3]; /* two digits, or "": of what the cardholder has begun */
    enum setpay_network_agreed agreed;
    struct setpay_network_trace first; /* of one that the merchant has begun: the authorisation that
                                        * the cardholder did; of no STAN: this is that one */
    bool is_sale;                      /* books at once: 0200, answered by 0210 */
    struct setpay_id sale_id;          /* of the presentment that a sale is as well */
    int64_t period;                    /* of the issuer's reconciliation, with a sale */
    char approval_code[7];             /* of an advice: the gateway's own; else "" */
    char issuer[SETPAY_NETWORK_NAME_SIZE]; /* of an advice: as of a reversal */
    struct setpay_network_acceptor acceptor;
    struct setpay_id xid;
    struct setpay_digest pomd;
};
/* Cleanses what an authorisation still holds. Safe on zeroed memory. */
void setpay_network_authorisation_clear(struct setpay_network_authorisation *request);

/* Any thread. After SETPAY_OK the callback comes once, on reply (borrowed until then). Errors take
 * nothing and send nothing: SETPAY_E_FIELD (a value that the message can't carry), SETPAY_E_BUSY,
 * SETPAY_E_DRAINING, SETPAY_E_NOMEM. */
enum setpay_error setpay_network_authorise(struct setpay_network *network,
                                           struct setpay_network_authorisation *request,
                                           const struct setpay_executor *reply,
                                           setpay_network_answer_cb *done,
                                           void *arg) SETPAY_MUST_CHECK;

/* What approved the payment that a later message is about: the type in field 90. */
enum setpay_network_original {
    SETPAY_NETWORK_BY_ISSUER = 0, /* 0100 */
    SETPAY_NETWORK_BY_SALE,       /* 0200 */
    SETPAY_NETWORK_BY_STAND_IN,   /* 0120 */
};

struct setpay_network_reversal {
    /* The route that the authorisation went by: card numbers may go elsewhere since then. "" (it
     * was not kept yet): the one that the card number goes to now. */
    char issuer[SETPAY_NETWORK_NAME_SIZE];
    struct setpay_network_trace original; /* of the authorisation */
    struct setpay_secret pan;
    struct setpay_secret expiry;
    struct setpay_money amount; /* as it was asked for */
    bool partial;               /* false: the whole */
    int64_t remaining_minor;    /* what stays authorised, where partial */
    char approval_code[7];      /* "" where it never came */
    struct setpay_network_acceptor acceptor;
    struct setpay_id xid;
    struct setpay_digest pomd;
    enum setpay_network_original by;
    int64_t period; /* of the issuer's reconciliation, of a sale; else 0 */
    bool advises;   /* of what has ended by itself: 0420, answered by 0430 */
    bool repeated;  /* may have been sent in an earlier life: starts as 0401 or 0421 */
};
void setpay_network_reversal_clear(struct setpay_network_reversal *reversal);

/* What was captured, or credited, of an authorisation. */
struct setpay_network_presentment {
    char issuer[SETPAY_NETWORK_NAME_SIZE]; /* as of a reversal */
    struct setpay_network_trace original;  /* of the authorisation */
    struct setpay_secret pan;
    struct setpay_secret expiry;
    struct setpay_money amount; /* of this presentment */
    bool credits;               /* the cardholder gets it back */
    char approval_code[7];
    struct setpay_network_acceptor acceptor;
    struct setpay_id xid;
    struct setpay_digest pomd;
    struct setpay_id id; /* names it to the issuer: one of the same id is the same presentment */
    enum setpay_network_original by;
    int64_t period; /* of the issuer's reconciliation */
    bool repeated;  /* may have been sent in an earlier life: starts as 0221 */
};
void setpay_network_presentment_clear(struct setpay_network_presentment *presentment);

struct setpay_network_reconciliation {
    const char *issuer; /* the route */
    int64_t period;
    char currency[4];
    setpay_time_ms cut_ms; /* the day of it is the settlement date */
    struct setpay_network_totals totals;
    bool repeated; /* may have been sent in an earlier life: starts as 0501 */
};

struct setpay_network_acknowledgement {
    bool acknowledged;     /* false: stopped, by request or because the network is going */
    char response_code[3]; /* of the 0130, 0410, 0430, 0230 or 0510 */
    bool has_totals;       /* of an 0510: the issuer's own, and whether it finds both the same */
    bool in_balance;
    struct setpay_network_totals totals;
    uint32_t sent_count;
    uint64_t handle;
};
typedef void setpay_network_acknowledged_cb(void *arg,
                                            const struct setpay_network_acknowledgement *ack);

/* Any thread. Sends 0400, and 0401 again and again, over line losses too, until a 0410 takes it
 * (39 = 00, 21 or 25; any other answer counts as none); or 0420, 0421 and 0430. Secrets are moved
 * in when the call succeeds. Same errors as setpay_network_authorise; SETPAY_E_NOT_FOUND where
 * there is no route of its issuer. handle (may be NULL) is for setpay_network_reverse_stop. */
enum setpay_error setpay_network_reverse(struct setpay_network *network,
                                         struct setpay_network_reversal *reversal,
                                         const struct setpay_executor *reply,
                                         setpay_network_acknowledged_cb *done, void *arg,
                                         uint64_t *handle) SETPAY_MUST_CHECK;
/* The same for a presentment: 0220, and 0221 again and again, until a 0230 decides: 00 or 94 (had
 * it before) takes it, 30, 91 and 96 count as no answer, any other code refuses it for good. */
enum setpay_error setpay_network_present(struct setpay_network *network,
                                         struct setpay_network_presentment *presentment,
                                         const struct setpay_executor *reply,
                                         setpay_network_acknowledged_cb *done,
                                         void *arg) SETPAY_MUST_CHECK;
/* The same for what the gateway has approved in the issuer's stead: 0120, and 0121 again and again,
 * until a 0130 decides, by the codes of a presentment. The trace is the advice's own, so that its
 * repeats in a later life are the same advice; repeated: it may have been sent in an earlier one.
 */
enum setpay_error setpay_network_advise(struct setpay_network *network,
                                        struct setpay_network_authorisation *advice, bool repeated,
                                        const struct setpay_executor *reply,
                                        setpay_network_acknowledged_cb *done,
                                        void *arg) SETPAY_MUST_CHECK;
/* The same for a reconciliation: 0500, and 0501 again and again, until a 0510 gives the issuer's
 * totals (00 in balance, 95 not), or refuses for good; 91 and 96 count as no answer.
 * SETPAY_E_NOT_FOUND where there is no such route. */
enum setpay_error
setpay_network_reconcile(struct setpay_network *network,
                         const struct setpay_network_reconciliation *reconciliation,
                         const struct setpay_executor *reply, setpay_network_acknowledged_cb *done,
                         void *arg) SETPAY_MUST_CHECK;
/* Any thread; nothing where it is already acknowledged. */
enum setpay_error setpay_network_reverse_stop(struct setpay_network *network,
                                              uint64_t handle) SETPAY_MUST_CHECK;

#endif
