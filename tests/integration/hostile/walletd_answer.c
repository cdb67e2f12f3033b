/*
 * What a hostile merchant says after the real setpay-walletd has signed: PRes, InqRes and CanRes
 * that are to another question, of another purchase, by somebody else, or no messages (rules A1 to
 * A4, W6). None moves the purchase: the person hears the rule, the message is kept, the purchase
 * stays pending, and an honest answer ends it. Nor does one end an agreement: it stays asked for.
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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PAIRS 60
#define SEED 19970531

#define CAST(name, ...)                                                                            \
    static void name(struct test_shop *shop, struct test_cast *cast)                               \
    {                                                                                              \
        const struct test_others *others = &test_the_world->others;                                \
        (void)shop;                                                                                \
        (void)others;                                                                              \
        __VA_ARGS__;                                                                               \
    }
#define WORD(name, ...)                                                                            \
    static void name(struct test_shop *shop, struct test_sale *sale, struct setpay_pres *word)     \
    {                                                                                              \
        (void)shop;                                                                                \
        (void)sale;                                                                                \
        __VA_ARGS__;                                                                               \
    }

/* ------------------------------------------------------------------ rules A4, W6 */

WORD(another_rrpid, word->header.rrpid.bytes[5] ^= 8)
WORD(another_request, word->header.request_hash.bytes[0] ^= 1)
WORD(another_receiver, word->header.receiver.bytes[31] ^= 1)
WORD(another_sender, word->header.sender = test_the_world->others.renewed_sign->thumbprint)
WORD(another_xid, word->xid.bytes[0] ^= 1)
WORD(an_earlier_xid, word->xid = shop->sales[0]->xid)
WORD(another_lid_c, word->lid_c.bytes[15] ^= 1)
WORD(another_lid_m, strcpy(word->lid_m, "order-1"))
WORD(another_challenge, word->challenge.bytes[7] ^= 1)
WORD(the_challenge_of_the_merchant, word->challenge = sale->chall_m)
WORD(another_gateway, word->gateway_sign = test_the_world->others.gateway_sign->thumbprint)
WORD(another_merchant, strcpy(word->merchant_id, "other"))
WORD(another_order, word->oimd.bytes[0] ^= 1)
WORD(the_digest_of_both, word->oimd = sale->pomd)
WORD(more_than_was_signed, word->amount.minor = TEST_AGREED_PAYMENTS * TEST_AGREED_EACH + 1)
WORD(another_currency, strcpy(word->amount.currency, "USD"))

/* ------------------------------------------------------------------ rules A2, A3 */

CAST(other_merchant_signs, cast->signer = cast->key = others->merchant_sign)
CAST(other_brand_signs, cast->signer = cast->key = others->brand_sign)
CAST(revoked_signs, cast->signer = cast->key = others->revoked_sign)
CAST(stranger_signs, cast->signer = cast->key = others->stranger_sign)
CAST(channel_signs, cast->signer = cast->key = shop->tls)
CAST(gateway_signs, cast->signer = cast->key = shop->gateway_sign)
CAST(cardholder_signs, cast->signer = cast->key = others->cardholder)
CAST(anothers_key, cast->key = others->merchant_sign)
CAST(revoked_channel, cast->tls = others->revoked_tls)
CAST(channel_of_another_host, cast->tls = others->host_tls)

/* ------------------------------------------------------------------ bytes */

static void change_at(struct setpay_buffer *bytes, const uint32_t *path, uint32_t number,
                      enum test_proto_change change)
{
    struct setpay_buffer changed;
    setpay_buffer_init(&changed, bytes->max);
    test_proto_change(setpay_buffer_view(bytes), path, number, change, &changed);
    setpay_buffer_move(bytes, &changed);
}
static void replace(struct setpay_buffer *bytes, const uint32_t *path, uint32_t number,
                    const void *value, size_t size)
{
    struct setpay_buffer changed;
    setpay_buffer_init(&changed, bytes->max);
    test_proto_replace(setpay_buffer_view(bytes), path, number, setpay_view_of(value, size),
                       &changed);
    setpay_buffer_move(bytes, &changed);
}
static const uint32_t top[] = {0}, in_signed[] = {2, 0}, in_amount[] = {7, 0};

#define BYTES(name, ...)                                                                           \
    static void name(struct test_shop *shop, struct setpay_buffer *bytes)                          \
    {                                                                                              \
        (void)shop;                                                                                \
        __VA_ARGS__;                                                                               \
    }
