/*
 * Rule G2: what one opens another one sealed in the one form; everything else is refused, and
 * always by the same error. And sealing under shared keys.
 */
#include "common/base/limits.h"
#include "common/crypto/envelope.h"
#include "common/crypto/seal.h"
#include "tests/support/test_pki.h"
#include "tests/vectors/envelopes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const brands[] = {"visa", NULL};
static const char plaintext[] = "a payment instruction, as long as you like, of some three lines";

struct world {
    struct test_pki *pki;
    struct test_party *gateway, *other;
    struct setpay_envelope_key *key;
};

static int set_up(void **state)
{
    static struct world world;
    world.pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    world.gateway =
        test_party_new(world.pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "gateway", NULL);
    world.other = test_party_new(world.pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "other", NULL);
    *state = &world;
    return setpay_envelope_key_new(world.gateway->key, world.gateway->x509, &world.key) == SETPAY_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    setpay_envelope_key_free(world->key);
    test_party_free(world->gateway);
    test_party_free(world->other);
    test_pki_free(world->pki);
    return 0;
}

static void seal(X509 *recipient, struct setpay_buffer *envelope)
{
    setpay_buffer_init(envelope, 2 * SETPAY_LIMIT_ENVELOPE_BYTES);
    assert_int_equal(setpay_envelope_seal(recipient, setpay_view_string(plaintext), envelope),
                     SETPAY_OK);
}

static void refuse(struct world *world, struct setpay_view envelope)
{
    struct setpay_secret opened = {0};
    assert_int_equal(setpay_envelope_open(world->key, envelope, &opened), SETPAY_E_ENVELOPE);
    assert_null(opened.data);
}

static void what_is_sealed_opens(void **state)
{
    struct world *world = *state;
    struct setpay_buffer envelope;
    struct setpay_secret opened = {0};
    seal(world->gateway->x509, &envelope);
    struct setpay_view sealed = setpay_buffer_view(&envelope);
    assert_null(memmem(sealed.data, sealed.size, "payment", 7));
    assert_int_equal(setpay_envelope_check_form(sealed), SETPAY_OK);
    assert_int_equal(setpay_envelope_open(world->key, sealed, &opened), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_secret_view(&opened), setpay_view_string(plaintext)));
    setpay_secret_clear(&opened);
    setpay_buffer_clear(&envelope);
}

static void sizes_have_limits(void **state)
{
    struct world *world = *state;
    static uint8_t large[SETPAY_LIMIT_ENVELOPE_BYTES];
    struct setpay_buffer envelope;
    setpay_buffer_init(&envelope, 2 * SETPAY_LIMIT_ENVELOPE_BYTES);
    assert_int_equal(
        setpay_envelope_seal(world->gateway->x509, SETPAY_VIEW_ARRAY(large), &envelope),
        SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_envelope_seal(world->gateway->x509, SETPAY_VIEW_EMPTY, &envelope),
                     SETPAY_E_TOO_BIG);
    assert_int_equal(setpay_envelope_seal(world->gateway->x509,
                                          setpay_view_of(large, sizeof(large) - 600), &envelope),
                     SETPAY_OK);
    setpay_buffer_clear(&envelope);
}

