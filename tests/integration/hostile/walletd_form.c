/*
 * A hostile merchant's messages to the real setpay-walletd that are no messages (rule A1), and
 * certificates and revocation lists that are none to be trusted (rule A3). Each gets exactly its
 * error in the reply and its rule in the log; nothing is signed, no row changes, nothing more is
 * sent.
 */
#include "common/base/clock.h"
#include "tests/support/test_proto.h"
#include "tests/support/test_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ------------------------------------------------------------------ rule A1, field by field */

/* Where a field stands: in the message, or in the content before it is signed. */
struct place {
    const char *name;
    bool content;
    uint32_t path[3];
    uint32_t number;
    bool is_bytes; /* of exact length */
};

static const struct place places[] = {
    {"version", false, {0}, 1, false},
    {"signed", false, {0}, 2, false},
    {"suite", false, {2, 0}, 1, false},
    {"type", false, {2, 0}, 2, false},
    {"content", false, {2, 0}, 3, false},
    {"signature", false, {2, 0}, 4, false},
    {"signer", false, {2, 0}, 5, true},
    {"header", true, {0}, 1, false},
    {"header.rrpid", true, {1, 0}, 1, true},
    {"header.request_hash", true, {1, 0}, 2, true},
    {"header.date", true, {1, 0}, 3, false},
    {"header.sender", true, {1, 0}, 4, true},
    {"xid", true, {0}, 2, true},
    {"lid_c", true, {0}, 3, true},
    {"lid_m", true, {0}, 4, false},
    {"chall_c", true, {0}, 5, true},
    {"chall_m", true, {0}, 6, true},
    {"brand", true, {0}, 7, false},
    {"merchant_id", true, {0}, 8, false},
    {"merchant_name", true, {0}, 9, false},
    {"items.name", true, {10, 0}, 1, false},
    {"items.quantity", true, {10, 0}, 2, false},
    {"items.unit", true, {10, 0}, 3, false},
    {"items.total", true, {10, 0}, 4, false},
    {"amount", true, {0}, 11, false},
    {"amount.minor", true, {11, 0}, 1, false},
    {"amount.currency", true, {11, 0}, 2, false},
    {"terms", true, {0}, 12, false},
    {"terms.kind", true, {12, 0}, 1, false},
    {"expiry", true, {0}, 13, false},
    {"gateway_sign", true, {0}, 14, true},
    {"gateway_encrypt", true, {0}, 15, true},
};

#define LONGER ((enum test_proto_change)99) /* than ids and digests are */

static const struct {
    const char *name;
    enum test_proto_change change;
    const char *expected;
    bool bytes_only;
} changes[] = {
    {"left out", TEST_PROTO_MISSING, "FIELD A1", false},
    {"given twice", TEST_PROTO_TWICE, "NOT_CANONICAL A1", false},
    {"under an overlong tag", TEST_PROTO_OVERLONG_TAG, "NOT_CANONICAL A1", false},
    {"of another kind", TEST_PROTO_OTHER_WIRE, "MALFORMED A1", false},
    {"of 33 bytes", LONGER, "FIELD A1", true},
    {"empty", TEST_PROTO_EMPTY, "FIELD A1", true},
};

static const struct place *place;
static enum test_proto_change change;

static void spoil(struct test_shop *shop, struct setpay_buffer *bytes)
{
    static const uint8_t longer[33];
    struct setpay_buffer changed;
    (void)shop;
    setpay_buffer_init(&changed, bytes->max);
    if (change == LONGER)
        test_proto_replace(setpay_buffer_view(bytes), place->path, place->number,
                           SETPAY_VIEW_ARRAY(longer), &changed);
    else
        test_proto_change(setpay_buffer_view(bytes), place->path, place->number, change, &changed);
    setpay_buffer_move(bytes, &changed);
}

static void refuse_change(const char *expected)
{
    struct test_lie lie = {.what = place->name, .expected = expected};
    if (place->content)
        lie.content = spoil;
    else
        lie.message = spoil;
    (void)test_world_refuses_offer(&lie, NULL);
}

/* Rule A1. */
static void every_field_out_of_form_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(places); i++) {
        for (size_t k = 0; k < COUNT(changes); k++) {
            if (changes[k].bytes_only && !places[i].is_bytes)
                continue;
            place = &places[i];
            change = changes[k].change;
            refuse_change(changes[k].expected);
        }
    }
}