BYTES(unsigned_altogether, {
    change_at(bytes, in_signed, 4, TEST_PROTO_MISSING);
    change_at(bytes, in_signed, 5, TEST_PROTO_MISSING);
})
BYTES(another_suite, replace(bytes, in_signed, 1, "\x02", 1))
BYTES(another_version, replace(bytes, top, 1, "\x02", 1))
BYTES(an_unknown_type, replace(bytes, in_signed, 2, "\x63", 1))
BYTES(said_to_be_an_offer, replace(bytes, in_signed, 2, "\x02", 1))
BYTES(cut_short, change_at(bytes, top, 1, TEST_PROTO_CUT))
BYTES(a_byte_behind, change_at(bytes, top, 1, TEST_PROTO_TRAILING))
BYTES(an_unknown_field, change_at(bytes, top, 2, TEST_PROTO_UNKNOWN))
BYTES(an_unknown_field_200_deep, change_at(bytes, top, 2, TEST_PROTO_UNKNOWN_DEEP))
BYTES(the_status_twice, change_at(bytes, top, 6, TEST_PROTO_TWICE))
BYTES(no_order, change_at(bytes, top, 8, TEST_PROTO_MISSING))
BYTES(an_unknown_status, replace(bytes, top, 6, "\x09", 1))
BYTES(authorised_for_nothing, replace(bytes, in_amount, 1, "\x00", 1))
BYTES(an_overlong_number, replace(bytes, in_amount, 1, "\xe2\x89\x00", 3))
BYTES(more_than_a_message, {
    static const uint8_t zeros[32 * 1024];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(setpay_buffer_append(bytes, setpay_view_of("\x22\x80\x80\x02", 4)),
                         SETPAY_OK);
        assert_int_equal(setpay_buffer_append(bytes, SETPAY_VIEW_ARRAY(zeros)), SETPAY_OK);
    }
})
BYTES(sixty_five_receipts, {
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    struct setpay_buffer made;
    size_t count = test_proto_split(setpay_buffer_view(bytes), fields);
    setpay_buffer_init(&made, bytes->max);
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < (fields[i].number == 13 ? 65 : 1); k++)
            assert_int_equal(setpay_buffer_append(&made, fields[i].whole), SETPAY_OK);
    setpay_buffer_move(bytes, &made);
})
BYTES(half_of_it, bytes->size /= 2)
BYTES(twice_in_one, {
    struct setpay_buffer made;
    setpay_buffer_init(&made, (size_t)2 * SETPAY_LIMIT_MESSAGE_BYTES);
    for (int i = 0; i < 2; i++)
        assert_int_equal(setpay_buffer_append(&made, setpay_buffer_view(bytes)), SETPAY_OK);
    setpay_buffer_move(bytes, &made);
})
/* A bit of the receipt inside, after the merchant had signed. */
BYTES(changed_after_signing, {
    struct setpay_message parsed;
    assert_int_equal(setpay_message_parse(setpay_buffer_view(bytes), &parsed), SETPAY_OK);
    uint8_t *content = malloc(parsed.content.size);
    assert_non_null(content);
    memcpy(content, parsed.content.data, parsed.content.size);
    content[parsed.content.size - 1] ^= 1;
    replace(bytes, in_signed, 3, content, parsed.content.size);
    free(content);
    setpay_message_clear(&parsed);
})

/* ------------------------------------------------------------------ other answers */

/* What was said about the first purchase. */
static void of_an_earlier_purchase(struct test_shop *shop, struct test_sale *sale,
                                   const struct setpay_message *request, struct setpay_view raw,
                                   struct setpay_buffer *message)
{
    (void)sale;
    (void)request;
    (void)raw;
    assert_int_equal(setpay_buffer_set(message, setpay_buffer_view(&shop->sales[0]->word)),
                     SETPAY_OK);
}

/* The first answer to an inquiry after this purchase, ever after: to another question since. */
static struct setpay_buffer first_word;

static void the_same_answer_again(struct test_shop *shop, struct test_sale *sale,
                                  const struct setpay_message *request, struct setpay_view raw,
                                  struct setpay_buffer *message)
{
    (void)shop;
    (void)sale;
    (void)raw;
    if (request->type != SETPAY_MESSAGE_INQ_REQ && request->type != SETPAY_MESSAGE_CAN_REQ)
        return;
    if (first_word.size == 0)
        assert_int_equal(setpay_buffer_set(&first_word, setpay_buffer_view(message)), SETPAY_OK);
    assert_int_equal(setpay_buffer_set(message, setpay_buffer_view(&first_word)), SETPAY_OK);
}

