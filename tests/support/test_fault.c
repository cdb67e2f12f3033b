/*
 * The plan: lanes, armed faults, chaos. One mutex; nothing here waits.
 */
#include "tests/support/test_fault.h"

#include "common/base/ids.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XIDS_MAX 32
#define FAULTS_MAX 512
#define CHAOS_FIRST 4 /* of each kind of message of a purchase, so many may be spoilt */
#define CHAOS_TAKES 10

const char *const test_hop_names[TEST_HOPS] = {"store-merchant", "wallet-merchant",
                                               "merchant-gateway", "gateway-issuer"};
const char *const test_way_names[TEST_WAYS] = {"request", "answer"};
const char *const test_passing_names[TEST_PASSINGS] = {
    "connection",    "order",        "order void", "order cancel",
    "order capture", "order refund", "order undo", "order authorise",
    "batch close",   "PInit",        "P",          "Inq",
    "Can",           "Auth",         "Auth void",  "Auth further",
    "AuthRev",       "Cap",          "CapRev",     "Cred",
    "CredRev",       "AuthCan",      "BatchAdmin", "PCert",
    "0100",          "0400",         "sign-on",    "echo",
    "other",
};
const char *const test_fault_names[TEST_FAULT_KINDS] = {
    "nothing",
    "dropped",
    "delayed",
    "duplicated",
    "replayed elsewhere",
    "cut",
    "record cut",
    "reset",
    "reset after it",
    "bit flipped",
    "garbage",
    "noise in a good record",
    "stalled",
    "wrong certificate",
};
const char *const test_cut_names[TEST_CUTS] = {"after one byte", "in its header", "in the middle",
                                               "before its last byte"};

struct lane {
    char names[2][128];
    uint64_t number;
    uint8_t xids[XIDS_MAX][sizeof(struct setpay_id)];
    size_t xid_count;
    unsigned seen[TEST_HOPS][TEST_WAYS][TEST_PASSINGS];
};

struct armed {
    bool is_used;
    unsigned fired;
    struct test_fault fault;
};

struct test_plan {
    pthread_mutex_t mutex;
    struct lane lanes[TEST_LANES];
    struct lane laneless; /* counts only */
    struct armed armed[FAULTS_MAX];
    uint64_t chaos_seed;
    unsigned chaos_per_mille;
    int chaos_delay_ms;
    uint64_t done[TEST_FAULT_KINDS];
    unsigned believed[TEST_HOPS];
    unsigned held[TEST_LANES + 1]; /* by lane, TEST_ANY_LANE first */
};

/* ------------------------------------------------------------------ what there is */

enum test_hop test_passing_hop(enum test_passing passing)
{
    static const enum test_hop hops[TEST_PASSINGS] = {
        [TEST_CONNECT] = TEST_HOPS,
        [TEST_ORDER] = TEST_HOP_STORE,
        [TEST_ORDER_CAPTURE] = TEST_HOP_STORE,
        [TEST_ORDER_REFUND] = TEST_HOP_STORE,
        [TEST_ORDER_UNDO] = TEST_HOP_STORE,
        [TEST_ORDER_AUTHORISE] = TEST_HOP_STORE,
        [TEST_BATCH_CLOSE] = TEST_HOP_STORE,
        [TEST_CAP] = TEST_HOP_GATEWAY,
        [TEST_CAP_REV] = TEST_HOP_GATEWAY,
        [TEST_CRED] = TEST_HOP_GATEWAY,
        [TEST_CRED_REV] = TEST_HOP_GATEWAY,
        [TEST_BATCH_ADMIN] = TEST_HOP_GATEWAY,
        [TEST_ORDER_VOID] = TEST_HOP_STORE,
        [TEST_ORDER_CANCEL] = TEST_HOP_STORE,
        [TEST_PINIT] = TEST_HOP_WALLET,
        [TEST_P] = TEST_HOP_WALLET,
        [TEST_INQ] = TEST_HOP_WALLET,
        [TEST_CAN] = TEST_HOP_WALLET,
        [TEST_AUTH] = TEST_HOP_GATEWAY,
        [TEST_AUTH_VOID] = TEST_HOP_GATEWAY,
        [TEST_AUTH_FURTHER] = TEST_HOP_GATEWAY,
        [TEST_AUTH_CAN] = TEST_HOP_GATEWAY,
        [TEST_AUTH_REV] = TEST_HOP_GATEWAY,
        [TEST_PCERT] = TEST_HOP_GATEWAY,
        [TEST_0100] = TEST_HOP_ISSUER,
        [TEST_0400] = TEST_HOP_ISSUER,
        [TEST_SIGN_ON] = TEST_HOP_ISSUER,
        [TEST_ECHO] = TEST_HOP_ISSUER,
        [TEST_OTHER] = TEST_HOPS,
    };
    return hops[passing];
}

