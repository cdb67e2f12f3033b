/*
 * The one place where a purchase is signed: OI and PI are made from an offer that was checked and
 * agreed to (rule W4) and from the card, signed once, and put into the record that is stored before
 * anything leaves (rule W5). The security code is in the sealed PI and nowhere else.
 */
#include "cardholder/wallet.h"

#include "common/wire/purchase.h"
#include "common/wire/thumbs.h"

#include <string.h>

#define BACK_KEY_SIZE 32

/* The two halves, from the offer and the card. PI's secrets are copies, for the caller to clear. */
static enum setpay_error fill_halves(const struct setpay_wallet_prepared *offer,
                                     const struct setpay_wallet_card_secrets *secrets,
                                     const struct setpay_secret *security_code,
                                     const struct setpay_digest *cardholder, setpay_time_ms now_ms,
                                     struct setpay_oi *oi, struct setpay_pi *pi)
{
    const struct setpay_pinit_res *content = &offer->content;
    setpay_time_ms latest = now_ms + SETPAY_LIMIT_INSTRUCTION_LIFE_MS;
    oi->xid = pi->xid = content->xid;
    SETPAY_TRY(setpay_id_random(&oi->rrpid));
    oi->date_ms = now_ms;
    oi->lid_c = content->lid_c;
    memcpy(oi->lid_m, content->lid_m, sizeof oi->lid_m);
    oi->chall_c = content->chall_c;
    oi->chall_m = content->chall_m;
    memcpy(oi->brand, content->brand, sizeof oi->brand);
    memcpy(pi->brand, content->brand, sizeof pi->brand);
    memcpy(pi->merchant_id, content->merchant_id, sizeof pi->merchant_id);
    oi->amount = pi->amount = content->amount;
    oi->offer = offer->digest;
    oi->merchant = pi->merchant = *setpay_certificate_thumbprint(offer->merchant);
    oi->gateway_sign = pi->gateway_sign = content->gateway_sign;
    oi->gateway_encrypt = pi->gateway_encrypt = content->gateway_encrypt;
    oi->cardholder = pi->cardholder = *cardholder;
    oi->expiry_ms = pi->expiry_ms = content->expiry_ms < latest ? content->expiry_ms : latest;
    oi->terms = pi->terms = content->terms;
    SETPAY_TRY(setpay_secret_random(&pi->back_key, BACK_KEY_SIZE));
    SETPAY_TRY(setpay_secret_copy(&pi->pan, setpay_secret_view(&secrets->pan)));
    SETPAY_TRY(setpay_secret_copy(&pi->expiry, setpay_secret_view(&secrets->expiry)));
    SETPAY_TRY(setpay_secret_copy(&pi->pan_secret, setpay_secret_view(&secrets->pan_secret)));
    if (security_code->size > 0)
        SETPAY_TRY(setpay_secret_copy(&pi->security_code, setpay_secret_view(security_code)));
    memcpy(pi->postcode, secrets->postcode, sizeof pi->postcode);
    memcpy(pi->house_digits, secrets->house_digits, sizeof pi->house_digits);
    return SETPAY_OK;
}

/* The PReq message: no signature but DS inside; the cardholder's chain beside it. */
static enum setpay_error pack_preq(struct setpay_wallet *wallet,
                                   struct setpay_certificate *cardholder,
                                   const struct setpay_purchase *signed_purchase,
                                   struct setpay_buffer *bytes)
{
    struct setpay_beside beside;
    setpay_beside_init(&beside);
    enum setpay_error error = setpay_beside_add_chain(&beside, NULL, wallet->trust, cardholder);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = SETPAY_MESSAGE_P_REQ,
            .content = setpay_buffer_view(&signed_purchase->content),
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
            .envelope = setpay_buffer_view(&signed_purchase->envelope),
        };
        error = setpay_message_build(&parts, bytes);
    }
    setpay_beside_clear(&beside);
    return error;
}