/* ------------------------------------------------------------------ the lies */

static const struct row {
    struct test_lie lie;
    const char *inquired; /* what is expected of InqRes, where that differs */
} rows[] = {
    {{"rule A4: another rrpid", "ANSWER_IDS A4", .word = another_rrpid}, NULL},
    {{"rule A4: the hash of another request", "ANSWER_REQUEST A4", .word = another_request}, NULL},
    {{"rule A4: another receiver", "ANSWER_PARTIES A4", .word = another_receiver}, NULL},
    {{"rule A4: another sender than the signer", "ANSWER_SIGNER A4", .word = another_sender}, NULL},
    {{"rule A4: another xid", "ANSWER_IDS A4", .word = another_xid}, NULL},
    {{"rule A4: the xid of an earlier purchase", "ANSWER_IDS A4", .word = an_earlier_xid}, NULL},
    {{"rule A4: another lid_c", "ANSWER_IDS A4", .word = another_lid_c}, NULL},
    {{"rule A4: another order", "ANSWER_IDS A4", .word = another_lid_m}, NULL},
    {{"rule A4: another challenge", "ANSWER_CHALLENGE A4", .word = another_challenge}, NULL},
    {{"rule A4: the merchant's own challenge", "ANSWER_CHALLENGE A4",
      .word = the_challenge_of_the_merchant},
     NULL},
    {{"rule A4: another gateway", "ANSWER_PARTIES A4", .word = another_gateway}, NULL},
    {{"rule A4: another merchant", "ANSWER_PARTIES A4", .word = another_merchant}, NULL},
    {{"rule W6: another OIMD", "PURCHASE W6", .word = another_order}, NULL},
    {{"rule W6: POMD as OIMD", "PURCHASE W6", .word = the_digest_of_both}, NULL},
    {{"rule W6: more than was signed", "PURCHASE W6", .word = more_than_was_signed}, NULL},
    {{"rule W6: another currency", "PURCHASE W6", .word = another_currency}, NULL},
    {{"rule A4: another merchant signs", "ANSWER_SIGNER A4", .cast = other_merchant_signs}, NULL},
    {{"rule A3: a merchant of another brand signs", "BRANDS_MIXED A3", .cast = other_brand_signs},
     NULL},
    {{"rule A3: a revoked certificate", "CERT_REVOKED A3", .cast = revoked_signs}, NULL},
    {{"rule A3: another root", "CERT_CHAIN A3", .cast = stranger_signs}, NULL},
    {{"rule A3: the connection's certificate", "CERT_USAGE A3", .cast = channel_signs}, NULL},
    {{"rule A3: the gateway in the merchant's place", "CERT_ROLE A3", .cast = gateway_signs}, NULL},
    {{"rule A3: a cardholder in the merchant's place", "CERT_ROLE A3", .cast = cardholder_signs},
     NULL},
    {{"rule A2: another merchant's key", "SIGNATURE A2", .cast = anothers_key}, NULL},
    {{"rule A2: unsigned", "UNSIGNED A2", .message = unsigned_altogether}, NULL},
    {{"rule A2: changed after it was signed", "SIGNATURE A2", .message = changed_after_signing},
     NULL},
    {{"rule A1: another suite", "SUITE A1", .message = another_suite}, NULL},
    {{"rule A1: another version", "VERSION A1", .message = another_version}, NULL},
    {{"rule A1: an unknown type", "MESSAGE_TYPE A1", .message = an_unknown_type}, NULL},
    {{"rule A1: said to be an offer", "MESSAGE_TYPE A1", .message = said_to_be_an_offer}, NULL},
    {{"rule A1: cut short", "MALFORMED A1", .message = cut_short}, NULL},
    {{"rule A1: a byte behind", "MALFORMED A1", .message = a_byte_behind}, NULL},
    {{"rule A1: an unknown field", "NOT_CANONICAL A1", .content = an_unknown_field}, NULL},
    {{"rule A1: an unknown field 200 levels deep", "NOT_CANONICAL A1",
      .content = an_unknown_field_200_deep},
     NULL},
    {{"rule A1: the status given twice", "NOT_CANONICAL A1", .content = the_status_twice}, NULL},
    {{"rule A1: no OIMD", "FIELD A1", .content = no_order}, NULL},
    {{"rule A1: an unknown status", "ENUM A1", .content = an_unknown_status}, NULL},
    {{"rule A1: authorised for nothing", "FIELD A1", .content = authorised_for_nothing}, NULL},
    {{"rule A1: an overlong number", "NOT_CANONICAL A1", .content = an_overlong_number}, NULL},
    {{"rule A1: 65 receipts", "TOO_BIG A1", .content = sixty_five_receipts}, NULL},
    {{"rule A1: more than a message", "TOO_BIG A1", .message = more_than_a_message}, NULL},
    {{"rule A4: the answer to an earlier purchase", "ANSWER_IDS A4",
      .instead = of_an_earlier_purchase},
     "MESSAGE_TYPE A1"},
    {{"rule A3: a revoked channel", "CERT_REVOKED A3", .cast = revoked_channel}, NULL},
    {{"rule W1: a channel of another host", "HOST W1", .cast = channel_of_another_host}, NULL},
};