/* Rule A1: at the end of every part that holds fields. */
static void what_stands_behind_is_refused(void **state)
{
    static const struct place ends[] = {
        {"message", false, {0}, 1, false},  {"Signed", false, {2, 0}, 1, false},
        {"content", true, {0}, 2, false},   {"header", true, {1, 0}, 1, false},
        {"item", true, {10, 0}, 1, false},  {"amount", true, {11, 0}, 1, false},
        {"terms", true, {12, 0}, 1, false},
    };
    static const struct {
        enum test_proto_change change;
        const char *expected;
    } tails[] = {
        {TEST_PROTO_UNKNOWN, "NOT_CANONICAL A1"},
        {TEST_PROTO_UNKNOWN_DEEP, "NOT_CANONICAL A1"},
        {TEST_PROTO_TRAILING, "MALFORMED A1"},
        {TEST_PROTO_CUT, "MALFORMED A1"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        for (size_t k = 0; k < COUNT(tails); k++) {
            place = &ends[i];
            change = tails[k].change;
            refuse_change(tails[k].expected);
        }
    }
}

/* ------------------------------------------------------------------ rule A1, values and sizes */

static void replace(struct setpay_buffer *bytes, const uint32_t *path, uint32_t number,
                    const void *value, size_t size)
{
    struct setpay_buffer changed;
    setpay_buffer_init(&changed, bytes->max);
    test_proto_replace(setpay_buffer_view(bytes), path, number, setpay_view_of(value, size),
                       &changed);
    setpay_buffer_move(bytes, &changed);
}

#define REPLACE(name, number, value, ...)                                                          \
    static void name(struct test_shop *shop, struct setpay_buffer *bytes)                          \
    {                                                                                              \
        static const uint32_t path[] = {__VA_ARGS__};                                              \
        (void)shop;                                                                                \
        replace(bytes, path, number, value, sizeof(value) - 1);                                    \
    }
REPLACE(suite_0, 1, "\x00", 2, 0)
REPLACE(suite_2, 1, "\x02", 2, 0)
REPLACE(version_0, 1, "\x00", 0)
REPLACE(version_2, 1, "\x02", 0)
REPLACE(type_0, 2, "\x00", 2, 0)
REPLACE(type_99, 2, "\x63", 2, 0)
REPLACE(type_receipt, 2, "\x1e", 2, 0)
REPLACE(type_auth_res, 2, "\x08", 2, 0)
REPLACE(terms_0, 1, "\x00", 12, 0)
REPLACE(terms_9, 1, "\x09", 12, 0)
REPLACE(not_utf8, 9, "Caf\xe9", 0)
REPLACE(a_surrogate, 9, "A\xed\xa0\x80", 0)
REPLACE(a_nul, 9, "Shop\0x", 0)
REPLACE(no_currency, 2, "EU", 11, 0)
REPLACE(small_letters, 2, "eur", 11, 0)
REPLACE(an_unknown_currency, 2, "ZZZ", 11, 0)
REPLACE(a_date_before_time, 3, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 1, 0)
REPLACE(more_than_all_money, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11, 0)
REPLACE(an_overlong_number, 1, "\xe2\x89\x80\x00", 11, 0)
REPLACE(no_bits_left, 13, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 0)
REPLACE(a_brand_of_dots, 7, "vi.sa", 0)
REPLACE(a_quantity_of_none, 2, "\x00", 10, 0)
REPLACE(no_items_name, 1, "", 10, 0)

/* More of a field that may be there several times. */
static void repeat_field(struct setpay_buffer *bytes, uint32_t number, size_t times)
{
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    struct setpay_buffer made;
    size_t count = test_proto_split(setpay_buffer_view(bytes), fields);
    setpay_buffer_init(&made, bytes->max);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(setpay_buffer_append(&made, fields[i].whole), SETPAY_OK);
        for (size_t k = 0; k < times && fields[i].number == number; k++)
            assert_int_equal(setpay_buffer_append(&made, fields[i].whole), SETPAY_OK);
        if (fields[i].number == number)
            times = 0;
    }
    setpay_buffer_move(bytes, &made);
}
static void many_items(struct test_shop *shop, struct setpay_buffer *content)
{
    (void)shop;
    repeat_field(content, 10, 199);
}
static void many_certificates(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    repeat_field(message, 3, 12);
}

