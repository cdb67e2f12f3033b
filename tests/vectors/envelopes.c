/*
 * Envelopes of every form.
 *
 * OpenSSL makes them, apart from the code under test; where it would not make what an attacker
 * could (a short tag, an unauthenticated cipher under the name of an authenticated one, what an
 * authenticated one has made under the name of an unauthenticated), its DER is taken apart here and
 * put together again with that one part changed.
 */
#include "tests/vectors/envelopes.h"

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

const struct test_envelope_form test_envelope_forms[] = {
    {"good", true, EVP_aes_256_gcm, EVP_sha256, 1, false, 0, 0, false, TEST_DOWNGRADE_NONE},
    {"a 12-byte tag", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 12, 0, false,
     TEST_DOWNGRADE_NONE},
    {"an 8-byte tag", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 8, 0, false,
     TEST_DOWNGRADE_NONE},
    {"a 4-byte tag", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 4, 0, false,
     TEST_DOWNGRADE_NONE},
    {"AES-256-CBC EnvelopedData", false, EVP_aes_256_cbc, EVP_sha256, 1, false, 0, 0, false,
     TEST_DOWNGRADE_NONE},
    {"AES-256-CBC relabelled as authenticated", false, EVP_aes_256_cbc, EVP_sha256, 1, true, 0, 0,
     false, TEST_DOWNGRADE_NONE},
    {"AES-256-CFB relabelled as authenticated", false, EVP_aes_256_cfb128, EVP_sha256, 1, true, 0,
     0, false, TEST_DOWNGRADE_NONE},
    {"AES-256-OFB relabelled as authenticated", false, EVP_aes_256_ofb, EVP_sha256, 1, true, 0, 0,
     false, TEST_DOWNGRADE_NONE},
    {"AES-128-GCM", false, EVP_aes_128_gcm, EVP_sha256, 1, false, 0, 0, false, TEST_DOWNGRADE_NONE},
    {"a SHA-1 key derivation", false, EVP_aes_256_gcm, EVP_sha1, 1, false, 0, 0, false,
     TEST_DOWNGRADE_NONE},
    {"a SHA-512 key derivation", false, EVP_aes_256_gcm, EVP_sha512, 1, false, 0, 0, false,
     TEST_DOWNGRADE_NONE},
    {"two recipients", false, EVP_aes_256_gcm, EVP_sha256, 2, false, 0, 0, false,
     TEST_DOWNGRADE_NONE},
    {"for another recipient", false, EVP_aes_256_gcm, EVP_sha256, 0, false, 0, 0, false,
     TEST_DOWNGRADE_NONE},
    {"a changed bit of the ciphertext", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 0, 1, false,
     TEST_DOWNGRADE_NONE},
    {"a changed bit of the tag", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 0, 2, false,
     TEST_DOWNGRADE_NONE},
    {"a byte behind it", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 0, 0, true,
     TEST_DOWNGRADE_NONE},
    {"GCM relabelled as AES-256-CBC EnvelopedData", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 0,
     0, false, TEST_DOWNGRADE_CBC},
    {"GCM relabelled as AES-256-OFB EnvelopedData", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 0,
     0, false, TEST_DOWNGRADE_OFB},
    {"GCM relabelled as AES-256-CFB EnvelopedData", false, EVP_aes_256_gcm, EVP_sha256, 1, false, 0,
     0, false, TEST_DOWNGRADE_CFB},
};
const size_t test_envelope_form_count =
    sizeof(test_envelope_forms) / sizeof(test_envelope_forms[0]);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void add_recipient(CMS_ContentInfo *cms, X509 *recipient, const EVP_MD *kdf)
{
    CMS_RecipientInfo *info = CMS_add1_recipient_cert(cms, recipient, CMS_KEY_PARAM);
    must(info != NULL);
    EVP_PKEY_CTX *agreement = CMS_RecipientInfo_get0_pkey_ctx(info);
    must(agreement != NULL && EVP_PKEY_CTX_set_ecdh_kdf_md(agreement, kdf) == 1);
}

static void make_cms(const struct test_envelope_form *form, struct setpay_view text,
                     X509 *recipient, X509 *other, struct setpay_buffer *envelope)
{
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, form->cipher(), CMS_PARTIAL | CMS_BINARY);
    must(cms != NULL);
    add_recipient(cms, form->recipients == 0 ? other : recipient, form->kdf());
    if (form->recipients == 2)
        add_recipient(cms, other, form->kdf());
    BIO *in = BIO_new_mem_buf(text.data, (int)text.size);
    must(in != NULL && CMS_final(cms, in, NULL, CMS_BINARY) == 1);
    unsigned char *der = NULL;
    int size = i2d_CMS_ContentInfo(cms, &der);
    must(size > 0 && setpay_buffer_set(envelope, setpay_view_of(der, (size_t)size)) == SETPAY_OK);
    OPENSSL_free(der);
    BIO_free(in);
    CMS_ContentInfo_free(cms);
}