static void refuses(void **state)
{
    const struct row *row = *state;
    test_world_refuses_word(&row->lie, NULL, row->inquired);
}

static bool of_bytes(const struct test_lie *lie)
{
    return lie->message != NULL || lie->content != NULL || lie->instead != NULL;
}

static bool of_the_channel(const struct test_lie *lie)
{
    return lie->cast == revoked_channel || lie->cast == channel_of_another_host;
}

/* Two lies at once: one of the two errors, and all else that holds for one. */
static void refuses_pairs(void **state)
{
    unsigned seed = SEED;
    (void)state;
    for (size_t done = 0; done < PAIRS;) {
        const struct test_lie *first = &rows[(size_t)rand_r(&seed) % COUNT(rows)].lie;
        const struct test_lie *second = &rows[(size_t)rand_r(&seed) % COUNT(rows)].lie;
        /* Bytes that were spoilt once can't be taken apart again. */
        if (first == second || (of_bytes(first) && of_bytes(second)) || of_the_channel(first) ||
            of_the_channel(second) || first->instead != NULL || second->instead != NULL)
            continue;
        test_world_refuses_word(first, second, NULL);
        done++;
    }
}

/* Rule A4: an answer to an inquiry answers that one only. */
static void an_answer_is_taken_once(void **state)
{
    static const struct test_lie lie = {"rule A4: the answer to an earlier inquiry",
                                        "ANSWER_IDS A4", .instead = the_same_answer_again};
    struct test_world *world = test_the_world;
    (void)state;
    setpay_buffer_init(&first_word, SETPAY_LIMIT_MESSAGE_BYTES);
    test_shop_honest(world->shop);
    test_shop_outcome(world->shop, 0); /* the gateway takes its time */
    test_shop_silent(world->shop, TEST_ASK_PAY);
    struct setpay_id xid = test_world_pay(&lie, NULL);
    test_shop_wait(world->shop, TEST_ASK_INQUIRE, 4);
    assert_string_equal(test_daemon_refusal(&world->wallet->daemon, "purchase.unanswered", NULL),
                        "ANSWER_IDS A4");
    assert_int_equal(test_world_evidence(&xid, "failed A4"), 1);
    test_world_shows(&xid,
                     json_pack("{s:s, s:s}", "status", "pending", "merchant_said", "pending"));
    test_shop_honest(world->shop);
    test_world_ends(&xid, "authorised");
    setpay_buffer_clear(&first_word);
    test_world_attacks++;
}

/* Rule A4: an inquiry may be answered under a renewed certificate of the same merchant; PRes is the
 * word of the certificate that OI names. */
CAST(renewed_signs, cast->signer = cast->key = others->renewed_sign)
static void a_renewed_certificate_answers_inquiries_only(void **state)
{
    static const struct test_lie lie = {"rule A4: a renewed certificate", "ANSWER_SIGNER A4",
                                        .cast = renewed_signs};
    struct test_world *world = test_the_world;
    (void)state;
    test_shop_honest(world->shop);
    json_t *prepared = NULL, *paid = NULL;
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    struct setpay_id xid = test_shop_last(world->shop)->xid;
    test_shop_lie(world->shop, &lie, NULL, false, true, true);
    enum setpay_error error =
        test_wallet_call(world->wallet, "pay.confirm", test_world_agree(prepared), &paid);
    assert_string_equal(test_error_words(error), "ANSWER_SIGNER A4");
    char text[SETPAY_ID_TEXT_SIZE];
    json_t *now = test_wallet_do(world->wallet, "pay.resume",
                                 json_pack("{s:s}", "xid", setpay_id_format(&xid, text)));
    assert_string_equal(json_string_value(json_object_get(now, "status")), "authorised");
    json_decref(now);
    json_decref(prepared);
    test_shop_honest(world->shop);
    test_world_attacks++;
}

