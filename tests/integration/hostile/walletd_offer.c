/*
 * A hostile merchant's offers to the real setpay-walletd: who it is, what it asks for, whose answer
 * it is (rules W1 to W4, A2, A4, A6), each broken alone and in pairs. Each gets exactly its error
 * in the reply and its rule in the log; nothing is signed, no row changes, nothing more is sent.
 *
 * Then what stands between an offer and the signature: the limit, the agreement, the link.
 */
#include "common/base/clock.h"
#include "tests/support/test_proto.h"
#include "tests/support/test_sale.h"
#include "tests/support/test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAIRS 60
#define SEED 20261126

#define CAST(name, ...)                                                                            \
    static void name(struct test_shop *shop, struct test_cast *cast)                               \
    {                                                                                              \
        const struct test_others *others = &test_the_world->others;                                \
        (void)shop;                                                                                \
        (void)others;                                                                              \
        __VA_ARGS__;                                                                               \
    }
#define OFFER(name, ...)                                                                           \
    static void name(struct test_shop *shop, struct test_sale *sale,                               \
                     struct setpay_pinit_res *offer)                                               \
    {                                                                                              \
        (void)shop;                                                                                \
        (void)sale;                                                                                \
        __VA_ARGS__;                                                                               \
    }

/* ------------------------------------------------------------------ bytes */

static const uint32_t in_signed[] = {2, 0}, top[] = {0};

/* The part of Signed left out, or with other bytes in it. */
static void change_signed(struct setpay_buffer *message, uint32_t number,
                          enum test_proto_change change)
{
    struct setpay_buffer changed;
    setpay_buffer_init(&changed, message->max);
    test_proto_change(setpay_buffer_view(message), in_signed, number, change, &changed);
    setpay_buffer_move(message, &changed);
}
static void replace(struct setpay_buffer *message, const uint32_t *path, uint32_t number,
                    const void *bytes, size_t size)
{
    struct setpay_buffer changed;
    setpay_buffer_init(&changed, message->max);
    test_proto_replace(setpay_buffer_view(message), path, number, setpay_view_of(bytes, size),
                       &changed);
    setpay_buffer_move(message, &changed);
}

/* ------------------------------------------------------------------ rule W1 */

CAST(other_merchants_channel, cast->tls = others->merchant_tls)
CAST(other_merchant_signs, cast->signer = cast->key = others->merchant_sign)
OFFER(other_id, strcpy(offer->merchant_id, "other"))
OFFER(other_letter_case, strcpy(offer->merchant_id, "Shop"))
CAST(other_merchant_altogether, {
    cast->tls = others->merchant_tls;
    cast->signer = cast->key = others->merchant_sign;
})

/* ------------------------------------------------------------------ rule W2 */

OFFER(more_than_the_items, offer->amount.minor++)
OFFER(less_than_the_items, offer->amount.minor--)
OFFER(an_item_left_out, offer->item_count = 1)
OFFER(a_sum_that_wraps_around, {
    offer->items[0] =
        (struct setpay_item){"Gold", 1, SETPAY_MONEY_MAX_MINOR, SETPAY_MONEY_MAX_MINOR, ""};
    offer->items[1] = offer->items[0];
})
OFFER(an_expired_one, offer->expiry_ms = setpay_clock_now_ms() - 1)
OFFER(one_expired_long_ago, offer->expiry_ms = 1)

