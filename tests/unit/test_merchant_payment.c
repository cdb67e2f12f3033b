/*
 * The merchant's rules without I/O: each broken one at a time, each with its exact error.
 */
#include "common/crypto/dual.h"
#include "common/crypto/hash.h"
#include "common/wire/purchase.h"
#include "merchant/payment/rules.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS (TEST_DATE_MS + 6000)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void fill(const char *name, void *message)
{
    for (size_t i = 0; i < test_sample_count; i++) {
        if (strcmp(test_samples[i].name, name) == 0) {
            test_samples[i].fill(message);
            return;
        }
    }
    fail_msg("no sample %s", name);
}

/* An offer, and the OI that takes it up. */
struct purchase_fixture {
    struct setpay_offered offered;
    struct setpay_oi oi;
    struct setpay_preq preq;
    struct setpay_digest oimd, pomd, hash;
    struct setpay_merchant_purchase purchase;
};

static void setup(struct purchase_fixture *f)
{
    memset(f, 0, sizeof *f);
    test_fill_pinit_res(&f->offered.message);
    test_fill_oi(&f->oi);
    f->offered.digest = f->oi.offer;
    f->oi.merchant = f->offered.message.header.sender;
    f->oimd = test_digest(0x01);
    f->pomd = test_digest(0x0d);
    f->hash = test_digest(0x02);
    f->preq.pimd = test_digest(0x09);
    f->preq.envelope = test_digest(0x0b);
    const struct setpay_merchant_preq from = {
        .preq = &f->preq,
        .oi = &f->oi,
        .offered = &f->offered,
        .oimd = &f->oimd,
        .pomd = &f->pomd,
        .request_hash = &f->hash,
        .order_expires_ms = TEST_DATE_MS + 86400000,
        .first_minor = f->oi.amount.minor,
    };
    assert_int_equal(setpay_merchant_purchase_make(&from, NOW_MS, &f->purchase), SETPAY_OK);
}

static void teardown(struct purchase_fixture *f)
{
    setpay_merchant_offered_clear(&f->offered);
}

/* ------------------------------------------------------------------ M1, M3 */

struct oi_defect {
    const char *name;
    size_t offset;
};
#define IN_OI(member)                                                                              \
    {                                                                                              \
#member, offsetof(struct setpay_oi, member)                                                \
    }

static void an_offer_is_taken_up_as_it_was_made(void **state)
{
    (void)state;
    struct purchase_fixture f;
    setup(&f);
    assert_int_equal(setpay_merchant_offer_check(&f.offered, &f.oi, NOW_MS), SETPAY_OK);
    assert_int_equal(setpay_merchant_order_check(&f.offered, &f.oi, NOW_MS), SETPAY_OK);
    assert_int_equal(f.purchase.state, SETPAY_PURCHASE_ASKING);
    assert_int_equal(f.purchase.until_ms, f.oi.expiry_ms);
    assert_string_equal(f.purchase.order_id, "order-1001");
    teardown(&f);
}

/* rule M1: each of the offer's own values, one bit off. */
static void another_offer_is_refused(void **state)
{
    static const struct oi_defect defects[] = {IN_OI(xid),   IN_OI(chall_m), IN_OI(chall_c),
                                               IN_OI(lid_c), IN_OI(lid_m),   IN_OI(offer)};
    (void)state;
    for (size_t i = 0; i < COUNT(defects); i++) {
        struct purchase_fixture f;
        setup(&f);
        *((uint8_t *)&f.oi + defects[i].offset) ^= 1;
        assert_int_equal(setpay_merchant_offer_check(&f.offered, &f.oi, NOW_MS),
                         SETPAY_E_OFFER_MISMATCH);
        teardown(&f);
    }
}

/* rules M1, A5: to the last millisecond, and not after. */
static void an_offer_expires(void **state)
{
    (void)state;
    struct purchase_fixture f;
    setup(&f);
    setpay_time_ms last = f.offered.message.expiry_ms;
    assert_int_equal(setpay_merchant_offer_check(&f.offered, &f.oi, last), SETPAY_OK);
    assert_int_equal(setpay_merchant_offer_check(&f.offered, &f.oi, last + 1), SETPAY_E_EXPIRED);
    teardown(&f);
}

/* rule M3: each of the agreed values, one bit off. */
static void another_order_is_refused(void **state)
{
    static const struct oi_defect defects[] = {IN_OI(brand),
                                               IN_OI(amount.minor),
                                               IN_OI(amount.currency),
                                               IN_OI(merchant),
                                               IN_OI(terms.count),
                                               IN_OI(terms.kind),
                                               IN_OI(terms.each_minor),
                                               IN_OI(gateway_sign),
                                               IN_OI(terms.end_ms),
                                               IN_OI(terms.interval_days),
                                               IN_OI(gateway_encrypt)};
    (void)state;
    for (size_t i = 0; i < COUNT(defects); i++) {
        struct purchase_fixture f;
        setup(&f);
        *((uint8_t *)&f.oi + defects[i].offset) ^= 1;
        assert_int_equal(setpay_merchant_order_check(&f.offered, &f.oi, NOW_MS),
                         SETPAY_E_ORDER_MISMATCH);
        teardown(&f);
    }
}

