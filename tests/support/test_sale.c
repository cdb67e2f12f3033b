/*
 * What the test's merchant and its gateway say and sign, honestly.
 */
#include "tests/support/test_sale.h"

#include "common/base/clock.h"
#include "common/crypto/envelope.h"
#include "common/wire/cancellation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define OK(expression) NEED((expression) == SETPAY_OK)

/* ------------------------------------------------------------------ the offer */

struct test_sale *test_sale_new(struct test_shop *shop, const struct setpay_message *request,
                                const struct test_cast *cast)
{
    struct test_sale *sale = calloc(1, sizeof *sale);
    NEED(sale != NULL && shop->sale_count < TEST_SALES_MAX);
    sale->asked = calloc(1, sizeof *sale->asked);
    NEED(sale->asked != NULL);
    OK(setpay_pinit_req_parse(request->content, sale->asked));
    OK(setpay_message_request_hash(request, &sale->asked_hash));
    OK(setpay_id_random(&sale->xid));
    OK(setpay_digest_random(&sale->chall_m));
    sale->amount = (struct setpay_money){TEST_SHOP_AMOUNT, "EUR"};
    sale->cast = *cast;
    (void)snprintf(sale->lid_m, sizeof sale->lid_m, "order-%zu", shop->sale_count + 1);
    setpay_buffer_init(&sale->word, 4 * SETPAY_LIMIT_MESSAGE_BYTES);
    shop->sales[shop->sale_count++] = sale;
    return sale;
}

void test_sale_free(struct test_sale *sale)
{
    setpay_instruction_clear(&sale->instruction);
    setpay_buffer_clear(&sale->word);
    free(sale->asked);
    free(sale);
}

void test_sale_offer(struct test_shop *shop, struct test_sale *sale, struct setpay_pinit_res *offer)
{
    const struct setpay_pinit_req *asked = sale->asked;
    memset(offer, 0, sizeof *offer);
    offer->header.rrpid = asked->header.rrpid;
    offer->header.request_hash = sale->asked_hash;
    offer->header.date_ms = setpay_clock_now_ms();
    offer->header.sender = sale->cast.signer->thumbprint;
    offer->xid = sale->xid;
    offer->lid_c = asked->lid_c;
    memcpy(offer->lid_m, sale->lid_m, sizeof offer->lid_m);
    offer->chall_c = asked->chall_c;
    offer->chall_m = sale->chall_m;
    memcpy(offer->brand, asked->brand, sizeof offer->brand);
    (void)snprintf(offer->merchant_id, sizeof offer->merchant_id, "%s", TEST_SHOP_ID);
    (void)snprintf(offer->merchant_name, sizeof offer->merchant_name, "A Test Shop");
    offer->item_count = 2;
    offer->items = calloc(2, sizeof *offer->items);
    NEED(offer->items != NULL);
    offer->items[0] = (struct setpay_item){"Coffee, whole beans", 2, 475, 950, "BEAN-1"};
    offer->items[1] = (struct setpay_item){"Delivery", 1, 300, 300, ""};
    offer->amount = sale->amount;
    offer->terms.kind = SETPAY_TERMS_SINGLE;
    offer->expiry_ms = setpay_clock_now_ms() + shop->offer_life_ms;
    offer->gateway_sign = sale->cast.gateway_sign->thumbprint;
    offer->gateway_encrypt = sale->cast.gateway_encrypt->thumbprint;
}

/* ------------------------------------------------------------------ PReq and InqReq */

static const struct test_party *gateway_of(const struct test_sale *sale)
{
    return sale->cast.gateway_sign;
}

/* Rule M2: DS is over this order, by the certificate beside. */
static void check_order(struct test_sale *sale, const struct setpay_message *request,
                        struct setpay_preq *preq)
{
    struct setpay_certificate *cardholder = NULL;
    OK(setpay_certificate_parse(setpay_message_certificate(request, &sale->oi.cardholder),
                                &cardholder));
    OK(setpay_preq_check_order(preq, &sale->oi, cardholder, &sale->oimd, &sale->pomd));
    NEED(setpay_digest_equal(&sale->oi.offer, &sale->offer));
    NEED(setpay_money_equal(&sale->oi.amount, &sale->amount));
    setpay_certificate_unref(cardholder);
}