/* What our builder would not pack: an item's total of 9.55 for twice 4.75, and -1. */
static void an_item_that_is_no_product(struct test_shop *shop, struct setpay_buffer *content)
{
    static const uint32_t first_item[] = {10, 0};
    (void)shop;
    replace(content, first_item, 4, "\xbb\x07", 2);
}
static void an_item_below_nothing(struct test_shop *shop, struct setpay_buffer *content)
{
    static const uint32_t first_item[] = {10, 0};
    (void)shop;
    replace(content, first_item, 4, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
}
static void a_total_of_nothing(struct test_shop *shop, struct setpay_buffer *content)
{
    static const uint32_t amount[] = {11, 0};
    (void)shop;
    replace(content, amount, 1, "\0", 1);
}

/* ------------------------------------------------------------------ rule W3 */

CAST(another_gateway_signs, cast->gateway_sign = others->gateway_sign)
CAST(another_gateway_reads, cast->gateway_encrypt = others->gateway_encrypt)
CAST(two_for_signing, cast->gateway_encrypt = cast->gateway_sign)
CAST(two_for_encryption, cast->gateway_sign = cast->gateway_encrypt)
CAST(the_other_way_round, {
    const struct test_party *sign = cast->gateway_sign;
    cast->gateway_sign = cast->gateway_encrypt;
    cast->gateway_encrypt = sign;
})
CAST(gateway_of_another_brand, {
    cast->gateway_sign = others->brand_gateway_sign;
    cast->gateway_encrypt = others->brand_gateway_encrypt;
})
CAST(encryption_of_another_brand, cast->gateway_encrypt = others->brand_gateway_encrypt)
CAST(gateway_by_the_wrong_ca, cast->gateway_sign = others->sign_misissued)
CAST(gateway_by_a_stranger, cast->gateway_sign = others->stranger_gateway_sign)
CAST(merchant_as_gateway, cast->gateway_sign = cast->signer)
CAST(channel_as_gateway, cast->gateway_sign = others->gateway_tls)
CAST(revoked_gateway_signs, cast->gateway_sign = others->sign_revoked)
CAST(revoked_gateway_reads, cast->gateway_encrypt = others->encrypt_revoked)
CAST(expired_gateway_reads, cast->gateway_encrypt = others->encrypt_expired)
OFFER(gateway_nobody_knows, offer->gateway_sign.bytes[0] ^= 1)
OFFER(encryption_nobody_knows, offer->gateway_encrypt.bytes[31] ^= 1)

/* ------------------------------------------------------------------ rule W4 */

static void recurs(struct setpay_pinit_res *offer, enum setpay_terms_kind kind)
{
    offer->terms = (struct setpay_terms){
        .kind = kind,
        .count = 12,
        .interval_days = 30,
        .each_minor = kind == SETPAY_TERMS_RECURRING ? TEST_SHOP_AMOUNT - 1 : TEST_SHOP_AMOUNT + 1,
        .end_ms = setpay_clock_now_ms() + 400 * SETPAY_DAY_MS};
}
OFFER(recurring, recurs(offer, SETPAY_TERMS_RECURRING))
OFFER(instalments, recurs(offer, SETPAY_TERMS_INSTALMENT))

/* ------------------------------------------------------------------ rules A4, A6 */

OFFER(another_rrpid, offer->header.rrpid.bytes[3] ^= 4)
OFFER(another_request, offer->header.request_hash.bytes[9] ^= 1)
OFFER(another_lid_c, offer->lid_c.bytes[0] ^= 1)
OFFER(another_challenge, offer->chall_c.bytes[0] ^= 1)
OFFER(another_brand, strcpy(offer->brand, "mastercard"))
OFFER(another_sender, offer->header.sender = test_the_world->others.merchant_sign->thumbprint)
OFFER(the_xid_of_a_purchase, offer->xid = shop->sales[0]->xid)

/* What another wallet, or this one before, was told. */
static void an_older_offer(struct test_shop *shop, struct test_sale *sale,
                           const struct setpay_message *request, struct setpay_view raw,
                           struct setpay_buffer *message)
{
    (void)sale;
    (void)request;
    (void)raw;
    assert_int_equal(setpay_buffer_set(message, setpay_buffer_view(shop->context)), SETPAY_OK);
}

/* ------------------------------------------------------------------ rule A2 */

CAST(anothers_key, cast->key = others->merchant_sign)
CAST(borrowed_name, cast->signer = others->renewed_sign)

static void unsigned_altogether(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    change_signed(message, 4, TEST_PROTO_MISSING);
    change_signed(message, 5, TEST_PROTO_MISSING);
}
static void signed_as_pres(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    replace(message, in_signed, 2, "\x04", 1);
}
static void signed_by_a_name_of_its_own(struct test_shop *shop, struct setpay_buffer *message)
{
    replace(message, in_signed, 5, shop->gateway_sign->thumbprint.bytes, 32);
}

/* One bit of the content, after it was signed: its last byte, in a thumbprint. */
static void changed_after_signing(struct test_shop *shop, struct setpay_buffer *message)
{
    struct setpay_message parsed;
    uint8_t *content;
    (void)shop;
    assert_int_equal(setpay_message_parse(setpay_buffer_view(message), &parsed), SETPAY_OK);
    content = malloc(parsed.content.size);
    assert_non_null(content);
    memcpy(content, parsed.content.data, parsed.content.size);
    content[parsed.content.size - 1] ^= 1;
    replace(message, in_signed, 3, content, parsed.content.size);
    free(content);
    setpay_message_clear(&parsed);
}
static void a_signature_of_zeros(struct test_shop *shop, struct setpay_buffer *message)
{
    static const uint8_t zeros[] = {0x30, 6, 2, 1, 0, 2, 1, 0};
    (void)shop;
    replace(message, in_signed, 4, zeros, sizeof zeros);
}
static void another_version(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    replace(message, top, 1, "\x02", 1);
}

/* ------------------------------------------------------------------ the lies */

static const struct test_lie lies[] = {
    {"rule W1: the connection is another merchant's", "HOST W1", .cast = other_merchants_channel},
    {"rule W1: the signer is another merchant", "HOST W1", .cast = other_merchant_signs},
    {"rule W1: the id shown is another merchant's", "HOST W1", .offer = other_id},
    {"rule W1: the id shown differs in letter case", "HOST W1", .offer = other_letter_case},
    {"rule W1: another merchant under the shop's id", "HOST W1", .cast = other_merchant_altogether},
    {"rule W2: more than the items", "OFFER_SUM W2", .offer = more_than_the_items},
    {"rule W2: less than the items", "OFFER_SUM W2", .offer = less_than_the_items},
    {"rule W2: an item that is no product", "FIELD A1", .content = an_item_that_is_no_product},
    {"rule W2: an item below nothing", "FIELD A1", .content = an_item_below_nothing},
    {"rule W2: a total of nothing", "FIELD A1", .content = a_total_of_nothing},
    {"rule W2: an item that is not shown", "OFFER_SUM W2", .offer = an_item_left_out},
    {"rule W2: a sum beyond all money", "OFFER_SUM W2", .offer = a_sum_that_wraps_around},
    {"rule W2: expired a moment ago", "EXPIRED A5", .offer = an_expired_one},
    {"rule W2: expired in 1970", "EXPIRED A5", .offer = one_expired_long_ago},
    {"rule W3: the signing certificate of another gateway", "GATEWAY_CERTS W3",
     .cast = another_gateway_signs},
    {"rule W3: the encryption certificate of another gateway", "GATEWAY_CERTS W3",
     .cast = another_gateway_reads},
    {"rule W3: two signing certificates", "CERT_USAGE A3", .cast = two_for_signing},
    {"rule W3: two encryption certificates", "CERT_USAGE A3", .cast = two_for_encryption},
    {"rule W3: signing and encryption swapped", "CERT_USAGE A3", .cast = the_other_way_round},
    {"rule W3: a gateway of another brand", "BRANDS_MIXED A3", .cast = gateway_of_another_brand},
    {"rule W3: the encryption certificate of another brand", "BRANDS_MIXED A3",
     .cast = encryption_of_another_brand},
    {"rule W3: a gateway by the brand's own CA", "CERT_CHAIN A3", .cast = gateway_by_the_wrong_ca},
    {"rule W3: a gateway of another root", "CERT_CHAIN A3", .cast = gateway_by_a_stranger},
    {"rule W3: the merchant as its own gateway", "CERT_ROLE A3", .cast = merchant_as_gateway},
    {"rule W3: a gateway's connection certificate", "CERT_USAGE A3", .cast = channel_as_gateway},
    {"rule W3: a revoked signing certificate", "CERT_REVOKED A3", .cast = revoked_gateway_signs},
    {"rule W3: a revoked encryption certificate", "CERT_REVOKED A3", .cast = revoked_gateway_reads},
    {"rule W3: an expired encryption certificate", "CERT_TIME A3", .cast = expired_gateway_reads},
    {"rule W3: a signing certificate that is not there", "CERT_MISSING A3",
     .offer = gateway_nobody_knows},
    {"rule W3: an encryption certificate that is not there", "CERT_MISSING A3",
     .offer = encryption_nobody_knows},
    {"rule W4: recurring terms, the first above each", "NOT_AGREED W4", .offer = recurring},
    {"rule W4: instalments above the whole", "NOT_AGREED W4", .offer = instalments},
    {"rule A4: another rrpid", "ANSWER_IDS A4", .offer = another_rrpid},
    {"rule A4: the hash of another request", "ANSWER_REQUEST A4", .offer = another_request},
    {"rule A4: another lid_c", "ANSWER_IDS A4", .offer = another_lid_c},
    {"rule A4: another challenge", "ANSWER_CHALLENGE A4", .offer = another_challenge},
    {"rule A4: another brand", "ANSWER_PARTIES A4", .offer = another_brand},
    {"rule A4: another sender than the signer", "ANSWER_SIGNER A4", .offer = another_sender},
    {"rule A4: the xid of an earlier purchase", "ANSWER_IDS A4", .offer = the_xid_of_a_purchase},
    {"rule A4: an offer to an earlier question", "ANSWER_IDS A4", .instead = an_older_offer},
    {"rule A2: another merchant's key", "SIGNATURE A2", .cast = anothers_key},
    {"rule A2: a signer whose key it is not", "SIGNATURE A2", .cast = borrowed_name},
    {"rule A2: unsigned", "UNSIGNED A2", .message = unsigned_altogether},
    {"rule A2: an offer said to be a PRes", "MESSAGE_TYPE A1", .message = signed_as_pres},
    {"rule A2: a signer of another role", "CERT_ROLE A3", .message = signed_by_a_name_of_its_own},
    {"rule A2: changed after it was signed", "SIGNATURE A2", .message = changed_after_signing},
    {"rule A2: a signature of zeros", "SIGNATURE A2", .message = a_signature_of_zeros},
    {"rule A1: another version", "VERSION A1", .message = another_version},
};
#define LIES (sizeof lies / sizeof lies[0])

static void refuses(void **state)
{
    (void)test_world_refuses_offer(*state, NULL);
}

/* Two lies at once: one of the two errors, and all else that holds for one. */
static void refuses_pairs(void **state)
{
    unsigned seed = SEED;
    (void)state;
    for (size_t i = 0; i < PAIRS; i++) {
        const struct test_lie *first = &lies[(size_t)rand_r(&seed) % LIES];
        const struct test_lie *second = &lies[(size_t)rand_r(&seed) % LIES];
        if (first == second || first->instead != NULL || second->instead != NULL)
            i--; /* what is replaced altogether holds no other lie */
        else
            (void)test_world_refuses_offer(first, second);
    }
}

/* ------------------------------------------------------------------ before the signature */

/* The words of setpay-wallet: exit status, name and rule. */
static void expect_cli(const char *const *words, int status, const char *name, const char *rule)
{
    json_t *printed = NULL;
    assert_int_equal(test_wallet_cli(test_the_world->wallet, words, &printed), status);
    const json_t *error = json_object_get(printed, "error");
    assert_string_equal(json_string_value(json_object_get(error, "name")), name);
    assert_string_equal(json_string_value(json_object_get(error, "rule")), rule);
    assert_int_equal(json_integer_value(json_object_get(error, "exit")), status);
    json_decref(printed);
    test_world_attacks++;
}

/* Rules W1, W2, W3, A2, W4: what the person sees, and with which exit status. */
static void the_person_hears_the_rule(void **state)
{
    static const struct {
        struct test_lie lie;
        int status;
        const char *name, *rule;
    } rows[] = {
        {{.offer = other_id}, 5, "HOST", "W1"},
        {{.offer = more_than_the_items}, 5, "OFFER_SUM", "W2"},
        {{.cast = another_gateway_reads}, 5, "GATEWAY_CERTS", "W3"},
        {{.cast = anothers_key}, 5, "SIGNATURE", "A2"},
        {{.offer = another_challenge}, 5, "ANSWER_CHALLENGE", "A4"},
        {{.offer = recurring}, 6, "NOT_AGREED", "W4"},
    };
    struct test_shop *shop = test_the_world->shop;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *pay[] = {"pay", test_shop_link(shop), "--yes", NULL};
        char *before = test_world_dump();
        test_shop_lie(shop, &rows[i].lie, NULL, true, true, true);
        expect_cli(pay, rows[i].status, rows[i].name, rows[i].rule);
        test_world_unchanged(before);
        assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 0);
        test_shop_honest(shop);
    }
}