/* Rule A3: a merchant's certificate that is revoked between two inquiries says nothing more. */
static struct test_party *to_be_revoked;
CAST(soon_revoked_signs, cast->signer = cast->key = to_be_revoked)
static void a_certificate_that_is_revoked_meanwhile_is_silenced(void **state)
{
    static const struct test_lie lie = {.cast = soon_revoked_signs};
    struct test_world *world = test_the_world;
    (void)state;
    to_be_revoked =
        test_party_new(world->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, TEST_SHOP_ID, NULL);
    test_shop_honest(world->shop);
    test_shop_outcome(world->shop, 0);
    test_shop_silent(world->shop, TEST_ASK_PAY);
    struct setpay_id xid = test_world_pay(&lie, NULL);
    test_shop_wait(world->shop, TEST_ASK_INQUIRE, 2);
    test_world_shows(&xid,
                     json_pack("{s:s, s:s}", "status", "pending", "merchant_said", "pending"));
    test_pki_revoke(world->pki, to_be_revoked);
    test_wallet_publish_crl(world->wallet, "visa", SETPAY_CA_MERCHANT);
    size_t from = test_shop_count(world->shop, TEST_ASK_INQUIRE);
    test_shop_outcome(world->shop,
                      SETPAY_RECEIPT_AUTHORISATION); /* from a merchant that is no more */
    test_shop_wait(world->shop, TEST_ASK_INQUIRE, from + 3);
    assert_string_equal(test_daemon_refusal(&world->wallet->daemon, "purchase.unanswered", NULL),
                        "CERT_REVOKED A3");
    assert_int_equal(test_world_evidence(&xid, "failed A3"), 1);
    test_world_shows(&xid, json_pack("{s:s, s:b}", "status", "pending", "receipt", 0));
    test_world_ends(&xid, "authorised");
    test_party_free(to_be_revoked);
    test_world_attacks++;
}

/* ------------------------------------------------------------------ CanRes */

/* What it would say to an inquiry at this moment; shown as what it is, or as the other. */
static void say_as_inquiry(const struct test_shop *shop, bool shown_as_asked,
                           struct setpay_buffer *message)
{
    const struct test_cast cast = {.tls = shop->tls,
                                   .signer = shop->sign,
                                   .key = shop->sign,
                                   .gateway_sign = shop->gateway_sign,
                                   .gateway_encrypt = shop->gateway_encrypt};
    struct setpay_message parsed;
    struct setpay_buffer made;
    setpay_buffer_init(&made, message->max);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(message), &parsed), SETPAY_OK);
    test_sale_message(&cast, SETPAY_MESSAGE_INQ_RES, parsed.content, false, &made);
    if (shown_as_asked)
        replace(&made, in_signed, 2, "\x18", 1);
    setpay_message_clear(&parsed);
    setpay_buffer_move(message, &made);
}
BYTES(the_answer_to_an_inquiry, say_as_inquiry(shop, false, bytes))
BYTES(an_inquirys_answer_relabelled, say_as_inquiry(shop, true, bytes))

static void an_error(struct test_shop *shop, struct test_sale *sale,
                     const struct setpay_message *request, struct setpay_view raw,
                     struct setpay_buffer *message)
{
    const struct setpay_refusal refusal = {.error = SETPAY_E_STATE, .message = request};
    (void)shop;
    (void)sale;
    (void)raw;
    setpay_buffer_reset(message);
    assert_int_equal(setpay_refusal_build(&refusal, setpay_clock_now_ms(), message), SETPAY_OK);
}

static const struct test_lie of_cancellations[] = {
    {"rule A1: InqRes for CanRes", "MESSAGE_TYPE A1", .message = the_answer_to_an_inquiry},
    {"rule A2: InqRes relabelled as CanRes", "SIGNATURE A2",
     .message = an_inquirys_answer_relabelled},
    {"rule A1: half of it", "MALFORMED A1", .message = half_of_it},
    {"rule A1: twice in one", "NOT_CANONICAL A1", .message = twice_in_one},
    {"rule W7: an Error", "PEER_REFUSED", .instead = an_error},
    {"rule A4: the answer to an earlier CanReq", NULL, .instead = the_same_answer_again},
    {"rule A4: the answer to an earlier CanReq, again", "ANSWER_IDS A4",
     .instead = the_same_answer_again},
};

