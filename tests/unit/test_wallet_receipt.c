/*
 * The wallet after it has signed: every check of an answer and of a receipt (rules A4, W6) broken
 * one at a time, what counts as an end (rule W7), every cell of the table, and that a refused
 * answer leaves the database as it was.
 */
#include "cardholder/wallet.h"
#include "common/crypto/seal.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BRAND "example-card"
#define RECEIPTS 8 /* of one purchase here */

static struct test_pki *pki;
static struct test_party *merchant, *gateway, *stranger;
static struct setpay_secret back_key, other_key;

struct world {
    struct setpay_wallet_purchase purchase;
    struct setpay_asked asked;
    struct setpay_digest challenge;
    struct setpay_message message;
    struct setpay_pres pres;
    struct setpay_receipt receipt; /* what add() seals */
    struct test_party *signer;
    const struct setpay_secret *key;
    struct setpay_digest last; /* hash of the receipt sealed last */
    struct setpay_wallet_decision decision;
};

static void make(struct world *world)
{
    struct setpay_wallet_purchase *p = &world->purchase;
    memset(world, 0, sizeof *world);
    setpay_wallet_purchase_init(p);
    test_fill_receipt(&world->receipt);
    world->receipt.gateway_sign = gateway->thumbprint;
    world->receipt.merchant = merchant->thumbprint;
    world->signer = gateway;
    world->key = &back_key;
    p->state = SETPAY_WALLET_PENDING;
    p->xid = world->receipt.xid;
    p->lid_c = test_id(0x20);
    strcpy(p->lid_m, "order-1001");
    strcpy(p->brand, BRAND);
    strcpy(p->merchant_id, "shop-1");
    strcpy(p->link.host, "shop.example.com");
    strcpy(p->link.token, "0123456789abcdef");
    p->link.port = 443;
    p->amount = world->receipt.amount;
    p->terms.kind = SETPAY_TERMS_SINGLE;
    p->merchant = merchant->thumbprint;
    p->gateway_sign = gateway->thumbprint;
    p->cardholder = world->receipt.cardholder;
    p->pomd = world->receipt.pomd;
    p->oimd = test_digest(0x70);
    p->expiry_ms = TEST_PKI_NOW_MS + SETPAY_HOUR_MS;
    p->version = 1;
    world->challenge = test_digest(0x41);
    world->asked = (struct setpay_asked){.rrpid = test_id(0x11),
                                         .request_hash = test_digest(0x31),
                                         .has_answerer = true,
                                         .answerer = merchant->thumbprint,
                                         .has_asker = true,
                                         .asker = p->cardholder};
    world->message.is_signed = true;
    world->message.signer = merchant->thumbprint;
    struct setpay_pres *pres = &world->pres;
    pres->header = (struct setpay_response_header){.rrpid = test_id(0x11),
                                                   .request_hash = test_digest(0x31),
                                                   .sender = merchant->thumbprint,
                                                   .has_receiver = true,
                                                   .receiver = p->cardholder};
    pres->xid = p->xid;
    pres->lid_c = p->lid_c;
    memcpy(pres->lid_m, p->lid_m, sizeof pres->lid_m);
    pres->challenge = world->challenge;
    pres->status = SETPAY_STATUS_AUTHORISED;
    pres->amount = p->amount;
    pres->oimd = p->oimd;
    pres->gateway_sign = p->gateway_sign;
    memcpy(pres->merchant_id, p->merchant_id, sizeof pres->merchant_id);
}

static void unmake(struct world *world)
{
    setpay_wallet_decision_clear(&world->decision);
    setpay_pres_clear(&world->pres);
    setpay_wallet_purchase_clear(&world->purchase);
}