/* Rule W4: --max is compared with the offer's own total and currency. */
static void more_than_the_person_allows_is_not_signed(void **state)
{
    static const char *const limits[] = {"12.49", "12.49 EUR", "100.00 USD", "0.01"};
    struct test_shop *shop = test_the_world->shop;
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const char *pay[] = {"pay", test_shop_link(shop), "--yes", "--max", limits[i], NULL};
        char *before = test_world_dump();
        expect_cli(pay, 6, "NOT_AGREED", "W4");
        test_world_unchanged(before);
        assert_int_equal(test_shop_count(shop, TEST_ASK_PAY), 0);
    }
}

/* Rule W2: what is signed is what was shown and agreed to, to the last part. */
static void what_was_not_agreed_to_is_not_signed(void **state)
{
    static const struct {
        const char *member;
        const char *text;
        json_int_t number;
    } rows[] = {{"amount", NULL, TEST_SHOP_AMOUNT - 1},
                {"amount", NULL, TEST_SHOP_AMOUNT + 1},
                {"currency", "USD", 0},
                {"merchant_id", "other", 0}};
    json_t *prepared = NULL, *paid = NULL;
    (void)state;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    char *before = test_world_dump();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *args = test_world_agree(prepared);
        json_object_set_new(args, rows[i].member,
                            rows[i].text != NULL ? json_string(rows[i].text)
                                                 : json_integer(rows[i].number));
        enum setpay_error error =
            test_wallet_call(test_the_world->wallet, "pay.confirm", args, &paid);
        assert_string_equal(test_error_words(error), "OFFER_CHANGED W2");
        test_world_attacks++;
    }
    test_world_unchanged(before);
    assert_int_equal(test_shop_count(test_the_world->shop, TEST_ASK_PAY), 0);
    json_decref(prepared);
}