/* `agreement show` has the wallet ask now: CanReq and InqReq in turn. */
static void look(const struct test_sale *sale)
{
    char xid[SETPAY_ID_TEXT_SIZE];
    const char *words[] = {"agreement", "show", setpay_id_format(&sale->xid, xid), NULL};
    json_t *shown = NULL;
    assert_int_equal(test_wallet_cli(test_the_world->wallet, words, &shown), 0);
    assert_string_equal(json_string_value(json_object_get(shown, "status")), "cancelling");
    json_decref(shown);
}

/* The lie is told to CanReq, and InqReq is answered honestly: the agreement stays as it is. The
 * second is asked when the first was judged. */
static void does_not_cancel(const struct test_sale *sale, const struct test_lie *lie,
                            const char *expected)
{
    struct test_world *world = test_the_world;
    char *before = test_world_dump();
    print_message("# CanRes, %s\n", lie->what);
    test_shop_lie_to_cancellations(world->shop, lie);
    for (int looks = 0; looks < 8 && test_shop_told(world->shop) < 2; looks++)
        look(sale);
    assert_true(test_shop_told(world->shop) >= 2);
    if (expected != NULL)
        assert_string_equal(
            test_daemon_refusal(&world->wallet->daemon, "purchase.unanswered", NULL), expected);
    test_world_only_added(before);
    assert_int_equal(test_world_column(&sale->xid, "receipts"), 1);
    test_world_attacks++;
}

static void a_false_answer_does_not_cancel(void **state)
{
    static const struct test_lie confirming = {.word = test_confirms_cancellation};
    struct test_world *world = test_the_world;
    char xid[SETPAY_ID_TEXT_SIZE];
    (void)state;
    struct test_sale *sale = test_world_begin_agreement();
    test_shop_lie_to_cancellations(world->shop, NULL);
    json_decref(test_wallet_do(world->wallet, "agreement.cancel",
                               json_pack("{s:s}", "xid", setpay_id_format(&sale->xid, xid))));
    test_shop_wait(world->shop, TEST_ASK_INQUIRE, 1);
    setpay_buffer_init(&first_word, SETPAY_LIMIT_MESSAGE_BYTES);
    /* The same code judges PRes, InqRes and CanRes: a sample will do, but for the long form. */
    const char *wish = getenv("SETPAY_LONG");
    size_t stride = wish != NULL && strcmp(wish, "1") == 0 ? 1 : 3;
    for (size_t i = 0; i < COUNT(rows); i += stride) {
        if (!of_the_channel(&rows[i].lie))
            does_not_cancel(sale, &rows[i].lie,
                            rows[i].inquired != NULL ? rows[i].inquired : rows[i].lie.expected);
    }
    for (size_t i = 0; i < COUNT(of_cancellations); i++)
        does_not_cancel(sale, &of_cancellations[i], of_cancellations[i].expected);
    setpay_buffer_clear(&first_word);
    test_shop_lie(world->shop, &confirming, NULL, false, false, true);
    test_daemon_wait_number(&world->wallet->daemon,
                            "SELECT count(*) FROM agreement WHERE word IS NOT NULL"
                            " AND cancelled = 0",
                            0);
    test_shop_honest(world->shop);
}

/* ------------------------------------------------------------------ the program */

static int set_up(void **state)
{
    (void)state;
    (void)test_world_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_world_free(test_the_world);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(refuses_pairs),
        cmocka_unit_test(a_false_answer_does_not_cancel),
        cmocka_unit_test(an_answer_is_taken_once),
        cmocka_unit_test(a_renewed_certificate_answers_inquiries_only),
        cmocka_unit_test(a_certificate_that_is_revoked_meanwhile_is_silenced),
    };
    struct CMUnitTest tests[COUNT(rows) + COUNT(others)];
    for (size_t i = 0; i < COUNT(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].lie.what,
                                       .test_func = refuses,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    memcpy(tests + COUNT(rows), others, sizeof others);
    int failed = _cmocka_run_group_tests("walletd_answer", tests, COUNT(tests), set_up, tear_down);
    test_world_tally();
    return failed;
}