/* Seals the receipt as it is now behind those that the answer has. */
static void add(struct world *world)
{
    struct setpay_buffer bytes = {0};
    struct setpay_id id;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    world->receipt.previous = world->last;
    assert_int_equal(setpay_receipt_sign(&world->receipt, world->signer->signing_key, &bytes),
                     SETPAY_OK);
    assert_int_equal(setpay_id_random(&id), SETPAY_OK);
    struct setpay_pres *pres = &world->pres;
    if (pres->receipts == NULL)
        pres->receipts = calloc(RECEIPTS, sizeof *pres->receipts);
    assert_non_null(pres->receipts);
    assert_true(pres->receipt_count < RECEIPTS);
    assert_int_equal(setpay_sealed_receipt_make(world->key, &id, &world->purchase.xid,
                                                world->receipt.kind, setpay_buffer_view(&bytes),
                                                &pres->receipts[pres->receipt_count]),
                     SETPAY_OK);
    pres->receipt_count++;
    assert_int_equal(setpay_receipt_hash(setpay_buffer_view(&bytes), &world->last), SETPAY_OK);
    setpay_buffer_clear(&bytes);
}

static void decide_at(struct world *world, setpay_time_ms now_ms)
{
    setpay_wallet_decision_clear(&world->decision);
    assert_int_equal(setpay_wallet_answer_decide(&world->purchase, &world->pres, &back_key,
                                                 gateway->certificate, now_ms, &world->decision),
                     SETPAY_OK);
}

static void decide(struct world *world)
{
    decide_at(world, TEST_PKI_NOW_MS);
}

/* The next answer meets the purchase as this one has left it. */
static void keep(struct world *world)
{
    struct setpay_wallet_purchase *p = &world->purchase;
    p->state = world->decision.state;
    p->receipt_count += world->decision.receipt_count;
    p->last_hash = world->decision.last_hash;
    p->last_kind = world->decision.last_kind;
    p->sums = world->decision.sums;
    memcpy(p->approval_code, world->decision.approval_code, sizeof p->approval_code);
    p->said = world->decision.said;
}

/* ------------------------------------------------------------------ answers */

static void expect(struct world *world, enum setpay_error wanted)
{
    enum setpay_error error = setpay_wallet_answer_check(
        &world->purchase, &world->asked, &world->challenge, &world->message, &world->pres);
    assert_string_equal(setpay_error_name(error), setpay_error_name(wanted));
    unmake(world);
}

static void an_answer_is_held_against_the_record(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    expect(&world, SETPAY_OK);
    /* rule A4 */
    make(&world);
    world.message.is_signed = false;
    expect(&world, SETPAY_E_ANSWER_SIGNER);
    make(&world);
    world.pres.header.sender = world.message.signer = stranger->thumbprint;
    expect(&world, SETPAY_E_ANSWER_SIGNER);
    make(&world);
    world.pres.header.rrpid = test_id(0x99);
    expect(&world, SETPAY_E_ANSWER_IDS);
    make(&world);
    world.pres.header.request_hash = test_digest(0x99);
    expect(&world, SETPAY_E_ANSWER_REQUEST);
    make(&world);
    world.pres.header.receiver = test_digest(0x99);
    expect(&world, SETPAY_E_ANSWER_PARTIES);
    make(&world);
    world.pres.xid = test_id(0x99);
    expect(&world, SETPAY_E_ANSWER_IDS);
    make(&world);
    world.pres.lid_c = test_id(0x99);
    expect(&world, SETPAY_E_ANSWER_IDS);
    make(&world);
    strcpy(world.pres.lid_m, "order-1002");
    expect(&world, SETPAY_E_ANSWER_IDS);
    make(&world);
    world.pres.challenge = test_digest(0x99);
    expect(&world, SETPAY_E_ANSWER_CHALLENGE);
    make(&world);
    world.pres.gateway_sign = stranger->thumbprint;
    expect(&world, SETPAY_E_ANSWER_PARTIES);
    make(&world);
    strcpy(world.pres.merchant_id, "shop-2");
    expect(&world, SETPAY_E_ANSWER_PARTIES);
    /* rule W6 */
    make(&world);
    world.pres.oimd = test_digest(0x99);
    expect(&world, SETPAY_E_PURCHASE);
    make(&world);
    world.pres.amount.minor++;
    expect(&world, SETPAY_E_PURCHASE);
    make(&world);
    strcpy(world.pres.amount.currency, "USD");
    expect(&world, SETPAY_E_PURCHASE);
}

