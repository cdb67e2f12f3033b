/*
 * The outer Message: its form (A1), signature and sender (A2, A3), answers (A4), dates (A5), and
 * what travels beside it; each defect with its exact error.
 */
#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/wire/checks.h"
#include "common/wire/signed.h"
#include "common/wire/thumbs.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"

#include "proto/setpay/v1/message.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct test_pki *pki;
static struct setpay_trust *trust;
static struct test_party *merchant;
static struct test_party *other;
static struct test_party *gateway;
static struct setpay_buffer content; /* of an AuthReq */
static struct setpay_buffer bytes;

static void build_auth_req(void)
{
    struct setpay_message_parts parts = {
        .type = SETPAY_MESSAGE_AUTH_REQ,
        .content = setpay_buffer_view(&content),
        .key = merchant->signing_key,
        .signer = &merchant->thumbprint,
        .envelope = setpay_view_string("not looked into here"),
    };
    struct setpay_view certificates[] = {setpay_buffer_view(&merchant->der), merchant->chain[0],
                                         merchant->chain[1]};
    parts.certificates = certificates;
    parts.certificate_count = 3;
    assert_int_equal(setpay_message_build(&parts, &bytes), SETPAY_OK);
}

static void parse_ok(struct setpay_message *message)
{
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&bytes), message), SETPAY_OK);
}

static void test_a_signed_message_comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct setpay_message message;
    struct setpay_certificate *certificate = NULL;
    build_auth_req();
    parse_ok(&message);
    assert_int_equal(message.type, SETPAY_MESSAGE_AUTH_REQ);
    assert_true(message.is_signed);
    assert_true(setpay_digest_equal(&message.signer, &merchant->thumbprint));
    assert_true(setpay_view_equal(message.content, setpay_buffer_view(&content)));
    assert_int_equal(message.certificate_count, 3);
    assert_true(setpay_view_equal(setpay_message_certificate(&message, &merchant->thumbprint),
                                  setpay_buffer_view(&merchant->der)));
    assert_int_equal(setpay_message_certificate(&message, &other->thumbprint).size, 0);
    assert_int_equal(setpay_message_authenticate(&message, trust, SETPAY_PROFILE_MERCHANT_SIGN,
                                                 "alpha", TEST_PKI_NOW_MS, &certificate),
                     SETPAY_OK);
    assert_string_equal(setpay_certificate_id(certificate), "shop-1");
    setpay_certificate_unref(certificate);
    setpay_message_clear(&message);
    setpay_message_clear(&message);
}

/* ------------------------------------------------------------------ form: A1 */

/* Changes the unpacked message, packs it again, and expects an error. */
typedef void change_fn(Setpay__V1__Message *pb);

static void expect_changed(change_fn *change, enum setpay_error expected)
{
    struct setpay_message message;
    build_auth_req();
    Setpay__V1__Message *pb = setpay__v1__message__unpack(NULL, bytes.size, bytes.data);
    assert_non_null(pb);
    Setpay__V1__Message copy = *pb;
    Setpay__V1__Signed is = *pb->signed_;
    copy.signed_ = &is;
    change(&copy);
    size_t size = setpay__v1__message__get_packed_size(&copy);
    uint8_t *packed = malloc(size);
    assert_non_null(packed);
    setpay__v1__message__pack(&copy, packed);
    memset(&message, 0x5a, sizeof(message));
    enum setpay_error error = setpay_message_parse(setpay_view_of(packed, size), &message);
    if (error == SETPAY_OK)
        setpay_message_clear(&message);
    free(packed);
    setpay__v1__message__free_unpacked(pb, NULL);
    assert_string_equal(setpay_error_name(error), setpay_error_name(expected));
}

static uint8_t zeros[SETPAY_LIMIT_MESSAGE_BYTES];

