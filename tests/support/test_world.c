/*
 * The world of a wallet and the liars around it.
 */
#include "tests/support/test_world.h"

#include "common/base/clock.h"
#include "common/base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct test_world *test_the_world;
const char *test_world_card;
size_t test_world_attacks;

#define PARTY(brand, profile, id, host)                                                            \
    test_party_new(pki, brand, SETPAY_PROFILE_##profile, id, host)

/* ------------------------------------------------------------------ who there is */

static void make_others(struct test_pki *pki, struct test_others *o)
{
    static const char *const brands[] = {"visa", "mastercard", NULL};
    const char *shop = TEST_SHOP_ID, *gateway = TEST_SHOP_GATEWAY;
    o->host_tls = PARTY("visa", MERCHANT_TLS_SERVER, shop, "other.example");
    o->merchant_tls = PARTY("visa", MERCHANT_TLS_SERVER, "other", NULL);
    o->client_tls = PARTY("visa", MERCHANT_TLS_CLIENT, shop, NULL);
    o->gateway_tls = PARTY("visa", GATEWAY_TLS_SERVER, gateway, NULL);
    o->revoked_tls = PARTY("visa", MERCHANT_TLS_SERVER, shop, NULL);
    o->brand_tls = PARTY("mastercard", MERCHANT_TLS_SERVER, shop, NULL);
    o->merchant_sign = PARTY("visa", MERCHANT_SIGN, "other", NULL);
    o->revoked_sign = PARTY("visa", MERCHANT_SIGN, shop, NULL);
    o->renewed_sign = PARTY("visa", MERCHANT_SIGN, shop, NULL);
    o->brand_sign = PARTY("mastercard", MERCHANT_SIGN, shop, NULL);
    o->cardholder = PARTY("visa", CARDHOLDER_SIGN, NULL, NULL);
    o->gateway_sign = PARTY("visa", GATEWAY_SIGN, "gateway-2", NULL);
    o->gateway_encrypt = PARTY("visa", GATEWAY_ENCRYPT, "gateway-2", NULL);
    o->sign_revoked = PARTY("visa", GATEWAY_SIGN, gateway, NULL);
    o->encrypt_revoked = PARTY("visa", GATEWAY_ENCRYPT, gateway, NULL);
    o->encrypt_expired = test_party_new_defective(pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT,
                                                  gateway, TEST_PKI_EXPIRED);
    o->sign_misissued = test_party_new_defective(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, gateway,
                                                 TEST_PKI_WRONG_ISSUER);
    o->brand_gateway_sign = PARTY("mastercard", GATEWAY_SIGN, gateway, NULL);
    o->brand_gateway_encrypt = PARTY("mastercard", GATEWAY_ENCRYPT, gateway, NULL);
    test_pki_revoke(pki, o->revoked_tls);
    test_pki_revoke(pki, o->revoked_sign);
    test_pki_revoke(pki, o->sign_revoked);
    test_pki_revoke(pki, o->encrypt_revoked);
    o->stranger_pki = test_pki_new(pki->now_ms, brands);
    pki = o->stranger_pki;
    o->stranger_tls = PARTY("visa", MERCHANT_TLS_SERVER, shop, NULL);
    o->stranger_sign = PARTY("visa", MERCHANT_SIGN, shop, NULL);
    o->stranger_gateway_sign = PARTY("visa", GATEWAY_SIGN, gateway, NULL);
}

static void free_others(struct test_others *o)
{
    struct test_party *const all[] = {
        o->host_tls,        o->merchant_tls,
        o->client_tls,      o->gateway_tls,
        o->revoked_tls,     o->brand_tls,
        o->merchant_sign,   o->revoked_sign,
        o->renewed_sign,    o->brand_sign,
        o->cardholder,      o->gateway_sign,
        o->gateway_encrypt, o->sign_revoked,
        o->encrypt_revoked, o->encrypt_expired,
        o->sign_misissued,  o->brand_gateway_sign,
        o->stranger_tls,    o->brand_gateway_encrypt,
        o->stranger_sign,   o->stranger_gateway_sign,
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        test_party_free(all[i]);
    test_pki_free(o->stranger_pki);
}

/* An honest purchase; then the wallet starts anew, so that all that it learnt is stored. */
static void pay_once(struct test_world *world)
{
    json_t *prepared = NULL;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    json_t *paid = test_wallet_do(world->wallet, "pay.confirm", test_world_agree(prepared));
    assert_string_equal(json_string_value(json_object_get(paid, "status")), "authorised");
    json_decref(paid);
    json_decref(prepared);
    test_world_settle();
}

static void add_wallet(struct test_world *world)
{
    world->wallet = test_wallet_new(world->pki, "mastercard");
    test_wallet_add_card(world->wallet, "visa", "4242424242424242", "2912", "daily");
    test_wallet_add_card(world->wallet, "mastercard", "5555555555554444", "2912", "other");
    pay_once(world);
}

struct test_world *test_world_new(void)
{
    static const char *const brands[] = {"visa", "mastercard", NULL};
    struct test_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    assert_int_equal(setpay_secret_system_init(), SETPAY_OK);
    world->pki = test_pki_new(setpay_clock_now_ms(), brands);
    make_others(world->pki, &world->others);
    world->shop = test_shop_new(world->pki);
    test_the_world = world;
    add_wallet(world);
    return world;
}

struct test_wallet *test_world_add_wallet(struct test_world *world)
{
    struct test_wallet *was = world->wallet;
    add_wallet(world);
    struct test_wallet *made = world->wallet;
    world->wallet = was;
    return made;
}

void test_world_free(struct test_world *world)
{
    test_wallet_free(world->wallet);
    test_shop_free(world->shop);
    free_others(&world->others);
    test_pki_free(world->pki);
    free(world);
    test_the_world = NULL;
}

/* ------------------------------------------------------------------ paying */

enum setpay_error test_world_prepare(const char *card, json_t **offer)
{
    json_t *args = json_pack("{s:s}", "uri", test_shop_link(test_the_world->shop));
    if (card != NULL)
        json_object_set_new(args, "card", json_string(card));
    return test_wallet_call(test_the_world->wallet, "pay.prepare", args, offer);
}

json_t *test_world_agree(const json_t *prepared)
{
    const json_t *offer = json_object_get(prepared, "offer");
    assert_non_null(offer);
    return json_pack("{s:O, s:O, s:O, s:O}", "xid", json_object_get(offer, "xid"), "amount",
                     json_object_get(offer, "amount"), "currency",
                     json_object_get(offer, "currency"), "merchant_id",
                     json_object_get(offer, "merchant_id"));
}

/* ------------------------------------------------------------------ what must hold */

void test_world_settle(void)
{
    test_daemon_stop(&test_the_world->wallet->daemon);
    test_wallet_start(test_the_world->wallet, TEST_WALLET_ANSWER_MS);
}

char *test_world_dump(void)
{
    return test_daemon_dump(&test_the_world->wallet->daemon);
}

void test_world_unchanged(char *before)
{
    char *after = test_world_dump();
    size_t at = 0;
    while (before[at] == after[at] && before[at] != '\0')
        at++;
    bool changed = before[at] != after[at];
    while (changed && at > 0 && before[at - 1] != '\n')
        at--;
    if (changed)
        print_error("changed: %.120s...\n     to: %.120s...\n", before + at, after + at);
    free(before);
    free(after);
    assert_false(changed); /* the wallet's database */
}

static bool expects(const struct test_lie *lie, const char *words)
{
    return lie != NULL && strcmp(lie->expected, words) == 0;
}

size_t test_world_refuses_offer(const struct test_lie *first, const struct test_lie *second)
{
    struct test_shop *shop = test_the_world->shop;
    const struct test_daemon *daemon = &test_the_world->wallet->daemon;
    json_t *offer = NULL;
    char *before = test_world_dump();
    size_t lines = test_daemon_log_count(daemon, "event=offer.refused ");
    test_shop_lie(shop, first, second, true, false, false);
    const char *words = test_error_words(test_world_prepare(test_world_card, &offer));
    if (!expects(first, words) && !expects(second, words)) {
        print_error("%s%s%s: %s\n", first->what, second == NULL ? "" : " + ",
                    second == NULL ? "" : second->what, words);
        assert_string_equal(words, first->expected);
    }
    assert_null(offer);
    assert_int_equal(test_daemon_log_count(daemon, "event=offer.refused "), lines + 1);
    assert_string_equal(test_daemon_refusal(daemon, "offer.refused", NULL), words);
    test_shop_lock(shop);
    size_t connections = shop->connections, handshakes = shop->handshakes;
    test_shop_unlock(shop);
    assert_in_range(connections, 1, 2); /* localhost may be two addresses */
    assert_in_range(handshakes, 0, 1);
    assert_int_equal(test_shop_count(shop, TEST_ASK_OFFER), handshakes);
    assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 0);
    assert_int_equal(test_shop_count(shop, TEST_ASK_INQUIRE), 0);
    test_world_unchanged(before);
    test_shop_honest(shop);
    test_world_attacks++;
    return handshakes;
}

/* ------------------------------------------------------------------ after the signature */

struct setpay_id test_world_pay(const struct test_lie *first, const struct test_lie *second)
{
    struct test_shop *shop = test_the_world->shop;
    json_t *prepared = NULL;
    assert_int_equal(test_world_prepare(test_world_card, &prepared), SETPAY_OK);
    struct setpay_id xid = test_shop_last(shop)->xid;
    test_shop_lie(shop, first, second, false, true, true);
    test_wallet_send(test_the_world->wallet, "pay.confirm", test_world_agree(prepared));
    json_decref(prepared);
    char hex[SETPAY_ID_TEXT_SIZE], sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM purchase WHERE xid = x'%s'",
                   setpay_id_format(&xid, hex));
    test_daemon_wait_number(&test_the_world->wallet->daemon, sql, 1);
    return xid;
}