/* rule A4: whose word is the answer. A merchant renews its certificate; who it is stays. */
static void a_renewed_certificate_may_answer_an_inquiry(void **state)
{
    struct test_party *renewed =
        test_party_new(pki, BRAND, SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    struct test_party *other =
        test_party_new(pki, BRAND, SETPAY_PROFILE_MERCHANT_SIGN, "shop-2", NULL);
    const struct {
        const struct test_party *signer;
        bool is_inquiry;
        enum setpay_error expected;
    } rows[] = {
        {renewed, true, SETPAY_OK},
        {renewed, false, SETPAY_E_ANSWER_SIGNER}, /* PRes: the one that OI names */
        {other, true, SETPAY_E_ANSWER_SIGNER},
        {merchant, true, SETPAY_OK},
        {merchant, false, SETPAY_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world world;
        make(&world);
        world.pres.header.sender = world.message.signer = rows[i].signer->thumbprint;
        setpay_wallet_expect_signer(&world.purchase, rows[i].is_inquiry,
                                    rows[i].signer->certificate, &world.asked);
        expect(&world, rows[i].expected);
    }
    test_party_free(renewed);
    test_party_free(other);
}

/* ------------------------------------------------------------------ receipts */

static void a_receipt_ends_it(void **state)
{
    static const struct {
        enum setpay_receipt_kind kind;
        enum setpay_purchase_status said;
        enum setpay_wallet_state state;
    } ends[] = {
        {SETPAY_RECEIPT_AUTHORISATION, SETPAY_STATUS_AUTHORISED, SETPAY_WALLET_AUTHORISED},
        {SETPAY_RECEIPT_DECLINE, SETPAY_STATUS_DECLINED, SETPAY_WALLET_DECLINED},
        {SETPAY_RECEIPT_VOID, SETPAY_STATUS_VOIDED, SETPAY_WALLET_VOIDED},
        {SETPAY_RECEIPT_VOID, SETPAY_STATUS_REFUSED, SETPAY_WALLET_VOIDED}, /* rule M9 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct world world;
        make(&world);
        world.receipt.kind = ends[i].kind;
        world.pres.status = ends[i].said;
        add(&world);
        decide(&world);
        assert_int_equal(world.decision.state, ends[i].state);
        assert_int_equal(world.decision.receipt_count, 1);
        assert_int_equal(world.decision.receipt_error, SETPAY_OK);
        assert_string_equal(world.decision.disagreement, "");
        assert_string_equal(world.decision.approval_code, "A1B2C3");
        assert_false(world.decision.breach);
        unmake(&world);
    }
}

/* rule W6: one thing wrong with an otherwise good receipt */
static void break_field(struct setpay_receipt *receipt, int field)
{
    switch (field) {
    case 0:
        receipt->pomd = test_digest(0x99);
        break;
    case 1:
        receipt->amount.minor++;
        break;
    case 2:
        strcpy(receipt->amount.currency, "USD");
        break;
    case 3:
        strcpy(receipt->merchant_id, "shop-2");
        break;
    case 4:
        receipt->merchant = test_digest(0x99);
        break;
    case 5:
        receipt->cardholder = test_digest(0x99);
        break;
    case 6:
        strcpy(receipt->brand, "other-card");
        break;
    case 7:
        receipt->xid = test_id(0x99);
        break;
    default:
        receipt->kind = SETPAY_RECEIPT_REVERSAL; /* of nothing */
    }
}

static void expect_refused(struct world *world)
{
    decide(world);
    assert_int_equal(world->decision.receipt_error, SETPAY_E_RECEIPT);
    assert_int_equal(world->decision.state, SETPAY_WALLET_PENDING);
    assert_int_equal(world->decision.receipt_count, 0);
    assert_int_equal(world->decision.sums.authorised_minor, 0);
    assert_true(world->decision.keep_words);
    assert_string_not_equal(world->decision.disagreement, "");
    unmake(world);
}

static void a_receipt_that_is_not_of_this_purchase_counts_for_nothing(void **state)
{
    struct world world;
    (void)state;
    for (int field = 0; field <= 8; field++) {
        make(&world);
        break_field(&world.receipt, field);
        add(&world);
        expect_refused(&world);
    }
    make(&world); /* signed by another */
    world.signer = stranger;
    add(&world);
    expect_refused(&world);
    make(&world); /* and naming that other one */
    world.signer = stranger;
    world.receipt.gateway_sign = stranger->thumbprint;
    add(&world);
    expect_refused(&world);
    make(&world); /* under another back key */
    world.key = &other_key;
    add(&world);
    expect_refused(&world);
    make(&world); /* changed on its way */
    add(&world);
    world.pres.receipts[0].ciphertext[7] ^= 1;
    expect_refused(&world);
    make(&world); /* opened under another kind */
    add(&world);
    world.pres.receipts[0].kind = SETPAY_RECEIPT_DECLINE;
    expect_refused(&world);
    make(&world); /* not the first of its chain */
    world.last = test_digest(0x99);
    add(&world);
    expect_refused(&world);
}

static void good_receipts_before_a_bad_one_count(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    add(&world);
    world.last = test_digest(0x99); /* breaks the chain */
    world.receipt.kind = SETPAY_RECEIPT_REVERSAL;
    add(&world);
    decide(&world);
    assert_int_equal(world.decision.state, SETPAY_WALLET_AUTHORISED);
    assert_int_equal(world.decision.receipt_count, 1);
    assert_int_equal(world.decision.receipt_error, SETPAY_E_RECEIPT);
    unmake(&world);
}

static void reversals_follow_in_parts_and_never_above(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    add(&world);
    decide(&world);
    keep(&world);
    world.receipt.kind = SETPAY_RECEIPT_REVERSAL;
    world.receipt.amount.minor = 250;
    add(&world);
    world.pres.amount.minor -= 250;
    decide(&world);
    assert_int_equal(world.decision.state, SETPAY_WALLET_AUTHORISED);
    assert_int_equal(world.decision.sums.reversed_minor, 250);
    assert_int_equal(world.decision.receipt_count, 1); /* only the new one */
    assert_string_equal(world.decision.disagreement, "");
    keep(&world);
    world.receipt.amount.minor = 1001; /* one too many */
    struct setpay_digest last = world.last;
    add(&world);
    decide(&world);
    assert_int_equal(world.decision.receipt_error, SETPAY_E_RECEIPT);
    assert_int_equal(world.decision.sums.reversed_minor, 250);
    world.pres.receipt_count--;
    world.last = last;
    world.receipt.amount.minor = 1000;
    world.pres.status = SETPAY_STATUS_REVERSED;
    world.pres.amount.minor = 0;
    add(&world);
    decide(&world);
    assert_int_equal(world.decision.state, SETPAY_WALLET_REVERSED);
    assert_string_equal(world.decision.disagreement, "");
    unmake(&world);
}

/* The next receipt, alone in what is decided: taken or not. */
static enum setpay_error take_next(struct world *world, enum setpay_receipt_kind kind,
                                   int64_t minor)
{
    struct setpay_digest last = world->last;
    world->receipt.kind = kind;
    world->receipt.amount.minor = minor;
    add(world);
    decide(world);
    enum setpay_error error = world->decision.receipt_error;
    assert_int_equal(world->decision.receipt_count, error == SETPAY_OK ? 1 : 0);
    if (error == SETPAY_OK) {
        keep(world);
    } else {
        world->pres.receipt_count--;
        world->last = last;
    }
    return error;
}

/* rules W6 and G8 */
static void captures_and_credits_add_up(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_AUTHORISATION, 1250), SETPAY_OK);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CREDIT, 1), SETPAY_E_RECEIPT);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CAPTURE, 1251), SETPAY_E_RECEIPT);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CAPTURE, 1000), SETPAY_OK);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_REVERSAL, 251), SETPAY_E_RECEIPT);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_REVERSAL, 250), SETPAY_OK);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CREDIT, 1001), SETPAY_E_RECEIPT);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CREDIT, 400), SETPAY_OK);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CAPTURE_REVERSAL, 601), SETPAY_E_RECEIPT);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CREDIT_REVERSAL, 401), SETPAY_E_RECEIPT);
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CREDIT_REVERSAL, 400), SETPAY_OK);
    assert_int_equal(world.purchase.sums.captured_minor, 1000);
    assert_int_equal(world.purchase.sums.credited_minor, 0);
    assert_int_equal(world.purchase.state, SETPAY_WALLET_AUTHORISED);
    assert_string_equal(setpay_wallet_state_status(world.purchase.state, true), "captured");
    assert_int_equal(take_next(&world, SETPAY_RECEIPT_CAPTURE_REVERSAL, 1000), SETPAY_OK);
    assert_int_equal(world.purchase.sums.captured_minor, 0);
    unmake(&world);
}