static void append(struct setpay_buffer *bytes, const void *more, size_t size)
{
    assert_int_equal(setpay_buffer_append(bytes, setpay_view_of(more, size)), SETPAY_OK);
}
static void many_lists(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    for (int i = 0; i < SETPAY_LIMIT_CRLS + 1; i++)
        append(message, "\x22\x01x", 3);
}
static void an_envelope(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    append(message, "\x2a\x01x", 3);
}
static void an_empty_list(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    append(message, "\x22\x00", 2);
}
static void a_huge_list(struct test_shop *shop, struct setpay_buffer *message)
{
    static const uint8_t zeros[33 * 1024];
    (void)shop;
    append(message, "\x22\x80\x88\x02", 4);
    append(message, zeros, sizeof zeros);
}
static void a_huge_message(struct test_shop *shop, struct setpay_buffer *message)
{
    static const uint8_t zeros[32 * 1024];
    (void)shop;
    for (int i = 0; i < 2; i++) {
        append(message, "\x22\x80\x80\x02", 4);
        append(message, zeros, sizeof zeros);
    }
}
static void a_huge_content(struct test_shop *shop, struct setpay_buffer *message)
{
    static const uint32_t path[] = {2, 0};
    static const uint8_t zeros[33 * 1024];
    (void)shop;
    replace(message, path, 3, zeros, sizeof zeros);
}
/* 64 KiB of these would take 6 MB when unpacked. */
static void a_bomb_of_empty_items(struct test_shop *shop, struct setpay_buffer *content)
{
    struct test_proto_field fields[TEST_PROTO_FIELDS];
    struct setpay_buffer made;
    size_t count = test_proto_split(setpay_buffer_view(content), fields);
    (void)shop;
    setpay_buffer_init(&made, content->max);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].number == 10 && i > 0 && fields[i - 1].number != 10) {
            for (int k = 0; k < 15000; k++)
                append(&made, "\x52\x00", 2);
        } else if (fields[i].number != 10) {
            append(&made, fields[i].whole.data, fields[i].whole.size);
        }
    }
    setpay_buffer_move(content, &made);
}
static void a_long_name(struct test_shop *shop, struct setpay_buffer *content)
{
    static const uint32_t path[] = {0};
    char name[200];
    (void)shop;
    memset(name, 'x', sizeof name);
    replace(content, path, 9, name, 129);
}
static void nothing_at_all(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    setpay_buffer_reset(message);
}
static void noise(struct test_shop *shop, struct setpay_buffer *message)
{
    (void)shop;
    for (size_t i = 0; i < message->size; i++)
        message->data[i] = (uint8_t)(i * 167 + 13);
}

static const struct test_lie forms[] = {
    {"rule A1: suite 0", "SUITE A1", .message = suite_0},
    {"rule A1: suite 2", "SUITE A1", .message = suite_2},
    {"rule A1: version 0", "VERSION A1", .message = version_0},
    {"rule A1: version 2", "VERSION A1", .message = version_2},
    {"rule A1: type 0", "MESSAGE_TYPE A1", .message = type_0},
    {"rule A1: type 99", "MESSAGE_TYPE A1", .message = type_99},
    {"rule A1: a receipt as a message", "MESSAGE_TYPE A1", .message = type_receipt},
    {"rule A1: an AuthRes", "MESSAGE_TYPE A1", .message = type_auth_res},
    {"rule A1: terms of kind 0", "ENUM A1", .content = terms_0},
    {"rule A1: terms of kind 9", "ENUM A1", .content = terms_9},
    {"rule A1: a name that is not UTF-8", "TEXT A1", .content = not_utf8},
    {"rule A1: a name with a surrogate", "TEXT A1", .content = a_surrogate},
    {"rule A1: a name with a NUL", "TEXT A1", .content = a_nul},
    {"rule A1: a name of 129 bytes", "FIELD A1", .content = a_long_name},
    {"rule A1: a currency of two letters", "FIELD A1", .content = no_currency},
    {"rule A1: a currency in small letters", "FIELD A1", .content = small_letters},
    {"rule A1: a currency that there is not", "FIELD A1", .content = an_unknown_currency},
    {"rule A1: a date below zero", "FIELD A1", .content = a_date_before_time},
    {"rule A1: an amount above all money", "FIELD A1", .content = more_than_all_money},
    {"rule A1: an overlong number", "NOT_CANONICAL A1", .content = an_overlong_number},
    {"rule A1: a number of more than 64 bits", "MALFORMED A1", .content = no_bits_left},
    {"rule A1: a brand that is no name", "FIELD A1", .content = a_brand_of_dots},
    {"rule A1: none of an item", "FIELD A1", .content = a_quantity_of_none},
    {"rule A1: an item without a name", "FIELD A1", .content = no_items_name},
    {"rule A1: 201 items", "TOO_BIG A1", .content = many_items},
    {"rule A1: 15,000 empty items", "FIELD A1", .content = a_bomb_of_empty_items},
    {"rule A1: 17 certificates", "TOO_BIG A1", .message = many_certificates},
    {"rule A1: 17 lists", "TOO_BIG A1", .message = many_lists},
    {"rule A1: an empty list", "FIELD A1", .message = an_empty_list},
    {"rule A1: a list of 33 KiB", "TOO_BIG A1", .message = a_huge_list},
    {"rule A1: an envelope on an offer", "FIELD A1", .message = an_envelope},
    {"rule A1: a message of more than 64 KiB", "TOO_BIG A1", .message = a_huge_message},
    {"rule A1: a content of 33 KiB", "TOO_BIG A1", .message = a_huge_content},
    {"rule A1: nothing", "FIELD A1", .message = nothing_at_all},
    {"rule A1: noise", "MALFORMED A1", .message = noise},
};