/* Both are in the order of tables and keys. */
void test_world_only_added(char *before)
{
    char *after = test_world_dump();
    const char *old = before, *now = after;
    while (*old != '\0' && *now != '\0') {
        size_t size = strcspn(old, "\n") + 1, other = strcspn(now, "\n") + 1;
        if (size == other && memcmp(old, now, size) == 0)
            old += size;
        now += other;
    }
    bool gone = *old != '\0';
    if (gone)
        print_error("gone or changed: %.160s\n", old);
    free(before);
    free(after);
    assert_false(gone); /* another row */
}

void test_world_shows(const struct setpay_id *xid, json_t *expected)
{
    json_t *shown = test_wallet_purchase(test_the_world->wallet, xid), *value;
    const char *name;
    assert_non_null(expected);
    json_object_foreach(expected, name, value)
    {
        const json_t *found = json_object_get(shown, name);
        if (!json_equal(found, value)) {
            char *text = json_dumps(found, JSON_ENCODE_ANY);
            char *wanted = json_dumps(value, JSON_ENCODE_ANY);
            print_error("%s is %s instead of %s\n", name, text, wanted);
            free(text);
            free(wanted);
            fail_msg("the purchase is not shown as it stands");
        }
    }
    json_decref(shown);
    json_decref(expected);
}

