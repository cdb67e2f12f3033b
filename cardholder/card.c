/*
 * Cards: asked for (a fresh key and PANSecret, kept sealed), then certified (rule G5's computation
 * proves that the certificate is of this very card). All secrets rest in boxes of the vault.
 */
#include "cardholder/wallet.h"

#include "common/crypto/hash.h"
#include "common/net/identity.h"
#include "common/pki/csr.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAN_MIN 12
#define PAN_MAX 19
#define PAN_SECRET_SIZE 32
#define EXPIRES_TEXT_SIZE 11

static const char *const box_names[SETPAY_WALLET_BOXES] = {
    [SETPAY_WALLET_BOX_KEY] = "card key",
    [SETPAY_WALLET_BOX_PAN_SECRET] = "card pan secret",
    [SETPAY_WALLET_BOX_PAN] = "card pan",
    [SETPAY_WALLET_BOX_EXPIRY] = "card expiry",
    [SETPAY_WALLET_BOX_POSTCODE] = "card postcode",
    [SETPAY_WALLET_BOX_HOUSE] = "card house digits",
};

/* ------------------------------------------------------------------ memory */

void setpay_wallet_card_secrets_clear(struct setpay_wallet_card_secrets *secrets)
{
    setpay_signing_key_free(secrets->key);
    setpay_secret_clear(&secrets->pan_secret);
    setpay_secret_clear(&secrets->pan);
    setpay_secret_clear(&secrets->expiry);
    setpay_cleanse(secrets, sizeof *secrets);
}

/* ------------------------------------------------------------------ opening */

/* Whose box it is: a card has more than one key. */
static const struct setpay_id *owner(const struct setpay_wallet_card *card,
                                     enum setpay_wallet_box which)
{
    return which == SETPAY_WALLET_BOX_KEY ? &card->key_id : &card->id;
}

static enum setpay_error open_text(const struct setpay_secret *master,
                                   const struct setpay_wallet_card *card,
                                   enum setpay_wallet_box which, char *out, size_t size)
{
    struct setpay_secret plain = {0};
    if (card->boxes[which].size == 0)
        return SETPAY_OK; /* absent */
    enum setpay_error error =
        setpay_wallet_box_open(master, box_names[which], owner(card, which),
                               setpay_buffer_view(&card->boxes[which]), &plain);
    if (error == SETPAY_OK && plain.size >= size)
        error = SETPAY_E_STORE;
    if (error == SETPAY_OK) {
        memcpy(out, plain.data, plain.size);
        out[plain.size] = '\0';
    }
    setpay_secret_clear(&plain);
    return error;
}

static enum setpay_error open_box(const struct setpay_secret *master,
                                  const struct setpay_wallet_card *card,
                                  enum setpay_wallet_box which, struct setpay_secret *plain)
{
    return setpay_wallet_box_open(master, box_names[which], owner(card, which),
                                  setpay_buffer_view(&card->boxes[which]), plain);
}

enum setpay_error setpay_wallet_card_open_pkey(const struct setpay_secret *master,
                                               const struct setpay_wallet_card *card,
                                               EVP_PKEY **pkey)
{
    struct setpay_secret pem = {0};
    enum setpay_error error = open_box(master, card, SETPAY_WALLET_BOX_KEY, &pem);
    if (error == SETPAY_OK)
        error = setpay_key_parse_pem(setpay_secret_view(&pem), NULL, pkey);
    setpay_secret_clear(&pem);
    return error;
}

enum setpay_error setpay_wallet_card_open_key(const struct setpay_secret *master,
                                              const struct setpay_wallet_card *card,
                                              struct setpay_signing_key **key)
{
    EVP_PKEY *pkey = NULL;
    enum setpay_error error = setpay_wallet_card_open_pkey(master, card, &pkey);
    if (error == SETPAY_OK)
        error = setpay_signing_key_from_pkey(pkey, key);
    EVP_PKEY_free(pkey);
    return error;
}