/* rule M3: an hour and the tolerance; rule A5: not after its expiry. */
static void an_instruction_lives_an_hour(void **state)
{
    (void)state;
    struct purchase_fixture f;
    setup(&f);
    f.oi.expiry_ms =
        f.oi.date_ms + SETPAY_LIMIT_INSTRUCTION_LIFE_MS + SETPAY_LIMIT_DATE_TOLERANCE_MS;
    assert_int_equal(setpay_merchant_order_check(&f.offered, &f.oi, NOW_MS), SETPAY_OK);
    f.oi.expiry_ms++;
    assert_int_equal(setpay_merchant_order_check(&f.offered, &f.oi, NOW_MS),
                     SETPAY_E_ORDER_MISMATCH);
    f.oi.expiry_ms = NOW_MS - 1;
    assert_int_equal(setpay_merchant_order_check(&f.offered, &f.oi, NOW_MS), SETPAY_E_EXPIRED);
    teardown(&f);
}

/* ------------------------------------------------------------------ M2 */

static void the_dual_signature_covers_the_order(void **state)
{
    static const char *const brands[] = {"example-card", NULL};
    (void)state;
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *holder =
        test_party_new(pki, "example-card", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    struct test_party *other =
        test_party_new(pki, "example-card", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    struct setpay_oi oi = {0};
    struct setpay_preq preq = {0};
    struct setpay_digest oimd, pomd;
    struct setpay_buffer ds;
    setpay_buffer_init(&ds, SETPAY_SIGNATURE_MAX);
    test_fill_oi(&oi);
    oi.cardholder = holder->thumbprint;
    setpay_buffer_init(&preq.oi, SETPAY_WIRE_ORDER_MAX);
    assert_int_equal(setpay_oi_build(&oi, &preq.oi), SETPAY_OK);
    preq.oi_salt = test_digest(0x07);
    preq.pimd = test_digest(0x09);
    assert_int_equal(
        setpay_dual_oimd(setpay_digest_view(&preq.oi_salt), setpay_buffer_view(&preq.oi), &oimd),
        SETPAY_OK);
    assert_int_equal(setpay_dual_pomd(SETPAY_SUITE, &preq.pimd, &oimd, &pomd), SETPAY_OK);
    assert_int_equal(
        setpay_dual_sign(holder->signing_key, SETPAY_SUITE, &holder->thumbprint, &pomd, &ds),
        SETPAY_OK);
    assert_int_equal(setpay_signature_from_view(setpay_buffer_view(&ds), &preq.dual_signature),
                     SETPAY_OK);
    assert_int_equal(setpay_preq_check_order(&preq, &oi, holder->certificate, &oimd, &pomd),
                     SETPAY_OK);
    /* rule M2: salt, order, PIMD and signature, one bit off each */
    uint8_t *const bytes[] = {&preq.oi_salt.bytes[0], &preq.oi.data[20], &preq.pimd.bytes[31],
                              &preq.dual_signature.bytes[12]};
    for (size_t i = 0; i < COUNT(bytes); i++) {
        *bytes[i] ^= 1;
        assert_int_equal(setpay_preq_check_order(&preq, &oi, holder->certificate, &oimd, &pomd),
                         SETPAY_E_DS_ORDER);
        *bytes[i] ^= 1;
    }
    assert_int_equal(setpay_preq_check_order(&preq, &oi, other->certificate, &oimd, &pomd),
                     SETPAY_E_SENDER);
    setpay_buffer_clear(&ds);
    setpay_preq_clear(&preq);
    test_party_free(holder);
    test_party_free(other);
    test_pki_free(pki);
}

/* ------------------------------------------------------------------ M6 */

struct answer_fixture {
    struct purchase_fixture f;
    struct setpay_auth_res answer;
};

static void setup_answer(struct answer_fixture *a)
{
    memset(&a->answer, 0, sizeof a->answer);
    setup(&a->f);
    fill("AuthRes", &a->answer);
    a->answer.has_capture = false; /* the sample's is of a sale */
}

static void an_approval_is_booked(void **state)
{
    (void)state;
    struct answer_fixture a;
    setup_answer(&a);
    struct setpay_merchant_purchase *purchase = &a.f.purchase;
    assert_int_equal(
        setpay_merchant_auth_res_check(purchase, "shop-1", SETPAY_ASK_AUTHORISE, &a.answer),
        SETPAY_OK);
    assert_int_equal(setpay_merchant_auth_res_apply(&a.answer, NOW_MS, purchase), SETPAY_OK);
    assert_int_equal(purchase->state, SETPAY_PURCHASE_AUTHORISED);
    assert_int_equal(purchase->approved_minor, purchase->amount.minor);
    assert_true(purchase->has_cap_token);
    assert_true(setpay_merchant_is_answerable(purchase));
    /* rule M6: a capture that nobody has asked for is more than was asked */
    a.answer.has_capture = true;
    assert_int_equal(
        setpay_merchant_auth_res_check(purchase, "shop-1", SETPAY_ASK_AUTHORISE, &a.answer),
        SETPAY_E_AUTH_MISMATCH);
    a.answer.has_capture = false;
    /* it is booked once */
    assert_int_equal(setpay_merchant_auth_res_apply(&a.answer, NOW_MS, purchase),
                     SETPAY_E_AUTH_MISMATCH);
    teardown(&a.f);
}

/* rule M6: a sale's answer has one capture, of all that was approved and in everything our own;
 * where it comes too late, or is of another amount, it is taken back before anybody hears of it. */
static void a_sale_is_captured_whole(void **state)
{
    static const size_t defects[] = {
        offsetof(struct setpay_step_done, xid),
        offsetof(struct setpay_step_done, of),
        offsetof(struct setpay_step_done, amount.minor),
        offsetof(struct setpay_step_done, pomd),
        offsetof(struct setpay_step_done, cardholder),
        offsetof(struct setpay_step_done, remaining.minor),
        offsetof(struct setpay_step_done, receipt.kind),
    };
    (void)state;
    struct answer_fixture a;
    setup_answer(&a);
    struct setpay_merchant_purchase *purchase = &a.f.purchase;
    purchase->sale = true;
    a.answer.capture = (struct setpay_step_done){.xid = a.answer.xid,
                                                 .of = a.answer.cap_token,
                                                 .amount = a.answer.amount,
                                                 .id = test_id(0x71),
                                                 .batch = 1,
                                                 .remaining = {0, "EUR"},
                                                 .cardholder = a.answer.cardholder,
                                                 .pomd = a.answer.pomd,
                                                 .receipt.kind = SETPAY_RECEIPT_CAPTURE};
    assert_int_equal(
        setpay_merchant_auth_res_check(purchase, "shop-1", SETPAY_ASK_AUTHORISE, &a.answer),
        SETPAY_E_AUTH_MISMATCH); /* nothing was captured */
    a.answer.has_capture = true;
    assert_int_equal(
        setpay_merchant_auth_res_check(purchase, "shop-1", SETPAY_ASK_AUTHORISE, &a.answer),
        SETPAY_OK);
    for (size_t i = 0; i < COUNT(defects); i++) {
        uint8_t *byte = (uint8_t *)&a.answer.capture + defects[i];
        *byte ^= 3;
        assert_int_equal(
            setpay_merchant_auth_res_check(purchase, "shop-1", SETPAY_ASK_AUTHORISE, &a.answer),
            SETPAY_E_AUTH_MISMATCH);
        *byte ^= 3;
    }
    struct setpay_merchant_purchase late = *purchase, other = *purchase;
    assert_int_equal(setpay_merchant_auth_res_apply(&a.answer, NOW_MS, purchase), SETPAY_OK);
    assert_int_equal(purchase->state, SETPAY_PURCHASE_CAPTURED);
    assert_int_equal(purchase->captured_minor, purchase->amount.minor);
    assert_true(setpay_merchant_is_answerable(purchase));
    late.state = SETPAY_PURCHASE_LEARNING;
    assert_int_equal(setpay_merchant_auth_res_apply(&a.answer, NOW_MS, &late), SETPAY_OK);
    assert_true(setpay_merchant_is_unwanted(&late));
    assert_false(setpay_merchant_is_answerable(&late));
    other.first_minor++;
    assert_int_equal(setpay_merchant_auth_res_apply(&a.answer, NOW_MS, &other), SETPAY_OK);
    assert_true(setpay_merchant_is_unwanted(&other));
    teardown(&a.f);
}

#define IN_ANSWER(member)                                                                          \
    {                                                                                              \
#member, offsetof(struct setpay_auth_res, member)                                          \
    }

/* rule M6: what the gateway says must be our own record's, value by value. */
static void another_answer_is_refused(void **state)
{
    static const struct oi_defect defects[] = {IN_ANSWER(xid),
                                               IN_ANSWER(brand),
                                               IN_ANSWER(merchant_id),
                                               IN_ANSWER(cardholder),
                                               IN_ANSWER(pomd),
                                               IN_ANSWER(gateway_encrypt),
                                               IN_ANSWER(amount.currency)};
    (void)state;
    for (size_t i = 0; i < COUNT(defects); i++) {
        struct answer_fixture a;
        setup_answer(&a);
        *((uint8_t *)&a.answer + defects[i].offset) ^= 1;
        assert_int_equal(setpay_merchant_auth_res_check(&a.f.purchase, "shop-1",
                                                        SETPAY_ASK_AUTHORISE, &a.answer),
                         SETPAY_E_AUTH_MISMATCH);
        teardown(&a.f);
    }
}

/* rule M6: outcome, amount, receipt and question fit each other, or it is no answer. */
static void an_answer_agrees_with_itself(void **state)
{
    static const struct {
        enum setpay_ask_kind asked;
        enum setpay_auth_outcome outcome;
        enum setpay_receipt_kind receipt;
        int64_t minor;
        enum setpay_error error;
    } rows[] = {
        {SETPAY_ASK_AUTHORISE, SETPAY_AUTH_APPROVED, SETPAY_RECEIPT_AUTHORISATION, 1250, SETPAY_OK},
        {SETPAY_ASK_AUTHORISE, SETPAY_AUTH_DECLINED, SETPAY_RECEIPT_DECLINE, 0, SETPAY_OK},
        {SETPAY_ASK_VOID, SETPAY_AUTH_VOIDED, SETPAY_RECEIPT_VOID, 0, SETPAY_OK},
        {SETPAY_ASK_AUTHORISE, SETPAY_AUTH_APPROVED, SETPAY_RECEIPT_DECLINE, 1250,
         SETPAY_E_AUTH_MISMATCH},
        {SETPAY_ASK_AUTHORISE, SETPAY_AUTH_APPROVED, SETPAY_RECEIPT_AUTHORISATION, 0,
         SETPAY_E_AUTH_MISMATCH},
        {SETPAY_ASK_AUTHORISE, SETPAY_AUTH_DECLINED, SETPAY_RECEIPT_AUTHORISATION, 0,
         SETPAY_E_AUTH_MISMATCH},
        {SETPAY_ASK_AUTHORISE, SETPAY_AUTH_DECLINED, SETPAY_RECEIPT_DECLINE, 1250,
         SETPAY_E_AUTH_MISMATCH},
        {SETPAY_ASK_AUTHORISE, SETPAY_AUTH_VOIDED, SETPAY_RECEIPT_VOID, 0, SETPAY_E_AUTH_MISMATCH},
        {SETPAY_ASK_VOID, SETPAY_AUTH_APPROVED, SETPAY_RECEIPT_AUTHORISATION, 1250,
         SETPAY_E_AUTH_MISMATCH},
        {SETPAY_ASK_VOID, SETPAY_AUTH_DECLINED, SETPAY_RECEIPT_DECLINE, 0, SETPAY_E_AUTH_MISMATCH},
        {SETPAY_ASK_REVERSE, SETPAY_AUTH_APPROVED, SETPAY_RECEIPT_AUTHORISATION, 1250,
         SETPAY_E_AUTH_MISMATCH},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct answer_fixture a;
        setup_answer(&a);
        a.answer.outcome = rows[i].outcome;
        a.answer.receipt.kind = rows[i].receipt;
        a.answer.amount.minor = rows[i].minor;
        assert_int_equal(
            setpay_merchant_auth_res_check(&a.f.purchase, "shop-1", rows[i].asked, &a.answer),
            rows[i].error);
        teardown(&a.f);
    }
}

/* rule M6: too much is reversed, and so is a part, which was not asked for. */
static void another_amount_is_reversed(void **state)
{
    (void)state;
    const int64_t off[] = {1, -1};
    for (size_t i = 0; i < COUNT(off); i++) {
        struct answer_fixture a;
        setup_answer(&a);
        struct setpay_merchant_purchase *purchase = &a.f.purchase;
        a.answer.amount.minor += off[i];
        assert_int_equal(setpay_merchant_auth_res_event(purchase, &a.answer),
                         SETPAY_PURCHASE_EXCESS);
        assert_int_equal(setpay_merchant_auth_res_apply(&a.answer, NOW_MS, purchase), SETPAY_OK);
        assert_int_equal(purchase->state, SETPAY_PURCHASE_REVERSING);
        assert_false(setpay_merchant_is_answerable(purchase));
        assert_int_equal(setpay_merchant_status(purchase), SETPAY_STATUS_PENDING);
        struct setpay_auth_rev_req request;
        const struct setpay_id rrpid = test_id(1);
        setpay_merchant_auth_rev_req_fill(purchase, "shop-1", &rrpid, NOW_MS, &request);
        assert_int_equal(request.amount.minor, a.answer.amount.minor); /* all of it */
        teardown(&a.f);
    }
}

/* rule M6 for the reversal's answer. */
static void a_reversal_leaves_nothing(void **state)
{
    (void)state;
    struct answer_fixture a;
    struct setpay_auth_rev_res answer = {0};
    setup_answer(&a);
    struct setpay_merchant_purchase *purchase = &a.f.purchase;
    fill("AuthRevRes", &answer);
    assert_int_equal(setpay_merchant_auth_res_apply(&a.answer, NOW_MS, purchase), SETPAY_OK);
    purchase->state = SETPAY_PURCHASE_REVERSING;
    assert_int_equal(setpay_merchant_auth_rev_res_check(purchase, "shop-1",
                                                        setpay_merchant_held(purchase), 0, &answer),
                     SETPAY_OK);
    uint8_t *const bytes[] = {&answer.xid.bytes[3],
                              &answer.pomd.bytes[3],
                              &answer.cardholder.bytes[3],
                              (uint8_t *)answer.brand,
                              (uint8_t *)answer.merchant_id,
                              (uint8_t *)&answer.amount.minor,
                              (uint8_t *)&answer.remaining.minor,
                              (uint8_t *)&answer.receipt.kind};
    for (size_t i = 0; i < COUNT(bytes); i++) {
        *bytes[i] ^= 1;
        assert_int_equal(setpay_merchant_auth_rev_res_check(
                             purchase, "shop-1", setpay_merchant_held(purchase), 0, &answer),
                         SETPAY_E_AUTH_MISMATCH);
        *bytes[i] ^= 1;
    }
    answer.amount.minor = 1; /* of a part, what is left has to be ours too */
    answer.remaining.minor = setpay_merchant_held(purchase) - 1;
    assert_int_equal(
        setpay_merchant_auth_rev_res_check(purchase, "shop-1", 1, answer.remaining.minor, &answer),
        SETPAY_OK);
    assert_int_equal(setpay_merchant_auth_rev_res_check(purchase, "shop-1", 1,
                                                        answer.remaining.minor - 1, &answer),
                     SETPAY_E_AUTH_MISMATCH);
    assert_int_equal(setpay_merchant_auth_rev_res_apply(NOW_MS, purchase), SETPAY_OK);
    assert_int_equal(purchase->state, SETPAY_PURCHASE_REVERSED);
    assert_true(setpay_merchant_is_answerable(purchase));
    teardown(&a.f);
}

/* ------------------------------------------------------------------ M9: what an Error means */

static void an_error_never_ends_a_purchase(void **state)
{
    static const struct {
        enum setpay_purchase_state state;
        uint32_t code;
        enum setpay_gateway_word word;
    } rows[] = {
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_BUSY, SETPAY_WORD_LATER},
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_CERTIFICATE, SETPAY_WORD_LATER},
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_REVOKED, SETPAY_WORD_GIVE_UP}, /* for good */
        {SETPAY_PURCHASE_VOIDING, SETPAY_WIRE_REVOKED, SETPAY_WORD_LATER},
        {SETPAY_PURCHASE_LEARNING, SETPAY_WIRE_REVOKED, SETPAY_WORD_LATER},
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_UNSPECIFIED, SETPAY_WORD_LATER},
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_CERTIFICATE_MISSING, SETPAY_WORD_CERTIFICATES},
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_DATE, SETPAY_WORD_RENEW}, /* rule A5 */
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_ALREADY_USED, SETPAY_WORD_GIVE_UP},
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_CRYPTOGRAPHIC, SETPAY_WORD_GIVE_UP},
        {SETPAY_PURCHASE_ASKING, SETPAY_WIRE_EXPIRED, SETPAY_WORD_GIVE_UP},
        {SETPAY_PURCHASE_ASKING, 999, SETPAY_WORD_GIVE_UP},
        {SETPAY_PURCHASE_VOIDING, SETPAY_WIRE_DATE, SETPAY_WORD_RENEW},
        {SETPAY_PURCHASE_VOIDING, SETPAY_WIRE_ALREADY_USED, SETPAY_WORD_USED},
        {SETPAY_PURCHASE_VOIDING, SETPAY_WIRE_CRYPTOGRAPHIC, SETPAY_WORD_LATER},
        {SETPAY_PURCHASE_LEARNING, SETPAY_WIRE_ALREADY_USED, SETPAY_WORD_NEXT},
        {SETPAY_PURCHASE_LEARNING, SETPAY_WIRE_DATE, SETPAY_WORD_NEXT},
        {SETPAY_PURCHASE_LEARNING, SETPAY_WIRE_BUSY, SETPAY_WORD_LATER},
        {SETPAY_PURCHASE_REVERSING, SETPAY_WIRE_DATE, SETPAY_WORD_RENEW},
        {SETPAY_PURCHASE_REVERSING, SETPAY_WIRE_NOT_PERMITTED, SETPAY_WORD_LATER},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(setpay_merchant_word(rows[i].state, rows[i].code), rows[i].word);
}