static void nothing(Setpay__V1__Message *pb)
{
    (void)pb;
}
static void version(Setpay__V1__Message *pb)
{
    pb->version = 2;
}
static void large_version(Setpay__V1__Message *pb)
{
    pb->version = 300;
}
static void suite(Setpay__V1__Message *pb)
{
    pb->signed_->suite = 2;
}
static void unknown_type(Setpay__V1__Message *pb)
{
    pb->signed_->type = (Setpay__V1__MessageType)27;
}
static void negative_type(Setpay__V1__Message *pb)
{
    pb->signed_->type = (Setpay__V1__MessageType)-1;
}
static void receipt_type(Setpay__V1__Message *pb)
{
    pb->signed_->type = SETPAY__V1__MESSAGE_TYPE__RECEIPT;
    pb->has_envelope = 0;
}
static void no_signature(Setpay__V1__Message *pb)
{
    pb->signed_->has_signature = 0;
}
static void no_signer(Setpay__V1__Message *pb)
{
    pb->signed_->has_signer = 0;
}
static void unsigned_at_all(Setpay__V1__Message *pb)
{
    pb->signed_->has_signature = pb->signed_->has_signer = 0;
}
static void short_signer(Setpay__V1__Message *pb)
{
    pb->signed_->signer.len = 31;
}
static void short_signature(Setpay__V1__Message *pb)
{
    pb->signed_->signature.len = 7;
}
static void long_signature(Setpay__V1__Message *pb)
{
    pb->signed_->signature = (ProtobufCBinaryData){73, zeros};
}
static void empty_content(Setpay__V1__Message *pb)
{
    pb->signed_->content.len = 0;
}
static void big_content(Setpay__V1__Message *pb)
{
    pb->signed_->content = (ProtobufCBinaryData){SETPAY_LIMIT_CONTENT_BYTES + 1, zeros};
}
static void big_envelope(Setpay__V1__Message *pb)
{
    pb->envelope = (ProtobufCBinaryData){SETPAY_LIMIT_ENVELOPE_BYTES + 1, zeros};
}
static void empty_envelope(Setpay__V1__Message *pb)
{
    pb->envelope.len = 0;
}
static void envelope_elsewhere(Setpay__V1__Message *pb)
{
    pb->signed_->type = SETPAY__V1__MESSAGE_TYPE__AUTH_RES;
}
static void signed_preq(Setpay__V1__Message *pb)
{
    pb->signed_->type = SETPAY__V1__MESSAGE_TYPE__P_REQ;
}
static void preq_without_envelope(Setpay__V1__Message *pb)
{
    unsigned_at_all(pb);
    pb->signed_->type = SETPAY__V1__MESSAGE_TYPE__P_REQ;
    pb->has_envelope = 0;
}
static void big_message(Setpay__V1__Message *pb)
{
    static ProtobufCBinaryData two[2] = {{SETPAY_LIMIT_CRL_BESIDE_BYTES, zeros},
                                         {SETPAY_LIMIT_CRL_BESIDE_BYTES, zeros}};
    pb->n_crls = 2;
    pb->crls = two;
}
static void big_crl(Setpay__V1__Message *pb)
{
    static ProtobufCBinaryData one = {SETPAY_LIMIT_CRL_BESIDE_BYTES + 1, zeros};
    pb->n_crls = 1;
    pb->crls = &one;
}
static void big_certificate(Setpay__V1__Message *pb)
{
    pb->certificates[0].len = 0; /* keep the free function from seeing our bytes */
    static ProtobufCBinaryData one = {SETPAY_LIMIT_CERTIFICATE_BYTES + 1, zeros};
    pb->n_certificates = 1;
    pb->certificates = &one;
}
static void empty_certificate(Setpay__V1__Message *pb)
{
    pb->certificates[1].len = 0;
}
static ProtobufCBinaryData many[SETPAY_LIMIT_CERTIFICATES + 1];
static void many_certificates(Setpay__V1__Message *pb)
{
    pb->n_certificates = SETPAY_LIMIT_CERTIFICATES + 1;
    pb->certificates = many;
}
static void many_crls(Setpay__V1__Message *pb)
{
    pb->n_crls = SETPAY_LIMIT_CRLS + 1;
    pb->crls = many;
}