enum setpay_error setpay_wallet_card_open(const struct setpay_secret *master,
                                          const struct setpay_wallet_card *card,
                                          struct setpay_wallet_card_secrets *secrets)
{
    struct setpay_wallet_card_secrets opened = {0};
    enum setpay_error error = setpay_wallet_card_open_key(master, card, &opened.key);
    if (error == SETPAY_OK)
        error = open_box(master, card, SETPAY_WALLET_BOX_PAN_SECRET, &opened.pan_secret);
    if (error == SETPAY_OK)
        error = open_box(master, card, SETPAY_WALLET_BOX_PAN, &opened.pan);
    if (error == SETPAY_OK)
        error = open_box(master, card, SETPAY_WALLET_BOX_EXPIRY, &opened.expiry);
    if (error == SETPAY_OK)
        error = open_text(master, card, SETPAY_WALLET_BOX_POSTCODE, opened.postcode,
                          sizeof opened.postcode);
    if (error == SETPAY_OK)
        error = open_text(master, card, SETPAY_WALLET_BOX_HOUSE, opened.house_digits,
                          sizeof opened.house_digits);
    if (error != SETPAY_OK) {
        setpay_wallet_card_secrets_clear(&opened);
        return error;
    }
    *secrets = opened;
    setpay_cleanse(&opened, sizeof opened);
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ a new card */

bool setpay_wallet_pan_is_valid(struct setpay_view digits)
{
    unsigned sum = 0;
    if (digits.size < PAN_MIN || digits.size > PAN_MAX)
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        unsigned digit = (unsigned)(digits.data[digits.size - 1 - i] - '0');
        if (digit > 9)
            return false;
        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

/* The digits of a card number as people write it. */
static enum setpay_error read_pan(const struct setpay_secret *given, struct setpay_secret *pan,
                                  struct setpay_problem *problem)
{
    uint8_t digits[PAN_MAX];
    size_t count = 0;
    bool valid = true;
    for (size_t i = 0; i < given->size && valid; i++) {
        uint8_t c = given->data[i];
        if (c == ' ' || c == '-')
            continue;
        valid = c >= '0' && c <= '9' && count < PAN_MAX;
        if (valid)
            digits[count++] = c;
    }
    valid = valid && setpay_wallet_pan_is_valid(setpay_view_of(digits, count));
    enum setpay_error error =
        valid ? setpay_secret_copy(pan, setpay_view_of(digits, count))
              : setpay_problem_set(problem, SETPAY_E_INVALID,
                                   "the card number is not one: expected 12 to 19 digits whose "
                                   "check digit is right; type it again");
    setpay_cleanse(digits, sizeof digits);
    return error;
}

/* YYMM, and the month is not over. */
static enum setpay_error check_expiry(const struct setpay_secret *expiry, setpay_time_ms now_ms,
                                      struct setpay_problem *problem)
{
    int value[4] = {0};
    bool valid = expiry->size == 4;
    for (size_t i = 0; i < 4 && valid; i++) {
        value[i] = expiry->data[i] - '0';
        valid = value[i] >= 0 && value[i] <= 9;
    }
    int year = value[0] * 10 + value[1], month = value[2] * 10 + value[3];
    setpay_cleanse(value, sizeof value);
    if (!valid || month < 1 || month > 12)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "the card's expiry is not of the form YYMM (year, then month)");
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm now;
    gmtime_r(&seconds, &now);
    if ((2000 + year) * 12 + month < (now.tm_year + 1900) * 12 + now.tm_mon + 1)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "the card has expired");
    return SETPAY_OK;
}

static bool is_optional_text(const struct setpay_secret *text, size_t max, bool digits)
{
    if (text->size > max)
        return false;
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] < 0x20 || text->data[i] > 0x7e ||
            (digits && (text->data[i] < '0' || text->data[i] > '9')))
            return false;
    }
    return true;
}