static void a_partial_approval_is_known_by_the_receipt(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    world.receipt.amount.minor = 1000;
    add(&world);
    decide(&world); /* the merchant says the whole amount */
    assert_int_equal(world.decision.state, SETPAY_WALLET_AUTHORISED);
    assert_int_equal(world.decision.sums.authorised_minor, 1000);
    assert_non_null(strstr(world.decision.disagreement, "12.50"));
    world.pres.amount.minor = 1000;
    decide(&world);
    assert_string_equal(world.decision.disagreement, "");
    unmake(&world);
}

/* rule W6: the merchant's words against the receipt's */
static void words_that_disagree_are_shown_and_kept(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    world.receipt.kind = SETPAY_RECEIPT_DECLINE;
    add(&world);
    decide(&world);
    assert_int_equal(world.decision.state, SETPAY_WALLET_DECLINED);
    assert_non_null(strstr(world.decision.disagreement, "authorised"));
    assert_true(world.decision.keep_words);
    unmake(&world);
    make(&world); /* a word without a receipt */
    decide(&world);
    assert_int_equal(world.decision.state, SETPAY_WALLET_PENDING);
    assert_non_null(strstr(world.decision.disagreement, "no receipt"));
    unmake(&world);
    make(&world);
    add(&world);
    strcpy(world.pres.approval_code, "ZZZZZZ");
    decide(&world);
    assert_string_equal(world.decision.approval_code, "A1B2C3");
    assert_non_null(strstr(world.decision.disagreement, "approval code"));
    unmake(&world);
}

