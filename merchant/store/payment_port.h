/*
 * What the store's side asks of the payment side. merchantd fills it from merchant/payment; tests
 * fill it with a payment side of their own.
 */
#ifndef SETPAY_MERCHANT_STORE_PAYMENT_PORT_H
#define SETPAY_MERCHANT_STORE_PAYMENT_PORT_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/money.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "merchant/payment/purchase_state.h"
#include "merchant/store/settlement_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One purchase of an order, as the store may see it. */
struct setpay_payment_view {
    struct setpay_id xid;
    enum setpay_purchase_state state;
    struct setpay_money amount;   /* asked */
    struct setpay_money approved; /* minor 0 where nothing was, or nothing is yet known */
    int64_t captured_minor;       /* less what was undone; so credited */
    int64_t credited_minor;
    int64_t released_minor; /* given up of what was approved */
    char approval_code[7];  /* "" where there is none */
    char action_code[3];    /* "" before the outcome */
    char brand[33];
    setpay_time_ms created_ms;
    setpay_time_ms decided_ms;     /* of the outcome; 0 before it */
    setpay_time_ms hold_expiry_ms; /* of the first one; 0 where there is no hold */
    bool unwanted;                 /* a sale that came too late: it is being taken back */
};

typedef enum setpay_error setpay_payment_visit_fn(void *arg,
                                                  const struct setpay_payment_view *payment);

/* What may be done to what is authorised. Stored. */
enum setpay_merchant_step_kind {
    SETPAY_MERCHANT_STEP_CAPTURE = 1,
    SETPAY_MERCHANT_STEP_CREDIT = 2,
    SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL = 3,
    SETPAY_MERCHANT_STEP_CREDIT_REVERSAL = 4,
    SETPAY_MERCHANT_STEP_RELEASE = 5,   /* of what is held beside what was captured, or a part */
    SETPAY_MERCHANT_STEP_AUTHORISE = 6, /* a further authorisation of an agreement */
    SETPAY_MERCHANT_STEP_CANCEL = 7,    /* the cardholder's cancellation, handed to the gateway */
};

/* Who asks for the further payments of an agreement. Stored. */
enum setpay_agreement_schedule {
    SETPAY_SCHEDULE_AUTOMATIC = 1, /* the daemon, when each is due */
    SETPAY_SCHEDULE_MANUAL = 2,    /* the store */
};

/* Why nothing follows any more. Stored. */
enum setpay_agreement_end {
    SETPAY_ENDED_NOT = 0,
    SETPAY_ENDED_COMPLETED = 1,  /* all has been taken */
    SETPAY_ENDED_EXPIRED = 2,    /* its end has passed */
    SETPAY_ENDED_BY_SHOPPER = 3, /* cancelled */
    SETPAY_ENDED_BY_STORE = 4,   /* the store asks no more */
    SETPAY_ENDED_BY_GATEWAY = 5, /* which takes nothing any more, or no card that is kept */
    SETPAY_ENDED_CARD_ENDED = 6, /* the certificate, and so the card, has ended or is revoked */
    SETPAY_ENDED_DECLINED = 7,   /* the issuer has said: never again */
    SETPAY_ENDED_BREACH = 8,     /* the gateway has gone beyond the terms; taken back */
    SETPAY_ENDED_GIVEN_BACK = 9, /* all that was taken was reversed */
    SETPAY_ENDED_AMOUNT = 10,    /* the gateway refuses the amount: the books differ */
    SETPAY_ENDED_UNKNOWN = 11,   /* the gateway does not know the token */
    SETPAY_ENDED_REASONS
};

/* One step of a purchase, as the store may see it. */
struct setpay_step_view {
    int64_t number;      /* ascends with the asking */
    struct setpay_id id; /* by which the store knows it */
    struct setpay_id of; /* which it undoes or credits; zero: none */
    enum setpay_merchant_step_kind kind;
    struct setpay_money amount;
    bool asking;   /* the gateway has not answered */
    bool declined; /* by the issuer, of a further authorisation */
    char action_code[3];
    char approval_code[7];         /* these of a further authorisation */
    setpay_time_ms hold_expiry_ms; /* likewise */
    uint32_t code; /* by which the gateway has refused it, of an Error; 0: it has not */
    bool undone;
    int64_t credited_minor;   /* of a capture */
    int64_t creditable_minor; /* of a capture, where all comes to pass that is asked for */
    uint32_t batch;           /* 0: none yet */
    bool is_settled;          /* of a capture or credit: the gateway has paid it, */
    struct setpay_id settlement;
    char settled_day[SETPAY_SETTLEMENT_DATE_SIZE]; /* with that settlement, of that day; */
    bool is_paid_in_part;                          /* less than all of it, and no more comes: */
    int64_t paid_minor;                            /* so much, less its fee */
    setpay_time_ms created_ms;
    setpay_time_ms decided_ms; /* 0 before it */
};

