/*
 * A lying gateway before a running merchant: its answers to AuthReq. It has a gateway's keys, hears
 * what the real gateway says, and says something else: about another payment, another merchant,
 * another question; signed by somebody else, or by nobody; in a form that is none; or nothing.
 *
 * What the merchant makes of each: the rule's error in its log, as if nothing had come; no row
 * moves, no shopper is told anything, and the same request comes again. When the gateway behaves
 * again, the purchase ends with what gateway and issuer hold.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_lied_sale.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 280
#define COMBINATIONS 30
/* Lies are told on threads of the lying gateway, where no test can fail but by ending all. */
#define NEED_OK(expression)                                                                        \
    do {                                                                                           \
        if ((expression) != SETPAY_OK) {                                                           \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #expression);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static struct test_market market;
static struct test_gateway *gateway;
static struct test_false_gateway *liar;

/* Who else might sign. Made once: certificates are no secret of the moment. */
static struct signers {
    struct test_party *other_gateway, *second_certificate, *revoked, *expired, *forged;
} signers;

/* An answer of an earlier purchase, as it came. */
static struct setpay_buffer earlier;

/* ------------------------------------------------------------------ what is said */

typedef void change_fn(struct setpay_auth_res *res);

static void other_xid(struct setpay_auth_res *res)
{
    res->xid.bytes[0] ^= 1;
}

static void other_brand(struct setpay_auth_res *res)
{
    (void)snprintf(res->brand, sizeof res->brand, "mastercard");
}

static void other_merchant(struct setpay_auth_res *res)
{
    (void)snprintf(res->merchant_id, sizeof res->merchant_id, "other");
}

static void other_cardholder(struct setpay_auth_res *res)
{
    res->cardholder = market.neighbour->party->thumbprint;
}

static void other_encryption(struct setpay_auth_res *res)
{
    res->gateway_encrypt = gateway->encrypt[1]->thumbprint;
}

static void other_pomd(struct setpay_auth_res *res)
{
    res->pomd.bytes[31] ^= 1;
}

static void other_currency(struct setpay_auth_res *res)
{
    (void)snprintf(res->amount.currency, sizeof res->amount.currency, "USD");
}

static void nothing_approved(struct setpay_auth_res *res)
{
    res->amount.minor = 0;
    res->has_cap_token = false;
    res->hold_expiry_ms = 0;
}

static void declined(struct setpay_auth_res *res)
{
    nothing_approved(res);
    res->receipt.kind = SETPAY_RECEIPT_DECLINE;
    res->outcome = SETPAY_AUTH_DECLINED;
    (void)snprintf(res->action_code, sizeof res->action_code, "05");
}

static void voided(struct setpay_auth_res *res)
{
    nothing_approved(res);
    res->outcome = SETPAY_AUTH_VOIDED;
    res->receipt.kind = SETPAY_RECEIPT_VOID;
}

static void other_rrpid(struct setpay_auth_res *res)
{
    res->header.rrpid.bytes[15] ^= 1;
}

static void other_question(struct setpay_auth_res *res)
{
    res->header.request_hash.bytes[0] ^= 1;
}

static void for_other_merchant(struct setpay_auth_res *res)
{
    res->header.receiver = gateway->other.sign->thumbprint;
}

static void for_other_brand(struct setpay_auth_res *res)
{
    res->header.receiver = gateway->shop[1].sign->thumbprint;
}

static void in_other_name(struct setpay_auth_res *res)
{
    res->header.sender = gateway->sign[1]->thumbprint;
}

/* ------------------------------------------------------------------ who says it */

enum signer {
    ITSELF,
    OTHER_GATEWAY,
    SECOND_CERTIFICATE, /* the same gateway's, but not the one in the offer */
    OTHER_BRAND,
    ENCRYPTION,
    TLS_CERTIFICATE,
    MERCHANT_ITSELF,
    OTHER_MERCHANT,
    CARDHOLDER,
    REVOKED,
    EXPIRED,
    FORGED,
};

static const struct test_party *party_of(enum signer signer)
{
    switch (signer) {
    case OTHER_GATEWAY:
        return signers.other_gateway;
    case SECOND_CERTIFICATE:
        return signers.second_certificate;
    case OTHER_BRAND:
        return gateway->sign[1];
    case ENCRYPTION:
        return gateway->encrypt[0];
    case TLS_CERTIFICATE:
        return gateway->tls[0];
    case MERCHANT_ITSELF:
        return gateway->shop[0].sign;
    case OTHER_MERCHANT:
        return gateway->other.sign;
    case CARDHOLDER:
        return market.holder->party;
    case REVOKED:
        return signers.revoked;
    case EXPIRED:
        return signers.expired;
    case FORGED:
        return signers.forged;
    default:
        return gateway->sign[0];
    }
}

/* ------------------------------------------------------------------ in what form */

enum form {
    AS_IT_IS,
    CHANGED_AFTERWARDS, /* a byte of the content, after it was signed */
    KEY_OF_ANOTHER,     /* under the gateway's name, with another key */
    UNSIGNED,
    AS_AUTH_REV_RES,
    AS_PRES,
    SHOWN_AS_REVERSAL, /* signed as AuthRes, shown as AuthRevRes */
    THE_QUESTION,      /* sent back */
    AN_EARLIER_ANSWER,
    NOISE,
    CUT,
    VERSION,
    SUITE,
    UNKNOWN_FIELD, /* in the content, signed */
    FIELD_TWICE,
    DEEP_FIELD,
    WITHOUT_RECEIPT,
    WITHOUT_CAP_TOKEN,
    HUGE_AMOUNT,
    AMOUNT_0,
    OUTCOME_9,
    RECEIPT_1, /* of another kind */
    RECEIPT_2,
    RECEIPT_4,
};

static const uint32_t top[] = {0};
static const uint32_t is_signed[] = {2, 0};

/* What is wrong with a content before it is signed. */
static void spoil_content(enum form form, struct setpay_buffer *content)
{
    static const uint32_t amount[] = {4, 0}, receipt[] = {17, 0};
    static const uint8_t numbers[] = {0, 1, 2, 4, 9}, huge[] = {0x80, 0xa0, 0x94, 0xa5, 0x8d, 0x1d};
    struct setpay_view view = setpay_buffer_view(content);
    switch (form) {
    case UNKNOWN_FIELD:
        test_proto_change(view, top, 0, TEST_PROTO_UNKNOWN, content);
        break;
    case DEEP_FIELD:
        test_proto_change(view, top, 0, TEST_PROTO_UNKNOWN_DEEP, content);
        break;
    case FIELD_TWICE:
        test_proto_change(view, top, 9, TEST_PROTO_TWICE, content);
        break;
    case WITHOUT_RECEIPT:
        test_proto_change(view, top, 17, TEST_PROTO_MISSING, content);
        break;
    case WITHOUT_CAP_TOKEN:
        test_proto_change(view, top, 15, TEST_PROTO_MISSING, content);
        break;
    case HUGE_AMOUNT:
        test_proto_replace(view, amount, 1, SETPAY_VIEW_ARRAY(huge), content);
        break;
    case AMOUNT_0:
        test_proto_replace(view, amount, 1, setpay_view_of(&numbers[0], 1), content);
        break;
    case RECEIPT_1:
    case RECEIPT_2:
    case RECEIPT_4:
        test_proto_replace(view, receipt, 1, setpay_view_of(&numbers[1 + form - RECEIPT_1], 1),
                           content);
        break;
    case OUTCOME_9:
        test_proto_replace(view, top, 3, setpay_view_of(&numbers[4], 1), content);
        break;
    default:
        break;
    }
}

/* What is wrong with a message after it was signed. */
static void spoil_message(enum form form, const struct test_question *q,
                          struct setpay_buffer *answer)
{
    static const uint8_t two = 2, reversal = SETPAY_MESSAGE_AUTH_REV_RES;
    struct setpay_buffer without;
    struct setpay_view view = setpay_buffer_view(answer);
    switch (form) {
    case CHANGED_AFTERWARDS:
        answer->data[answer->size / 8]++; /* inside the content: certificates come behind it */
        break;
    case UNSIGNED:
        setpay_buffer_init(&without, SETPAY_LIMIT_MESSAGE_BYTES);
        test_proto_change(view, is_signed, 4, TEST_PROTO_MISSING, &without);
        test_proto_change(setpay_buffer_view(&without), is_signed, 5, TEST_PROTO_MISSING, answer);
        setpay_buffer_clear(&without);
        break;
    case SHOWN_AS_REVERSAL:
        test_proto_replace(view, is_signed, 2, setpay_view_of(&reversal, 1), answer);
        break;
    case THE_QUESTION:
        NEED_OK(setpay_buffer_set(answer, q->bytes));
        break;
    case AN_EARLIER_ANSWER:
        NEED_OK(setpay_buffer_set(answer, setpay_buffer_view(&earlier)));
        break;
    case NOISE:
        memset(answer->data, 0xa5, answer->size);
        break;
    case CUT:
        answer->size -= 7;
        break;
    case VERSION:
        test_proto_replace(view, top, 1, setpay_view_of(&two, 1), answer);
        break;
    case SUITE:
        test_proto_replace(view, is_signed, 1, setpay_view_of(&two, 1), answer);
        break;
    default:
        break;
    }
}

static enum setpay_message_type type_of(enum form form)
{
    return form == AS_AUTH_REV_RES ? SETPAY_MESSAGE_AUTH_REV_RES
           : form == AS_PRES       ? SETPAY_MESSAGE_P_RES
                                   : SETPAY_MESSAGE_AUTH_RES;
}

/* ------------------------------------------------------------------ the table */

struct lie {
    const char *what;
    const char *expected;
    change_fn *change;
    enum signer signer;
    enum form form;
};

static const struct lie answer_lies[] = {
    /* rule M6: the payment is the one that was asked for */
    {"another xid", "AUTH_MISMATCH M6", other_xid, ITSELF, AS_IT_IS},
    {"another brand", "AUTH_MISMATCH M6", other_brand, ITSELF, AS_IT_IS},
    {"another merchant's id", "AUTH_MISMATCH M6", other_merchant, ITSELF, AS_IT_IS},
    {"another cardholder", "AUTH_MISMATCH M6", other_cardholder, ITSELF, AS_IT_IS},
    {"another encryption certificate", "AUTH_MISMATCH M6", other_encryption, ITSELF, AS_IT_IS},
    {"another POMD", "AUTH_MISMATCH M6", other_pomd, ITSELF, AS_IT_IS},
    {"another currency", "AUTH_MISMATCH M6", other_currency, ITSELF, AS_IT_IS},
    {"a void that nobody asked for", "AUTH_MISMATCH M6", voided, ITSELF, AS_IT_IS},
    /* rule A4: the answer is to this question, for us, by the one who was asked */
    {"another rrpid", "ANSWER_IDS A4", other_rrpid, ITSELF, AS_IT_IS},
    {"another question's hash", "ANSWER_REQUEST A4", other_question, ITSELF, AS_IT_IS},
    {"an answer to another merchant", "ANSWER_PARTIES A4", for_other_merchant, ITSELF, AS_IT_IS},
    {"an answer to us under another brand", "ANSWER_PARTIES A4", for_other_brand, ITSELF, AS_IT_IS},
    {"another sender named", "ANSWER_SIGNER A4", in_other_name, ITSELF, AS_IT_IS},
    {"an earlier answer again", "ANSWER_IDS A4", NULL, ITSELF, AN_EARLIER_ANSWER},
    {"signed by another gateway", "ANSWER_SIGNER A4", NULL, OTHER_GATEWAY, AS_IT_IS},
    {"with a certificate that was not offered", "ANSWER_SIGNER A4", NULL, SECOND_CERTIFICATE,
     AS_IT_IS},
    /* rule A3: who may sign for a gateway */
    {"signed by the gateway of another brand", "BRANDS_MIXED A3", NULL, OTHER_BRAND, AS_IT_IS},
    {"signed with the encryption certificate", "CERT_USAGE A3", NULL, ENCRYPTION, AS_IT_IS},
    {"signed with the TLS certificate", "CERT_USAGE A3", NULL, TLS_CERTIFICATE, AS_IT_IS},
    {"signed by the merchant that asks", "CERT_ROLE A3", NULL, MERCHANT_ITSELF, AS_IT_IS},
    {"signed by another merchant", "CERT_ROLE A3", NULL, OTHER_MERCHANT, AS_IT_IS},
    {"signed by a cardholder", "CERT_ROLE A3", NULL, CARDHOLDER, AS_IT_IS},
    {"signed with a revoked certificate", "CERT_REVOKED A3", NULL, REVOKED, AS_IT_IS},
    {"signed with an expired certificate", "CERT_TIME A3", NULL, EXPIRED, AS_IT_IS},
    {"signed with a forged certificate", "CERT_CHAIN A3", NULL, FORGED, AS_IT_IS},
    /* rule A2: the signature */
    {"changed after it was signed", "SIGNATURE A2", NULL, ITSELF, CHANGED_AFTERWARDS},
    {"the gateway's name and another key", "SIGNATURE A2", NULL, ITSELF, KEY_OF_ANOTHER},
    {"not signed", "UNSIGNED A2", NULL, ITSELF, UNSIGNED},
    /* rule A1: the form */
    {"an AuthRevRes", "MESSAGE_TYPE A1", NULL, ITSELF, AS_AUTH_REV_RES},
    {"a PRes", "MESSAGE_TYPE A1", NULL, ITSELF, AS_PRES},
    {"signed as one message, shown as another", "MESSAGE_TYPE A1", NULL, ITSELF, SHOWN_AS_REVERSAL},
    {"the question itself", "MESSAGE_TYPE A1", NULL, ITSELF, THE_QUESTION},
    {"noise", "MALFORMED A1", NULL, ITSELF, NOISE},
    {"the end cut off", "MALFORMED A1", NULL, ITSELF, CUT},
    {"another version", "VERSION A1", NULL, ITSELF, VERSION},
    {"another suite", "SUITE A1", NULL, ITSELF, SUITE},
    {"an unknown field that is signed", "NOT_CANONICAL A1", NULL, ITSELF, UNKNOWN_FIELD},
    {"an unknown field 200 levels deep", "NOT_CANONICAL A1", NULL, ITSELF, DEEP_FIELD},
    {"a field given twice", "NOT_CANONICAL A1", NULL, ITSELF, FIELD_TWICE},
    {"a decline with an authorisation's receipt", "FIELD A1", declined, ITSELF, RECEIPT_1},
    {"a void with an authorisation's receipt", "FIELD A1", voided, ITSELF, RECEIPT_1},
    {"an approval with a decline's receipt", "FIELD A1", NULL, ITSELF, RECEIPT_2},
    {"an approval with a reversal's receipt", "FIELD A1", NULL, ITSELF, RECEIPT_4},
    {"an approval of nothing", "FIELD A1", NULL, ITSELF, AMOUNT_0},
    {"no receipt", "FIELD A1", NULL, ITSELF, WITHOUT_RECEIPT},
    {"an approval without CapToken", "FIELD A1", NULL, ITSELF, WITHOUT_CAP_TOKEN},
    {"an amount of 10^12", "FIELD A1", NULL, ITSELF, HUGE_AMOUNT},
    {"an outcome that is none", "ENUM A1", NULL, ITSELF, OUTCOME_9},
};
#define ANSWER_LIES (sizeof answer_lies / sizeof *answer_lies)

/* ------------------------------------------------------------------ telling */

/* One lie, or two: their changes both, signer and form of whichever has one. */
struct pair {
    const struct lie *one;
    const struct lie *two; /* NULL */
};

static void sign_answer(enum signer signer, enum form form, struct setpay_view content,
                        struct setpay_buffer *answer)
{
    struct test_party turned = *party_of(signer);
    if (form == KEY_OF_ANOTHER)
        turned.signing_key = signers.other_gateway->signing_key;
    setpay_buffer_clear(answer);
    test_merchant_message(type_of(form), &turned, content, answer);
}

static void tell(const struct test_question *q, const void *arg, struct setpay_buffer *answer)
{
    const struct pair *pair = arg;
    const struct lie *two = pair->two == NULL ? pair->one : pair->two;
    enum signer signer = pair->one->signer != ITSELF ? pair->one->signer : two->signer;
    enum form form = pair->one->form != AS_IT_IS ? pair->one->form : two->form;
    struct setpay_message truth;
    struct setpay_auth_res res;
    struct setpay_buffer content;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    NEED_OK(setpay_message_parse(q->truth, &truth));
    NEED_OK(setpay_auth_res_parse(truth.content, &res));
    res.header.sender = party_of(signer)->thumbprint;
    if (pair->one->change != NULL)
        pair->one->change(&res);
    if (pair->two != NULL && pair->two->change != NULL)
        pair->two->change(&res);
    NEED_OK(setpay_auth_res_build(&res, &content));
    spoil_content(form, &content);
    sign_answer(signer, form, setpay_buffer_view(&content), answer);
    spoil_message(form, q, answer);
    setpay_buffer_clear(&content);
    setpay_message_clear(&truth);
}

static void test_lie(void **state)
{
    const struct pair pair = {.one = *state};
    const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = tell, .arg = &pair};
    test_lied_sale(&market, liar, &lie, pair.one->expected, NULL);
}

/* Two lies at once, by a seed. */
static void test_combinations(void **state)
{
    const char *text = getenv("SEED");
    unsigned seed = text != NULL ? (unsigned)strtoul(text, NULL, 10) : 19970531;
    (void)state;
    print_message("# SEED=%u\n", seed);
    srand(seed);
    for (int i = 0; i < COMBINATIONS; i++) {
        const struct pair pair = {&answer_lies[(size_t)rand() % ANSWER_LIES],
                                  &answer_lies[(size_t)rand() % ANSWER_LIES]};
        const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = tell, .arg = &pair};
        if (pair.one == pair.two)
            continue;
        print_message("# %s; %s\n", pair.one->what, pair.two->what);
        test_lied_sale(&market, liar, &lie, pair.one->expected, pair.two->expected);
    }
}