/* rule W7 */
static void the_merchants_word_ends_nothing_before_its_time(void **state)
{
    static const enum setpay_purchase_status words[] = {SETPAY_STATUS_REFUSED,
                                                        SETPAY_STATUS_UNAUTHORISED};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world world;
        make(&world);
        world.pres.status = words[i];
        world.pres.amount.minor = 0;
        setpay_time_ms limit = world.purchase.expiry_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS;
        decide_at(&world, limit);
        assert_int_equal(world.decision.state, SETPAY_WALLET_REFUSED);
        assert_true(world.decision.keep_words);
        assert_false(setpay_wallet_state_is_settled(world.decision.state));
        assert_false(setpay_wallet_state_may_sign_again(world.decision.state));
        decide_at(&world, limit + 1);
        assert_int_equal(world.decision.state, SETPAY_WALLET_LAPSED);
        keep(&world);
        /* and a receipt that comes later overrides it */
        world.pres.status = SETPAY_STATUS_AUTHORISED;
        world.pres.amount = world.purchase.amount;
        add(&world);
        decide_at(&world, limit + 2);
        assert_int_equal(world.decision.state, SETPAY_WALLET_AUTHORISED);
        assert_true(world.decision.breach);
        assert_string_not_equal(world.decision.disagreement, "");
        unmake(&world);
    }
    struct world world;
    make(&world); /* time alone ends nothing */
    world.pres.status = SETPAY_STATUS_PENDING;
    world.pres.amount.minor = 0;
    decide_at(&world, world.purchase.expiry_ms + SETPAY_DAY_MS);
    assert_int_equal(world.decision.state, SETPAY_WALLET_PENDING);
    assert_string_equal(world.decision.disagreement, "");
    unmake(&world);
}

/* ------------------------------------------------------------------ the table */

#define REFUSED (-1) /* SETPAY_E_PAYMENT_OPEN for signing, SETPAY_E_RECEIPT for receipts */
#define SAME (-2)
#define BUG (-3) /* SETPAY_E_INTERNAL */