static void every_changed_bit_is_refused(void **state)
{
    struct world *world = *state;
    struct setpay_buffer envelope;
    seal(world->gateway->x509, &envelope);
    for (size_t i = 0; i < envelope.size * 8; i++) {
        envelope.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        refuse(world, setpay_buffer_view(&envelope));
        envelope.data[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    for (size_t size = 0; size < envelope.size; size += 7)
        refuse(world, setpay_view_of(envelope.data, size));
    assert_int_equal(setpay_buffer_append(&envelope, setpay_view_of("", 1)), SETPAY_OK);
    refuse(world, setpay_buffer_view(&envelope));
    setpay_buffer_clear(&envelope);
}

/* rule G2: a tag that is cut, while the parameters go on saying that it has 16 bytes. By itself
 * OpenSSL compares what is there. */
static void a_cut_tag_is_refused(void **state)
{
    static const size_t lengths_at[] = {2, 19, 23}; /* of the three elements around all others */
    struct world *world = *state;
    for (size_t tag = 1; tag < 16; tag++) {
        struct setpay_buffer envelope;
        seal(world->gateway->x509, &envelope);
        uint8_t *der = envelope.data;
        assert_int_equal(der[envelope.size - 18], 0x04);
        assert_int_equal(der[envelope.size - 17], 16);
        der[envelope.size - 17] = (uint8_t)tag;
        for (size_t i = 0; i < 3; i++) {
            uint8_t *length = der + lengths_at[i];
            assert_int_equal(length[-1], 0x82);
            size_t size = ((size_t)length[0] << 8 | length[1]) - (16 - tag);
            length[0] = (uint8_t)(size >> 8);
            length[1] = (uint8_t)size;
        }
        refuse(world, setpay_view_of(der, envelope.size - (16 - tag)));
        setpay_buffer_clear(&envelope);
    }
}

static void anothers_envelope_is_refused(void **state)
{
    struct world *world = *state;
    struct setpay_buffer envelope;
    seal(world->other->x509, &envelope);
    assert_int_equal(setpay_envelope_check_form(setpay_buffer_view(&envelope)), SETPAY_OK);
    refuse(world, setpay_buffer_view(&envelope));
    setpay_buffer_clear(&envelope);
}

/* Makes CMS by other choices, all of which OpenSSL would open. */
static void refuse_cms(struct world *world, const EVP_CIPHER *cipher, const EVP_MD *kdf,
                       bool two_recipients, bool indefinite, bool key_id)
{
    char *bytes = NULL;
    BIO *in = BIO_new_mem_buf(plaintext, -1), *out = BIO_new(BIO_s_mem());
    unsigned flags = CMS_BINARY | CMS_PARTIAL | (indefinite ? CMS_STREAM : 0);
    CMS_ContentInfo *cms = CMS_encrypt(NULL, NULL, cipher, flags);
    X509 *recipients[] = {world->gateway->x509, world->other->x509};
    for (int i = 0; i < (two_recipients ? 2 : 1); i++) {
        CMS_RecipientInfo *info = CMS_add1_recipient_cert(
            cms, recipients[i], CMS_KEY_PARAM | (key_id ? CMS_USE_KEYID : 0u));
        assert_non_null(info);
        if (kdf != NULL)
            assert_int_equal(
                EVP_PKEY_CTX_set_ecdh_kdf_md(CMS_RecipientInfo_get0_pkey_ctx(info), kdf), 1);
    }
    if (indefinite) {
        assert_int_equal(i2d_CMS_bio_stream(out, cms, in, (int)flags), 1);
    } else {
        assert_int_equal(CMS_final(cms, in, NULL, flags), 1);
        assert_int_equal(i2d_CMS_bio(out, cms), 1);
    }
    long size = BIO_get_mem_data(out, &bytes);
    struct setpay_view made = setpay_view_of(bytes, (size_t)size);
    /* It is good CMS: OpenSSL opens it. */
    BIO *again = BIO_new_mem_buf(bytes, (int)size), *opened = BIO_new(BIO_s_mem());
    CMS_ContentInfo *parsed = d2i_CMS_bio(again, NULL);
    assert_non_null(parsed);
    assert_int_equal(
        CMS_decrypt(parsed, world->gateway->key, world->gateway->x509, NULL, opened, 0), 1);
    assert_int_equal(setpay_envelope_check_form(made), SETPAY_E_ENVELOPE);
    refuse(world, made);
    CMS_ContentInfo_free(parsed);
    CMS_ContentInfo_free(cms);
    BIO_free(again);
    BIO_free(opened);
    BIO_free(in);
    BIO_free(out);
}

static void other_forms_are_refused(void **state)
{
    struct world *world = *state;
    refuse_cms(world, EVP_aes_256_gcm(), NULL, false, false, false); /* SHA-1 KDF */
    refuse_cms(world, EVP_aes_256_gcm(), EVP_sha384(), false, false, false);
    refuse_cms(world, EVP_aes_128_gcm(), EVP_sha256(), false, false, false);
    refuse_cms(world, EVP_aes_256_cbc(), EVP_sha256(), false, false, false);
    refuse_cms(world, EVP_aes_256_gcm(), EVP_sha256(), true, false, false);
    refuse_cms(world, EVP_aes_256_gcm(), EVP_sha256(), false, true, false);
    refuse_cms(world, EVP_aes_256_gcm(), EVP_sha256(), false, false, true);
}

static void key_and_certificate_must_fit(void **state)
{
    struct world *world = *state;
    struct setpay_envelope_key *key = NULL;
    EVP_PKEY *p384 = EVP_EC_gen("P-384");
    assert_int_equal(setpay_envelope_key_new(world->other->key, world->gateway->x509, &key),
                     SETPAY_E_INVALID);
    assert_int_equal(setpay_envelope_key_new(p384, world->gateway->x509, &key), SETPAY_E_INVALID);
    EVP_PKEY_free(p384);
}

static void the_openssl_program_opens_it(void **state)
{
    struct world *world = *state;
    char dir[] = "/tmp/test_envelope.XXXXXX", path[64], command[400], opened[256] = "";
    struct setpay_buffer envelope;
    assert_non_null(mkdtemp(dir));
    seal(world->gateway->x509, &envelope);
    (void)snprintf(path, sizeof(path), "%s/party", dir);
    test_party_write(world->gateway, path);
    (void)snprintf(path, sizeof(path), "%s/envelope", dir);
    FILE *file = fopen(path, "w");
    assert_int_equal(fwrite(envelope.data, 1, envelope.size, file), envelope.size);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(command, sizeof(command),
                   "openssl cms -decrypt -inform DER -in %s/envelope -inkey %s/party.key "
                   "-recip %s/party.pem -out %s/opened",
                   dir, dir, dir, dir);
    assert_int_equal(system(command), 0);
    (void)snprintf(path, sizeof(path), "%s/opened", dir);
    file = fopen(path, "r");
    assert_int_equal(fread(opened, 1, sizeof(opened) - 1, file), strlen(plaintext));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(opened, plaintext);
    (void)snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    setpay_buffer_clear(&envelope);
}

/* rule W6 */
static void receipts_open_only_for_their_purchase(void **state)
{
    (void)state;
    struct setpay_secret key = {0}, wrong = {0};
    struct setpay_id receipt_id = {{1}}, xid = {{2}}, other = {{3}};
    struct setpay_buffer sealed, opened;
    setpay_buffer_init(&sealed, 1024);
    setpay_buffer_init(&opened, 1024);
    assert_int_equal(setpay_secret_random(&key, 32), SETPAY_OK);
    assert_int_equal(setpay_secret_random(&wrong, 32), SETPAY_OK);
    assert_int_equal(setpay_receipt_seal(&key, &receipt_id, &xid, "capture",
                                         setpay_view_string("receipt"), &sealed),
                     SETPAY_OK);
    assert_int_equal(sealed.size, 7 + SETPAY_SEAL_TAG_SIZE);
    struct setpay_view view = setpay_buffer_view(&sealed);
    assert_int_equal(setpay_receipt_open(&key, &receipt_id, &xid, "capture", view, &opened),
                     SETPAY_OK);
    assert_true(setpay_view_equal(setpay_buffer_view(&opened), setpay_view_string("receipt")));
    assert_int_equal(setpay_receipt_open(&wrong, &receipt_id, &xid, "capture", view, &opened),
                     SETPAY_E_RECEIPT);
    assert_int_equal(setpay_receipt_open(&key, &other, &xid, "capture", view, &opened),
                     SETPAY_E_RECEIPT);
    assert_int_equal(setpay_receipt_open(&key, &receipt_id, &other, "capture", view, &opened),
                     SETPAY_E_RECEIPT);
    assert_int_equal(setpay_receipt_open(&key, &receipt_id, &xid, "credit", view, &opened),
                     SETPAY_E_RECEIPT);
    for (size_t i = 0; i < sealed.size; i++) {
        sealed.data[i] ^= 1;
        assert_int_equal(setpay_receipt_open(&key, &receipt_id, &xid, "capture", view, &opened),
                         SETPAY_E_RECEIPT);
        sealed.data[i] ^= 1;
    }
    assert_int_equal(setpay_receipt_open(&key, &receipt_id, &xid, "capture",
                                         setpay_view_of(sealed.data, 15), &opened),
                     SETPAY_E_RECEIPT);
    /* what an earlier call gave was left alone by all of these */
    assert_int_equal(opened.size, 7);
    setpay_secret_clear(&key);
    setpay_secret_clear(&wrong);
    setpay_buffer_clear(&sealed);
    setpay_buffer_clear(&opened);
}

/* rule G10 */
static void boxes_open_only_in_their_place(void **state)
{
    (void)state;
    struct setpay_secret key = {0}, opened = {0}, shorter = {0};
    struct setpay_buffer box, again;
    struct setpay_view aad = setpay_view_string("pan of 1");
    setpay_buffer_init(&box, 1024);
    setpay_buffer_init(&again, 1024);
    assert_int_equal(setpay_secret_random(&key, 32), SETPAY_OK);
    assert_int_equal(setpay_secret_random(&shorter, 16), SETPAY_OK);
    struct setpay_view pan = setpay_view_string("4000000000000002");
    assert_int_equal(setpay_box_seal(&key, aad, pan, &box), SETPAY_OK);
    assert_int_equal(setpay_box_seal(&key, aad, pan, &again), SETPAY_OK);
    assert_int_equal(setpay_box_seal(&shorter, aad, pan, &again), SETPAY_E_INVALID);
    assert_int_equal(box.size, pan.size + SETPAY_BOX_OVERHEAD);
    assert_false(setpay_view_equal(setpay_buffer_view(&box), setpay_buffer_view(&again)));
    assert_int_equal(setpay_box_open(&key, aad, setpay_buffer_view(&box), &opened), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_secret_view(&opened), pan));
    setpay_secret_clear(&opened);
    assert_int_equal(
        setpay_box_open(&key, setpay_view_string("pan of 2"), setpay_buffer_view(&box), &opened),
        SETPAY_E_CRYPTO);
    assert_int_equal(setpay_box_open(&key, aad, setpay_view_of(box.data, 28), &opened),
                     SETPAY_E_CRYPTO);
    for (size_t i = 0; i < box.size; i++) {
        box.data[i] ^= 1;
        assert_int_equal(setpay_box_open(&key, aad, setpay_buffer_view(&box), &opened),
                         SETPAY_E_CRYPTO);
        box.data[i] ^= 1;
    }
    assert_null(opened.data);
    setpay_secret_clear(&key);
    setpay_secret_clear(&shorter);
    setpay_buffer_clear(&box);
    setpay_buffer_clear(&again);
}

/* rule G2: every form of tests/vectors/envelopes.h; so are the three downgrades among them, which
 * are what an attacker makes of a genuine envelope. */
static void every_wrong_form_is_refused(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < test_envelope_form_count; i++) {
        const struct test_envelope_form *form = &test_envelope_forms[i];
        struct setpay_buffer envelope;
        struct setpay_secret opened = {0};
        setpay_buffer_init(&envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
        test_envelope_make(form, world->gateway->x509, world->other->x509, &envelope);
        struct setpay_view bytes = setpay_buffer_view(&envelope);
        print_message("# %s\n", form->why);
        assert_int_equal(setpay_envelope_check_form(bytes) == SETPAY_OK,
                         form->good || form->flip != 0 || form->recipients == 0);
        if (form->good)
            assert_int_equal(setpay_envelope_open(world->key, bytes, &opened), SETPAY_OK);
        else
            refuse(world, bytes);
        setpay_secret_clear(&opened);
        setpay_buffer_clear(&envelope);
    }
}

/* What OpenSSL alone makes of an envelope: the bytes it gives out; 0 where it refuses. */
static size_t open_by_openssl(const struct world *world, const struct setpay_buffer *envelope,
                              uint8_t *text, size_t size)
{
    const unsigned char *at = envelope->data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &at, (long)envelope->size);
    assert_non_null(cms);
    assert_ptr_equal(at, envelope->data + envelope->size);
    assert_int_equal(CMS_decrypt_set1_pkey(cms, world->gateway->key, world->gateway->x509), 1);
    BIO *cipher = CMS_dataInit(cms, NULL);
    assert_non_null(cipher);
    int got = BIO_read(cipher, text, (int)size);
    BIO_free_all(cipher);
    CMS_ContentInfo_free(cms);
    return got < 0 ? 0 : (size_t)got;
}