static enum setpay_error check_wish(const struct setpay_wallet_card_wish *wish,
                                    setpay_time_ms now_ms, struct setpay_problem *problem)
{
    size_t label = strlen(wish->label);
    if (!setpay_brand_is_valid(wish->brand))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "brand: expected 1 to 32 of a-z, 0-9 and -");
    if (label == 0 || label > SETPAY_WALLET_LABEL_MAX ||
        !setpay_text_is_utf8(setpay_view_string(wish->label)))
        return setpay_problem_set(problem, SETPAY_E_INVALID, "label: expected 1 to %d bytes",
                                  SETPAY_WALLET_LABEL_MAX);
    for (size_t i = 0; i < label; i++) {
        if ((unsigned char)wish->label[i] < 0x20 || wish->label[i] == 0x7f)
            return setpay_problem_set(problem, SETPAY_E_INVALID,
                                      "label: control characters are not taken");
    }
    SETPAY_TRY(check_expiry(wish->expiry, now_ms, problem));
    if (!is_optional_text(wish->postcode, SETPAY_WIRE_POSTCODE_MAX, false))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "postcode: expected up to %d plain characters",
                                  SETPAY_WIRE_POSTCODE_MAX);
    if (!is_optional_text(wish->house_digits, SETPAY_WIRE_HOUSE_MAX, true))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "house_digits: expected up to %d digits", SETPAY_WIRE_HOUSE_MAX);
    return SETPAY_OK;
}

static enum setpay_error seal_one(const struct setpay_secret *master,
                                  struct setpay_wallet_card *card, enum setpay_wallet_box which,
                                  const struct setpay_secret *plain)
{
    setpay_buffer_clear(&card->boxes[which]);
    if (plain->size == 0)
        return SETPAY_OK; /* absent */
    setpay_buffer_init(&card->boxes[which], SETPAY_WALLET_BOX_MAX);
    return setpay_wallet_box_seal(master, box_names[which], owner(card, which),
                                  setpay_secret_view(plain), &card->boxes[which]);
}

/* What the person has typed. */
static enum setpay_error seal_typed(const struct setpay_secret *master,
                                    const struct setpay_wallet_card_wish *wish,
                                    const struct setpay_secret *pan,
                                    struct setpay_wallet_card *card)
{
    memcpy(card->last4, pan->data + pan->size - 4, 4);
    SETPAY_TRY(seal_one(master, card, SETPAY_WALLET_BOX_PAN, pan));
    SETPAY_TRY(seal_one(master, card, SETPAY_WALLET_BOX_EXPIRY, wish->expiry));
    SETPAY_TRY(seal_one(master, card, SETPAY_WALLET_BOX_POSTCODE, wish->postcode));
    return seal_one(master, card, SETPAY_WALLET_BOX_HOUSE, wish->house_digits);
}

static enum setpay_error seal_card(const struct setpay_secret *master,
                                   const struct setpay_wallet_card_wish *wish,
                                   const struct setpay_secret *pem, const struct setpay_secret *pan,
                                   const struct setpay_secret *pan_secret,
                                   struct setpay_wallet_card *card)
{
    SETPAY_TRY(seal_one(master, card, SETPAY_WALLET_BOX_KEY, pem));
    SETPAY_TRY(seal_one(master, card, SETPAY_WALLET_BOX_PAN_SECRET, pan_secret));
    return seal_typed(master, wish, pan, card);
}

enum setpay_error setpay_wallet_card_make(const struct setpay_secret *master,
                                          const struct setpay_wallet_card_wish *wish,
                                          setpay_time_ms now_ms, struct setpay_wallet_card *card,
                                          struct setpay_secret *csr, struct setpay_problem *problem)
{
    struct setpay_wallet_card made = {.status = SETPAY_WALLET_CARD_PENDING, .created_ms = now_ms};
    struct setpay_secret pan = {0}, pan_secret = {0}, pem = {0};
    EVP_PKEY *key = NULL;
    enum setpay_error error = master->size == 0 ? SETPAY_E_LOCKED : SETPAY_OK;
    if (error == SETPAY_OK)
        error = check_wish(wish, now_ms, problem);
    if (error == SETPAY_OK)
        error = read_pan(wish->pan, &pan, problem);
    if (error != SETPAY_OK)
        goto out;
    snprintf(made.brand, sizeof made.brand, "%s", wish->brand);
    snprintf(made.label, sizeof made.label, "%s", wish->label);
    error = setpay_id_random(&made.id);
    if (error == SETPAY_OK)
        error = setpay_id_random(&made.key_id);
    if (error == SETPAY_OK)
        error = setpay_key_generate(&key);
    if (error == SETPAY_OK)
        error = setpay_key_digest(key, &made.key_digest);
    if (error == SETPAY_OK)
        error = setpay_key_build_pem(key, NULL, &pem);
    if (error == SETPAY_OK)
        error = setpay_secret_random(&pan_secret, PAN_SECRET_SIZE);
    if (error == SETPAY_OK)
        error = seal_card(master, wish, &pem, &pan, &pan_secret, &made);
    if (error == SETPAY_OK) {
        const struct setpay_csr_wish request = {.brand = wish->brand,
                                                .role = "cardholder",
                                                .pan = &pan,
                                                .expiry = wish->expiry,
                                                .pan_secret = &pan_secret};
        error = setpay_csr_build(key, &request, csr);
    }
    if (error == SETPAY_OK) {
        *card = made;
        memset(&made, 0, sizeof made);
    }
out:
    EVP_PKEY_free(key);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&pan_secret);
    setpay_secret_clear(&pem);
    setpay_wallet_card_clear(&made);
    return error;
}

