/*
 * CMS envelopes: sealed and opened by OpenSSL's CMS, their form checked here.
 *
 * What always holds: nothing is decrypted that is not in the one form of envelope.h. By itself
 * OpenSSL would also open 4-byte tags, other ciphers and unauthenticated modes; so the DER is
 * walked first, and every header must be the shortest for its content. The algorithm identifiers
 * are compared as whole byte strings: there is one right form of each.
 *
 * Opening refuses in one way (rule G2). Where the form is wrong, or the envelope is another's, a
 * decoy of our own is opened instead, so that the time does not tell which it was.
 *
 * The plaintext goes from the cipher straight into a setpay_secret and from one straight into the
 * cipher: OpenSSL's CMS_decrypt and CMS_final would pass it through buffers on the stack.
 */
#include "common/crypto/envelope.h"

#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"

#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define WRAPPED_KEY_SIZE 40 /* 32 and the 8 of AES key wrap (RFC 3394) */
#define NONCE_SIZE 12
#define TAG_SIZE 16

struct setpay_envelope_key {
    EVP_PKEY *pkey;
    X509 *certificate;
    struct setpay_buffer recipient; /* our IssuerAndSerialNumber, DER */
    struct setpay_buffer decoy;     /* an envelope to ourselves */
};

/* ------------------------------------------------------------------ the form */

/* id-smime-ct-authEnvelopedData 1.2.840.113549.1.9.16.1.23 */
static const uint8_t type_auth_enveloped[] = {0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                              0x0d, 0x01, 0x09, 0x10, 0x01, 0x17};
static const uint8_t version_0[] = {0x02, 0x01, 0x00};
static const uint8_t version_3[] = {0x02, 0x01, 0x03};
/* id-ecPublicKey without parameters, then a BIT STRING of 65 bytes: an uncompressed point */
static const uint8_t originator_key[] = {0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce,
                                         0x3d, 0x02, 0x01, 0x03, 0x42, 0x00, 0x04};
#define POINT_REST 64
/* dhSinglePass-stdDH-sha256kdf 1.3.132.1.11.1 with id-aes256-wrap 2.16.840.1.101.3.4.1.45 */
static const uint8_t key_encryption[] = {0x30, 0x15, 0x06, 0x06, 0x2b, 0x81, 0x04, 0x01,
                                         0x0b, 0x01, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86,
                                         0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2d};
/* id-data 1.2.840.113549.1.7.1 */
static const uint8_t type_data[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                    0xf7, 0x0d, 0x01, 0x07, 0x01};
/* aes-256-gcm 2.16.840.1.101.3.4.1.46, then a nonce of 12 bytes ... */
static const uint8_t content_encryption[] = {0x30, 0x1e, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
                                             0x03, 0x04, 0x01, 0x2e, 0x30, 0x11, 0x04, 0x0c};
/* ... and ICVlen 16, which the default of 12 makes explicit */
static const uint8_t tag_length_16[] = {0x02, 0x01, 0x10};

/* Takes exactly these bytes from the front. */
static bool take_bytes(struct setpay_view *in, const uint8_t *bytes, size_t size)
{
    if (in->size < size || memcmp(in->data, bytes, size) != 0)
        return false;
    in->data += size;
    in->size -= size;
    return true;
}

#define TAKE_CONSTANT(in, constant) take_bytes((in), (constant), sizeof(constant))

/* Takes any size bytes from the front. */
static bool take_any(struct setpay_view *in, size_t size)
{
    if (in->size < size)
        return false;
    in->data += size;
    in->size -= size;
    return true;
}

/* Takes one DER element with that tag from the front; content is a view of its inside. Refuses
 * indefinite lengths and lengths in more bytes than they need. */
static bool take_element(struct setpay_view *in, int class, int tag, bool constructed,
                         struct setpay_view *content)
{
    long length = 0;
    int found_tag = 0, found_class = 0;
    const unsigned char *at = in->data;
    if (in->size == 0 || in->size > LONG_MAX)
        return false;
    int flags = ASN1_get_object(&at, &length, &found_tag, &found_class, (long)in->size);
    if ((flags & 0x81) != 0 || length < 0 || length > INT_MAX || found_tag != tag ||
        found_class != class || ((flags & V_ASN1_CONSTRUCTED) != 0) != constructed)
        return false;
    size_t whole = (size_t)(at - in->data) + (size_t)length;
    int shortest = ASN1_object_size(constructed ? 1 : 0, (int)length, tag);
    if (shortest < 0 || (size_t)shortest != whole || whole > in->size)
        return false;
    *content = setpay_view_of(at, (size_t)length);
    return take_any(in, whole);
}

#define UNIVERSAL V_ASN1_UNIVERSAL
#define CONTEXT V_ASN1_CONTEXT_SPECIFIC

static bool take_sequence(struct setpay_view *in, struct setpay_view *content)
{
    return take_element(in, UNIVERSAL, V_ASN1_SEQUENCE, true, content);
}