/* ------------------------------------------------------------------ rule A3: the signer */

static const struct test_party *shown;

static void shows(struct test_shop *shop, struct test_cast *cast)
{
    (void)shop;
    cast->signer = shown;
    if (shown->signing_key != NULL)
        cast->key = shown;
}
static void keeps_back(struct test_shop *shop, struct test_cast *cast)
{
    shows(shop, cast);
    cast->without_signer = true;
}

static void refuse_signer(const struct test_party *party, const char *what, const char *expected)
{
    const struct test_lie lie = {.what = what, .expected = expected, .cast = shows};
    shown = party;
    (void)test_world_refuses_offer(&lie, NULL);
}

/* Rule A3. */
static void defective_certificates_are_refused(void **state)
{
    static const struct {
        enum test_pki_defect defect;
        const char *what, *expected;
    } rows[] = {
        {TEST_PKI_EXPIRED, "expired", "CERT_TIME A3"},
        {TEST_PKI_NOT_YET_VALID, "not yet valid", "CERT_TIME A3"},
        {TEST_PKI_TOO_LONG_LIFE, "too long a life", "CERT_TIME A3"},
        {TEST_PKI_NO_TYPE, "no type", "CERT_ROLE A3"},
        {TEST_PKI_OTHER_TYPE, "another type", "CERT_ROLE A3"},
        {TEST_PKI_TWO_TYPES, "two types", "CERT_ROLE A3"},
        {TEST_PKI_NO_KEY_USAGE, "no key usage", "CERT_USAGE A3"},
        {TEST_PKI_OTHER_KEY_USAGE, "another key usage", "CERT_USAGE A3"},
        {TEST_PKI_NO_EKU, "no purpose", "CERT_USAGE A3"},
        {TEST_PKI_OTHER_EKU, "another purpose", "CERT_USAGE A3"},
        {TEST_PKI_EXTRA_EKU, "a purpose more", "CERT_USAGE A3"},
        {TEST_PKI_LEAF_IS_CA, "a CA", "CERT_USAGE A3"},
        {TEST_PKI_OTHER_BRAND, "outside its CA's brand", "BRANDS_MIXED A3"},
        {TEST_PKI_DOT_IN_CN, "a dot in the name", "CERT_NAME A3"},
        {TEST_PKI_BAD_ID, "no merchant id", "CERT_NAME A3"},
        {TEST_PKI_EXTRA_RDN, "two names", "CERT_NAME A3"},
        {TEST_PKI_DNS_NAME, "a host where none belongs", "CERT_NAME A3"},
        {TEST_PKI_IP_NAME, "an address", "CERT_NAME A3"},
        {TEST_PKI_WILDCARD, "a wildcard", "CERT_NAME A3"},
        {TEST_PKI_OTHER_CURVE, "P-384", "CERT_MALFORMED A3"},
        {TEST_PKI_RSA, "RSA", "CERT_MALFORMED A3"},
        {TEST_PKI_FORGED, "forged", "CERT_CHAIN A3"},
        {TEST_PKI_UNKNOWN_CRITICAL, "an unknown critical extension", "CERT_USAGE A3"},
        {TEST_PKI_WRONG_ISSUER, "by the brand's CA", "CERT_CHAIN A3"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct test_party *party =
            test_party_new_defective(test_the_world->pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN,
                                     TEST_SHOP_ID, rows[i].defect);
        refuse_signer(party, rows[i].what, rows[i].expected);
        test_party_free(party);
    }
}

/* Rule A3: valid ones of others, for other things, or no longer. */
static void borrowed_certificates_are_refused(void **state)
{
    const struct test_others *others = &test_the_world->others;
    const struct test_lie kept_back = {.what = "a certificate that is not shown",
                                       .expected = "CERT_MISSING A3",
                                       .cast = keeps_back};
    (void)state;
    refuse_signer(others->revoked_sign, "revoked", "CERT_REVOKED A3");
    refuse_signer(others->stranger_sign, "of another root", "CERT_CHAIN A3");
    refuse_signer(others->brand_sign, "of another brand", "BRANDS_MIXED A3");
    refuse_signer(others->client_tls, "a connection's", "CERT_USAGE A3");
    refuse_signer(test_the_world->shop->tls, "the connection's own", "CERT_USAGE A3");
    refuse_signer(test_the_world->shop->gateway_sign, "a gateway's", "CERT_ROLE A3");
    refuse_signer(others->cardholder, "a cardholder's", "CERT_ROLE A3");
    shown = others->renewed_sign;
    (void)test_world_refuses_offer(&kept_back, NULL);
}

/* ------------------------------------------------------------------ rule A3: lists */

static struct setpay_buffer list;
static bool mastercard;

static void shows_list(struct test_shop *shop, struct test_cast *cast)
{
    const struct test_others *others = &test_the_world->others;
    (void)shop;
    if (shown != NULL)
        cast->signer = cast->key = shown;
    if (mastercard) {
        cast->signer = cast->key = others->brand_sign;
        cast->gateway_sign = others->brand_gateway_sign;
        cast->gateway_encrypt = others->brand_gateway_encrypt;
    }
    cast->crls[0] = list.size > 0 ? &list : NULL;
}

/* As a CA would have published it before it revoked anything. It counts on from the list that the
 * wallet holds. */
static void make_list(struct test_pki *pki, const char *brand, enum setpay_ca_kind kind,
                      enum test_crl_defect defect)
{
    struct test_pki_ca *ca = test_pki_ca(pki, brand, kind);
    size_t revoked = ca->revoked_count;
    uint64_t number = ca->crl_number;
    ca->revoked_count = 0;
    test_pki_crl(pki, brand, kind, pki->now_ms, defect, &list);
    ca->revoked_count = revoked;
    ca->crl_number = number;
}

static void expect_list_refused(const char *words)
{
    assert_string_equal(test_daemon_refusal(&test_the_world->wallet->daemon, "crl.refused", NULL),
                        words);
    test_world_attacks++;
}

/* Rule A3: a revoked merchant brings a list that does not have it. */
static void a_worse_list_does_not_replace_a_better_one(void **state)
{
    static const struct {
        enum test_crl_defect defect;
        const char *expected;
    } rows[] = {
        {TEST_CRL_OLDER_NUMBER, "CRL_OLDER A3"}, {TEST_CRL_SAME_NUMBER, "CRL_OLDER A3"},
        {TEST_CRL_STALE, "CRL_STALE A3"},        {TEST_CRL_FUTURE, "CRL_INVALID A3"},
        {TEST_CRL_LONG_LIFE, "CRL_INVALID A3"},  {TEST_CRL_FORGED, "CRL_INVALID A3"},
        {TEST_CRL_NO_NUMBER, "CRL_INVALID A3"},  {TEST_CRL_NO_AKI, "CRL_INVALID A3"},
        {TEST_CRL_DELTA, "CRL_INVALID A3"},      {TEST_CRL_PARTIAL, "CRL_INVALID A3"},
    };
    const struct test_lie lie = {.what = "a revoked merchant with a list of its own",
                                 .expected = "CERT_REVOKED A3",
                                 .cast = shows_list};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        shown = test_the_world->others.revoked_sign;
        make_list(test_the_world->pki, "visa", SETPAY_CA_MERCHANT, rows[i].defect);
        (void)test_world_refuses_offer(&lie, NULL);
        expect_list_refused(rows[i].expected);
    }
    /* Of the CA's name, by a stranger's key; of another CA, which has not revoked it. */
    make_list(test_the_world->others.stranger_pki, "visa", SETPAY_CA_MERCHANT, TEST_CRL_GOOD);
    (void)test_world_refuses_offer(&lie, NULL);
    expect_list_refused("CERT_MISSING A3");
    setpay_buffer_reset(&list);
}

