/*
 * A lying wallet whose lie the merchant can't see: what it sealed for the gateway is not what it
 * signed, or not its card, or not for this order. The merchant takes the purchase in good faith,
 * the gateway refuses the instruction, and can't void it either. What must come of it: the issuer
 * is never asked, nothing is held, the shopper hears "unauthorised" when the instruction's time is
 * over and not before (rule M9), and the order is free for somebody honest.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_market.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define LIFE_MS SETPAY_MINUTE_MS
#define AHEAD_MS (7 * SETPAY_MINUTE_MS) /* the instruction and the tolerance behind it are over */

static struct test_market market;
static struct test_sale paid; /* an earlier purchase of the same cardholder's */

/* ------------------------------------------------------------------ what the gateway is told */

static void other_amount(struct test_purchase *p)
{
    p->pi.amount.minor = 1;
}

static void other_currency(struct test_purchase *p)
{
    (void)snprintf(p->pi.amount.currency, sizeof p->pi.amount.currency, "JPY");
}

static void other_merchant(struct test_purchase *p)
{
    (void)snprintf(p->pi.merchant_id, sizeof p->pi.merchant_id, "other");
}

static void other_merchants_name(struct test_purchase *p)
{
    p->pi.merchant = market.gateway->other.sign->thumbprint;
}

static void other_gateway(struct test_purchase *p)
{
    p->pi.gateway_sign = market.gateway->sign[1]->thumbprint;
}

static void other_order(struct test_purchase *p)
{
    assert_int_equal(setpay_id_random(&p->pi.xid), SETPAY_OK);
}

static void paid_order(struct test_purchase *p)
{
    p->pi.xid = paid.purchase->pi.xid;
}

static void other_brand(struct test_purchase *p)
{
    (void)snprintf(p->pi.brand, sizeof p->pi.brand, "mastercard");
}

static void other_cardholder(struct test_purchase *p)
{
    p->pi.cardholder = market.neighbour->party->thumbprint;
}

static void longer_life(struct test_purchase *p)
{
    p->pi.expiry_ms += SETPAY_MINUTE_MS;
}

static void recurring_in_pi(struct test_purchase *p)
{
    p->pi.terms = (struct setpay_terms){.kind = SETPAY_TERMS_RECURRING,
                                        .count = 12,
                                        .interval_days = 28,
                                        .each_minor = TEST_PRICE,
                                        .end_ms = p->now_ms + 365 * SETPAY_DAY_MS};
}

static void use_card(struct test_purchase *p, const char *pan)
{
    setpay_secret_clear(&p->pi.pan);
    assert_int_equal(setpay_secret_copy(&p->pi.pan, setpay_view_string(pan)), SETPAY_OK);
}

static void other_card(struct test_purchase *p)
{
    use_card(p, "4111111111111111");
}

static void card_of_other_brand(struct test_purchase *p)
{
    use_card(p, "5454545454545454");
}

static void no_card(struct test_purchase *p)
{
    use_card(p, "4242424242424241"); /* fails Luhn */
}

static void other_pan_secret(struct test_purchase *p)
{
    setpay_secret_clear(&p->pi.pan_secret);
    assert_int_equal(setpay_secret_random(&p->pi.pan_secret, 32), SETPAY_OK);
}

/* ------------------------------------------------------------------ what is sealed */

static void sealed_to_other_brand(struct test_purchase *p)
{
    p->sealed_to = market.gateway->encrypt[1];
    test_purchase_seal(p);
}

static void other_salt(struct test_purchase *p)
{
    p->salt_in_envelope.bytes[0] ^= 1;
    test_purchase_seal(p);
}

static void resealed(struct test_purchase *p)
{
    struct setpay_secret bytes = {0};
    p->pi.amount.minor = 1; /* after it was signed */
    assert_int_equal(setpay_pi_build(&p->pi, &bytes), SETPAY_OK);
    assert_int_equal(setpay_buffer_set(&p->pi_instead, setpay_secret_view(&bytes)), SETPAY_OK);
    test_purchase_seal(p);
    setpay_secret_clear(&bytes);
}

static void no_instruction(struct test_purchase *p)
{
    assert_int_equal(setpay_buffer_set(&p->pi_instead, setpay_view_string("no instruction")),
                     SETPAY_OK);
    test_purchase_seal(p);
}