/* ------------------------------------------------------------------ DER, taken apart */

#define PARTS_MAX 8

/* One element: all of it, and what is inside. */
struct element {
    struct setpay_view whole;
    struct setpay_view inside;
};

static size_t split(struct setpay_view bytes, struct element *parts)
{
    size_t count = 0;
    const unsigned char *at = bytes.data, *end = bytes.data + bytes.size;
    while (at < end) {
        const unsigned char *start = at;
        long size = 0;
        int tag = 0, class = 0;
        must(count < PARTS_MAX);
        must((ASN1_get_object(&at, &size, &tag, &class, end - at) & 0x81) == 0);
        parts[count].inside = setpay_view_of(at, (size_t)size);
        at += size;
        parts[count++].whole = setpay_view_of(start, (size_t)(at - start));
    }
    return count;
}

/* An element of a one-byte tag around views. */
static void put(struct setpay_buffer *out, uint8_t tag, const struct setpay_view *inside,
                size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += inside[i].size;
    uint8_t head[4] = {tag, (uint8_t)size};
    size_t head_size = 2;
    if (size >= 256) {
        head[1] = 0x82;
        head[2] = (uint8_t)(size >> 8);
        head[3] = (uint8_t)size;
        head_size = 4;
    } else if (size >= 128) {
        head[1] = 0x81;
        head[2] = (uint8_t)size;
        head_size = 3;
    }
    setpay_buffer_init(out, 8192);
    must(setpay_buffer_append(out, setpay_view_of(head, head_size)) == SETPAY_OK);
    for (size_t i = 0; i < count; i++)
        must(setpay_buffer_append(out, inside[i]) == SETPAY_OK);
}

/* id-ct-authEnvelopedData 1.2.840.113549.1.9.16.1.23 */
static const uint8_t auth_enveloped[] = {0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7,
                                         0x0d, 0x01, 0x09, 0x10, 0x01, 0x17};
static const uint8_t version_0[] = {0x02, 0x01, 0x00};

/* ContentInfo { auth-enveloped, [0] { SEQUENCE { 0, recipients, content, mac } } } */
static void put_together(struct setpay_view recipients, struct setpay_view content,
                         struct setpay_view mac, struct setpay_buffer *envelope)
{
    struct setpay_buffer mac_element, inner, outer, all;
    put(&mac_element, 0x04, &mac, 1);
    const struct setpay_view fields[] = {SETPAY_VIEW_ARRAY(version_0), recipients, content,
                                         setpay_buffer_view(&mac_element)};
    put(&inner, 0x30, fields, 4);
    struct setpay_view view = setpay_buffer_view(&inner);
    put(&outer, 0xa0, &view, 1);
    const struct setpay_view both[] = {SETPAY_VIEW_ARRAY(auth_enveloped),
                                       setpay_buffer_view(&outer)};
    put(&all, 0x30, both, 2);
    must(setpay_buffer_set(envelope, setpay_buffer_view(&all)) == SETPAY_OK);
    setpay_buffer_clear(&mac_element);
    setpay_buffer_clear(&inner);
    setpay_buffer_clear(&outer);
    setpay_buffer_clear(&all);
}

/* Gives the content's algorithm a tag of that size; nonce as it was. */
static void put_short_tag(const struct element *content, size_t tag, struct setpay_buffer *changed)
{
    struct element fields[PARTS_MAX], algorithm[PARTS_MAX], parameters[PARTS_MAX];
    must(split(content->inside, fields) == 3 && split(fields[1].inside, algorithm) == 2 &&
         split(algorithm[1].inside, parameters) == 2);
    const uint8_t integer[] = {0x02, 0x01, (uint8_t)tag};
    struct setpay_view with[] = {parameters[0].whole, SETPAY_VIEW_ARRAY(integer)};
    struct setpay_buffer new_parameters, new_algorithm;
    put(&new_parameters, 0x30, with, 2);
    const struct setpay_view named[] = {algorithm[0].whole, setpay_buffer_view(&new_parameters)};
    put(&new_algorithm, 0x30, named, 2);
    const struct setpay_view all[] = {fields[0].whole, setpay_buffer_view(&new_algorithm),
                                      fields[2].whole};
    put(changed, 0x30, all, 3);
    setpay_buffer_clear(&new_parameters);
    setpay_buffer_clear(&new_algorithm);
}

