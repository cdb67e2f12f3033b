/*
 * The wallet before anything is signed: links, every check of an offer (rules A4, W1 to W4) broken
 * one at a time with its exact error, and what the person agreed to.
 */
#include "cardholder/wallet.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BRAND "example-card"
#define HOST "shop.example.com"
#define LINK "setpay://" HOST ":8443/pay/0123456789abcdefghij"

static struct test_pki *pki;
static struct test_party *merchant, *other_merchant, *channel, *other_channel, *other_host, *sign,
    *encrypt, *other_sign, *other_encrypt;

/* A whole, valid offer to a question; each test breaks one thing of it. */
struct world {
    struct setpay_wallet_question question;
    struct setpay_pinit_res content;
    struct setpay_message message;
    struct setpay_wallet_offer offer;
};

static void make(struct world *world)
{
    memset(world, 0, sizeof *world);
    test_fill_pinit_res(&world->content);
    assert_int_equal(setpay_wallet_link_parse(LINK, &world->question.link, NULL), SETPAY_OK);
    strcpy(world->question.brand, BRAND);
    world->question.chall_c = world->content.chall_c;
    world->question.lid_c = world->content.lid_c;
    world->question.asked.rrpid = world->content.header.rrpid;
    world->question.asked.request_hash = world->content.header.request_hash;
    world->content.header.sender = merchant->thumbprint;
    world->content.gateway_sign = sign->thumbprint;
    world->content.gateway_encrypt = encrypt->thumbprint;
    world->content.expiry_ms = TEST_PKI_NOW_MS + 60000;
    world->message.type = SETPAY_MESSAGE_PINIT_RES;
    world->message.is_signed = true;
    world->message.signer = merchant->thumbprint;
    world->offer = (struct setpay_wallet_offer){
        .message = &world->message,
        .content = &world->content,
        .channel = channel->certificate,
        .merchant = merchant->certificate,
        .gateway_sign = sign->certificate,
        .gateway_encrypt = encrypt->certificate,
    };
}

static void expect(struct world *world, enum setpay_error wanted)
{
    enum setpay_error error =
        setpay_wallet_offer_check(&world->question, &world->offer, TEST_PKI_NOW_MS);
    assert_string_equal(setpay_error_name(error), setpay_error_name(wanted));
    setpay_pinit_res_clear(&world->content);
}

static void a_whole_offer_is_taken(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    expect(&world, SETPAY_OK);
    make(&world);
    world.content.terms.kind = SETPAY_TERMS_SPLIT;
    expect(&world, SETPAY_OK);
    make(&world);
    world.content.expiry_ms = TEST_PKI_NOW_MS; /* good up to its expiry */
    expect(&world, SETPAY_OK);
}

/* rule A4 */
static void an_answer_to_another_question_is_refused(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    world.content.header.rrpid = test_id(0x99);
    expect(&world, SETPAY_E_ANSWER_IDS);
    make(&world);
    world.content.header.request_hash = test_digest(0x99);
    expect(&world, SETPAY_E_ANSWER_REQUEST);
    make(&world);
    world.content.lid_c = test_id(0x99);
    expect(&world, SETPAY_E_ANSWER_IDS);
    make(&world);
    world.content.chall_c = test_digest(0x99);
    expect(&world, SETPAY_E_ANSWER_CHALLENGE);
    make(&world);
    strcpy(world.content.brand, "other-card");
    expect(&world, SETPAY_E_ANSWER_PARTIES);
    make(&world);
    world.content.header.has_receiver = true;
    expect(&world, SETPAY_E_ANSWER_PARTIES);
    make(&world);
    world.content.header.sender = other_merchant->thumbprint;
    expect(&world, SETPAY_E_ANSWER_SIGNER);
    make(&world);
    world.message.is_signed = false;
    expect(&world, SETPAY_E_ANSWER_SIGNER);
    make(&world);
    world.offer.merchant = other_merchant->certificate; /* not who signed */
    expect(&world, SETPAY_E_ANSWER_SIGNER);
}

/* rule W1 */
static void the_merchant_is_the_host_and_the_name_that_is_shown(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    strcpy(world.question.link.host, "other.example.com");
    expect(&world, SETPAY_E_HOST);
    make(&world);
    world.offer.channel = other_host->certificate;
    expect(&world, SETPAY_E_HOST);
    make(&world);
    world.offer.channel = other_channel->certificate; /* that host, of another merchant */
    expect(&world, SETPAY_E_HOST);
    make(&world);
    strcpy(world.content.merchant_id, "shop-2");
    expect(&world, SETPAY_E_HOST);
    make(&world);
    world.offer.merchant = other_merchant->certificate;
    world.content.header.sender = world.message.signer = other_merchant->thumbprint;
    expect(&world, SETPAY_E_HOST);
    make(&world);
    world.offer.channel = merchant->certificate; /* no TLS certificate */
    expect(&world, SETPAY_E_CERT_USAGE);
    make(&world);
    strcpy(world.question.brand, "other-card");
    strcpy(world.content.brand, "other-card");
    expect(&world, SETPAY_E_BRANDS_MIXED);
}