/* KeyAgreeRecipientInfo (RFC 5652 section 6.2.2); recipient is its IssuerAndSerialNumber, whole. */
static bool check_recipient(struct setpay_view in, struct setpay_view *recipient)
{
    struct setpay_view choice, originator, list, entry, inside, wrapped;
    if (!TAKE_CONSTANT(&in, version_3) || !take_element(&in, CONTEXT, 0, true, &choice) ||
        !take_element(&choice, CONTEXT, 1, true, &originator) || choice.size != 0 ||
        !TAKE_CONSTANT(&originator, originator_key) || !take_any(&originator, POINT_REST) ||
        originator.size != 0)
        return false;
    /* no user keying material */
    if (!TAKE_CONSTANT(&in, key_encryption) || !take_sequence(&in, &list) || in.size != 0 ||
        !take_sequence(&list, &entry) || list.size != 0)
        return false;
    *recipient = entry;
    if (!take_sequence(&entry, &inside))
        return false;
    recipient->size -= entry.size;
    return take_element(&entry, UNIVERSAL, V_ASN1_OCTET_STRING, false, &wrapped) &&
           wrapped.size == WRAPPED_KEY_SIZE && entry.size == 0;
}

/* rule G2: the exact form. content_size is that of the plaintext. */
static bool check_form(struct setpay_view in, struct setpay_view *recipient, size_t *content_size)
{
    struct setpay_view info, explicit, body, recipients, agreement, encrypted, content, tag;
    if (in.size > SETPAY_LIMIT_ENVELOPE_BYTES || !take_sequence(&in, &info) || in.size != 0 ||
        !TAKE_CONSTANT(&info, type_auth_enveloped) ||
        !take_element(&info, CONTEXT, 0, true, &explicit) || info.size != 0 ||
        !take_sequence(&explicit, &body) || explicit.size != 0)
        return false;
    /* no originatorInfo; one recipient */
    if (!TAKE_CONSTANT(&body, version_0) ||
        !take_element(&body, UNIVERSAL, V_ASN1_SET, true, &recipients) ||
        !take_element(&recipients, CONTEXT, 1, true, &agreement) || recipients.size != 0 ||
        !check_recipient(agreement, recipient))
        return false;
    if (!take_sequence(&body, &encrypted) || !TAKE_CONSTANT(&encrypted, type_data) ||
        !TAKE_CONSTANT(&encrypted, content_encryption) || !take_any(&encrypted, NONCE_SIZE) ||
        !TAKE_CONSTANT(&encrypted, tag_length_16) ||
        !take_element(&encrypted, CONTEXT, 0, false, &content) || encrypted.size != 0 ||
        content.size == 0)
        return false;
    /* no attributes before or behind the tag */
    if (!take_element(&body, UNIVERSAL, V_ASN1_OCTET_STRING, false, &tag) || tag.size != TAG_SIZE ||
        body.size != 0)
        return false;
    *content_size = content.size;
    return true;
}

enum setpay_error setpay_envelope_check_form(struct setpay_view envelope)
{
    struct setpay_view recipient;
    size_t content_size = 0;
    return check_form(envelope, &recipient, &content_size) ? SETPAY_OK : SETPAY_E_ENVELOPE;
}

/* ------------------------------------------------------------------ sealing and opening */

enum setpay_error setpay_envelope_seal(X509 *recipient, struct setpay_view plaintext,
                                       struct setpay_buffer *envelope)
{
    if (plaintext.size == 0 || plaintext.size > SETPAY_LIMIT_ENVELOPE_BYTES)
        return SETPAY_E_TOO_BIG;
    enum setpay_error error = SETPAY_E_CRYPTO;
    unsigned char *der = NULL;
    BIO *cipher = NULL;
    EVP_PKEY_CTX *agreement;
    CMS_RecipientInfo *info;
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, EVP_aes_256_gcm(), CMS_PARTIAL | CMS_BINARY);
    if (cms == NULL)
        goto out;
    info = CMS_add1_recipient_cert(cms, recipient, CMS_KEY_PARAM);
    if (info == NULL)
        goto out;
    agreement = CMS_RecipientInfo_get0_pkey_ctx(info);
    if (agreement == NULL || EVP_PKEY_CTX_set_ecdh_kdf_md(agreement, EVP_sha256()) != 1)
        goto out;
    cipher = CMS_dataInit(cms, NULL);
    if (cipher == NULL ||
        BIO_write(cipher, plaintext.data, (int)plaintext.size) != (int)plaintext.size ||
        BIO_flush(cipher) != 1 || CMS_dataFinal(cms, cipher) != 1)
        goto out;
    int size = i2d_CMS_ContentInfo(cms, &der);
    if (size <= 0)
        goto out;
    struct setpay_view made = setpay_view_of(der, (size_t)size);
    error = made.size > SETPAY_LIMIT_ENVELOPE_BYTES ? SETPAY_E_TOO_BIG : SETPAY_OK;
    /* A library that one day writes another form must not pass for good here. */
    if (error == SETPAY_OK && setpay_envelope_check_form(made) != SETPAY_OK)
        error = SETPAY_E_CRYPTO;
    if (error == SETPAY_OK)
        error = setpay_buffer_set(envelope, made);