/* Rule A3: a list that is no good does not hurt who is good, and leaves no trace. */
static void a_bad_list_changes_nothing(void **state)
{
    const struct test_lie lie = {.cast = shows_list};
    json_t *prepared = NULL;
    (void)state;
    shown = NULL;
    char *before = test_world_dump();
    make_list(test_the_world->pki, "visa", SETPAY_CA_MERCHANT, TEST_CRL_OLDER_NUMBER);
    test_shop_lie(test_the_world->shop, &lie, NULL, true, false, false);
    assert_int_equal(test_world_prepare(NULL, &prepared), SETPAY_OK);
    expect_list_refused("CRL_OLDER A3");
    test_world_unchanged(before);
    json_decref(prepared);
    setpay_buffer_reset(&list);
}

/* Rule A3: without a list of the gateway's CA nothing is signed, whatever is shown for one. */
static void a_missing_list_is_not_made_up_for(void **state)
{
    const struct test_lie lie = {
        .what = "no list of mastercard's PCA", .expected = "CRL_MISSING A3", .cast = shows_list};
    struct test_pki *pki = test_the_world->pki;
    json_t *prepared = NULL;
    (void)state;
    shown = NULL;
    mastercard = true;
    test_world_card = "other";
    (void)test_world_refuses_offer(&lie, NULL);
    make_list(pki, "mastercard", SETPAY_CA_GATEWAY, TEST_CRL_STALE);
    (void)test_world_refuses_offer(&lie, NULL);
    expect_list_refused("CRL_STALE A3");
    make_list(pki, "mastercard", SETPAY_CA_GATEWAY, TEST_CRL_FORGED);
    (void)test_world_refuses_offer(&lie, NULL);
    expect_list_refused("CRL_INVALID A3");
    /* Good lists of the wrong CAs; older ones, so that the wallet does not learn them. */
    make_list(pki, "visa", SETPAY_CA_GATEWAY, TEST_CRL_OLDER_NUMBER);
    (void)test_world_refuses_offer(&lie, NULL);
    expect_list_refused("CRL_OLDER A3");
    make_list(pki, "mastercard", SETPAY_CA_MERCHANT, TEST_CRL_OLDER_NUMBER);
    (void)test_world_refuses_offer(&lie, NULL);
    /* And the right one, brought by the same merchant, is all that was missing. */
    make_list(pki, "mastercard", SETPAY_CA_GATEWAY, TEST_CRL_GOOD);
    test_shop_lie(test_the_world->shop, &lie, NULL, true, false, false);
    assert_int_equal(test_world_prepare("other", &prepared), SETPAY_OK);
    json_decref(prepared);
    test_world_settle();
    setpay_buffer_reset(&list);
    mastercard = false;
    test_world_card = NULL;
}