/* The envelope that was good for an earlier purchase, under this purchase's signature. */
static void envelope_of_paid(struct test_purchase *p)
{
    assert_int_equal(setpay_buffer_set(&p->envelope, setpay_buffer_view(&paid.purchase->envelope)),
                     SETPAY_OK);
    p->preq.envelope = paid.purchase->preq.envelope;
}

/* The whole instruction of an earlier purchase, which is used up, signed for once more with this
 * order: a merchant can't know it, and its order must not be stuck on it. */
static void instruction_of_paid(struct test_purchase *p)
{
    test_purchase_take_instruction(p, paid.purchase);
}

struct lie {
    const char *what;
    const char *expected; /* of the gateway's log */
    void (*before)(struct test_purchase *p);
    void (*after)(struct test_purchase *p);
};

static const struct lie lies[] = {
    /* rule G4: PI says what AuthReq, and so OI, says */
    {"another amount in PI", "PI_MISMATCH G4", other_amount, NULL},
    {"another currency in PI", "PI_MISMATCH G4", other_currency, NULL},
    {"another merchant in PI", "PI_MISMATCH G4", other_merchant, NULL},
    {"another merchant's certificate in PI", "PI_MISMATCH G4", other_merchants_name, NULL},
    {"another gateway in PI", "PI_MISMATCH G4", other_gateway, NULL},
    {"another order in PI", "PI_MISMATCH G4", other_order, NULL},
    {"an order that is paid in PI", "PI_MISMATCH G4", paid_order, NULL},
    {"another brand in PI", "PI_MISMATCH G4", other_brand, NULL},
    {"another cardholder in PI", "DS_PAYMENT G3", other_cardholder, NULL},
    {"another expiry in PI", "PI_MISMATCH G4", longer_life, NULL},
    {"recurring terms in PI, not in OI", "PI_MISMATCH G4", recurring_in_pi, NULL},
    {"the used instruction of an earlier purchase", "PI_MISMATCH G4", NULL, instruction_of_paid},
    /* rule G5: the card is the certificate's */
    {"another card", "ACCOUNT G5", other_card, NULL},
    {"a card of another brand", "ACCOUNT G5", card_of_other_brand, NULL},
    {"a card that fails Luhn", "ACCOUNT G5", no_card, NULL},
    {"another PANSecret", "ACCOUNT G5", other_pan_secret, NULL},
    /* rules G2 and G3 */
    {"sealed to another certificate", "ENVELOPE G2", NULL, sealed_to_other_brand},
    {"no instruction inside", "ENVELOPE G2", NULL, no_instruction},
    {"another salt inside", "DS_PAYMENT G3", NULL, other_salt},
    {"sealed again with another amount", "DS_PAYMENT G3", NULL, resealed},
    {"the envelope of an earlier purchase", "DS_PAYMENT G3", NULL, envelope_of_paid},
};
#define LIES (sizeof lies / sizeof *lies)

/* ------------------------------------------------------------------ all of them at once */

static struct told {
    struct test_sale sale;
    struct test_channel *channel;
} told[LIES];

static void set_clocks(int64_t offset_ms)
{
    json_decref(test_gateway_control(market.gateway, "testing.clock",
                                     json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms)));
    test_merchantd_set_clock(market.merchant, offset_ms);
}

static void tell(const struct lie *lie, struct told *t)
{
    struct setpay_buffer message;
    test_sale_make(&market, market.holder, &t->sale);
    struct test_purchase *p = t->sale.purchase;
    p->oi.expiry_ms = p->pi.expiry_ms = p->now_ms + LIFE_MS;
    if (lie->before != NULL)
        lie->before(p);
    test_purchase_sign(p);
    if (lie->after != NULL)
        lie->after(p);
    test_purchase_preq(p, &message);
    t->channel = test_channel_new(market.merchant);
    test_channel_post(t->channel, setpay_buffer_view(&message));
    setpay_buffer_clear(&message);
    market.lies++;
}

/* The gateway refuses the newest request of that kind for this purchase, and says so to its log. */
static void expect_gateway_says(const struct told *t, const char *expected)
{
    struct setpay_id rrpid = {{0}};
    char sql[256], hex[SETPAY_ID_TEXT_SIZE];
    size_t size = 0;
    (void)snprintf(sql, sizeof sql,
                   "SELECT r.rrpid FROM gateway_request r JOIN purchase p ON p.id = r.purchase_id"
                   " WHERE p.xid = x'%s' ORDER BY r.id LIMIT 1",
                   setpay_id_format(&t->sale.purchase->oi.xid, hex));
    uint8_t *bytes = test_daemon_bytes(&market.merchant->daemon, sql, &size);
    assert_non_null(bytes);
    assert_int_equal(setpay_id_from_view(setpay_view_of(bytes, size), &rrpid), SETPAY_OK);
    free(bytes);
    assert_string_equal(test_gateway_refusal(market.gateway, &rrpid), expected);
}