/* Everything about the purchase that is known before it is signed. */
static enum setpay_error fill_record(const struct setpay_wallet *wallet,
                                     const struct setpay_wallet_prepared *offer,
                                     const struct setpay_wallet_card *card,
                                     const struct setpay_oi *oi, const struct setpay_pi *pi,
                                     struct setpay_wallet_purchase *purchase)
{
    const struct setpay_pinit_res *content = &offer->content;
    uint8_t reference[sizeof card->id.bytes + 4];
    bool breach;
    purchase->xid = content->xid;
    SETPAY_TRY(setpay_wallet_state_next(SETPAY_WALLET_NONE, SETPAY_WALLET_SIGN, &purchase->state,
                                        &breach));
    purchase->link = offer->question.link;
    purchase->created_ms = purchase->updated_ms = purchase->signed_ms = oi->date_ms;
    memcpy(purchase->brand, content->brand, sizeof purchase->brand);
    memcpy(purchase->merchant_id, content->merchant_id, sizeof purchase->merchant_id);
    memcpy(purchase->merchant_name, content->merchant_name, sizeof purchase->merchant_name);
    purchase->lid_c = content->lid_c;
    memcpy(purchase->lid_m, content->lid_m, sizeof purchase->lid_m);
    purchase->chall_c = content->chall_c;
    purchase->amount = content->amount;
    purchase->terms = content->terms;
    purchase->rrpid = oi->rrpid;
    purchase->merchant = oi->merchant;
    purchase->gateway_sign = oi->gateway_sign;
    purchase->gateway_encrypt = oi->gateway_encrypt;
    purchase->cardholder = oi->cardholder;
    purchase->expiry_ms = oi->expiry_ms;
    SETPAY_TRY(setpay_buffer_set(&purchase->gateway_certificate,
                                 setpay_certificate_der(offer->gateway_sign)));
    SETPAY_TRY(setpay_buffer_set(&purchase->offer, setpay_buffer_view(&offer->bytes)));
    memcpy(reference, card->id.bytes, sizeof card->id.bytes);
    memcpy(reference + sizeof card->id.bytes, card->last4, 4);
    SETPAY_TRY(setpay_wallet_box_seal(&wallet->master, "purchase card", &purchase->xid,
                                      SETPAY_VIEW_ARRAY(reference), &purchase->card_box));
    return setpay_wallet_box_seal(&wallet->master, "back key", &purchase->xid,
                                  setpay_secret_view(&pi->back_key), &purchase->back_key_box);
}

enum setpay_error setpay_wallet_sign_opened(struct setpay_wallet *wallet,
                                            const struct setpay_wallet_prepared *offer,
                                            const struct setpay_wallet_signer *signer,
                                            const struct setpay_secret *security_code,
                                            setpay_time_ms now_ms,
                                            struct setpay_wallet_purchase *purchase)
{
    struct setpay_oi oi = {0};
    struct setpay_pi pi = {0};
    struct setpay_digest oi_salt, pi_salt;
    struct setpay_purchase made = {0};
    enum setpay_error error = now_ms > setpay_certificate_not_after_ms(signer->certificate)
                                  ? SETPAY_E_CERT_TIME
                                  : SETPAY_OK;
    if (error == SETPAY_OK)
        error = fill_halves(offer, signer->secrets, security_code,
                            setpay_certificate_thumbprint(signer->certificate), now_ms, &oi, &pi);
    if (error == SETPAY_OK)
        error = setpay_digest_random(&oi_salt);
    if (error == SETPAY_OK)
        error = setpay_digest_random(&pi_salt);
    if (error == SETPAY_OK)
        error = setpay_purchase_build(&oi, &pi, &oi_salt, &pi_salt, signer->secrets->key,
                                      offer->gateway_encrypt, &made);
    if (error == SETPAY_OK)
        error = fill_record(wallet, offer, signer->card, &oi, &pi, purchase);
    if (error == SETPAY_OK)
        error = pack_preq(wallet, signer->certificate, &made, &purchase->preq);
    if (error == SETPAY_OK)
        error = setpay_request_hash(SETPAY_MESSAGE_P_REQ, NULL, setpay_buffer_view(&made.content),
                                    &purchase->request_hash);
    if (error == SETPAY_OK) {
        purchase->oimd = made.oimd;
        purchase->pomd = made.pomd;
    }
    setpay_purchase_clear(&made);
    setpay_pi_clear(&pi);
    setpay_cleanse(&pi_salt, sizeof pi_salt); /* it is in the envelope now, and nowhere else */
    return error;
}

enum setpay_error setpay_wallet_sign(struct setpay_wallet *wallet,
                                     const struct setpay_wallet_prepared *offer,
                                     const struct setpay_wallet_card *card,
                                     const struct setpay_secret *security_code,
                                     setpay_time_ms now_ms, struct setpay_wallet_purchase *purchase)
{
    struct setpay_wallet_card_secrets secrets = {0};
    struct setpay_wallet_signer signer = {.card = card, .secrets = &secrets};
    enum setpay_error error = setpay_wallet_card_open(&wallet->master, card, &secrets);
    if (error == SETPAY_OK)
        error = setpay_wallet_parse_certificate(&card->certificate, &signer.certificate);
    if (error == SETPAY_OK)
        error = setpay_wallet_sign_opened(wallet, offer, &signer, security_code, now_ms, purchase);
    setpay_wallet_card_secrets_clear(&secrets);
    setpay_certificate_unref(signer.certificate);
    return error;
}