/* rule M9: an AuthReq is given up once nobody could want its approval; nothing else is. */
static void what_is_over_is_voided(void **state)
{
    (void)state;
    struct purchase_fixture f;
    enum setpay_ask_kind kind;
    setup(&f);
    struct setpay_merchant_purchase *p = &f.purchase;
    assert_false(setpay_merchant_is_over(p, p->until_ms));
    assert_true(setpay_merchant_is_over(p, p->until_ms + 1));
    assert_int_equal(setpay_merchant_ask_kind(p->state, &kind), SETPAY_OK);
    assert_int_equal(kind, SETPAY_ASK_AUTHORISE);
    p->state = SETPAY_PURCHASE_VOIDING;
    assert_false(setpay_merchant_is_over(p, p->until_ms + 1));
    assert_int_equal(setpay_merchant_ask_kind(p->state, &kind), SETPAY_OK);
    assert_int_equal(kind, SETPAY_ASK_VOID);
    assert_int_equal(setpay_merchant_status(p), SETPAY_STATUS_REFUSED);
    p->state = SETPAY_PURCHASE_AUTHORISED;
    assert_int_equal(setpay_merchant_ask_kind(p->state, &kind), SETPAY_E_STATE);
    teardown(&f);
}

/* rule M9: what can't even be voided has lapsed when its time is over, and not before. */
static void what_can_not_be_voided_lapses(void **state)
{
    static const struct {
        uint32_t code;
        bool lapses;
        bool lapses_without_cardholder; /* whose certificate has ended */
    } rows[] = {
        {SETPAY_WIRE_CRYPTOGRAPHIC, true, true},
        {SETPAY_WIRE_MISMATCH, true, true},
        {SETPAY_WIRE_AMOUNT, true, true},
        {SETPAY_WIRE_EXPIRED, true, true},
        {SETPAY_WIRE_REVOKED, false, true},
        {SETPAY_WIRE_CERTIFICATE, false, true},
        {SETPAY_WIRE_ALREADY_USED, false, false},
        {SETPAY_WIRE_DATE, false, false},
        {SETPAY_WIRE_BUSY, false, false},
        {SETPAY_WIRE_NOT_PERMITTED, false, false},
        {SETPAY_WIRE_RRPID_REUSED, false, false},
        {SETPAY_WIRE_UNSPECIFIED, false, false},
        {SETPAY_WIRE_CERTIFICATE_MISSING, false, false},
        {999, false, false},
    };
    (void)state;
    struct purchase_fixture f;
    setup(&f);
    struct setpay_merchant_purchase *p = &f.purchase;
    setpay_time_ms over_ms = p->expiry_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS + 1;
    p->state = SETPAY_PURCHASE_VOIDING;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint32_t code = rows[i].code;
        assert_int_equal(setpay_merchant_is_lapsed(p, code, true, false, over_ms), rows[i].lapses);
        assert_int_equal(setpay_merchant_is_lapsed(p, code, true, true, over_ms),
                         rows[i].lapses_without_cardholder);
        assert_false(setpay_merchant_is_lapsed(p, code, true, true, over_ms - 1));
        assert_false(setpay_merchant_is_lapsed(p, code, false, true, over_ms));
    }
    for (int other = 0; other < SETPAY_PURCHASE_STATES; other++) {
        p->state = (enum setpay_purchase_state)other;
        if (p->state != SETPAY_PURCHASE_VOIDING)
            assert_false(
                setpay_merchant_is_lapsed(p, SETPAY_WIRE_CRYPTOGRAPHIC, true, true, over_ms));
    }
    teardown(&f);
}

