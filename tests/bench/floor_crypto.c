/*
 * OpenSSL's primitives, each called in the cheapest way that its interface has.
 */
#include "tests/bench/fail.h"
#include "tests/bench/floors.h"

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#define MESSAGE_SIZE 300

struct bench {
    EVP_PKEY *key, *other;
    X509 *certificate;
    EVP_MD *sha256;
    EVP_CIPHER *gcm;
    EVP_PKEY_CTX *signer, *verifier, *deriver;
    EVP_CIPHER_CTX *sealer;
    uint8_t message[1024], digest[32], signature[80];
    size_t signature_size;
    unsigned char *envelope;
    int envelope_size;
};

/* ------------------------------------------------------------------ each piece */

static void sign(void *arg)
{
    struct bench *b = arg;
    b->signature_size = sizeof b->signature;
    BENCH_NEED(EVP_PKEY_sign(b->signer, b->signature, &b->signature_size, b->digest,
                             sizeof b->digest) == 1);
}

static void verify(void *arg)
{
    struct bench *b = arg;
    BENCH_NEED(EVP_PKEY_verify(b->verifier, b->signature, b->signature_size, b->digest,
                               sizeof b->digest) == 1);
}

static void derive(void *arg)
{
    struct bench *b = arg;
    uint8_t secret[32];
    size_t size = sizeof secret;
    BENCH_NEED(EVP_PKEY_derive_set_peer(b->deriver, b->other) == 1 &&
               EVP_PKEY_derive(b->deriver, secret, &size) == 1);
}

static void hash(void *arg)
{
    struct bench *b = arg;
    BENCH_NEED(EVP_Digest(b->message, sizeof b->message, b->digest, NULL, b->sha256, NULL) == 1);
}

static void encrypt(void *arg)
{
    struct bench *b = arg;
    static const uint8_t nonce[12];
    uint8_t out[sizeof b->message], tag[16];
    int size = 0;
    BENCH_NEED(EVP_EncryptInit_ex2(b->sealer, NULL, NULL, nonce, NULL) == 1 &&
               EVP_EncryptUpdate(b->sealer, out, &size, b->message, sizeof b->message) == 1 &&
               EVP_EncryptFinal_ex(b->sealer, out + size, &size) == 1 &&
               EVP_CIPHER_CTX_ctrl(b->sealer, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag) == 1);
}

/* The envelope's form as it has to be: SHA-256 for the key, AES-256-GCM. */
static void seal(void *arg)
{
    struct bench *b = arg;
    BIO *in = BIO_new_mem_buf(b->message, MESSAGE_SIZE);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, b->gcm, CMS_BINARY | CMS_PARTIAL);
    CMS_RecipientInfo *recipient = CMS_add1_recipient_cert(cms, b->certificate, CMS_KEY_PARAM);
    EVP_PKEY_CTX *context = CMS_RecipientInfo_get0_pkey_ctx(recipient);
    BENCH_NEED(in != NULL && context != NULL &&
               EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) == 1 &&
               CMS_final(cms, in, NULL, CMS_BINARY) == 1);
    OPENSSL_free(b->envelope);
    b->envelope = NULL;
    b->envelope_size = i2d_CMS_ContentInfo(cms, &b->envelope);
    BENCH_NEED(b->envelope_size > 0);
    CMS_ContentInfo_free(cms);
    BIO_free(in);
}

static void open_envelope(void *arg)
{
    struct bench *b = arg;
    const unsigned char *at = b->envelope;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, b->envelope_size);
    BIO *out = BIO_new(BIO_s_mem());
    BENCH_NEED(cms != NULL && CMS_decrypt(cms, b->key, b->certificate, NULL, out, 0) == 1);
    BENCH_NEED(BIO_pending(out) == MESSAGE_SIZE);
    BIO_free(out);
    CMS_ContentInfo_free(cms);
}

static void parse_certificate(void *arg)
{
    struct bench *b = arg;
    unsigned char *der = NULL;
    int size = i2d_X509(b->certificate, &der);
    const unsigned char *at = der;
    X509_free(d2i_X509(NULL, &at, size));
    OPENSSL_free(der);
}

/* ------------------------------------------------------------------ all */

/* A certificate that its own key has signed is enough to be sealed to. */
static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *made = X509_new();
    X509_NAME *name = X509_get_subject_name(made);
    BENCH_NEED(X509_set_version(made, X509_VERSION_3) == 1 &&
               ASN1_INTEGER_set(X509_get_serialNumber(made), 1) == 1 &&
               X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"bench", -1,
                                          -1, 0) == 1 &&
               X509_set_issuer_name(made, name) == 1 && X509_set_pubkey(made, key) == 1 &&
               X509_gmtime_adj(X509_getm_notBefore(made), 0) != NULL &&
               X509_gmtime_adj(X509_getm_notAfter(made), 3600) != NULL &&
               X509_sign(made, key, EVP_sha256()) > 0);
    return made;
}

static void set_up(struct bench *b)
{
    static const uint8_t key[32] = {1};
    memset(b, 0, sizeof *b);
    b->key = EVP_EC_gen("P-256");
    b->other = EVP_EC_gen("P-256");
    b->certificate = make_certificate(b->key);
    b->sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    b->gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    b->signer = EVP_PKEY_CTX_new(b->key, NULL);
    b->verifier = EVP_PKEY_CTX_new(b->key, NULL);
    b->deriver = EVP_PKEY_CTX_new(b->key, NULL);
    b->sealer = EVP_CIPHER_CTX_new();
    BENCH_NEED(b->sealer != NULL && EVP_PKEY_sign_init(b->signer) == 1 &&
               EVP_PKEY_verify_init(b->verifier) == 1 && EVP_PKEY_derive_init(b->deriver) == 1 &&
               EVP_EncryptInit_ex2(b->sealer, b->gcm, key, NULL, NULL) == 1);
}

static void tear_down(struct bench *b)
{
    OPENSSL_free(b->envelope);
    EVP_CIPHER_CTX_free(b->sealer);
    EVP_PKEY_CTX_free(b->deriver);
    EVP_PKEY_CTX_free(b->verifier);
    EVP_PKEY_CTX_free(b->signer);
    EVP_CIPHER_free(b->gcm);
    EVP_MD_free(b->sha256);
    X509_free(b->certificate);
    EVP_PKEY_free(b->other);
    EVP_PKEY_free(b->key);
}

void bench_floor_crypto(struct bench_report *report)
{
    static const struct {
        const char *name;
        bench_fn *fn;
    } pieces[] = {
        {BENCH_ROW_SIGN, sign},
        {BENCH_ROW_VERIFY, verify},
        {"P-256 ECDH, peer checked", derive},
        {BENCH_ROW_SEAL, seal},
        {BENCH_ROW_OPEN, open_envelope},
        {BENCH_ROW_PARSE, parse_certificate},
        {"SHA-256, 1 KiB", hash},
        {"AES-256-GCM, 1 KiB", encrypt},
    };
    struct bench b;
    struct bench_timing timing;
    set_up(&b);
    bench_report_section(report, "OpenSSL (CPU)");
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        bench_measure(pieces[i].fn, &b, BENCH_CPU, &timing);
        bench_report_time(report, pieces[i].name, &timing, 0, "");
    }
    tear_down(&b);
}