enum setpay_error setpay_wallet_card_retype(const struct setpay_secret *master,
                                            const struct setpay_wallet_card_wish *wish,
                                            setpay_time_ms now_ms, struct setpay_wallet_card *card,
                                            struct setpay_problem *problem)
{
    struct setpay_secret pan = {0};
    enum setpay_error error = master->size == 0 ? SETPAY_E_LOCKED : SETPAY_OK;
    if (error == SETPAY_OK)
        error = check_wish(wish, now_ms, problem);
    if (error == SETPAY_OK)
        error = read_pan(wish->pan, &pan, problem);
    if (error == SETPAY_OK)
        error = seal_typed(master, wish, &pan, card);
    setpay_secret_clear(&pan);
    return error;
}

enum setpay_error setpay_wallet_card_build_csr(const struct setpay_secret *master,
                                               const struct setpay_wallet_card *card,
                                               const char *challenge, struct setpay_secret *csr)
{
    struct setpay_secret pan = {0}, expiry = {0}, pan_secret = {0};
    EVP_PKEY *key = NULL;
    enum setpay_error error = setpay_wallet_card_open_pkey(master, card, &key);
    if (error == SETPAY_OK)
        error = open_box(master, card, SETPAY_WALLET_BOX_PAN, &pan);
    if (error == SETPAY_OK)
        error = open_box(master, card, SETPAY_WALLET_BOX_EXPIRY, &expiry);
    if (error == SETPAY_OK)
        error = open_box(master, card, SETPAY_WALLET_BOX_PAN_SECRET, &pan_secret);
    if (error == SETPAY_OK) {
        const struct setpay_csr_wish request = {.brand = card->brand,
                                                .role = "cardholder",
                                                .challenge = challenge,
                                                .pan = &pan,
                                                .expiry = &expiry,
                                                .pan_secret = &pan_secret};
        error = setpay_csr_build(key, &request, csr);
    }
    EVP_PKEY_free(key);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    setpay_secret_clear(&pan_secret);
    return error;
}

/* ------------------------------------------------------------------ its certificate */

enum setpay_error setpay_wallet_card_check(const struct setpay_secret *master,
                                           const struct setpay_wallet_card *card,
                                           const struct setpay_certificate *certificate)
{
    struct setpay_wallet_card_secrets secrets = {0};
    struct setpay_digest digest, named, computed;
    SETPAY_TRY(
        setpay_key_digest(setpay_public_key_pkey(setpay_certificate_key(certificate)), &digest));
    if (!setpay_digest_equal(&digest, &card->key_digest))
        return SETPAY_E_NOT_FOUND;
    if (strcmp(setpay_certificate_brand(certificate), card->brand) != 0)
        return SETPAY_E_BRANDS_MIXED;
    SETPAY_TRY(setpay_certificate_account(certificate, &named));
    enum setpay_error error = setpay_wallet_card_open(master, card, &secrets);
    /* rule G5: what the gateway will compute */
    if (error == SETPAY_OK)
        error = setpay_account_id(&secrets.pan_secret, &secrets.pan, &secrets.expiry, &computed);
    if (error == SETPAY_OK &&
        !setpay_view_equal_secret(setpay_digest_view(&named), setpay_digest_view(&computed)))
        error = SETPAY_E_ACCOUNT;
    setpay_wallet_card_secrets_clear(&secrets);
    return error;
}

void setpay_wallet_certified_clear(struct setpay_wallet_certified *certified)
{
    setpay_buffer_clear(&certified->certificate);
    memset(certified, 0, sizeof *certified);
}