static void every_cell_of_the_table(void **state)
{
    enum { N, P, R, A, D, V, X, L };
    static const int wanted[SETPAY_WALLET_STATES][SETPAY_WALLET_EVENTS] = {
        /* SIGN, NO_WORD, REFUSES, TIME_OVER, AUTHORISATION, DECLINE, VOID, PART, REVERSAL */
        [N] = {P, BUG, BUG, BUG, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED},
        [P] = {REFUSED, SAME, R, SAME, A, D, V, REFUSED, REFUSED},
        [R] = {REFUSED, SAME, R, L, A, D, V, REFUSED, REFUSED},
        [A] = {REFUSED, SAME, SAME, SAME, REFUSED, REFUSED, REFUSED, A, X},
        [D] = {REFUSED, SAME, SAME, SAME, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED},
        [V] = {REFUSED, SAME, SAME, SAME, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED},
        [X] = {REFUSED, SAME, SAME, SAME, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED},
        [L] = {REFUSED, SAME, SAME, SAME, A, D, V, REFUSED, REFUSED},
    };
    (void)state;
    for (int from = 0; from < SETPAY_WALLET_STATES; from++) {
        for (int event = 0; event < SETPAY_WALLET_EVENTS; event++) {
            enum setpay_wallet_state next = SETPAY_WALLET_STATES;
            bool breach = false;
            enum setpay_error error = setpay_wallet_state_next(
                (enum setpay_wallet_state)from, (enum setpay_wallet_event)event, &next, &breach);
            int cell = wanted[from][event];
            if (cell == REFUSED) {
                assert_int_equal(error, event == SETPAY_WALLET_SIGN ? SETPAY_E_PAYMENT_OPEN
                                                                    : SETPAY_E_RECEIPT);
            } else if (cell == BUG) {
                assert_int_equal(error, SETPAY_E_INTERNAL);
            } else {
                assert_int_equal(error, SETPAY_OK);
                assert_int_equal(next, cell == SAME ? from : cell);
                assert_int_equal(breach, event == SETPAY_WALLET_RECEIPT_AUTHORISATION &&
                                             (from == R || from == L));
            }
            if (error != SETPAY_OK)
                assert_int_equal(next, SETPAY_WALLET_STATES);
        }
    }
}

/* ------------------------------------------------------------------ the database */

static enum setpay_error add_purchase(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_add_purchase(db, arg, false);
}

/* As if its card were there: no more of the key is looked at. */
static enum setpay_error add_signer(struct setpay_db *db, void *arg)
{
    const struct setpay_wallet_purchase *purchase = arg;
    return setpay_db_run(db,
                         "INSERT INTO signing_key (number, id, card, role, key_digest, begins,"
                         " expires, thumbprint, ends_with_card, box)"
                         " VALUES (1, $1, $2, 1, $3, 0, 0, $4, 0, $5)",
                         SETPAY_DB_ID(&purchase->xid), SETPAY_DB_ID(&purchase->xid),
                         SETPAY_DB_DIGEST(&purchase->oimd), SETPAY_DB_DIGEST(&purchase->cardholder),
                         SETPAY_DB_VIEW(setpay_view_string("box")));
}

static enum setpay_error apply(struct setpay_db *db, void *arg)
{
    struct world *world = arg;
    return setpay_wallet_store_apply(db, &world->purchase, &world->decision,
                                     setpay_view_string("the merchant's signed words"),
                                     TEST_PKI_NOW_MS);
}

static enum setpay_error read_back(struct setpay_db *db, void *arg)
{
    struct world *world = arg;
    struct setpay_id xid = world->purchase.xid;
    return setpay_wallet_store_read_purchase(db, &xid, &world->purchase);
}

static enum setpay_error count_one(void *arg, struct setpay_view bytes)
{
    (void)bytes;
    ++*(size_t *)arg;
    return SETPAY_OK;
}

struct counting {
    const struct setpay_id *xid;
    size_t count;
};

static enum setpay_error count_receipts(struct setpay_db *db, void *arg)
{
    struct counting *counting = arg;
    return setpay_wallet_store_each_receipt(db, counting->xid, count_one, &counting->count);
}

static void fill_bytes(struct setpay_wallet_purchase *p)
{
    struct setpay_buffer *const all[] = {&p->gateway_certificate, &p->card_box, &p->back_key_box,
                                         &p->offer, &p->preq};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_int_equal(setpay_buffer_set(all[i], setpay_view_string("bytes")), SETPAY_OK);
}

