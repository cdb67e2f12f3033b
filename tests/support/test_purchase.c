/*
 * The wallet's and the merchant's half of a purchase, straight from the definitions of protocol.md.
 */
#include "tests/support/test_purchase.h"

#include "common/base/limits.h"
#include "common/crypto/dual.h"
#include "common/crypto/envelope.h"
#include "common/crypto/hash.h"
#include "common/wire/sealed_instruction.h"

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

#define INSTRUCTION_LIFE_MS (30 * SETPAY_MINUTE_MS)

/* ------------------------------------------------------------------ the cardholder */

static void account_of(const struct test_cardholder *cardholder, char text[SETPAY_DIGEST_TEXT_SIZE])
{
    struct setpay_secret pan = {0}, expiry = {0}, pan_secret = {0};
    struct setpay_digest account;
    OK(setpay_secret_copy(&pan, setpay_view_string(cardholder->pan)));
    OK(setpay_secret_copy(&expiry, setpay_view_string(cardholder->expiry)));
    OK(setpay_secret_copy(&pan_secret, setpay_digest_view(&cardholder->pan_secret)));
    OK(setpay_account_id(&pan_secret, &pan, &expiry, &account));
    setpay_digest_format(&account, text);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    setpay_secret_clear(&pan_secret);
}

static struct test_cardholder *make_cardholder(struct test_pki *pki, const char *brand,
                                               const char *pan, const char *expiry,
                                               const char *security_code,
                                               enum test_pki_defect defect)
{
    struct test_cardholder *made = calloc(1, sizeof *made);
    char account[SETPAY_DIGEST_TEXT_SIZE];
    NEED(made != NULL);
    (void)snprintf(made->pan, sizeof made->pan, "%s", pan);
    (void)snprintf(made->expiry, sizeof made->expiry, "%s", expiry);
    (void)snprintf(made->security_code, sizeof made->security_code, "%s", security_code);
    OK(setpay_digest_random(&made->pan_secret));
    account_of(made, account);
    made->party =
        test_party_new_defective(pki, brand, SETPAY_PROFILE_CARDHOLDER_SIGN, account, defect);
    return made;
}

struct test_cardholder *test_cardholder_new(struct test_pki *pki, const char *brand,
                                            const char *pan, const char *expiry,
                                            const char *security_code)
{
    return make_cardholder(pki, brand, pan, expiry, security_code, TEST_PKI_GOOD);
}

struct test_cardholder *test_cardholder_new_defective(struct test_pki *pki, const char *brand,
                                                      const char *pan, const char *expiry,
                                                      enum test_pki_defect defect)
{
    return make_cardholder(pki, brand, pan, expiry, "", defect);
}

void test_cardholder_free(struct test_cardholder *cardholder)
{
    if (cardholder == NULL)
        return;
    test_party_free(cardholder->party);
    free(cardholder);
}

/* ------------------------------------------------------------------ what is signed */

static void fill_oi(struct test_purchase *p)
{
    struct setpay_oi *oi = &p->oi;
    OK(setpay_id_random(&oi->xid));
    OK(setpay_id_random(&oi->rrpid));
    OK(setpay_id_random(&oi->lid_c));
    OK(setpay_digest_random(&oi->chall_c));
    OK(setpay_digest_random(&oi->chall_m));
    OK(setpay_digest_random(&oi->offer));
    (void)snprintf(oi->lid_m, sizeof oi->lid_m, "order-1");
    (void)snprintf(oi->brand, sizeof oi->brand, "%s", p->parties.brand);
    oi->date_ms = p->now_ms;
    oi->merchant = p->parties.merchant->thumbprint;
    oi->gateway_sign = p->parties.gateway_sign->thumbprint;
    oi->gateway_encrypt = p->parties.gateway_encrypt->thumbprint;
    oi->cardholder = p->cardholder->party->thumbprint;
    oi->expiry_ms = p->now_ms + INSTRUCTION_LIFE_MS;
    oi->terms.kind = SETPAY_TERMS_SINGLE;
}