out:
    OPENSSL_free(der);
    BIO_free_all(cipher);
    CMS_ContentInfo_free(cms);
    if (error != SETPAY_OK)
        ERR_clear_error();
    return error;
}

/* Decrypts what has the right form; plaintext is of its exact size already. */
static bool decrypt(const struct setpay_envelope_key *key, struct setpay_view envelope,
                    struct setpay_secret *plaintext)
{
    bool opened = false;
    BIO *cipher = NULL;
    uint8_t beyond;
    const unsigned char *at = envelope.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)envelope.size);
    if (cms == NULL || CMS_decrypt_set1_pkey(cms, key->pkey, key->certificate) != 1)
        goto out;
    cipher = CMS_dataInit(cms, NULL);
    if (cipher == NULL)
        goto out;
    size_t held = 0;
    while (held < plaintext->size) {
        int got = BIO_read(cipher, plaintext->data + held, (int)(plaintext->size - held));
        if (got <= 0)
            goto out;
        held += (size_t)got;
    }
    /* The tag is compared at the end of the data, and counts for all of it. */
    opened = BIO_read(cipher, &beyond, 1) <= 0 && BIO_get_cipher_status(cipher) == 1;
out:
    BIO_free_all(cipher);
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    return opened;
}

/* rule G2: one refusal for every reason, and the same work before it */
enum setpay_error setpay_envelope_open(const struct setpay_envelope_key *key,
                                       struct setpay_view envelope, struct setpay_secret *plaintext)
{
    enum setpay_error error = SETPAY_E_ENVELOPE;
    struct setpay_secret made = {0};
    struct setpay_view recipient = SETPAY_VIEW_EMPTY, used = envelope;
    size_t size = 0;
    bool ours = check_form(envelope, &recipient, &size) &&
                setpay_view_equal(recipient, setpay_buffer_view(&key->recipient));
    if (!ours) {
        used = setpay_buffer_view(&key->decoy);
        if (!check_form(used, &recipient, &size))
            return SETPAY_E_ENVELOPE;
    }
    error = setpay_secret_alloc(&made, size);
    if (error != SETPAY_OK)
        goto out;
    error = SETPAY_E_ENVELOPE;
    if (decrypt(key, used, &made) && ours) {
        setpay_secret_move(plaintext, &made);
        error = SETPAY_OK;
    }
out:
    setpay_secret_clear(&made);
    return error;
}

enum setpay_error setpay_envelope_digest(struct setpay_view envelope, struct setpay_digest *digest)
{
    return setpay_hash_one("env", envelope, digest);
}

/* ------------------------------------------------------------------ the recipient's key */

/* Our own IssuerAndSerialNumber in DER. */
static enum setpay_error build_recipient(X509 *certificate, struct setpay_buffer *out)
{
    enum setpay_error error = SETPAY_E_CRYPTO;
    unsigned char *name = NULL, *serial = NULL;
    uint8_t header[16], *at = header;
    int name_size = i2d_X509_NAME(X509_get_issuer_name(certificate), &name);
    int serial_size = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &serial);
    if (name_size <= 0 || serial_size <= 0)
        goto out;
    ASN1_put_object(&at, 1, name_size + serial_size, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
    error = setpay_buffer_set(out, setpay_view_of(header, (size_t)(at - header)));
    if (error == SETPAY_OK)
        error = setpay_buffer_append(out, setpay_view_of(name, (size_t)name_size));
    if (error == SETPAY_OK)
        error = setpay_buffer_append(out, setpay_view_of(serial, (size_t)serial_size));
out:
    OPENSSL_free(name);
    OPENSSL_free(serial);
    return error;
}

enum setpay_error setpay_envelope_key_new(EVP_PKEY *pkey, X509 *certificate,
                                          struct setpay_envelope_key **key)
{
    /* About as long as a payment instruction. */
    static const uint8_t filler[300];
    if (!setpay_key_is_p256(pkey) || X509_check_private_key(certificate, pkey) != 1) {
        ERR_clear_error();
        return SETPAY_E_INVALID;
    }
    struct setpay_envelope_key *made = calloc(1, sizeof(*made));
    if (made == NULL)
        return SETPAY_E_NOMEM;
    setpay_buffer_init(&made->recipient, SETPAY_LIMIT_CERTIFICATE_BYTES);
    setpay_buffer_init(&made->decoy, SETPAY_LIMIT_ENVELOPE_BYTES);
    enum setpay_error error = build_recipient(certificate, &made->recipient);
    if (error == SETPAY_OK)
        error = setpay_envelope_seal(certificate, SETPAY_VIEW_ARRAY(filler), &made->decoy);
    if (error != SETPAY_OK) {
        setpay_envelope_key_free(made);
        return error;
    }
    (void)EVP_PKEY_up_ref(pkey);
    made->pkey = pkey;
    (void)X509_up_ref(certificate);
    made->certificate = certificate;
    *key = made;
    return SETPAY_OK;
}

void setpay_envelope_key_free(struct setpay_envelope_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    X509_free(key->certificate);
    setpay_buffer_clear(&key->recipient);
    setpay_buffer_clear(&key->decoy);
    free(key);
}