/* ------------------------------------------------------------------ in another manner */

/* Nothing, half an answer, an answer to nobody, frames that are none. */
struct manner {
    const char *what;
    const char *expected;
    enum test_lie_how how;
    bool says_nothing;
};

static const struct manner manners[] = {
    {"never an answer", "TIMEOUT", TEST_LIE_ONCE, true},
    {"half an answer, and the line is cut", "CLOSED", TEST_LIE_HANG_UP, false},
    {"an answer under another id", "CLOSED", TEST_LIE_OTHER_ID, false},
    {"a frame of four gigabytes", "CLOSED", TEST_LIE_HUGE_FRAME, false},
    {"an empty frame", "CLOSED", TEST_LIE_EMPTY_FRAME, false},
};
#define MANNERS (sizeof manners / sizeof *manners)

static void say_nothing(const struct test_question *q, const void *arg,
                        struct setpay_buffer *answer)
{
    (void)q, (void)arg, (void)answer;
}

static void test_manner(void **state)
{
    const struct manner *manner = *state;
    const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ,
                                 .tell = manner->says_nothing ? say_nothing : NULL,
                                 .how = manner->how};
    test_lied_sale(&market, liar, &lie, manner->expected, NULL);
}

/* An answer that comes twice counts once. */
static void test_twice(void **state)
{
    struct test_sale sale;
    const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ, .how = TEST_LIE_TWICE};
    (void)state;
    test_sale_make(&market, market.holder, &sale);
    test_false_gateway_lie(liar, &lie);
    test_sale_pay(&market, &sale);
    test_false_gateway_behave(liar);
    test_sale_inquire(&market, &sale, setpay_clock_now_ms(), &test_end_authorised);
    test_sale_clear(&sale);
    market.lies++;
}