static int64_t ask_about(const struct setpay_id *xid, const char *start, const char *value,
                         const char *end)
{
    char hex[SETPAY_ID_TEXT_SIZE], sql[512];
    assert_true(snprintf(sql, sizeof sql, "%s%s%s xid = x'%s'", start, value, end,
                         setpay_id_format(xid, hex)) < (int)sizeof sql);
    return test_daemon_number(&test_the_world->wallet->daemon, sql);
}

int64_t test_world_column(const struct setpay_id *xid, const char *column)
{
    return ask_about(xid, "SELECT ", column, " FROM purchase WHERE");
}

int64_t test_world_evidence(const struct setpay_id *xid, const char *words)
{
    return ask_about(xid, "SELECT count(*) FROM evidence WHERE what LIKE '", words, "%' AND");
}

void test_world_ends(const struct setpay_id *xid, const char *status)
{
    struct test_shop *shop = test_the_world->shop;
    char text[SETPAY_ID_TEXT_SIZE];
    test_shop_lie(shop, NULL, NULL, false, false, false);
    json_t *purchase = NULL;
    /* A last lie may be on its way still, and be heard as such. */
    for (int tries = 0; tries < 3; tries++) {
        json_t *args = json_pack("{s:s}", "xid", setpay_id_format(xid, text));
        json_decref(purchase);
        (void)!test_wallet_call(test_the_world->wallet, "pay.resume", args, &purchase);
        const char *now = json_string_value(json_object_get(purchase, "status"));
        if (now != NULL && strcmp(now, "pending") != 0)
            break;
    }
    assert_non_null(purchase);
    assert_string_equal(json_string_value(json_object_get(purchase, "status")), status);
    assert_true(json_is_true(json_object_get(purchase, "receipt")));
    json_decref(purchase);
    assert_int_equal(shop->second_preqs, 0); /* rule W5 */
}

/* The row as it was when it was signed. */
static void expect_untouched(const struct setpay_id *xid)
{
    assert_int_equal(test_world_column(xid, "version"), 1);
    assert_int_equal(test_world_column(xid, "state"), 1);
    assert_int_equal(test_world_column(xid, "receipts + said + authorised + breach"), 0);
    assert_int_equal(test_world_column(xid, "length(disagreement)"), 0);
    test_world_shows(xid, json_pack("{s:s, s:s, s:b, s:n, s:n, s:b, s:n, s:n}", "status", "pending",
                                    "state", "pending", "receipt", 0, "merchant_said",
                                    "disagreement", "breach", 0, "approval_code", "action_code"));
}