/* Rules W2, A5: an offer that has expired while the person was thinking is not signed. */
static void an_offer_that_expired_meanwhile_is_not_signed(void **state)
{
    json_t *prepared = NULL, *paid = NULL;
    (void)state;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    char *before = test_world_dump();
    test_wallet_set_clock(test_the_world->wallet, 31 * SETPAY_MINUTE_MS);
    enum setpay_error error =
        test_wallet_call(test_the_world->wallet, "pay.confirm", test_world_agree(prepared), &paid);
    test_wallet_set_clock(test_the_world->wallet, 0);
    assert_string_equal(test_error_words(error), "EXPIRED A5");
    test_world_unchanged(before);
    assert_int_equal(test_shop_count(test_the_world->shop, TEST_ASK_PAY), 0);
    json_decref(prepared);
    test_world_attacks++;
}

/* Rule W4: a link with parameters or in another form leads nowhere at all. */
static void links_in_another_form_are_not_followed(void **state)
{
    static const char *const forms[][2] = {
        {"setpay://localhost:", "/pay/order-token-0000000000?max=1"},
        {"setpay://localhost:", "/pay/order-token-0000000000#card=other"},
        {"setpay://localhost:", "/pay/order-token-0000000000/"},
        {"setpay://localhost:", "/pay/order-token-0000000000&yes=1"},
        {"setpay://localhost:", "/pay/../order-token-0000000000"},
        {"setpay://localhost:", "/pay/short"},
        {"setpay://user@localhost:", "/pay/order-token-0000000000"},
        {"setpay://user:secret@localhost:", "/pay/order-token-0000000000"},
        {"setpays://localhost:", "/pay/order-token-0000000000"},
        {"https://localhost:", "/pay/order-token-0000000000"},
        {"setpay://127.0.0.1:", "/pay/order-token-0000000000"},
        {"setpay://localhost:", "/buy/order-token-0000000000"},
        {"SETPAY://localhost:", "/pay/order-token-0000000000"},
        {" setpay://localhost:", "/pay/order-token-0000000000"},
        {"setpay://localhost:", "/pay/order-token-0000000000\n"},
        {"setpay://localhost:", "/pay/order-token-00000000%30"},
    };
    struct test_shop *shop = test_the_world->shop;
    char *before = test_world_dump();
    (void)state;
    test_shop_honest(shop);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char link[160];
        json_t *offer = NULL;
        (void)snprintf(link, sizeof link, "%s%u%s", forms[i][0], (unsigned)shop->port, forms[i][1]);
        enum setpay_error error = test_wallet_call(test_the_world->wallet, "pay.prepare",
                                                   json_pack("{s:s}", "uri", link), &offer);
        assert_string_equal(test_error_words(error), "INVALID");
        test_world_attacks++;
    }
    test_shop_lock(shop);
    size_t connections = shop->connections;
    test_shop_unlock(shop);
    assert_int_equal(connections, 0);
    test_world_unchanged(before);
}