/* ------------------------------------------------------------------ the world */

/* Keeps the honest answer that goes by. */
static void keep_answer(const struct test_question *q, const void *arg,
                        struct setpay_buffer *answer)
{
    (void)arg;
    NEED_OK(setpay_buffer_set(answer, q->truth));
    NEED_OK(setpay_buffer_set(&earlier, q->truth));
}

static struct test_party *another(const char *id, enum test_pki_defect defect)
{
    return test_party_new_defective(gateway->pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, id, defect);
}

static int open_world(void **state)
{
    const struct test_lie lie = {.to = SETPAY_MESSAGE_AUTH_REQ, .tell = keep_answer};
    struct test_sale sale;
    (void)state;
    setpay_buffer_init(&earlier, SETPAY_LIMIT_MESSAGE_BYTES);
    gateway = test_gateway_new();
    liar = test_false_gateway_new(gateway);
    signers.other_gateway = another("gateway-2", TEST_PKI_GOOD);
    signers.second_certificate = another(TEST_GATEWAY_ID, TEST_PKI_GOOD);
    signers.revoked = another(TEST_GATEWAY_ID, TEST_PKI_GOOD);
    signers.expired = another(TEST_GATEWAY_ID, TEST_PKI_EXPIRED);
    signers.forged = another(TEST_GATEWAY_ID, TEST_PKI_FORGED);
    test_pki_revoke(gateway->pki, signers.revoked);
    test_market_open_with(&market, gateway, test_false_gateway_address(liar), "5m");
    test_false_gateway_lie(liar, &lie);
    test_sale_make(&market, market.holder, &sale);
    test_sale_pay(&market, &sale);
    test_false_gateway_behave(liar);
    test_sale_clear(&sale);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_daemon_kill(&market.merchant->daemon);
    test_false_gateway_free(liar);
    test_party_free(signers.other_gateway);
    test_party_free(signers.second_certificate);
    test_party_free(signers.revoked);
    test_party_free(signers.expired);
    test_party_free(signers.forged);
    setpay_buffer_clear(&earlier);
    test_market_close(&market);
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[ANSWER_LIES + MANNERS + 2];
    size_t count = 0;
    for (size_t i = 0; i < ANSWER_LIES; i++)
        tests[count++] = (struct CMUnitTest){.name = answer_lies[i].what,
                                             .test_func = test_lie,
                                             .initial_state = (void *)(uintptr_t)&answer_lies[i]};
    for (size_t i = 0; i < MANNERS; i++)
        tests[count++] = (struct CMUnitTest){.name = manners[i].what,
                                             .test_func = test_manner,
                                             .initial_state = (void *)(uintptr_t)&manners[i]};
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_twice);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(test_combinations);
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return _cmocka_run_group_tests("merchantd_gateway", tests, count, open_world, close_world);
}