/* rule M9: an approval that comes after all is reversed, and the wallet hears no "authorised". */
static void an_approval_after_giving_up_is_reversed(void **state)
{
    static const enum setpay_purchase_state states[] = {SETPAY_PURCHASE_VOIDING,
                                                        SETPAY_PURCHASE_LEARNING};
    (void)state;
    for (size_t i = 0; i < COUNT(states); i++) {
        struct answer_fixture a;
        setup_answer(&a);
        a.f.purchase.state = states[i];
        assert_int_equal(setpay_merchant_auth_res_apply(&a.answer, NOW_MS, &a.f.purchase),
                         SETPAY_OK);
        assert_int_equal(a.f.purchase.state, SETPAY_PURCHASE_REVERSING);
        assert_int_equal(setpay_merchant_status(&a.f.purchase), SETPAY_STATUS_PENDING);
        assert_false(setpay_merchant_shows_receipts(&a.f.purchase));
        teardown(&a.f);
    }
}

/* ------------------------------------------------------------------ what the wallet is told */

static void the_wallet_is_told_what_is(void **state)
{
    static const struct {
        enum setpay_purchase_state state;
        bool answered;
        enum setpay_purchase_status status;
        bool answerable;
    } rows[] = {
        {SETPAY_PURCHASE_ASKING, false, SETPAY_STATUS_PENDING, false},
        {SETPAY_PURCHASE_VOIDING, false, SETPAY_STATUS_REFUSED, false},
        {SETPAY_PURCHASE_LEARNING, false, SETPAY_STATUS_PENDING, false},
        {SETPAY_PURCHASE_AUTHORISED, false, SETPAY_STATUS_AUTHORISED, true},
        {SETPAY_PURCHASE_AUTHORISED, true, SETPAY_STATUS_AUTHORISED, false},
        {SETPAY_PURCHASE_STEPPING, false, SETPAY_STATUS_PENDING, false}, /* taken back */
        {SETPAY_PURCHASE_STEPPING, true, SETPAY_STATUS_AUTHORISED, false},
        {SETPAY_PURCHASE_CAPTURED, true, SETPAY_STATUS_AUTHORISED, false},
        {SETPAY_PURCHASE_REVERSING, false, SETPAY_STATUS_PENDING, false},
        {SETPAY_PURCHASE_REVERSING, true, SETPAY_STATUS_AUTHORISED, false},
        {SETPAY_PURCHASE_REVERSED, false, SETPAY_STATUS_REVERSED, true},
        {SETPAY_PURCHASE_DECLINED, false, SETPAY_STATUS_DECLINED, true},
        {SETPAY_PURCHASE_VOIDED, false, SETPAY_STATUS_VOIDED, true},
        {SETPAY_PURCHASE_LAPSED, false, SETPAY_STATUS_UNAUTHORISED, true},
    };
    (void)state;
    struct purchase_fixture f;
    setup(&f);
    f.purchase.approved_minor = 1250;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct setpay_pres message;
        struct setpay_buffer bytes;
        const struct setpay_id rrpid = test_id(0x33);
        const struct setpay_digest challenge = test_digest(0x44);
        f.purchase.state = rows[i].state;
        f.purchase.answered = rows[i].answered;
        assert_int_equal(setpay_merchant_status(&f.purchase), rows[i].status);
        assert_int_equal(setpay_merchant_is_answerable(&f.purchase), rows[i].answerable);
        setpay_merchant_pres_fill(&f.purchase, "shop-1", &rrpid, &f.hash, &challenge, NOW_MS,
                                  &message);
        assert_memory_equal(&message.challenge, &challenge, sizeof challenge); /* rule A4 */
        assert_int_equal(message.amount.minor,
                         rows[i].status == SETPAY_STATUS_AUTHORISED ? 1250 : 0);
        setpay_buffer_init(&bytes, SETPAY_LIMIT_CONTENT_BYTES);
        assert_int_equal(setpay_pres_build(&message, &bytes), SETPAY_OK);
        setpay_buffer_clear(&bytes);
    }
    teardown(&f);
}