/* Rule A3: lists past their next update stop everything, before anything is asked. */
static void stale_lists_stop_everything(void **state)
{
    const struct test_lie lie = {.what = "lists past their next update",
                                 .expected = "CRL_STALE A3"};
    (void)state;
    test_wallet_set_clock(test_the_world->wallet, 23 * SETPAY_HOUR_MS);
    size_t asked = test_world_refuses_offer(&lie, NULL);
    test_wallet_set_clock(test_the_world->wallet, 0);
    assert_int_equal(asked, 0);
}

/* ------------------------------------------------------------------ the program */

static void refuses(void **state)
{
    (void)test_world_refuses_offer(*state, NULL);
}

static int set_up(void **state)
{
    (void)state;
    setpay_buffer_init(&list, SETPAY_LIMIT_CRL_BYTES);
    (void)test_world_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_buffer_clear(&list);
    test_world_free(test_the_world);
    return 0;
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(every_field_out_of_form_is_refused),
        cmocka_unit_test(what_stands_behind_is_refused),
        cmocka_unit_test(defective_certificates_are_refused),
        cmocka_unit_test(borrowed_certificates_are_refused),
        cmocka_unit_test(a_worse_list_does_not_replace_a_better_one),
        cmocka_unit_test(a_bad_list_changes_nothing),
        cmocka_unit_test(a_missing_list_is_not_made_up_for),
        cmocka_unit_test(stale_lists_stop_everything),
    };
    struct CMUnitTest tests[COUNT(forms) + COUNT(others)];
    for (size_t i = 0; i < COUNT(forms); i++)
        tests[i] = (struct CMUnitTest){.name = forms[i].what,
                                       .test_func = refuses,
                                       .initial_state = (void *)(uintptr_t)&forms[i]};
    memcpy(tests + COUNT(forms), others, sizeof others);
    int failed = _cmocka_run_group_tests("walletd_form", tests, COUNT(tests), set_up, tear_down);
    test_world_tally();
    return failed;
}