/* ------------------------------------------------------------------ inquiries */

struct reading {
    const struct setpay_id *id;
    const struct setpay_digest *thumbprint;
    struct setpay_wallet_card *card;
};

static enum setpay_error read_card(struct setpay_db *db, void *arg)
{
    struct reading *reading = arg;
    return setpay_wallet_store_read_signer(db, reading->id, reading->thumbprint, reading->card);
}

/* The card that signed the purchase, with the key that did (rule M8): it may be renewed since. */
enum setpay_error setpay_wallet_load_signer(struct setpay_wallet *wallet,
                                            const struct setpay_wallet_purchase *purchase,
                                            struct setpay_wallet_card *card)
{
    struct setpay_secret reference = {0};
    struct setpay_id id;
    enum setpay_error error =
        setpay_wallet_box_open(&wallet->master, "purchase card", &purchase->xid,
                               setpay_buffer_view(&purchase->card_box), &reference);
    if (error == SETPAY_OK && reference.size < sizeof id.bytes)
        error = SETPAY_E_STORE;
    if (error == SETPAY_OK) {
        memcpy(id.bytes, reference.data, sizeof id.bytes);
        error = setpay_store_read(
            wallet->reader, read_card,
            &(struct reading){.id = &id, .thumbprint = &purchase->cardholder, .card = card});
    }
    setpay_secret_clear(&reference);
    return error;
}

static enum setpay_error sign_message(struct setpay_wallet *wallet, enum setpay_message_type type,
                                      struct setpay_view content,
                                      const struct setpay_wallet_card *card,
                                      struct setpay_buffer *bytes)
{
    struct setpay_signing_key *key = NULL;
    struct setpay_certificate *cardholder = NULL;
    struct setpay_beside beside;
    setpay_beside_init(&beside);
    enum setpay_error error = setpay_wallet_card_open_key(&wallet->master, card, &key);
    if (error == SETPAY_OK)
        error = setpay_wallet_parse_certificate(&card->certificate, &cardholder);
    if (error == SETPAY_OK)
        error = setpay_beside_add_chain(&beside, NULL, wallet->trust, cardholder);
    if (error == SETPAY_OK) {
        const struct setpay_message_parts parts = {
            .type = type,
            .content = content,
            .key = key,
            .signer = setpay_certificate_thumbprint(cardholder),
            .certificates = beside.certificates,
            .certificate_count = beside.certificate_count,
        };
        error = setpay_message_build(&parts, bytes);
    }
    setpay_beside_clear(&beside);
    setpay_certificate_unref(cardholder);
    setpay_signing_key_free(key);
    return error;
}

enum setpay_error setpay_wallet_sign_request(struct setpay_wallet *wallet,
                                             const struct setpay_wallet_purchase *purchase,
                                             enum setpay_message_type type,
                                             struct setpay_view content, struct setpay_asked *asked,
                                             struct setpay_buffer *bytes)
{
    struct setpay_wallet_card card = {0};
    enum setpay_error error = setpay_wallet_load_signer(wallet, purchase, &card);
    if (error == SETPAY_OK)
        error = sign_message(wallet, type, content, &card, bytes);
    if (error == SETPAY_OK)
        error = setpay_request_hash(type, &purchase->cardholder, content, &asked->request_hash);
    setpay_wallet_card_clear(&card);
    return error;
}

enum setpay_error setpay_wallet_sign_inquiry(struct setpay_wallet *wallet,
                                             const struct setpay_wallet_purchase *purchase,
                                             struct setpay_asked *asked,
                                             struct setpay_digest *challenge,
                                             struct setpay_buffer *bytes)
{
    struct setpay_buffer content = {0};
    struct setpay_inq_req request = {
        .header = {.date_ms = setpay_clock_now_ms(),
                   .has_sender = true,
                   .sender = purchase->cardholder,
                   .has_receiver = true,
                   .receiver = purchase->merchant},
        .xid = purchase->xid,
        .lid_c = purchase->lid_c,
        .known = (uint32_t)purchase->receipt_count,
    };
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    enum setpay_error error = setpay_id_random(&request.header.rrpid);
    if (error == SETPAY_OK)
        error = setpay_digest_random(&request.challenge);
    if (error == SETPAY_OK)
        error = setpay_inq_req_build(&request, &content);
    if (error == SETPAY_OK)
        error = setpay_wallet_sign_request(wallet, purchase, SETPAY_MESSAGE_INQ_REQ,
                                           setpay_buffer_view(&content), asked, bytes);
    asked->rrpid = request.header.rrpid;
    *challenge = request.challenge;
    setpay_buffer_clear(&content);
    return error;
}