/* rule A1 */
static void test_each_part_out_of_form_has_its_error(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
        many[i] = (ProtobufCBinaryData){1, zeros};
    expect_changed(nothing, SETPAY_OK);
    expect_changed(version, SETPAY_E_VERSION);
    expect_changed(large_version, SETPAY_E_VERSION);
    expect_changed(suite, SETPAY_E_SUITE);
    expect_changed(unknown_type, SETPAY_E_MESSAGE_TYPE);
    expect_changed(negative_type, SETPAY_E_MESSAGE_TYPE);
    expect_changed(receipt_type, SETPAY_E_MESSAGE_TYPE);
    expect_changed(no_signature, SETPAY_E_FIELD);
    expect_changed(no_signer, SETPAY_E_FIELD);
    expect_changed(unsigned_at_all, SETPAY_E_UNSIGNED);
    expect_changed(short_signer, SETPAY_E_FIELD);
    expect_changed(short_signature, SETPAY_E_FIELD);
    expect_changed(long_signature, SETPAY_E_FIELD);
    expect_changed(empty_content, SETPAY_E_FIELD);
    expect_changed(big_content, SETPAY_E_TOO_BIG);
    expect_changed(big_envelope, SETPAY_E_TOO_BIG);
    expect_changed(empty_envelope, SETPAY_E_FIELD);
    expect_changed(envelope_elsewhere, SETPAY_E_FIELD);
    expect_changed(signed_preq, SETPAY_E_FIELD);
    expect_changed(preq_without_envelope, SETPAY_E_FIELD);
    expect_changed(big_message, SETPAY_E_TOO_BIG);
    expect_changed(big_crl, SETPAY_E_TOO_BIG);
    expect_changed(big_certificate, SETPAY_E_TOO_BIG);
    expect_changed(empty_certificate, SETPAY_E_FIELD);
    expect_changed(many_certificates, SETPAY_E_TOO_BIG);
    expect_changed(many_crls, SETPAY_E_TOO_BIG);
}

static void test_cut_off_or_continued_it_is_refused(void **state)
{
    (void)state;
    struct setpay_message message;
    build_auth_req();
    for (size_t size = 0; size < bytes.size; size++) {
        enum setpay_error error = setpay_message_parse(setpay_view_of(bytes.data, size), &message);
        if (error == SETPAY_OK) /* between the fields beside the signature */
            setpay_message_clear(&message);
        else
            assert_true(error == SETPAY_E_MALFORMED || error == SETPAY_E_FIELD);
    }
    static const uint8_t unknown[] = {0xc0, 0x3e, 0x01}; /* field 1000 */
    assert_int_equal(setpay_buffer_append(&bytes, SETPAY_VIEW_ARRAY(unknown)), SETPAY_OK);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&bytes), &message),
                     SETPAY_E_NOT_CANONICAL);
}

static void test_build_refuses_what_parse_would(void **state)
{
    (void)state;
    struct setpay_message_parts parts = {.type = SETPAY_MESSAGE_AUTH_REQ,
                                         .content = setpay_buffer_view(&content)};
    assert_int_equal(setpay_message_build(&parts, &bytes), SETPAY_E_UNSIGNED);
    parts.key = merchant->signing_key;
    assert_int_equal(setpay_message_build(&parts, &bytes), SETPAY_E_FIELD);
    parts.signer = &merchant->thumbprint;
    parts.type = SETPAY_MESSAGE_PINIT_REQ;
    assert_int_equal(setpay_message_build(&parts, &bytes), SETPAY_E_FIELD);
    parts.type = (enum setpay_message_type)27;
    assert_int_equal(setpay_message_build(&parts, &bytes), SETPAY_E_MESSAGE_TYPE);
    parts.type = SETPAY_MESSAGE_AUTH_REQ;
    parts.content = setpay_view_of(zeros, SETPAY_LIMIT_CONTENT_BYTES + 1);
    assert_int_equal(setpay_message_build(&parts, &bytes), SETPAY_E_TOO_BIG);
}