bool test_fault_applies(enum test_hop hop, enum test_way way, enum test_passing passing,
                        enum test_fault_kind kind)
{
    bool is_tls = hop != TEST_HOP_STORE;
    bool is_connection = passing == TEST_CONNECT;
    if (passing == TEST_OTHER || (!is_connection && test_passing_hop(passing) != hop))
        return false;
    switch (kind) {
    case TEST_FAULT_DROP:
    case TEST_FAULT_DELAY:
    case TEST_FAULT_DUPLICATE:
    case TEST_FAULT_CUT:
    case TEST_FAULT_RESET_AFTER:
        return !is_connection;
    case TEST_FAULT_REPLAY:
        return !is_connection && way == TEST_REQUEST && hop != TEST_HOP_ISSUER;
    case TEST_FAULT_RESET:
    case TEST_FAULT_STALL:
        return true;
    case TEST_FAULT_GARBAGE:
        return hop != TEST_HOP_STORE;
    case TEST_FAULT_CUT_RECORD:
    case TEST_FAULT_FLIP:
        return is_tls;
    case TEST_FAULT_NOISE:
        return is_tls && !is_connection;
    case TEST_FAULT_CERTIFICATE: /* a wallet shows none, the issuer simulator asks for none */
        return is_connection && is_tls && (way == TEST_ANSWER || hop == TEST_HOP_GATEWAY);
    default:
        return false;
    }
}

void test_fault_describe(const struct test_fault *fault, char *words, size_t size)
{
    char more[64] = "";
    if (fault->kind == TEST_FAULT_CUT || fault->kind == TEST_FAULT_CUT_RECORD)
        (void)snprintf(more, sizeof more, " %s", test_cut_names[fault->cut]);
    if (fault->count > 1)
        (void)snprintf(more + strlen(more), sizeof more - strlen(more), ", %u in a row",
                       fault->count);
    (void)snprintf(words, size, "%s, %s, %s: %s%s", test_hop_names[fault->hop],
                   test_passing_names[fault->passing], test_way_names[fault->way],
                   test_fault_names[fault->kind], more);
}

/* ------------------------------------------------------------------ lanes */

struct test_plan *test_plan_new(void)
{
    struct test_plan *plan = calloc(1, sizeof *plan);
    if (plan == NULL)
        abort();
    pthread_mutex_init(&plan->mutex, NULL);
    return plan;
}

void test_plan_free(struct test_plan *plan)
{
    if (plan == NULL)
        return;
    pthread_mutex_destroy(&plan->mutex);
    free(plan);
}

void test_plan_set_lane(struct test_plan *plan, int lane, const char *token, uint64_t number)
{
    pthread_mutex_lock(&plan->mutex);
    struct lane *at = &plan->lanes[lane];
    memset(at, 0, sizeof *at);
    (void)snprintf(at->names[0], sizeof at->names[0], "%s", token);
    at->number = number;
    pthread_mutex_unlock(&plan->mutex);
}