enum setpay_error setpay_wallet_card_certify(const struct setpay_secret *master,
                                             const struct setpay_wallet_card *card,
                                             const struct setpay_certificate *certificate,
                                             struct setpay_wallet_certified *certified)
{
    struct setpay_wallet_certified made = {
        .begins_ms = setpay_certificate_not_before_ms(certificate),
        .expires_ms = setpay_certificate_not_after_ms(certificate)};
    struct setpay_secret expiry = {0};
    setpay_time_ms end_ms = 0;
    enum setpay_error error = open_box(master, card, SETPAY_WALLET_BOX_EXPIRY, &expiry);
    if (error == SETPAY_OK)
        error = setpay_wallet_card_end(&expiry, &end_ms);
    setpay_secret_clear(&expiry);
    if (error != SETPAY_OK)
        return error;
    made.ends_with_card = made.expires_ms + SETPAY_DAY_MS > end_ms;
    setpay_buffer_init(&made.certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    error = setpay_buffer_set(&made.certificate, setpay_certificate_der(certificate));
    if (error != SETPAY_OK) {
        setpay_wallet_certified_clear(&made);
        return error;
    }
    *certified = made;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ renewal */

enum setpay_error setpay_wallet_card_make_next(const struct setpay_secret *master,
                                               const struct setpay_wallet_card *card,
                                               struct setpay_wallet_card *next)
{
    struct setpay_wallet_card made = {.id = card->id, .status = card->status};
    struct setpay_secret pem = {0};
    EVP_PKEY *key = NULL;
    enum setpay_error error = master->size == 0 ? SETPAY_E_LOCKED : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_id_random(&made.key_id);
    if (error == SETPAY_OK)
        error = setpay_key_generate(&key);
    if (error == SETPAY_OK)
        error = setpay_key_digest(key, &made.key_digest);
    if (error == SETPAY_OK)
        error = setpay_key_build_pem(key, NULL, &pem);
    if (error == SETPAY_OK)
        error = seal_one(master, &made, SETPAY_WALLET_BOX_KEY, &pem);
    EVP_PKEY_free(key);
    setpay_secret_clear(&pem);
    if (error == SETPAY_OK)
        *next = made;
    else
        setpay_wallet_card_clear(&made);
    return error;
}

enum setpay_error setpay_wallet_card_build_renewal(const struct setpay_secret *master,
                                                   const struct setpay_wallet_card *next,
                                                   const char *challenge, struct setpay_secret *csr)
{
    const struct setpay_csr_wish request = {
        .brand = next->brand, .role = "cardholder", .challenge = challenge};
    EVP_PKEY *key = NULL;
    enum setpay_error error = setpay_wallet_card_open_pkey(master, next, &key);
    if (error == SETPAY_OK)
        error = setpay_csr_build(key, &request, csr);
    EVP_PKEY_free(key);
    return error;
}

json_t *setpay_wallet_card_json(const struct setpay_wallet_card *card, int64_t lead_ms,
                                setpay_time_ms now_ms)
{
    char id[SETPAY_ID_TEXT_SIZE], expires[SETPAY_TIME_TEXT_SIZE] = "";
    char url[SETPAY_EST_URL_SIZE], notice[SETPAY_WALLET_NOTICE_SIZE];
    const char *status = "pending";
    if (card->status == SETPAY_WALLET_CARD_ACTIVE) {
        status = now_ms > card->expires_ms ? "expired" : "active";
        setpay_time_format(card->expires_ms, expires);
        expires[EXPIRES_TEXT_SIZE - 1] = '\0'; /* the date alone */
    }
    setpay_wallet_renewal_words(card, lead_ms, now_ms, notice);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s?, s:b, s:s, s:s?, s:s, s:s?}", "id",
        setpay_id_format(&card->id, id), "label", card->label, "brand", card->brand, "last4",
        card->last4, "expires", expires[0] != '\0' ? expires : NULL, "default", card->is_default,
        "status", status, "authority",
        card->authority.host[0] == '\0' ? NULL : setpay_est_place_format(&card->authority, url),
        "renewal", setpay_wallet_renewal_name(setpay_wallet_renewal_state(card, lead_ms, now_ms)),
        "notice", notice[0] == '\0' ? NULL : notice);
}