/* rule W2 */
static void items_add_up_and_the_offer_is_not_over(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    world.content.amount.minor++;
    expect(&world, SETPAY_E_OFFER_SUM);
    make(&world);
    world.content.items[0].total_minor++;
    world.content.amount.minor++;
    expect(&world, SETPAY_E_OFFER_SUM);
    make(&world);
    world.content.items[0].quantity++;
    expect(&world, SETPAY_E_OFFER_SUM);
    make(&world);
    world.content.items[0].unit_minor = -475;
    expect(&world, SETPAY_E_OFFER_SUM);
    make(&world);
    world.content.items[0].unit_minor = SETPAY_MONEY_MAX_MINOR; /* twice that is too much */
    world.content.items[0].total_minor = INT64_MAX;
    expect(&world, SETPAY_E_OFFER_SUM);
    make(&world);
    for (size_t i = 0; i < 2; i++) { /* each is permitted, their sum is not */
        world.content.items[i].quantity = 1;
        world.content.items[i].unit_minor = world.content.items[i].total_minor =
            SETPAY_MONEY_MAX_MINOR;
    }
    expect(&world, SETPAY_E_OFFER_SUM);
    make(&world);
    for (size_t i = 0; i < 2; i++)
        world.content.items[i].unit_minor = world.content.items[i].total_minor = 0;
    world.content.amount.minor = 0; /* nothing to pay is no offer */
    expect(&world, SETPAY_E_OFFER_SUM);
    make(&world);
    strcpy(world.content.amount.currency, "XXQ");
    expect(&world, SETPAY_E_OFFER_SUM);
    make(&world);
    world.content.expiry_ms = TEST_PKI_NOW_MS - 1;
    expect(&world, SETPAY_E_EXPIRED);
}

/* rule W3 */
static void the_gateway_is_one_with_a_certificate_for_each_purpose(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    world.offer.gateway_sign = encrypt->certificate;
    world.content.gateway_sign = encrypt->thumbprint;
    expect(&world, SETPAY_E_GATEWAY_CERTS);
    make(&world);
    world.offer.gateway_encrypt = sign->certificate;
    world.content.gateway_encrypt = sign->thumbprint;
    expect(&world, SETPAY_E_GATEWAY_CERTS);
    make(&world);
    world.offer.gateway_encrypt = other_encrypt->certificate; /* of another gateway */
    world.content.gateway_encrypt = other_encrypt->thumbprint;
    expect(&world, SETPAY_E_GATEWAY_CERTS);
    make(&world);
    world.content.gateway_sign = other_sign->thumbprint; /* another than was found */
    expect(&world, SETPAY_E_GATEWAY_CERTS);
    make(&world);
    world.content.gateway_encrypt = other_encrypt->thumbprint;
    expect(&world, SETPAY_E_GATEWAY_CERTS);
}