static void what_is_stored_is_what_was_decided(void **state)
{
    struct test_folder folder;
    struct setpay_store *store = NULL;
    struct setpay_reader *reader = NULL;
    struct setpay_problem problem;
    struct world world;
    (void)state;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = &setpay_wallet_schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    assert_int_equal(setpay_reader_new(store, &reader), SETPAY_OK);
    make(&world);
    fill_bytes(&world.purchase);
    assert_int_equal(setpay_store_submit_wait(store, add_purchase, &world.purchase),
                     SETPAY_E_KEY_DESTROYED);
    assert_int_equal(setpay_store_submit_wait(store, add_signer, &world.purchase), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, add_purchase, &world.purchase), SETPAY_OK);
    /* rule W5: the same link once more, under another xid */
    struct setpay_id xid = world.purchase.xid;
    world.purchase.xid = test_id(0x77);
    assert_int_equal(setpay_store_submit_wait(store, add_purchase, &world.purchase),
                     SETPAY_E_PAYMENT_OPEN);
    world.purchase.xid = xid;
    /* rule W6: a bad receipt moves nothing */
    world.key = &other_key;
    add(&world);
    decide(&world);
    assert_int_equal(setpay_store_submit_wait(store, apply, &world), SETPAY_OK);
    assert_int_equal(setpay_store_read(reader, read_back, &world), SETPAY_OK);
    assert_int_equal(world.purchase.state, SETPAY_WALLET_PENDING);
    assert_int_equal(world.purchase.receipt_count, 0);
    assert_string_not_equal(world.purchase.disagreement, "");
    assert_int_equal(world.purchase.version, 2);
    /* a good one does, once */
    world.pres.receipt_count = 0;
    world.key = &back_key;
    world.last = (struct setpay_digest){{0}};
    add(&world);
    decide(&world);
    assert_int_equal(setpay_store_submit_wait(store, apply, &world), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, apply, &world), SETPAY_E_DUPLICATE);
    assert_int_equal(setpay_store_read(reader, read_back, &world), SETPAY_OK);
    assert_int_equal(world.purchase.state, SETPAY_WALLET_AUTHORISED);
    assert_int_equal(world.purchase.version, 3);
    assert_int_equal(world.purchase.sums.authorised_minor, world.purchase.amount.minor);
    assert_string_equal(world.purchase.approval_code, "A1B2C3");
    struct counting counting = {.xid = &xid};
    assert_int_equal(setpay_store_read(reader, count_receipts, &counting), SETPAY_OK);
    assert_int_equal(counting.count, 1);
    unmake(&world);
    setpay_reader_free(reader);
    setpay_store_close(store);
    test_folder_remove(&folder);
}

static int set_up(void **state)
{
    static const char *const brands[] = {BRAND, NULL};
    (void)state;
    assert_int_equal(setpay_secret_system_init(), SETPAY_OK);
    pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    merchant = test_party_new(pki, BRAND, SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    gateway = test_party_new(pki, BRAND, SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    stranger = test_party_new(pki, BRAND, SETPAY_PROFILE_GATEWAY_SIGN, "gateway-2", NULL);
    assert_int_equal(setpay_secret_random(&back_key, 32), SETPAY_OK);
    assert_int_equal(setpay_secret_random(&other_key, 32), SETPAY_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_party_free(merchant);
    test_party_free(gateway);
    test_party_free(stranger);
    setpay_secret_clear(&back_key);
    setpay_secret_clear(&other_key);
    test_pki_free(pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_held_against_the_record),
        cmocka_unit_test(a_renewed_certificate_may_answer_an_inquiry),
        cmocka_unit_test(a_receipt_ends_it),
        cmocka_unit_test(a_receipt_that_is_not_of_this_purchase_counts_for_nothing),
        cmocka_unit_test(good_receipts_before_a_bad_one_count),
        cmocka_unit_test(reversals_follow_in_parts_and_never_above),
        cmocka_unit_test(captures_and_credits_add_up),
        cmocka_unit_test(a_partial_approval_is_known_by_the_receipt),
        cmocka_unit_test(words_that_disagree_are_shown_and_kept),
        cmocka_unit_test(the_merchants_word_ends_nothing_before_its_time),
        cmocka_unit_test(every_cell_of_the_table),
        cmocka_unit_test(what_is_stored_is_what_was_decided),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