typedef enum setpay_error setpay_step_visit_fn(void *arg, const struct setpay_step_view *step);

/* What the store asks for. */
struct setpay_step_wish {
    struct setpay_id xid;
    enum setpay_merchant_step_kind kind;
    const struct setpay_id *of; /* NULL: none */
    int64_t amount_minor;       /* of a release 0: all that is held then */
    int64_t together;           /* 0, or in one request with all of this number (captures only) */
    int64_t *first;             /* NULL, or the number of the first step, where it takes several */
};

/* Stored. */
enum setpay_batch_state {
    SETPAY_BATCH_STATE_OPEN = 1,
    SETPAY_BATCH_STATE_CLOSING = 2, /* the gateway is asked until it has answered */
    SETPAY_BATCH_STATE_CLOSED = 3,  /* both sides count the same, and nothing goes into it */
    SETPAY_BATCH_STATE_DIFFERS = 4, /* they do not: it is open, and may be closed again */
};

/* What one side has in a batch and the other has not, or with another amount. */
struct setpay_batch_difference {
    bool is_credit; /* otherwise a capture */
    struct setpay_id xid;
    struct setpay_id token;                   /* the gateway's name of it */
    char order_id[SETPAY_WIRE_LID_M_MAX + 1]; /* "": there is no such purchase here */
    bool has_id;                              /* it is known here */
    struct setpay_id id;                      /* by which the store knows it */
    char currency[4];
    int64_t ours_minor;   /* 0: not counted here */
    int64_t theirs_minor; /* 0: not counted by the gateway */
};
#define SETPAY_BATCH_VIEW_DIFFERENCES 100

/* A batch, as the store may see it. */
struct setpay_batch_view {
    int64_t seq;           /* ascends with the hearing of it */
    struct setpay_id name; /* of the notes about it */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    uint32_t number; /* of the gateway, by brand */
    enum setpay_batch_state state;
    setpay_time_ms opened_ms;
    setpay_time_ms closed_ms;                                  /* 0: it is not closed */
    struct setpay_batch_total totals[SETPAY_LIMIT_CURRENCIES]; /* as counted here */
    size_t total_count;
    struct setpay_batch_difference differences[SETPAY_BATCH_VIEW_DIFFERENCES]; /* the first */
    size_t difference_count;
};

typedef enum setpay_error setpay_batch_visit_fn(void *arg, const struct setpay_batch_view *batch);

/* How an agreement to more than one payment stands, as the store may see it. */
struct setpay_agreement_view {
    struct setpay_id xid;
    enum setpay_agreement_schedule schedule;
    uint32_t taken_count;
    int64_t taken_minor;    /* less what was given up again */
    setpay_time_ms next_ms; /* the earliest next one; 0: none, or whenever the store wants */
    int64_t next_minor;     /* 0 likewise */
    bool asking;            /* one is at the gateway */
    bool cancelled;         /* by the shopper */
    bool confirmed;         /* and the gateway has said so */
    enum setpay_agreement_end end;
    setpay_time_ms ended_ms; /* 0: it goes on */
};

/* seq ascends with the making of purchases. */
typedef enum setpay_error setpay_agreement_visit_fn(void *arg, int64_t seq, const char *order_id,
                                                    const struct setpay_agreement_view *agreement);