static void open_instruction(struct test_sale *sale, const struct setpay_message *request,
                             const struct setpay_preq *preq)
{
    struct setpay_envelope_key *key = NULL;
    const struct test_party *gateway = sale->cast.gateway_encrypt;
    OK(setpay_envelope_key_new(gateway->key, gateway->x509, &key));
    OK(setpay_instruction_open(key, request->envelope, &preq->envelope, &sale->instruction));
    NEED(setpay_digest_equal(&sale->instruction.pimd, &preq->pimd));
    NEED(sale->instruction.pi.expiry_ms == sale->oi.expiry_ms);
    setpay_envelope_key_free(key);
}

struct test_sale *test_sale_take_preq(struct test_shop *shop, const struct setpay_message *request)
{
    struct setpay_preq preq;
    struct setpay_oi oi;
    struct setpay_digest hash;
    OK(setpay_preq_read(request->content, request->envelope, &preq, &oi));
    OK(setpay_message_request_hash(request, &hash));
    struct test_sale *sale = test_shop_sale(shop, &oi.xid);
    NEED(sale != NULL);
    if (sale->preqs++ == 0) {
        sale->preq_hash = hash;
        sale->oi = oi;
        check_order(sale, request, &preq);
        open_instruction(sale, request, &preq);
    } else if (!setpay_digest_equal(&sale->preq_hash, &hash)) {
        shop->second_preqs++;
    }
    setpay_preq_clear(&preq);
    if (sale->receipt_count == 0 && shop->outcome != 0)
        test_sale_add_receipt(sale, shop->outcome,
                              shop->approves_minor == 0 ? sale->amount.minor
                                                        : shop->approves_minor);
    return sale;
}

/* What an InqReq or a CanReq asks. */
static struct setpay_inq_req read_inquiry(const struct setpay_message *request,
                                          struct setpay_signed_cancellation *cancellation)
{
    struct setpay_inq_req asked;
    struct setpay_can_req cancels;
    if (request->type == SETPAY_MESSAGE_INQ_REQ) {
        OK(setpay_inq_req_parse(request->content, &asked));
        return asked;
    }
    OK(setpay_can_req_parse(request->content, &cancels));
    *cancellation = cancels.cancellation;
    return (struct setpay_inq_req){.header = cancels.header,
                                   .xid = cancels.xid,
                                   .lid_c = cancels.lid_c,
                                   .challenge = cancels.challenge,
                                   .known = cancels.known};
}

/* The cardholder's word is about this sale, under the certificate beside (rule G9). */
static void verify_cancellation(const struct test_sale *sale, const struct setpay_message *request)
{
    const struct setpay_pi *pi = &sale->instruction.pi;
    struct setpay_certificate *cardholder = NULL;
    struct setpay_cancellation expected = {.xid = sale->xid,
                                           .cardholder = pi->cardholder,
                                           .gateway_sign = pi->gateway_sign,
                                           .pomd = sale->pomd,
                                           .date_ms = setpay_clock_now_ms()};
    memcpy(expected.brand, pi->brand, sizeof expected.brand);
    memcpy(expected.merchant_id, pi->merchant_id, sizeof expected.merchant_id);
    OK(setpay_certificate_parse(setpay_message_certificate(request, &pi->cardholder), &cardholder));
    OK(setpay_cancellation_check(&sale->cancellation, cardholder, &expected));
    OK(setpay_message_verify(request, cardholder));
    setpay_certificate_unref(cardholder);
}

struct test_sale *test_sale_inquired(struct test_shop *shop, const struct setpay_message *request)
{
    struct setpay_signed_cancellation cancellation = {.size = 0};
    struct setpay_inq_req asked = read_inquiry(request, &cancellation);
    struct test_sale *sale = test_shop_sale(shop, &asked.xid);
    NEED(sale != NULL && request->is_signed);
    sale->known = asked.known;
    if (cancellation.size != 0) {
        /* Signed once: it is the same word, however often it comes. */
        NEED(sale->cancellation.size == 0 ||
             memcmp(&sale->cancellation, &cancellation, sizeof cancellation) == 0);
        sale->cancellation = cancellation;
        verify_cancellation(sale, request);
    }
    /* The gateway may have come to it since. */
    if (sale->preqs > 0 && sale->receipt_count == 0 && shop->outcome != 0)
        test_sale_add_receipt(sale, shop->outcome,
                              shop->approves_minor == 0 ? sale->amount.minor
                                                        : shop->approves_minor);
    return sale;
}