/* rule W4: terms by which payments follow must make sense, for the person to judge them */
static void terms_that_make_no_sense_are_not_agreed_to(void **state)
{
    struct world world;
    (void)state;
    make(&world);
    int64_t amount = world.content.amount.minor;
    setpay_time_ms now_ms = world.content.header.date_ms;
    setpay_pinit_res_clear(&world.content);
    const struct {
        struct setpay_terms terms;
        enum setpay_error error;
    } cases[] = {
        {{SETPAY_TERMS_RECURRING, 12, 28, amount, now_ms + SETPAY_DAY_MS}, SETPAY_OK},
        {{SETPAY_TERMS_RECURRING, 12, 28, amount - 1, now_ms + SETPAY_DAY_MS}, SETPAY_E_NOT_AGREED},
        {{SETPAY_TERMS_RECURRING, 12, 28, amount, now_ms - SETPAY_DAY_MS}, SETPAY_E_NOT_AGREED},
        {{SETPAY_TERMS_INSTALMENT, 12, 28, amount, now_ms + SETPAY_DAY_MS}, SETPAY_OK},
        {{SETPAY_TERMS_INSTALMENT, 12, 28, amount + 1, now_ms + SETPAY_DAY_MS},
         SETPAY_E_NOT_AGREED},
        {{SETPAY_TERMS_INSTALMENT, 12, 28, amount, now_ms - SETPAY_DAY_MS}, SETPAY_E_NOT_AGREED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make(&world);
        world.content.terms = cases[i].terms;
        expect(&world, cases[i].error);
    }
}

/* rules W2, W4 */
static void only_what_was_agreed_to_is_signed(void **state)
{
    struct world world;
    struct setpay_money amount;
    (void)state;
    make(&world);
    const struct setpay_pinit_res *content = &world.content;
    amount = content->amount;
    assert_int_equal(setpay_wallet_offer_check_agreed(content, &amount, "shop-1", TEST_PKI_NOW_MS),
                     SETPAY_OK);
    assert_int_equal(setpay_wallet_offer_check_agreed(content, &amount, "shop-2", TEST_PKI_NOW_MS),
                     SETPAY_E_OFFER_CHANGED);
    assert_int_equal(
        setpay_wallet_offer_check_agreed(content, &amount, "shop-1", content->expiry_ms + 1),
        SETPAY_E_EXPIRED);
    amount.minor--;
    assert_int_equal(setpay_wallet_offer_check_agreed(content, &amount, "shop-1", TEST_PKI_NOW_MS),
                     SETPAY_E_OFFER_CHANGED);
    amount = content->amount;
    strcpy(amount.currency, "USD");
    assert_int_equal(setpay_wallet_offer_check_agreed(content, &amount, "shop-1", TEST_PKI_NOW_MS),
                     SETPAY_E_OFFER_CHANGED);
    setpay_pinit_res_clear(&world.content);
}

/* rule W4: a link has no parameters */
static void links_have_one_form(void **state)
{
    static const char *const bad[] = {
        "",
        "setpay://",
        "https://shop.example.com/pay/0123456789abcdef",
        "setpay://shop.example.com",
        "setpay://shop.example.com/pay/",
        "setpay://shop.example.com/pay/0123456789abcde",
        "setpay://shop.example.com/pay/0123456789abcdef?amount=1",
        "setpay://shop.example.com/pay/0123456789abcdef#x",
        "setpay://shop.example.com/pay/0123456789abcdef/",
        "setpay://shop.example.com/buy/0123456789abcdef",
        "setpay://user@shop.example.com/pay/0123456789abcdef",
        "setpay://shop.example.com:/pay/0123456789abcdef",
        "setpay://shop.example.com:0/pay/0123456789abcdef",
        "setpay://shop.example.com:65536/pay/0123456789abcdef",
        "setpay://shop.example.com:80:80/pay/0123456789abcdef",
        "setpay://127.0.0.1/pay/0123456789abcdef",
        "setpay://*.example.com/pay/0123456789abcdef",
        "setpay:///pay/0123456789abcdef",
    };
    struct setpay_wallet_link link, same;
    struct setpay_problem problem;
    char text[SETPAY_WALLET_LINK_TEXT_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(setpay_wallet_link_parse(bad[i], &link, &problem), SETPAY_E_INVALID);
    assert_int_equal(
        setpay_wallet_link_parse("setpay://Shop.Example.com/pay/0123456789abcdef", &link, &problem),
        SETPAY_OK);
    assert_string_equal(link.host, "shop.example.com");
    assert_int_equal(link.port, 443);
    assert_string_equal(setpay_wallet_link_format(&link, text),
                        "setpay://shop.example.com/pay/0123456789abcdef");
    assert_int_equal(setpay_wallet_link_parse(text, &same, &problem), SETPAY_OK);
    assert_true(setpay_wallet_link_equal(&link, &same));
    assert_int_equal(setpay_wallet_link_parse(LINK, &same, &problem), SETPAY_OK);
    assert_int_equal(same.port, 8443);
    assert_false(setpay_wallet_link_equal(&link, &same));
    assert_string_equal(setpay_wallet_link_format(&same, text), LINK);
}

static int set_up(void **state)
{
    static const char *const brands[] = {BRAND, "other-card", NULL};
    (void)state;
    pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    merchant = test_party_new(pki, BRAND, SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    other_merchant = test_party_new(pki, BRAND, SETPAY_PROFILE_MERCHANT_SIGN, "shop-2", NULL);
    /* One server certificate serves all brands of a merchant. */
    channel = test_party_new(pki, "other-card", SETPAY_PROFILE_MERCHANT_TLS_SERVER, "shop-1", HOST);
    other_channel = test_party_new(pki, BRAND, SETPAY_PROFILE_MERCHANT_TLS_SERVER, "shop-2", HOST);
    other_host =
        test_party_new(pki, BRAND, SETPAY_PROFILE_MERCHANT_TLS_SERVER, "shop-1", "www.example.com");
    sign = test_party_new(pki, BRAND, SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    encrypt = test_party_new(pki, BRAND, SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-1", NULL);
    other_sign = test_party_new(pki, BRAND, SETPAY_PROFILE_GATEWAY_SIGN, "gateway-2", NULL);
    other_encrypt = test_party_new(pki, BRAND, SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway-2", NULL);
    return 0;
}

static int tear_down(void **state)
{
    struct test_party *const parties[] = {merchant,      other_merchant, channel,
                                          other_channel, other_host,     sign,
                                          encrypt,       other_sign,     other_encrypt};
    (void)state;
    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++)
        test_party_free(parties[i]);
    test_pki_free(pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_offer_is_taken),
        cmocka_unit_test(an_answer_to_another_question_is_refused),
        cmocka_unit_test(the_merchant_is_the_host_and_the_name_that_is_shown),
        cmocka_unit_test(items_add_up_and_the_offer_is_not_over),
        cmocka_unit_test(the_gateway_is_one_with_a_certificate_for_each_purpose),
        cmocka_unit_test(terms_that_make_no_sense_are_not_agreed_to),
        cmocka_unit_test(only_what_was_agreed_to_is_signed),
        cmocka_unit_test(links_have_one_form),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