/* ------------------------------------------------------------------ signature: A2, A3 */

/* rule A2 */
static void test_a_signature_is_for_these_bytes_type_suite_and_signer(void **state)
{
    (void)state;
    struct setpay_message message;
    build_auth_req();
    parse_ok(&message);
    assert_int_equal(setpay_message_verify(&message, merchant->certificate), SETPAY_OK);
    assert_int_equal(setpay_message_verify(&message, other->certificate), SETPAY_E_SENDER);
    message.type = SETPAY_MESSAGE_AUTH_REV_REQ;
    assert_int_equal(setpay_message_verify(&message, merchant->certificate), SETPAY_E_SIGNATURE);
    message.type = SETPAY_MESSAGE_AUTH_REQ;
    message.suite = 2;
    assert_int_equal(setpay_message_verify(&message, merchant->certificate), SETPAY_E_SUITE);
    message.suite = 1;
    message.content.size--;
    assert_int_equal(setpay_message_verify(&message, merchant->certificate), SETPAY_E_SIGNATURE);
    message.content.size++;
    message.is_signed = false;
    assert_int_equal(setpay_message_verify(&message, merchant->certificate), SETPAY_E_UNSIGNED);
    setpay_message_clear(&message);
    /* Any changed bit of content or signature. */
    struct setpay_view whole = setpay_buffer_view(&bytes);
    parse_ok(&message);
    uint8_t *changed = malloc(whole.size);
    assert_non_null(changed);
    memcpy(changed, whole.data, whole.size);
    for (size_t i = 0; i + message.content.size <= whole.size; i++)
        if (memcmp(changed + i, message.content.data, message.content.size) == 0) {
            changed[i + 20] ^= 1;
            break;
        }
    setpay_message_clear(&message);
    assert_int_equal(setpay_message_parse(setpay_view_of(changed, whole.size), &message),
                     SETPAY_OK);
    assert_int_equal(setpay_message_verify(&message, merchant->certificate), SETPAY_E_SIGNATURE);
    setpay_message_clear(&message);
    free(changed);
}

/* rule A3 */
static void test_authentication_needs_a_certificate_of_the_right_place(void **state)
{
    (void)state;
    struct setpay_message message;
    struct setpay_certificate *certificate = NULL;
    build_auth_req();
    parse_ok(&message);
    assert_int_equal(setpay_message_authenticate(&message, trust, SETPAY_PROFILE_GATEWAY_SIGN,
                                                 "alpha", TEST_PKI_NOW_MS, &certificate),
                     SETPAY_E_CERT_ROLE);
    assert_int_equal(setpay_message_authenticate(&message, trust, SETPAY_PROFILE_MERCHANT_SIGN,
                                                 "beta", TEST_PKI_NOW_MS, &certificate),
                     SETPAY_E_BRANDS_MIXED);
    /* Left out, and known by now or not known. */
    message.certificate_count = 0;
    assert_int_equal(setpay_message_find(&message, trust, &other->thumbprint,
                                         SETPAY_PROFILE_MERCHANT_SIGN, NULL, TEST_PKI_NOW_MS,
                                         &certificate),
                     SETPAY_E_CERT_MISSING);
    assert_null(certificate);
    setpay_message_clear(&message);
}