/* id-envelopedData 1.2.840.113549.1.7.3 */
static const uint8_t enveloped[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
                                    0xf7, 0x0d, 0x01, 0x07, 0x03};
static const uint8_t version_2[] = {0x02, 0x01, 0x02}; /* as one recipient by agreement has it */

/* The downgrade: key, nonce and ciphertext are the genuine ones, the tag is left off, and the
 * content claims a cipher without one. Its IV is the block that GCM encrypted first: so under CFB
 * and OFB the first block opens to the true text, and each further answer would tell more. */
static void put_downgraded(struct setpay_view recipients, const struct element *content,
                           enum test_downgrade downgrade, struct setpay_buffer *envelope)
{
    const uint8_t cipher[] = {
        0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, (uint8_t)downgrade};
    uint8_t iv[2 + 16] = {0x04, 16};
    struct element fields[PARTS_MAX], algorithm[PARTS_MAX], parameters[PARTS_MAX];
    struct setpay_buffer all[6];
    must(split(content->inside, fields) == 3 && split(fields[1].inside, algorithm) == 2 &&
         split(algorithm[1].inside, parameters) == 2 && parameters[0].inside.size == 12);
    memcpy(iv + 2, parameters[0].inside.data, 12);
    iv[2 + 15] = 2;
    struct setpay_view text = fields[2].inside;
    if (downgrade == TEST_DOWNGRADE_CBC)
        text.size -= text.size % 16; /* whole blocks, as it must have */
    const struct setpay_view named[] = {SETPAY_VIEW_ARRAY(cipher), SETPAY_VIEW_ARRAY(iv)};
    put(&all[0], 0x30, named, 2);
    put(&all[1], 0x80, &text, 1);
    const struct setpay_view encrypted[] = {fields[0].whole, setpay_buffer_view(&all[0]),
                                            setpay_buffer_view(&all[1])};
    put(&all[2], 0x30, encrypted, 3);
    const struct setpay_view body[] = {SETPAY_VIEW_ARRAY(version_2), recipients,
                                       setpay_buffer_view(&all[2])};
    put(&all[3], 0x30, body, 3);
    struct setpay_view inside = setpay_buffer_view(&all[3]);
    put(&all[4], 0xa0, &inside, 1);
    const struct setpay_view info[] = {SETPAY_VIEW_ARRAY(enveloped), setpay_buffer_view(&all[4])};
    put(&all[5], 0x30, info, 2);
    must(setpay_buffer_set(envelope, setpay_buffer_view(&all[5])) == SETPAY_OK);
    for (size_t i = 0; i < 6; i++)
        setpay_buffer_clear(&all[i]);
}

void test_envelope_make(const struct test_envelope_form *form, X509 *recipient, X509 *other,
                        struct setpay_buffer *envelope)
{
    test_envelope_make_of(form, setpay_view_string(TEST_ENVELOPE_TEXT), recipient, other, envelope);
}

void test_envelope_make_of(const struct test_envelope_form *form, struct setpay_view text,
                           X509 *recipient, X509 *other, struct setpay_buffer *envelope)
{
    static const uint8_t no_tag[16];
    struct setpay_buffer made, changed = {0};
    struct element info[PARTS_MAX], outer[PARTS_MAX], typed[PARTS_MAX], data[PARTS_MAX];
    setpay_buffer_init(&made, 8192);
    make_cms(form, text, recipient, other, &made);
    must(split(setpay_buffer_view(&made), info) == 1 && split(info[0].inside, outer) == 2 &&
         split(outer[1].inside, typed) == 1);
    size_t count = split(typed[0].inside, data); /* version, recipients, content, and a mac */
    must(count >= 3);
    if (form->relabelled) {
        put_together(data[1].whole, data[2].whole, SETPAY_VIEW_ARRAY(no_tag), envelope);
    } else if (form->downgrade != 0) {
        put_downgraded(data[1].whole, &data[2], form->downgrade, envelope);
    } else if (form->tag != 0) {
        put_short_tag(&data[2], form->tag, &changed);
        put_together(data[1].whole, setpay_buffer_view(&changed),
                     setpay_view_of(data[3].inside.data, form->tag), envelope);
    } else {
        must(setpay_buffer_set(envelope, setpay_buffer_view(&made)) == SETPAY_OK);
    }
    if (form->flip != 0) { /* the tag stands last, the ciphertext before it */
        struct setpay_view in = form->flip == 2 ? data[3].inside : data[2].inside;
        envelope->data[in.data + in.size - 1 - made.data] ^= 1;
    }
    if (form->trailing)
        must(setpay_buffer_append(envelope, setpay_view_of("", 1)) == SETPAY_OK);
    setpay_buffer_clear(&made);
    setpay_buffer_clear(&changed);
}