void test_plan_add_name(struct test_plan *plan, int lane, const char *name)
{
    pthread_mutex_lock(&plan->mutex);
    struct lane *at = &plan->lanes[lane];
    (void)snprintf(at->names[1], sizeof at->names[1], "%s", name);
    pthread_mutex_unlock(&plan->mutex);
}

void test_plan_add_xid(struct test_plan *plan, int lane, const uint8_t *xid)
{
    if (lane < 0)
        return;
    pthread_mutex_lock(&plan->mutex);
    struct lane *at = &plan->lanes[lane];
    if (at->xid_count < XIDS_MAX)
        memcpy(at->xids[at->xid_count++], xid, sizeof(struct setpay_id));
    pthread_mutex_unlock(&plan->mutex);
}

static bool has_xid(const uint8_t *bytes, size_t size, const uint8_t *xid)
{
    struct setpay_id id;
    char text[SETPAY_ID_TEXT_SIZE];
    memcpy(id.bytes, xid, sizeof id.bytes);
    setpay_id_format(&id, text);
    return memmem(bytes, size, xid, sizeof(struct setpay_id)) != NULL ||
           memmem(bytes, size, text, strlen(text)) != NULL;
}

int test_plan_find_lane(struct test_plan *plan, const uint8_t *bytes, size_t size)
{
    int found = TEST_ANY_LANE;
    pthread_mutex_lock(&plan->mutex);
    for (int i = 0; i < TEST_LANES && found < 0; i++) {
        const struct lane *lane = &plan->lanes[i];
        for (int j = 0; j < 2; j++) {
            const char *name = lane->names[j];
            if (name[0] != '\0' && memmem(bytes, size, name, strlen(name)) != NULL)
                found = i;
        }
        for (size_t j = 0; j < lane->xid_count && found < 0; j++) {
            if (has_xid(bytes, size, lane->xids[j]))
                found = i;
        }
    }
    pthread_mutex_unlock(&plan->mutex);
    return found;
}

/* ------------------------------------------------------------------ faults */

int test_plan_arm(struct test_plan *plan, const struct test_fault *fault)
{
    pthread_mutex_lock(&plan->mutex);
    int id = 0;
    while (id < FAULTS_MAX && plan->armed[id].is_used)
        id++;
    if (id == FAULTS_MAX)
        abort();
    plan->armed[id] = (struct armed){.is_used = true, .fault = *fault};
    pthread_mutex_unlock(&plan->mutex);
    return id;
}

unsigned test_plan_fired(struct test_plan *plan, int id)
{
    pthread_mutex_lock(&plan->mutex);
    unsigned fired = plan->armed[id].fired;
    pthread_mutex_unlock(&plan->mutex);
    return fired;
}

unsigned test_plan_disarm(struct test_plan *plan, int id)
{
    pthread_mutex_lock(&plan->mutex);
    unsigned fired = plan->armed[id].fired;
    plan->armed[id].is_used = false;
    pthread_mutex_unlock(&plan->mutex);
    return fired;
}

void test_plan_chaos(struct test_plan *plan, uint64_t seed, unsigned per_mille, int delay_ms)
{
    pthread_mutex_lock(&plan->mutex);
    plan->chaos_seed = seed;
    plan->chaos_per_mille = per_mille;
    plan->chaos_delay_ms = delay_ms;
    pthread_mutex_unlock(&plan->mutex);
}

uint64_t test_plan_done(struct test_plan *plan, enum test_fault_kind kind)
{
    pthread_mutex_lock(&plan->mutex);
    uint64_t done = plan->done[kind];
    pthread_mutex_unlock(&plan->mutex);
    return done;
}

unsigned test_plan_held(struct test_plan *plan, int lane)
{
    pthread_mutex_lock(&plan->mutex);
    unsigned held = plan->held[lane + 1];
    pthread_mutex_unlock(&plan->mutex);
    return held;
}