/* rule M8 */
static void only_the_cardholder_may_inquire(void **state)
{
    (void)state;
    struct purchase_fixture f;
    setup(&f);
    struct setpay_digest signer = f.purchase.cardholder;
    assert_int_equal(setpay_merchant_inquirer_check(&f.purchase, &signer), SETPAY_OK);
    signer.bytes[31] ^= 1;
    assert_int_equal(setpay_merchant_inquirer_check(&f.purchase, &signer), SETPAY_E_NOT_CARDHOLDER);
    /* and a stranger learns nothing by it */
    assert_int_equal(setpay_error_info(SETPAY_E_NOT_CARDHOLDER)->wire,
                     setpay_error_info(SETPAY_E_OFFER_UNKNOWN)->wire);
    teardown(&f);
}

/* rule M8: after its expiry, not after its revocation. */
static void an_expired_certificate_may_inquire(void **state)
{
    static const char *const brands[] = {"example-card", NULL};
    (void)state;
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *holder =
        test_party_new(pki, "example-card", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    struct test_party *revoked =
        test_party_new(pki, "example-card", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    struct test_party *shop =
        test_party_new(pki, "example-card", SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    test_pki_revoke(pki, revoked);
    struct setpay_trust *trust = test_pki_trust(pki);
    struct setpay_certificate *found = NULL;
    setpay_time_ms later = setpay_certificate_not_after_ms(holder->certificate) + SETPAY_DAY_MS;
    test_pki_refresh_crls(pki, trust, later);
    struct setpay_view der = setpay_buffer_view(&holder->der);
    assert_int_equal(setpay_trust_verify(trust, der, NULL, 0, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                         "example-card", later, &found),
                     SETPAY_E_CERT_TIME);
    assert_int_equal(setpay_trust_verify_lapsed(trust, der, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                                "example-card", later, &found),
                     SETPAY_OK);
    setpay_certificate_unref(found);
    assert_int_equal(setpay_trust_verify_lapsed(trust, setpay_buffer_view(&revoked->der),
                                                SETPAY_PROFILE_CARDHOLDER_SIGN, "example-card",
                                                later, &found),
                     SETPAY_E_CERT_REVOKED);
    assert_int_equal(setpay_trust_verify_lapsed(trust, setpay_buffer_view(&shop->der),
                                                SETPAY_PROFILE_CARDHOLDER_SIGN, "example-card",
                                                later, &found),
                     SETPAY_E_CERT_ROLE);
    assert_int_equal(setpay_trust_verify_lapsed(trust, der, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                                "example-card", later + 40 * SETPAY_DAY_MS, &found),
                     SETPAY_E_CRL_STALE);
    /* A void asks only whether it was issued so: not even a list is needed. */
    const struct test_party *issued[] = {holder, revoked};
    for (size_t i = 0; i < COUNT(issued); i++) {
        struct setpay_trust *without_lists = NULL;
        assert_int_equal(setpay_trust_new(setpay_buffer_view(&pki->root.der), &without_lists),
                         SETPAY_OK);
        assert_int_equal(setpay_trust_verify(without_lists, setpay_buffer_view(&issued[i]->der),
                                             issued[i]->chain, SETPAY_CHAIN_CAS,
                                             SETPAY_PROFILE_CARDHOLDER_SIGN, "example-card",
                                             TEST_PKI_NOW_MS, &found),
                         SETPAY_E_CRL_MISSING);
        assert_int_equal(setpay_trust_verify_issued(
                             without_lists, setpay_buffer_view(&issued[i]->der), issued[i]->chain,
                             SETPAY_CHAIN_CAS, SETPAY_PROFILE_CARDHOLDER_SIGN, "example-card",
                             later + 40 * SETPAY_DAY_MS, &found),
                         SETPAY_OK);
        setpay_certificate_unref(found);
        setpay_trust_free(without_lists);
    }
    assert_int_equal(setpay_trust_verify_issued(trust, setpay_buffer_view(&shop->der), NULL, 0,
                                                SETPAY_PROFILE_CARDHOLDER_SIGN, "example-card",
                                                later, &found),
                     SETPAY_E_CERT_ROLE);
    setpay_trust_free(trust);
    test_party_free(holder);
    test_party_free(revoked);
    test_party_free(shop);
    test_pki_free(pki);
}

/* The gateway of the offer: one certificate of each purpose, of the gateway that is configured. */
static void the_gateway_is_the_one_that_is_configured(void **state)
{
    static const char *const brands[] = {"example-card", NULL};
    (void)state;
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *sign =
        test_party_new(pki, "example-card", SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    struct test_party *encrypt =
        test_party_new(pki, "example-card", SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    struct test_party *other =
        test_party_new(pki, "example-card", SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-2", NULL);
    const struct {
        const char *id;
        const struct setpay_certificate *sign, *encrypt;
        enum setpay_error error;
    } rows[] = {
        {"gateway-1", sign->certificate, encrypt->certificate, SETPAY_OK},
        {"gateway-2", sign->certificate, encrypt->certificate, SETPAY_E_GATEWAY_CERTS},
        {"gateway-1", sign->certificate, other->certificate, SETPAY_E_GATEWAY_CERTS},
        {"gateway-1", encrypt->certificate, sign->certificate, SETPAY_E_GATEWAY_CERTS},
        {"gateway-1", sign->certificate, sign->certificate, SETPAY_E_GATEWAY_CERTS},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(setpay_merchant_gateway_check(rows[i].id, rows[i].sign, rows[i].encrypt),
                         rows[i].error);
    test_party_free(sign);
    test_party_free(encrypt);
    test_party_free(other);
    test_pki_free(pki);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_offer_is_taken_up_as_it_was_made),
        cmocka_unit_test(another_offer_is_refused),
        cmocka_unit_test(an_offer_expires),
        cmocka_unit_test(another_order_is_refused),
        cmocka_unit_test(an_instruction_lives_an_hour),
        cmocka_unit_test(the_dual_signature_covers_the_order),
        cmocka_unit_test(an_approval_is_booked),
        cmocka_unit_test(a_sale_is_captured_whole),
        cmocka_unit_test(another_answer_is_refused),
        cmocka_unit_test(an_answer_agrees_with_itself),
        cmocka_unit_test(another_amount_is_reversed),
        cmocka_unit_test(a_reversal_leaves_nothing),
        cmocka_unit_test(an_error_never_ends_a_purchase),
        cmocka_unit_test(what_is_over_is_voided),
        cmocka_unit_test(what_can_not_be_voided_lapses),
        cmocka_unit_test(an_approval_after_giving_up_is_reversed),
        cmocka_unit_test(the_wallet_is_told_what_is),
        cmocka_unit_test(only_the_cardholder_may_inquire),
        cmocka_unit_test(an_expired_certificate_may_inquire),
        cmocka_unit_test(the_gateway_is_the_one_that_is_configured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