static void takes_xid(struct test_shop *shop, struct test_sale *sale,
                      struct setpay_pinit_res *offer)
{
    (void)sale;
    offer->xid = *(const struct setpay_id *)shop->context;
}

/* Rules A4, W2: two offers that wait for the person's word never have one xid: agreeing to what one
 * of them shows would sign the other. */
static void an_offer_in_the_place_of_another_is_refused(void **state)
{
    static const struct test_lie lie = {"rule A4: the xid of an offer that waits", "ANSWER_IDS A4",
                                        .offer = takes_xid};
    struct test_shop *shop = test_the_world->shop;
    json_t *prepared = NULL;
    struct setpay_id xid;
    (void)state;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    xid = test_shop_last(shop)->xid;
    void *before = shop->context;
    shop->context = &xid;
    (void)test_world_refuses_offer(&lie, NULL);
    shop->context = before;
    json_decref(prepared);
}

static void far_expiry(struct test_shop *shop, struct test_sale *sale,
                       struct setpay_pinit_res *offer)
{
    (void)shop;
    (void)sale;
    offer->expiry_ms = setpay_clock_now_ms() + 300 * SETPAY_DAY_MS;
}

/* An offer may be good for long; what is signed is good for an hour at most, in OI and PI alike. */
static void a_long_offer_gives_a_short_instruction(void **state)
{
    static const struct test_lie lie = {.offer = far_expiry};
    struct test_shop *shop = test_the_world->shop;
    json_t *prepared = NULL;
    (void)state;
    test_shop_lie(shop, &lie, NULL, true, false, false);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    int64_t from_ms = setpay_clock_now_ms();
    json_decref(test_wallet_do(test_the_world->wallet, "pay.confirm", test_world_agree(prepared)));
    const struct test_sale *sale = test_shop_last(shop);
    assert_in_range(sale->oi.expiry_ms, from_ms + 59 * SETPAY_MINUTE_MS,
                    setpay_clock_now_ms() + SETPAY_HOUR_MS);
    assert_true(sale->oi.expiry_ms == sale->instruction.pi.expiry_ms);
    assert_true(sale->oi.expiry_ms <= sale->oi.date_ms + SETPAY_HOUR_MS);
    test_shop_honest(shop);
    json_decref(prepared);
    test_world_attacks++;
}