/* ------------------------------------------------------------------ the merchant's word */

static enum setpay_purchase_status status_of(const struct test_sale *sale)
{
    if (sale->receipt_count == 0)
        return SETPAY_STATUS_PENDING;
    switch (sale->kinds[0]) {
    case SETPAY_RECEIPT_DECLINE:
        return SETPAY_STATUS_DECLINED;
    case SETPAY_RECEIPT_VOID:
        return SETPAY_STATUS_VOIDED;
    default:
        return sale->authorised_minor > sale->reversed_minor ? SETPAY_STATUS_AUTHORISED
                                                             : SETPAY_STATUS_REVERSED;
    }
}

void test_word_receipts(struct setpay_pres *word, const struct setpay_sealed_receipt *receipts,
                        size_t count)
{
    struct setpay_sealed_receipt *copy = calloc(count + 1, sizeof *copy);
    NEED(copy != NULL);
    if (count > 0)
        memcpy(copy, receipts, count * sizeof *copy);
    free(word->receipts);
    word->receipts = copy;
    word->receipt_count = count;
}

void test_sale_word(struct test_shop *shop, struct test_sale *sale,
                    const struct setpay_message *request, const struct test_cast *cast,
                    struct setpay_pres *word)
{
    (void)shop;
    memset(word, 0, sizeof *word);
    word->header.date_ms = setpay_clock_now_ms();
    word->header.sender = cast->signer->thumbprint;
    word->header.has_receiver = true;
    word->header.receiver = sale->oi.cardholder;
    OK(setpay_message_request_hash(request, &word->header.request_hash));
    if (request->type == SETPAY_MESSAGE_P_REQ) {
        word->header.rrpid = sale->oi.rrpid;
        word->challenge = sale->oi.chall_c;
    } else {
        struct setpay_signed_cancellation cancellation;
        struct setpay_inq_req asked = read_inquiry(request, &cancellation);
        word->header.rrpid = asked.header.rrpid;
        word->challenge = asked.challenge;
        word->header.receiver = request->signer;
    }
    word->xid = sale->xid;
    word->lid_c = sale->asked->lid_c;
    memcpy(word->lid_m, sale->lid_m, sizeof word->lid_m);
    word->status = status_of(sale);
    word->amount = sale->amount;
    word->amount.minor = word->status == SETPAY_STATUS_AUTHORISED
                             ? sale->authorised_minor - sale->reversed_minor
                             : 0;
    word->oimd = sale->oimd;
    word->gateway_sign = gateway_of(sale)->thumbprint;
    (void)snprintf(word->merchant_id, sizeof word->merchant_id, "%s", TEST_SHOP_ID);
    if (word->status == SETPAY_STATUS_AUTHORISED) {
        (void)snprintf(word->action_code, sizeof word->action_code, "00");
        (void)snprintf(word->approval_code, sizeof word->approval_code, "A1B2C3");
    }
    test_word_receipts(word, sale->receipts, sale->receipt_count);
}

/* ------------------------------------------------------------------ the message */

static size_t add_certificate(struct setpay_view *list, size_t count, struct setpay_view der)
{
    for (size_t i = 0; i < count; i++)
        if (setpay_view_equal(list[i], der))
            return count;
    list[count] = der;
    return count + 1;
}

static size_t add_chain(struct setpay_view *list, size_t count, const struct test_party *party,
                        bool leaf)
{
    if (leaf)
        count = add_certificate(list, count, setpay_buffer_view(&party->der));
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++)
        count = add_certificate(list, count, party->chain[i]);
    return count;
}