static void test_sender_and_receiver_are_those_that_are_named(void **state)
{
    (void)state;
    struct setpay_message message = {.type = SETPAY_MESSAGE_AUTH_REQ, .is_signed = true};
    struct setpay_request_header header = {.has_sender = true, .has_receiver = true};
    struct setpay_digest us = test_digest(1), them = test_digest(2), stranger = test_digest(3);
    message.signer = header.sender = them;
    header.receiver = us;
    /* rule A2 */
    assert_int_equal(setpay_request_check(&message, &header, &us, "gateway-1"), SETPAY_OK);
    assert_int_equal(setpay_request_check(&message, &header, &stranger, NULL), SETPAY_E_RECEIVER);
    assert_int_equal(setpay_request_check(&message, &header, NULL, "gateway-1"), SETPAY_E_RECEIVER);
    header.sender = stranger;
    assert_int_equal(setpay_request_check(&message, &header, &us, NULL), SETPAY_E_SENDER);
    header.has_sender = false;
    assert_int_equal(setpay_request_check(&message, &header, &us, NULL), SETPAY_E_SENDER);
    /* By name: a host in any letter case, an id exactly, and only where we say a name. */
    header.has_receiver = false;
    strcpy(header.receiver_name, "Shop.example");
    message = (struct setpay_message){.type = SETPAY_MESSAGE_PINIT_REQ};
    assert_int_equal(setpay_request_check(&message, &header, NULL, "shop.example"), SETPAY_OK);
    assert_int_equal(setpay_request_check(&message, &header, &us, NULL), SETPAY_E_RECEIVER);
    assert_int_equal(setpay_request_check(&message, &header, NULL, "shop.example.org"),
                     SETPAY_E_RECEIVER);
    message.type = SETPAY_MESSAGE_PCERT_REQ;
    assert_int_equal(setpay_request_check(&message, &header, NULL, "shop.example"),
                     SETPAY_E_RECEIVER);
}

/* ------------------------------------------------------------------ dates: A5 */

static void test_a_date_is_good_for_five_minutes_either_way(void **state)
{
    (void)state;
    const setpay_time_ms now = TEST_DATE_MS, five = 5 * SETPAY_MINUTE_MS;
    /* rule A5 */
    assert_int_equal(setpay_date_check(now, now), SETPAY_OK);
    assert_int_equal(setpay_date_check(now - five, now), SETPAY_OK);
    assert_int_equal(setpay_date_check(now + five, now), SETPAY_OK);
    assert_int_equal(setpay_date_check(now - five - 1, now), SETPAY_E_DATE);
    assert_int_equal(setpay_date_check(now + five + 1, now), SETPAY_E_DATE);
    assert_int_equal(setpay_date_check(1, now), SETPAY_E_DATE);
    assert_int_equal(setpay_expiry_check(now, now), SETPAY_OK);
    assert_int_equal(setpay_expiry_check(now - 1, now), SETPAY_E_EXPIRED);
}

/* ------------------------------------------------------------------ answers: A4 */

static void test_an_answer_is_to_this_question_by_who_was_asked(void **state)
{
    (void)state;
    struct setpay_message message = {.type = SETPAY_MESSAGE_AUTH_RES, .is_signed = true};
    struct setpay_asked asked = {.rrpid = test_id(1),
                                 .request_hash = test_digest(2),
                                 .has_answerer = true,
                                 .answerer = test_digest(3),
                                 .has_asker = true,
                                 .asker = test_digest(4)};
    const struct setpay_response_header good = {.rrpid = asked.rrpid,
                                                .request_hash = asked.request_hash,
                                                .date_ms = TEST_DATE_MS,
                                                .sender = asked.answerer,
                                                .has_receiver = true,
                                                .receiver = asked.asker};
    struct setpay_response_header header = good;
    message.signer = asked.answerer;
    /* rule A4 */
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_OK);
    header.rrpid.bytes[15] ^= 1;
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_E_ANSWER_IDS);
    header = good;
    header.request_hash.bytes[0] ^= 1;
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_E_ANSWER_REQUEST);
    header = good;
    header.receiver.bytes[0] ^= 1;
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_E_ANSWER_PARTIES);
    header = good;
    header.has_receiver = false;
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_E_ANSWER_PARTIES);
    header = good;
    header.sender.bytes[0] ^= 1;
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_E_ANSWER_SIGNER);
    message.signer = header.sender; /* signed by the stranger it names */
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_E_ANSWER_SIGNER);
    asked.has_answerer = false; /* PInitReq: who answers is not known before */
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_OK);
    message.is_signed = false;
    assert_int_equal(setpay_answer_check(&message, &header, &asked), SETPAY_E_ANSWER_SIGNER);
}