/* After all that, an honest offer is still paid. */
static void an_honest_offer_is_paid(void **state)
{
    json_t *prepared = NULL;
    (void)state;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    json_t *paid =
        test_wallet_do(test_the_world->wallet, "pay.confirm", test_world_agree(prepared));
    assert_string_equal(json_string_value(json_object_get(paid, "status")), "authorised");
    json_decref(paid);
    json_decref(prepared);
}

/* ------------------------------------------------------------------ the program */

static struct setpay_buffer older;

static int set_up(void **state)
{
    struct test_world *world = test_world_new();
    struct test_sale *sale = world->shop->sales[0];
    struct setpay_pinit_res offer;
    struct setpay_buffer content;
    (void)state;
    setpay_buffer_init(&older, SETPAY_LIMIT_MESSAGE_BYTES);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    world->shop->context = &older;
    offer = (struct setpay_pinit_res){.item_count = 0};
    test_sale_offer(world->shop, sale, &offer);
    assert_int_equal(setpay_pinit_res_build(&offer, &content), SETPAY_OK);
    test_sale_message(&sale->cast, SETPAY_MESSAGE_PINIT_RES, setpay_buffer_view(&content), true,
                      &older);
    setpay_pinit_res_clear(&offer);
    setpay_buffer_clear(&content);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_buffer_clear(&older);
    test_world_free(test_the_world);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(refuses_pairs),
        cmocka_unit_test(the_person_hears_the_rule),
        cmocka_unit_test(more_than_the_person_allows_is_not_signed),
        cmocka_unit_test(what_was_not_agreed_to_is_not_signed),
        cmocka_unit_test(an_offer_that_expired_meanwhile_is_not_signed),
        cmocka_unit_test(links_in_another_form_are_not_followed),
        cmocka_unit_test(an_offer_in_the_place_of_another_is_refused),
        cmocka_unit_test(a_long_offer_gives_a_short_instruction),
        cmocka_unit_test(an_honest_offer_is_paid),
    };
    const size_t other_count = sizeof others / sizeof others[0];
    struct CMUnitTest tests[LIES + sizeof others / sizeof others[0]];
    for (size_t i = 0; i < LIES; i++)
        tests[i] = (struct CMUnitTest){.name = lies[i].what,
                                       .test_func = refuses,
                                       .initial_state = (void *)(uintptr_t)&lies[i]};
    memcpy(tests + LIES, others, sizeof others);
    int failed =
        _cmocka_run_group_tests("walletd_offer", tests, LIES + other_count, set_up, tear_down);
    test_world_tally();
    return failed;
}