void test_sale_message(const struct test_cast *cast, enum setpay_message_type type,
                       struct setpay_view content, bool with_gateway, struct setpay_buffer *message)
{
    struct setpay_view certificates[SETPAY_LIMIT_CERTIFICATES], crls[SETPAY_LIMIT_CRLS];
    size_t count = add_chain(certificates, 0, cast->signer, !cast->without_signer), crl_count = 0;
    if (with_gateway) {
        count = add_chain(certificates, count, cast->gateway_sign, true);
        count = add_chain(certificates, count, cast->gateway_encrypt, true);
    }
    if (cast->more != NULL)
        count = add_chain(certificates, count, cast->more, true);
    while (cast->crls[crl_count] != NULL) {
        crls[crl_count] = setpay_buffer_view(cast->crls[crl_count]);
        crl_count++;
    }
    const struct setpay_message_parts parts = {
        .type = type,
        .content = content,
        .key = cast->key->signing_key,
        .signer = &cast->signer->thumbprint,
        .certificates = certificates,
        .certificate_count = count,
        .crls = crls,
        .crl_count = crl_count,
    };
    OK(setpay_message_build(&parts, message));
}

/* ------------------------------------------------------------------ the gateway */

void test_sale_draft(const struct test_sale *sale, enum setpay_receipt_kind kind, int64_t minor,
                     struct setpay_receipt *draft)
{
    const struct setpay_pi *pi = &sale->instruction.pi;
    memset(draft, 0, sizeof *draft);
    draft->kind = kind;
    draft->amount = sale->amount;
    draft->amount.minor = minor;
    memcpy(draft->brand, pi->brand, sizeof draft->brand);
    memcpy(draft->merchant_id, pi->merchant_id, sizeof draft->merchant_id);
    draft->merchant = pi->merchant;
    draft->cardholder = pi->cardholder;
    draft->gateway_sign = gateway_of(sale)->thumbprint;
    draft->xid = sale->xid;
    draft->pomd = sale->pomd;
    draft->date_ms = setpay_clock_now_ms();
    draft->previous = sale->last_hash;
    bool approved = kind == SETPAY_RECEIPT_AUTHORISATION;
    (void)snprintf(draft->action_code, sizeof draft->action_code, "%s",
                   kind == SETPAY_RECEIPT_DECLINE ? "05" : "00");
    (void)snprintf(draft->approval_code, sizeof draft->approval_code, "%s",
                   approved ? "A1B2C3" : "");
}

static void sign_and_seal(const struct test_sale *sale, const struct setpay_receipt *draft,
                          const struct test_party *gateway, struct setpay_sealed_receipt *sealed,
                          struct setpay_digest *hash)
{
    struct setpay_buffer bytes;
    struct setpay_id id;
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    OK(setpay_receipt_sign(draft, gateway->signing_key, &bytes));
    OK(setpay_id_random(&id));
    OK(setpay_sealed_receipt_make(&sale->instruction.pi.back_key, &id, &sale->xid, draft->kind,
                                  setpay_buffer_view(&bytes), sealed));
    OK(setpay_receipt_hash(setpay_buffer_view(&bytes), hash));
    setpay_buffer_clear(&bytes);
}

void test_sale_seal(const struct test_sale *sale, const struct setpay_receipt *draft,
                    const struct test_party *gateway, struct setpay_sealed_receipt *sealed)
{
    struct setpay_digest hash;
    sign_and_seal(sale, draft, gateway, sealed, &hash);
}

void test_sale_add_receipt(struct test_sale *sale, enum setpay_receipt_kind kind, int64_t minor)
{
    test_sale_add_receipt_at(sale, kind, minor, setpay_clock_now_ms());
}

void test_sale_add_receipt_at(struct test_sale *sale, enum setpay_receipt_kind kind, int64_t minor,
                              setpay_time_ms date_ms)
{
    struct setpay_receipt draft;
    NEED(sale->receipt_count < TEST_SALE_RECEIPTS);
    test_sale_draft(sale, kind, minor, &draft);
    draft.date_ms = date_ms;
    sign_and_seal(sale, &draft, gateway_of(sale), &sale->receipts[sale->receipt_count],
                  &sale->last_hash);
    sale->kinds[sale->receipt_count++] = kind;
    if (kind == SETPAY_RECEIPT_AUTHORISATION)
        sale->authorised_minor += minor;
    if (kind == SETPAY_RECEIPT_REVERSAL)
        sale->reversed_minor += minor;
}