static void expect_one_of(const struct test_lie *first, const struct test_lie *second,
                          const char *words)
{
    if (expects(first, words) || expects(second, words))
        return;
    print_error("%s%s%s: %s\n", first->what, second == NULL ? "" : " + ",
                second == NULL ? "" : second->what, words);
    assert_string_equal(words, first->expected);
}

static bool is_evidence(const char *words)
{
    /* Failed checks of security; what is no message at all proves nothing. */
    return strstr(words, " A1") == NULL && strncmp(words, "PEER_", 5) != 0;
}

void test_world_refuses_word(const struct test_lie *first, const struct test_lie *second,
                             const char *inquired)
{
    struct test_world *world = test_the_world;
    const struct test_lie at_inquiry = {.what = first->what, .expected = inquired};
    char *before = test_world_dump();
    json_t *prepared = NULL, *paid = NULL;
    test_shop_honest(world->shop);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    struct setpay_id xid = test_shop_last(world->shop)->xid;
    test_shop_lie(world->shop, first, second, false, true, true);
    enum setpay_error error =
        test_wallet_call(world->wallet, "pay.confirm", test_world_agree(prepared), &paid);
    expect_one_of(first, second, test_error_words(error));
    assert_null(paid);
    json_decref(prepared);
    expect_untouched(&xid);
    /* After PReq a second inquiry is on its way: so the first has been answered, and judged. */
    test_shop_wait_connections(world->shop, 3);
    const char *words = test_daemon_refusal(&world->wallet->daemon, "purchase.unanswered", NULL);
    if (inquired != NULL)
        expect_one_of(&at_inquiry, NULL, words);
    else
        expect_one_of(first, second, words);
    expect_untouched(&xid);
    bool reached = test_shop_count(world->shop, TEST_ASK_PAY) > 0; /* else nothing came back */
    int64_t kept = test_world_evidence(&xid, "failed ");
    assert_in_range(kept, is_evidence(first->expected) && second == NULL && reached ? 1 : 0, 2);
    assert_int_equal(kept, test_world_evidence(&xid, ""));
    test_world_only_added(before);
    test_world_ends(&xid, "authorised");
    test_world_attacks++;
}

void test_world_tally(void)
{
    printf("# tally: rules attacked = %zu\n", test_world_attacks);
}

/* ------------------------------------------------------------------ agreements */

setpay_time_ms test_agreed_end_ms(void)
{
    static setpay_time_ms end_ms;
    if (end_ms == 0)
        end_ms = setpay_clock_now_ms() + 360 * SETPAY_DAY_MS;
    return end_ms;
}

static void recurs(struct test_shop *shop, struct test_sale *sale, struct setpay_pinit_res *offer)
{
    (void)shop;
    (void)sale;
    offer->terms = (struct setpay_terms){SETPAY_TERMS_RECURRING, TEST_AGREED_PAYMENTS,
                                         TEST_AGREED_DAYS, TEST_AGREED_EACH, test_agreed_end_ms()};
}
const struct test_lie test_recurring = {.offer = recurs};

json_t *test_world_prepare_agreement(void)
{
    json_t *prepared = NULL;
    test_shop_honest(test_the_world->shop);
    test_shop_lie(test_the_world->shop, &test_recurring, NULL, true, false, false);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    return prepared;
}

json_t *test_world_agree_to_terms(const json_t *prepared)
{
    json_t *args = test_world_agree(prepared);
    json_object_set(args, "terms",
                    json_object_get(json_object_get(prepared, "offer"), "terms_text"));
    return args;
}

struct test_sale *test_world_begin_agreement(void)
{
    json_t *prepared = test_world_prepare_agreement();
    json_decref(
        test_wallet_do(test_the_world->wallet, "pay.confirm", test_world_agree_to_terms(prepared)));
    json_decref(prepared);
    struct test_sale *sale = test_shop_last(test_the_world->shop);
    assert_int_equal(sale->receipt_count, 1);
    return sale;
}

void test_confirms_cancellation(struct test_shop *shop, struct test_sale *sale,
                                struct setpay_pres *word)
{
    (void)shop;
    if (sale->cancellation.size == 0)
        return;
    if (sale->kinds[sale->receipt_count - 1] != SETPAY_RECEIPT_CANCELLATION)
        test_sale_add_receipt(sale, SETPAY_RECEIPT_CANCELLATION, TEST_SHOP_AMOUNT);
    test_word_receipts(word, sale->receipts, sale->receipt_count);
}