static void test_refused(void **state)
{
    /* rule W7: "refused" is the merchant's word, and no end yet */
    static const struct test_end refused = {SETPAY_MESSAGE_INQ_RES, SETPAY_STATUS_REFUSED, 0, 0, 0};
    struct test_standing before, after;
    (void)state;
    test_standing_take_but_answers(market.merchant, &before);
    for (size_t i = 0; i < LIES; i++)
        tell(&lies[i], &told[i]);
    for (size_t i = 0; i < LIES; i++) {
        const struct test_purchase *p = told[i].sale.purchase;
        print_message("# %s\n", lies[i].what);
        test_merchantd_wait_state(market.merchant, &p->oi.xid, "voiding");
        expect_gateway_says(&told[i], lies[i].expected);
        assert_string_equal(test_merchantd_order_status(market.merchant, &told[i].sale.order),
                            "paying");
        test_sale_inquire(&market, &told[i].sale, setpay_clock_now_ms(), &refused);
    }
    /* the gateway has booked nothing, the issuer has heard nothing; nothing moves any more */
    test_standing_take_but_answers(market.merchant, &after);
    bool booked = strcmp(before.gateway_rows, after.gateway_rows) != 0;
    bool asked = before.issuer_asked != after.issuer_asked;
    test_standing_clear(&before); /* the merchant's rows have moved, of course */
    assert_null(test_standing_moved(market.merchant, &after));
    assert_false(booked || asked);
}

/* Rule M7: the sealed instruction goes with the outcome, out of database and journal. */
static void wait_erased(const struct test_sale *sale)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    while (test_daemon_database_holds(&market.merchant->daemon,
                                      setpay_buffer_view(&sale->purchase->envelope))) {
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(TEST_POLL_US);
    }
}

/* rules M9, M4, M7: when the time of all of them is over, and only then. */
static void test_lapsed(void **state)
{
    static const struct test_end lapsed = {SETPAY_MESSAGE_INQ_RES, SETPAY_STATUS_UNAUTHORISED, 0, 0,
                                           0};
    (void)state;
    set_clocks(5 * SETPAY_MINUTE_MS - SETPAY_MINUTE_MS); /* the instructions have expired */
    for (size_t i = 0; i < LIES; i++)
        assert_string_equal(test_merchantd_state(market.merchant, &told[i].sale.purchase->oi.xid),
                            "voiding");
    set_clocks(AHEAD_MS);
    for (size_t i = 0; i < LIES; i++) {
        const struct test_purchase *p = told[i].sale.purchase;
        print_message("# %s\n", lies[i].what);
        test_merchantd_wait_state(market.merchant, &p->oi.xid, "lapsed");
        test_sale_inquire(&market, &told[i].sale, setpay_clock_now_ms() + AHEAD_MS, &lapsed);
        assert_string_equal(test_merchantd_order_status(market.merchant, &told[i].sale.order),
                            "open");
    }
    for (size_t i = 0; i < LIES; i++)
        wait_erased(&told[i].sale);
    set_clocks(0);
}

/* The order that was lied about is for somebody honest to pay, after which the merchant has nothing
 * of it that could be paid with again (rule M7); and the liar's certificate is still its own. */
static void test_honest_after_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIES; i += 7) {
        struct test_sale sale;
        test_sale_again(&market, &told[i].sale.order, i == 0 ? market.holder : market.neighbour,
                        &sale);
        test_sale_pay(&market, &sale);
        wait_erased(&sale);
        test_sale_clear(&sale);
    }
}

/* ------------------------------------------------------------------ the world */

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
    test_sale_make(&market, market.holder, &paid);
    test_sale_pay(&market, &paid);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    for (size_t i = 0; i < LIES; i++) {
        test_channel_free(told[i].channel);
        if (told[i].sale.purchase != NULL)
            test_sale_clear(&told[i].sale);
    }
    test_sale_clear(&paid);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lapsed),
        cmocka_unit_test(test_honest_after_all),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