static void fill_pi(struct test_purchase *p)
{
    const struct setpay_oi *oi = &p->oi;
    struct setpay_pi *pi = &p->pi;
    pi->xid = oi->xid;
    memcpy(pi->brand, oi->brand, sizeof pi->brand);
    pi->amount = oi->amount;
    (void)snprintf(pi->merchant_id, sizeof pi->merchant_id, "%s", p->parties.merchant_id);
    pi->merchant = oi->merchant;
    pi->gateway_sign = oi->gateway_sign;
    pi->gateway_encrypt = oi->gateway_encrypt;
    pi->cardholder = oi->cardholder;
    pi->expiry_ms = oi->expiry_ms;
    pi->terms = oi->terms;
    OK(setpay_secret_random(&pi->back_key, 32));
    OK(setpay_secret_copy(&pi->pan, setpay_view_string(p->cardholder->pan)));
    OK(setpay_secret_copy(&pi->expiry, setpay_view_string(p->cardholder->expiry)));
    OK(setpay_secret_copy(&pi->pan_secret, setpay_digest_view(&p->cardholder->pan_secret)));
    if (p->cardholder->security_code[0] != '\0')
        OK(setpay_secret_copy(&pi->security_code,
                              setpay_view_string(p->cardholder->security_code)));
}

struct test_purchase *test_purchase_new(const struct test_purchase_parties *parties,
                                        const struct test_cardholder *cardholder, int64_t minor,
                                        const char *currency, setpay_time_ms now_ms)
{
    struct test_purchase *p = calloc(1, sizeof *p);
    NEED(p != NULL);
    p->parties = *parties;
    p->cardholder = cardholder;
    p->now_ms = now_ms;
    p->ds_signer = cardholder->party;
    p->sealed_to = parties->gateway_encrypt;
    p->auth_signer = parties->merchant;
    p->auth_key = parties->merchant;
    setpay_buffer_init(&p->oi_signed, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&p->preq_instead, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&p->pi_signed, SETPAY_LIMIT_ENVELOPE_BYTES);
    setpay_buffer_init(&p->pi_instead, SETPAY_LIMIT_ENVELOPE_BYTES);
    setpay_buffer_init(&p->content_instead, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&p->oi_bytes, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&p->envelope, 2 * SETPAY_LIMIT_ENVELOPE_BYTES);
    setpay_buffer_init(&p->preq.oi, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_digest_random(&p->oi_salt));
    OK(setpay_digest_random(&p->pi_salt));
    p->oi.amount.minor = minor;
    (void)snprintf(p->oi.amount.currency, sizeof p->oi.amount.currency, "%s", currency);
    fill_oi(p);
    fill_pi(p);
    OK(setpay_id_random(&p->auth.header.rrpid));
    return p;
}

void test_purchase_free(struct test_purchase *p)
{
    if (p == NULL)
        return;
    setpay_pi_clear(&p->pi);
    setpay_preq_clear(&p->preq);
    setpay_buffer_clear(&p->oi_signed);
    setpay_buffer_clear(&p->preq_instead);
    setpay_buffer_clear(&p->pi_signed);
    setpay_buffer_clear(&p->pi_instead);
    setpay_buffer_clear(&p->content_instead);
    setpay_buffer_clear(&p->oi_bytes);
    setpay_buffer_clear(&p->envelope);
    free(p);
}

/* What the cardholder signs. */
static void build_pi(const struct test_purchase *p, struct setpay_secret *bytes)
{
    if (p->pi_signed.size > 0)
        OK(setpay_secret_copy(bytes, setpay_buffer_view(&p->pi_signed)));
    else
        OK(setpay_pi_build(&p->pi, bytes));
}

void test_purchase_take_offer(struct test_purchase *p, const struct setpay_pinit_res *offer,
                              const struct setpay_digest *digest)
{
    struct setpay_oi *oi = &p->oi;
    struct setpay_pi *pi = &p->pi;
    oi->xid = offer->xid;
    oi->lid_c = offer->lid_c;
    memcpy(oi->lid_m, offer->lid_m, sizeof oi->lid_m);
    oi->chall_c = offer->chall_c;
    oi->chall_m = offer->chall_m;
    memcpy(oi->brand, offer->brand, sizeof oi->brand);
    oi->amount = offer->amount;
    oi->offer = *digest;
    oi->merchant = offer->header.sender;
    oi->gateway_sign = offer->gateway_sign;
    oi->gateway_encrypt = offer->gateway_encrypt;
    oi->terms = offer->terms;
    pi->xid = oi->xid;
    memcpy(pi->brand, oi->brand, sizeof pi->brand);
    pi->amount = oi->amount;
    memcpy(pi->merchant_id, offer->merchant_id, sizeof pi->merchant_id);
    pi->merchant = oi->merchant;
    pi->gateway_sign = oi->gateway_sign;
    pi->gateway_encrypt = oi->gateway_encrypt;
    pi->terms = oi->terms;
}