static void test_a_refusal_says_what_it_refuses(void **state)
{
    (void)state;
    struct setpay_message request, answer;
    struct setpay_error_report report;
    build_auth_req();
    parse_ok(&request);
    struct setpay_id rrpid = test_id(0x10);
    struct setpay_asked asked = {
        .rrpid = rrpid, .has_answerer = true, .answerer = gateway->thumbprint};
    assert_int_equal(setpay_message_request_hash(&request, &asked.request_hash), SETPAY_OK);
    struct setpay_refusal refusal = {.error = SETPAY_E_DATE,
                                     .message = &request,
                                     .rrpid = &rrpid,
                                     .key = gateway->signing_key,
                                     .signer = &gateway->thumbprint};
    assert_int_equal(setpay_refusal_build(&refusal, TEST_DATE_MS, &bytes), SETPAY_OK);
    parse_ok(&answer);
    assert_int_equal(setpay_message_verify(&answer, gateway->certificate), SETPAY_OK);
    assert_int_equal(setpay_error_report_parse(answer.content, &report), SETPAY_OK);
    assert_int_equal(report.code, SETPAY_WIRE_DATE);
    assert_int_equal(setpay_error_report_meaning(&answer, &report, &asked, NULL),
                     SETPAY_E_PEER_DATE);
    asked.rrpid = test_id(0x11);
    assert_int_equal(setpay_error_report_meaning(&answer, &report, &asked, NULL),
                     SETPAY_E_ANSWER_IDS);
    asked.rrpid = rrpid;
    asked.answerer = other->thumbprint;
    assert_int_equal(setpay_error_report_meaning(&answer, &report, &asked, NULL),
                     SETPAY_E_ANSWER_SIGNER);
    asked.answerer = gateway->thumbprint;
    asked.request_hash.bytes[0] ^= 1;
    assert_int_equal(setpay_error_report_meaning(&answer, &report, &asked, NULL),
                     SETPAY_E_ANSWER_REQUEST);
    setpay_message_clear(&answer);
    /* Of what could not be read, unsigned. */
    struct setpay_digest raw;
    struct setpay_view noise = setpay_view_string("noise");
    assert_int_equal(setpay_raw_hash(noise, &raw), SETPAY_OK);
    refusal = (struct setpay_refusal){.error = SETPAY_E_MALFORMED, .raw = noise};
    assert_int_equal(setpay_refusal_build(&refusal, TEST_DATE_MS, &bytes), SETPAY_OK);
    parse_ok(&answer);
    assert_false(answer.is_signed);
    assert_int_equal(setpay_error_report_parse(answer.content, &report), SETPAY_OK);
    assert_int_equal(setpay_error_report_meaning(&answer, &report, &asked, &raw),
                     SETPAY_E_PEER_REFUSED);
    assert_int_equal(setpay_error_report_meaning(&answer, &report, &asked, NULL),
                     SETPAY_E_ANSWER_REQUEST);
    setpay_message_clear(&answer);
    setpay_message_clear(&request);
}

/* ------------------------------------------------------------------ beside */