struct setpay_payment_port {
    /* Calls visit for each purchase of the order, in the order of their making; ends with its first
     * error. Inside an operation or a read. */
    enum setpay_error (*list)(struct setpay_db *db, const char *order_id,
                              setpay_payment_visit_fn *visit, void *visit_arg);
    /* The same for the steps of a purchase; none where there is no such purchase. */
    enum setpay_error (*list_steps)(struct setpay_db *db, const struct setpay_id *xid,
                                    setpay_step_visit_fn *visit, void *visit_arg);
    /* What may still be captured where all comes to pass that is asked for. SETPAY_E_NOT_FOUND. */
    enum setpay_error (*capturable)(struct setpay_db *db, const struct setpay_id *xid,
                                    int64_t *minor);
    /* Inside an operation: the purchase goes through SETPAY_PURCHASE_GIVE_UP (rule M9) or
     * SETPAY_PURCHASE_REVERSE (where something is captured or about to be, a step of release
     * instead), durably, so that the work goes on after a crash as well. Errors of
     * setpay_purchase_state_next, SETPAY_E_NOT_FOUND. Each change of a purchase notifies the
     * store's watchers with (xid, version). */
    enum setpay_error (*give_up)(struct setpay_db *db, const struct setpay_id *xid,
                                 setpay_time_ms now_ms);
    enum setpay_error (*reverse)(struct setpay_db *db, const struct setpay_id *xid,
                                 setpay_time_ms now_ms);
    /* Inside an operation: a step is asked for, behind those that wait; *number is its own.
     * SETPAY_E_STATE (nothing is authorised, or the other step is not done, was undone or has
     * credits), SETPAY_E_AMOUNT_LIMIT (0, more than is left, or not the whole of what is undone),
     * SETPAY_E_HOLD_OVER, SETPAY_E_TOO_BIG (as many steps as there may be), SETPAY_E_NOT_FOUND. */
    enum setpay_error (*step)(struct setpay_db *db, const struct setpay_step_wish *wish,
                              setpay_time_ms now_ms, int64_t *number);
    /* How the agreement of a purchase stands. SETPAY_E_NOT_FOUND where there is none. */
    enum setpay_error (*agreement)(struct setpay_db *db, const struct setpay_id *xid,
                                   setpay_time_ms now_ms, struct setpay_agreement_view *view);
    /* Inside an operation: another payment under it, captured at once where sale; *number is the
     * step's. SETPAY_E_STATE (no agreement, none follows any more, or one is asked for),
     * SETPAY_E_AMOUNT_LIMIT, SETPAY_E_TOO_SOON, SETPAY_E_TOO_BIG, SETPAY_E_NOT_FOUND. */
    enum setpay_error (*authorise)(struct setpay_db *db, const struct setpay_id *xid,
                                   int64_t amount_minor, bool sale, setpay_time_ms now_ms,
                                   int64_t *number);
    /* Inside an operation: the store asks for no more. SETPAY_E_STATE where nothing followed;
     * SETPAY_E_NOT_FOUND. */
    enum setpay_error (*end_agreement)(struct setpay_db *db, const struct setpay_id *xid,
                                       setpay_time_ms now_ms);
    /* Up to room purchases with an agreement and a row below before (INT64_MAX: from the youngest
     * on), youngest first; of those that go on only. */
    enum setpay_error (*list_agreements)(struct setpay_db *db, int64_t before, int64_t room,
                                         setpay_agreement_visit_fn *visit, void *visit_arg);
    /* Up to room batches with seq below before (INT64_MAX: from the youngest on), youngest first.
     */
    enum setpay_error (*list_batches)(struct setpay_db *db, int64_t before, int64_t room,
                                      setpay_batch_visit_fn *visit, void *visit_arg);
    /* Inside an operation: every batch that is not closed (of that brand; NULL: of all) is to be
     * closed; up to room of them, names says which. The store's watchers hear of each by its name,
     * now and when the gateway has answered. */
    enum setpay_error (*close_batches)(struct setpay_db *db, const char *brand,
                                       struct setpay_id *names, size_t room, size_t *count);
    /* Up to room settlements before that one in the list (INT64_MAX: from its begin on), the
     * youngest day first. */
    enum setpay_error (*list_settlements)(struct setpay_db *db, int64_t before, int64_t room,
                                          setpay_settlement_visit_fn *visit, void *visit_arg);
    /* SETPAY_E_NOT_FOUND. */
    enum setpay_error (*find_settlement)(struct setpay_db *db, const struct setpay_id *id,
                                         struct setpay_settlement_view *settlement);
    /* Their rows, in the order of their reading in. */
    enum setpay_error (*list_settlement_rows)(struct setpay_db *db,
                                              const struct setpay_settlement_rows *which,
                                              setpay_settlement_row_visit_fn *visit,
                                              void *visit_arg);
    /* Captures and credits of closed batches, which no settlement has brought. */
    enum setpay_error (*list_unsettled)(struct setpay_db *db, const struct setpay_unsettled *which,
                                        setpay_unsettled_visit_fn *visit, void *visit_arg);
    /* After such an operation was committed: there is work for this purchase. Any thread; NULL
     * where the payment side hears it from the store's notes. */
    void (*wake)(void *arg, const struct setpay_id *xid);
    void *arg;
};

#endif