void test_plan_arrived(struct test_plan *plan, int lane)
{
    pthread_mutex_lock(&plan->mutex);
    plan->held[lane + 1]--;
    pthread_mutex_unlock(&plan->mutex);
}

unsigned test_plan_believed(struct test_plan *plan, enum test_hop hop)
{
    pthread_mutex_lock(&plan->mutex);
    unsigned believed = plan->believed[hop];
    pthread_mutex_unlock(&plan->mutex);
    return believed;
}

void test_plan_believes(struct test_plan *plan, enum test_hop hop)
{
    pthread_mutex_lock(&plan->mutex);
    plan->believed[hop]++;
    pthread_mutex_unlock(&plan->mutex);
}

static bool matches(const struct armed *armed, enum test_hop hop, enum test_way way,
                    enum test_passing passing, int lane)
{
    const struct test_fault *fault = &armed->fault;
    if (!armed->is_used || armed->fired >= fault->count || fault->hop != hop || fault->way != way)
        return false;
    if (fault->lane != TEST_ANY_LANE)
        return fault->lane == lane &&
               (fault->passing == passing ||
                (armed->fired > 0 && !fault->is_picky && passing != TEST_CONNECT));
    return fault->passing == passing;
}

/* splitmix64 */
static uint64_t mix(uint64_t value)
{
    value += UINT64_C(0x9e3779b97f4a7c15);
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static void decide_by_chance(struct test_plan *plan, struct lane *lane, struct test_fault *fault)
{
    unsigned *seen = &lane->seen[fault->hop][fault->way][fault->passing];
    if (plan->chaos_per_mille == 0 || fault->passing == TEST_OTHER)
        return;
    uint64_t random = mix(plan->chaos_seed ^ mix(lane->number));
    random = mix(random ^ ((uint64_t)fault->hop << 48 | (uint64_t)fault->way << 40 |
                           (uint64_t)fault->passing << 32 | *seen));
    /* What belongs to no purchase goes on for ever, and would never be free of faults. */
    if ((*seen)++ >= CHAOS_FIRST * (lane == &plan->laneless ? 64 : 1) ||
        random % 1000 >= plan->chaos_per_mille)
        return;
    for (int i = 0; i < CHAOS_TAKES; i++) {
        random = mix(random);
        enum test_fault_kind kind = (enum test_fault_kind)(1 + random % (TEST_FAULT_KINDS - 1));
        if (!test_fault_applies(fault->hop, fault->way, fault->passing, kind))
            continue;
        fault->kind = kind;
        fault->cut = (enum test_cut)(random >> 32) % TEST_CUTS;
        fault->delay_ms =
            plan->chaos_delay_ms / 4 + (int)((random >> 40) % (uint64_t)(plan->chaos_delay_ms + 1));
        return;
    }
}

struct test_fault test_plan_decide(struct test_plan *plan, enum test_hop hop, enum test_way way,
                                   enum test_passing passing, int lane)
{
    struct test_fault fault = {
        .hop = hop, .way = way, .passing = passing, .kind = TEST_FAULT_NONE, .lane = lane};
    pthread_mutex_lock(&plan->mutex);
    for (int i = 0; i < FAULTS_MAX && fault.kind == TEST_FAULT_NONE; i++) {
        if (!matches(&plan->armed[i], hop, way, passing, lane))
            continue;
        plan->armed[i].fired++;
        fault = plan->armed[i].fault;
    }
    if (fault.kind == TEST_FAULT_NONE)
        decide_by_chance(plan, lane < 0 ? &plan->laneless : &plan->lanes[lane], &fault);
    if (fault.kind != TEST_FAULT_NONE)
        plan->done[fault.kind]++;
    if (fault.kind == TEST_FAULT_DELAY)
        plan->held[fault.lane + 1]++;
    pthread_mutex_unlock(&plan->mutex);
    return fault;
}