static void test_what_the_peer_listed_is_left_out(void **state)
{
    (void)state;
    struct setpay_thumbs known = {.count = 0};
    struct setpay_beside beside;
    struct setpay_certificate *verified = NULL;
    assert_int_equal(setpay_trust_verify(trust, setpay_buffer_view(&merchant->der), merchant->chain,
                                         2, SETPAY_PROFILE_MERCHANT_SIGN, "alpha", TEST_PKI_NOW_MS,
                                         &verified),
                     SETPAY_OK);
    setpay_beside_init(&beside);
    assert_int_equal(setpay_beside_add_chain(&beside, NULL, trust, verified), SETPAY_OK);
    assert_int_equal(setpay_beside_add_chain(&beside, NULL, trust, verified), SETPAY_OK);
    assert_int_equal(beside.certificate_count, 3);
    assert_int_equal(setpay_beside_add_crls(&beside, NULL, trust, "alpha", TEST_PKI_NOW_MS, 0),
                     SETPAY_OK);
    assert_int_equal(beside.crl_count, 5); /* root, brand CA, CCA, MCA, PCA */
    setpay_beside_clear(&beside);
    /* Room for a few alone: a message without the rest is better than none. */
    setpay_beside_init(&beside);
    assert_int_equal(setpay_beside_add_crls(&beside, NULL, trust, "alpha", TEST_PKI_NOW_MS,
                                            SETPAY_LIMIT_MESSAGE_BYTES - 1400),
                     SETPAY_OK);
    assert_in_range(beside.crl_count, 1, 4);
    setpay_beside_clear(&beside);
    setpay_beside_init(&beside);
    assert_int_equal(setpay_beside_add_crls(&beside, NULL, trust, "alpha", TEST_PKI_NOW_MS,
                                            SETPAY_LIMIT_MESSAGE_BYTES),
                     SETPAY_OK);
    assert_int_equal(beside.crl_count, 0);
    setpay_beside_clear(&beside);
    setpay_thumbs_add_trust(&known, trust, false);
    assert_false(setpay_thumbs_has(&known, &merchant->thumbprint));
    assert_int_equal(setpay_beside_add_chain(&beside, &known, trust, verified), SETPAY_OK);
    assert_int_equal(setpay_beside_add_crls(&beside, &known, trust, "alpha", TEST_PKI_NOW_MS, 0),
                     SETPAY_OK);
    assert_int_equal(beside.certificate_count, 1);
    assert_int_equal(beside.crl_count, 0);
    setpay_beside_clear(&beside);
    setpay_thumbs_add_trust(&known, trust, true);
    assert_true(setpay_thumbs_has(&known, &merchant->thumbprint));
    struct setpay_digest more = test_digest(0);
    for (uint8_t i = 0; i < 2 * SETPAY_LIMIT_THUMBS; i++) {
        more.bytes[0] = i;
        bool room = known.count < SETPAY_LIMIT_THUMBS;
        assert_int_equal(setpay_thumbs_add(&known, &more), room);
    }
    assert_int_equal(known.count, SETPAY_LIMIT_THUMBS);
    setpay_certificate_unref(verified);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const brands[] = {"alpha", "beta", NULL};
    if (setpay_secret_system_init() != SETPAY_OK)
        return -1;
    pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    trust = test_pki_trust(pki);
    merchant = test_party_new(pki, "alpha", SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    other = test_party_new(pki, "alpha", SETPAY_PROFILE_MERCHANT_SIGN, "shop-2", NULL);
    gateway = test_party_new(pki, "alpha", SETPAY_PROFILE_GATEWAY_SIGN, "gateway-1", NULL);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&bytes, 2 * SETPAY_LIMIT_MESSAGE_BYTES);
    struct setpay_auth_req request = {.intent = 0};
    test_fill_auth_req(&request);
    return setpay_auth_req_build(&request, &content) == SETPAY_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&bytes);
    test_party_free(merchant);
    test_party_free(other);
    test_party_free(gateway);
    setpay_trust_free(trust);
    test_pki_free(pki);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signed_message_comes_out_as_it_went_in),
        cmocka_unit_test(test_each_part_out_of_form_has_its_error),
        cmocka_unit_test(test_cut_off_or_continued_it_is_refused),
        cmocka_unit_test(test_build_refuses_what_parse_would),
        cmocka_unit_test(test_a_signature_is_for_these_bytes_type_suite_and_signer),
        cmocka_unit_test(test_authentication_needs_a_certificate_of_the_right_place),
        cmocka_unit_test(test_sender_and_receiver_are_those_that_are_named),
        cmocka_unit_test(test_a_date_is_good_for_five_minutes_either_way),
        cmocka_unit_test(test_an_answer_is_to_this_question_by_who_was_asked),
        cmocka_unit_test(test_a_refusal_says_what_it_refuses),
        cmocka_unit_test(test_what_the_peer_listed_is_left_out),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
