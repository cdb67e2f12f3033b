/*
 * Faults of the lines between the parties, and a plan of them: what a fault proxy (test_proxy.h) is
 * to do to which message. The plan moves no byte; it is asked at each message, from the proxy's
 * thread, and told what to spoil, from any thread.
 *
 * Vocabulary: a hop is the way between two parties; a lane is one purchase under test, known in
 * messages by its link's token and by its xids; a passing is what comes by: a kind of message, or
 * a connection that is being made.
 */
#ifndef SETPAY_TEST_FAULT_H
#define SETPAY_TEST_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum test_hop {
    TEST_HOP_STORE,   /* the store's program and the merchant's API */
    TEST_HOP_WALLET,  /* wallet and merchant */
    TEST_HOP_GATEWAY, /* merchant and gateway */
    TEST_HOP_ISSUER,  /* gateway and issuer */
    TEST_HOPS
};

/* Requests go from the client (who connects) to the server. */
enum test_way { TEST_REQUEST, TEST_ANSWER, TEST_WAYS };

enum test_passing {
    TEST_CONNECT,
    TEST_ORDER, /* POST /orders; what follows are requests about one */
    TEST_ORDER_VOID,
    TEST_ORDER_CANCEL,
    TEST_ORDER_CAPTURE,
    TEST_ORDER_REFUND,
    TEST_ORDER_UNDO,
    TEST_ORDER_AUTHORISE,
    TEST_BATCH_CLOSE, /* POST /batches/close */
    TEST_PINIT,
    TEST_P,
    TEST_INQ,
    TEST_CAN, /* CanReq, and CanRes */
    TEST_AUTH,
    TEST_AUTH_VOID,    /* AuthReq with the intent void (rule M9) */
    TEST_AUTH_FURTHER, /* AuthReq by AuthToken */
    TEST_AUTH_REV,
    TEST_CAP,
    TEST_CAP_REV,
    TEST_CRED,
    TEST_CRED_REV,
    TEST_AUTH_CAN,
    TEST_BATCH_ADMIN,
    TEST_PCERT,
    TEST_0100,
    TEST_0400, /* and 0401 */
    TEST_SIGN_ON,
    TEST_ECHO,
    TEST_OTHER,
    TEST_PASSINGS
};

enum test_fault_kind {
    TEST_FAULT_NONE,
    TEST_FAULT_DROP,        /* swallowed; the connection stays */
    TEST_FAULT_DELAY,       /* comes after delay_ms, what is behind it does not wait */
    TEST_FAULT_DUPLICATE,   /* comes twice */
    TEST_FAULT_REPLAY,      /* comes, and once more on a connection of its own */
    TEST_FAULT_CUT,         /* some bytes of it, then the end of the connection */
    TEST_FAULT_CUT_RECORD,  /* the same in the middle of a TLS record */
    TEST_FAULT_RESET,       /* RST to both sides in its place */
    TEST_FAULT_RESET_AFTER, /* it comes, and who sent it gets RST */
    TEST_FAULT_FLIP,        /* one bit of a TLS record is another */
    TEST_FAULT_GARBAGE,     /* random bytes in its place: of its record, where there is TLS */
    TEST_FAULT_NOISE,       /* random bytes in its place, in a good TLS record */
    TEST_FAULT_STALL,       /* from here on nothing passes, and nothing is closed */
    TEST_FAULT_CERTIFICATE, /* a connection is made with a certificate that is not for this */
    TEST_FAULT_KINDS
};

/* Where a message is cut. */
enum test_cut {
    TEST_CUT_FIRST_BYTE,
    TEST_CUT_HEADER,
    TEST_CUT_MIDDLE,
    TEST_CUT_LAST_BYTE,
    TEST_CUTS
};

#define TEST_LANES 64
#define TEST_ANY_LANE (-1)

struct test_fault {
    enum test_hop hop;
    enum test_way way;
    enum test_passing passing;
    enum test_fault_kind kind;
    enum test_cut cut;
    unsigned count; /* so many in a row: after the first any passing of the same lane and way, */
    bool is_picky;  /* unless only those of the same kind are meant */
    int delay_ms;
    int lane; /* or TEST_ANY_LANE */
};

extern const char *const test_hop_names[TEST_HOPS];
extern const char *const test_way_names[TEST_WAYS];
extern const char *const test_passing_names[TEST_PASSINGS];
extern const char *const test_fault_names[TEST_FAULT_KINDS];
extern const char *const test_cut_names[TEST_CUTS];

/* The hop that the passing belongs to; TEST_HOPS for CONNECT and OTHER, which are at each. */
enum test_hop test_passing_hop(enum test_passing passing);
/* Whether there is such a fault: a record is cut only where there is TLS, … */
bool test_fault_applies(enum test_hop hop, enum test_way way, enum test_passing passing,
                        enum test_fault_kind kind);
/* "merchant-gateway, AuthReq, answer: dropped, 3 in a row" */
void test_fault_describe(const struct test_fault *fault, char *words, size_t size);

struct test_plan;
struct test_plan *test_plan_new(void);
void test_plan_free(struct test_plan *plan);

/* The lane's purchase from now on: its order's token; number names it in chaos. */
void test_plan_set_lane(struct test_plan *plan, int lane, const char *token, uint64_t number);
/* One more text that names the lane's purchase: its order's id. */
void test_plan_add_name(struct test_plan *plan, int lane, const char *name);
/* Arms a fault; its id. */
int test_plan_arm(struct test_plan *plan, const struct test_fault *fault);
/* How often it has been done. */
unsigned test_plan_fired(struct test_plan *plan, int id);
/* Ends it; how often it was done. */
unsigned test_plan_disarm(struct test_plan *plan, int id);
/* Beside what is armed, faults at random, decided by seed, the purchase's number and which message
 * of it this is, so that the same seed spoils the same messages; per_mille of them, the first few
 * of each kind. 0: none. */
void test_plan_chaos(struct test_plan *plan, uint64_t seed, unsigned per_mille, int delay_ms);
/* All that was ever done, by kind. */
uint64_t test_plan_done(struct test_plan *plan, enum test_fault_kind kind);
/* How many messages of the hop came from someone who had been shown a wrong certificate. */
unsigned test_plan_believed(struct test_plan *plan, enum test_hop hop);

/* How many messages of the lane (or of no lane) are held back just now. */
unsigned test_plan_held(struct test_plan *plan, int lane);

/* For the proxy. A message that was delayed for this lane has been sent on. */
void test_plan_arrived(struct test_plan *plan, int lane);
/* For the proxy. Who was shown a wrong certificate on this hop has sent a message. */
void test_plan_believes(struct test_plan *plan, enum test_hop hop);
/* For the proxy. The lane whose token or xid is in the bytes, or TEST_ANY_LANE. */
int test_plan_find_lane(struct test_plan *plan, const uint8_t *bytes, size_t size);
/* The lane has an xid more (16 bytes). */
void test_plan_add_xid(struct test_plan *plan, int lane, const uint8_t *xid);
/* What is to be done to this passing: kind may be NONE. */
struct test_fault test_plan_decide(struct test_plan *plan, enum test_hop hop, enum test_way way,
                                   enum test_passing passing, int lane);

#endif