void test_purchase_plaintext(const struct test_purchase *p, struct setpay_secret *plaintext)
{
    struct setpay_sealed_instruction instruction = {.pi_salt = p->salt_in_envelope};
    if (p->pi_instead.size > 0)
        OK(setpay_secret_copy(&instruction.pi, setpay_buffer_view(&p->pi_instead)));
    else
        build_pi(p, &instruction.pi);
    OK(setpay_sealed_instruction_build(&instruction, plaintext));
    setpay_sealed_instruction_clear(&instruction);
}

void test_purchase_name_envelope(struct test_purchase *p)
{
    OK(setpay_envelope_digest(setpay_buffer_view(&p->envelope), &p->preq.envelope));
    p->auth.envelope = p->preq.envelope;
}

void test_purchase_seal(struct test_purchase *p)
{
    struct setpay_secret plaintext = {0};
    test_purchase_plaintext(p, &plaintext);
    OK(setpay_envelope_seal(p->sealed_to->x509, setpay_secret_view(&plaintext), &p->envelope));
    setpay_secret_clear(&plaintext);
    test_purchase_name_envelope(p);
}

static void fill_auth(struct test_purchase *p)
{
    struct setpay_auth_req *auth = &p->auth;
    auth->header.date_ms = p->now_ms;
    auth->header.has_sender = true;
    auth->header.sender = p->parties.merchant->thumbprint;
    auth->header.has_receiver = true;
    auth->header.receiver = p->parties.gateway_sign->thumbprint;
    auth->xid = p->oi.xid;
    auth->intent = SETPAY_INTENT_AUTHORISE;
    auth->amount = p->oi.amount;
    memcpy(auth->brand, p->oi.brand, sizeof auth->brand);
    (void)snprintf(auth->merchant_id, sizeof auth->merchant_id, "%s", p->parties.merchant_id);
    auth->terms = p->oi.terms;
    auth->expiry_ms = p->oi.expiry_ms;
    auth->oimd = p->oimd;
    auth->pimd = p->pimd;
    auth->dual_signature = p->dual_signature;
    auth->cardholder = p->oi.cardholder;
    auth->gateway_encrypt = p->oi.gateway_encrypt;
}

void test_purchase_sign(struct test_purchase *p)
{
    struct setpay_secret pi_bytes = {0};
    struct setpay_buffer ds;
    setpay_buffer_init(&ds, SETPAY_SIGNATURE_MAX);
    if (p->oi_signed.size > 0)
        OK(setpay_buffer_set(&p->oi_bytes, setpay_buffer_view(&p->oi_signed)));
    else
        OK(setpay_oi_build(&p->oi, &p->oi_bytes));
    build_pi(p, &pi_bytes);
    OK(setpay_dual_oimd(setpay_digest_view(&p->oi_salt), setpay_buffer_view(&p->oi_bytes),
                        &p->oimd));
    OK(setpay_dual_pimd(setpay_digest_view(&p->pi_salt), setpay_secret_view(&pi_bytes), &p->pimd));
    OK(setpay_dual_pomd(SETPAY_SUITE, &p->pimd, &p->oimd, &p->pomd));
    OK(setpay_dual_sign(p->ds_signer->signing_key, SETPAY_SUITE, &p->oi.cardholder, &p->pomd, &ds));
    OK(setpay_signature_from_view(setpay_buffer_view(&ds), &p->dual_signature));
    setpay_secret_clear(&pi_bytes);
    setpay_buffer_clear(&ds);
    p->salt_in_envelope = p->pi_salt;
    test_purchase_seal(p);
    OK(setpay_buffer_set(&p->preq.oi, setpay_buffer_view(&p->oi_bytes)));
    p->preq.oi_salt = p->oi_salt;
    p->preq.pimd = p->pimd;
    p->preq.dual_signature = p->dual_signature;
    fill_auth(p);
}