/* rule G2: the downgrades are real ones. OpenSSL finds the content key in them and decrypts: under
 * OFB and CFB the first block comes out as it was sealed, without any tag. Only the form stands
 * between that and a gateway. */
static void openssl_alone_would_open_a_downgrade(void **state)
{
    const struct world *world = *state;
    size_t tried = 0;
    for (size_t i = 0; i < test_envelope_form_count; i++) {
        const struct test_envelope_form *form = &test_envelope_forms[i];
        struct setpay_buffer envelope;
        uint8_t text[sizeof TEST_ENVELOPE_TEXT] = {0};
        if (form->downgrade == TEST_DOWNGRADE_NONE)
            continue;
        setpay_buffer_init(&envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
        test_envelope_make(form, world->gateway->x509, world->other->x509, &envelope);
        size_t got = open_by_openssl(world, &envelope, text, sizeof text);
        assert_in_range(got, 16, sizeof TEST_ENVELOPE_TEXT - 1);
        if (form->downgrade != TEST_DOWNGRADE_CBC) /* which needs the block cipher's other way */
            assert_memory_equal(text, TEST_ENVELOPE_TEXT, 16);
        setpay_buffer_clear(&envelope);
        tried++;
    }
    assert_int_equal(tried, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(sizes_have_limits),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(a_cut_tag_is_refused),
        cmocka_unit_test(anothers_envelope_is_refused),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(every_wrong_form_is_refused),
        cmocka_unit_test(openssl_alone_would_open_a_downgrade),
        cmocka_unit_test(key_and_certificate_must_fit),
        cmocka_unit_test(the_openssl_program_opens_it),
        cmocka_unit_test(receipts_open_only_for_their_purchase),
        cmocka_unit_test(boxes_open_only_in_their_place),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