/* ------------------------------------------------------------------ messages */

static size_t add_chain(const struct test_party *party, struct setpay_view *list, size_t count)
{
    list[count++] = setpay_buffer_view(&party->der);
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++) {
        bool there = false;
        for (size_t k = 0; k < count; k++)
            there = there || setpay_view_equal(list[k], party->chain[i]);
        if (!there)
            list[count++] = party->chain[i];
    }
    return count;
}

void test_purchase_auth_req(const struct test_purchase *p, struct setpay_buffer *message)
{
    struct setpay_view certificates[2 * (SETPAY_CHAIN_CAS + 1)];
    struct setpay_buffer content;
    size_t count = add_chain(p->auth_signer, certificates, 0);
    if (!p->without_cardholder)
        count = add_chain(p->cardholder->party, certificates, count);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(message, SETPAY_LIMIT_MESSAGE_BYTES);
    if (p->content_instead.size > 0)
        OK(setpay_buffer_set(&content, setpay_buffer_view(&p->content_instead)));
    else
        OK(setpay_auth_req_build(&p->auth, &content));
    const struct setpay_view crl = p->crl == NULL ? SETPAY_VIEW_EMPTY : setpay_buffer_view(p->crl);
    const struct setpay_message_parts parts = {
        .type = SETPAY_MESSAGE_AUTH_REQ,
        .content = setpay_buffer_view(&content),
        .key = p->auth_key->signing_key,
        .signer = &p->auth_signer->thumbprint,
        .certificates = certificates,
        .certificate_count = count,
        .crls = &crl,
        .crl_count = p->crl == NULL ? 0 : 1,
        .envelope = setpay_buffer_view(&p->envelope),
    };
    OK(setpay_message_build(&parts, message));
    setpay_buffer_clear(&content);
}

static void build_preq(const struct test_purchase *p, struct setpay_buffer *content)
{
    if (p->preq_instead.size > 0)
        OK(setpay_buffer_set(content, setpay_buffer_view(&p->preq_instead)));
    else
        OK(setpay_preq_build(&p->preq, content));
}

void test_purchase_preq(const struct test_purchase *p, struct setpay_buffer *message)
{
    struct setpay_view certificates[SETPAY_CHAIN_CAS + 1];
    struct setpay_buffer content;
    size_t count = p->without_cardholder ? 0 : add_chain(p->cardholder->party, certificates, 0);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(message, SETPAY_LIMIT_MESSAGE_BYTES);
    build_preq(p, &content);
    const struct setpay_view crl = p->crl == NULL ? SETPAY_VIEW_EMPTY : setpay_buffer_view(p->crl);
    const struct setpay_message_parts parts = {
        .type = SETPAY_MESSAGE_P_REQ,
        .content = setpay_buffer_view(&content),
        .certificates = certificates,
        .certificate_count = count,
        .crls = &crl,
        .crl_count = p->crl == NULL ? 0 : 1,
        .envelope = setpay_buffer_view(&p->envelope),
    };
    OK(setpay_message_build(&parts, message));
    setpay_buffer_clear(&content);
}

void test_purchase_renew(struct test_purchase *p, setpay_time_ms now_ms)
{
    OK(setpay_id_random(&p->auth.header.rrpid));
    p->auth.header.date_ms = now_ms;
}

void test_merchant_message(enum setpay_message_type type, const struct test_party *signer,
                           struct setpay_view content, struct setpay_buffer *message)
{
    struct setpay_view certificates[SETPAY_CHAIN_CAS + 1];
    size_t count = add_chain(signer, certificates, 0);
    setpay_buffer_init(message, SETPAY_LIMIT_MESSAGE_BYTES);
    const struct setpay_message_parts parts = {
        .type = type,
        .content = content,
        .key = signer->signing_key,
        .signer = &signer->thumbprint,
        .certificates = certificates,
        .certificate_count = count,
    };
    OK(setpay_message_build(&parts, message));
}
