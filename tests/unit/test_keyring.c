/*
 * Rings of keys: who is found by what, that a ring in use outlives its replacement, what files make
 * of it, and how an earlier pair is kept and destroyed.
 */
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/crypto/file.h"
#include "common/crypto/keyfile.h"
#include "common/net/keyring.h"
#include "common/net/party_files.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const brands[] = {"visa", NULL};

static struct setpay_identity identity_of(const struct test_party *party)
{
    struct setpay_identity identity = {.pkey = party->key};
    assert_int_equal(EVP_PKEY_up_ref(identity.pkey), 1);
    assert_int_equal(setpay_signing_key_from_pkey(identity.pkey, &identity.key), SETPAY_OK);
    identity.certificate = setpay_certificate_ref(party->certificate);
    return identity;
}

static void a_pair_is_found_by_what_names_it(void **state)
{
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *one = test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "g", NULL);
    struct test_party *other = test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "g", NULL);
    struct test_party *sealed =
        test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "g", NULL);
    struct setpay_keyring *ring = NULL;
    struct setpay_identity identity = identity_of(one);
    (void)state;
    assert_int_equal(setpay_keyring_new(&ring), SETPAY_OK);
    assert_null(setpay_keyring_in_use(ring, SETPAY_PROFILE_GATEWAY_SIGN, "visa"));
    assert_int_equal(
        setpay_keyring_add(ring, SETPAY_PROFILE_GATEWAY_SIGN, "visa", false, &identity), SETPAY_OK);
    assert_null(identity.pkey); /* taken */
    identity = identity_of(other);
    assert_int_equal(setpay_keyring_add(ring, SETPAY_PROFILE_GATEWAY_SIGN, "visa", true, &identity),
                     SETPAY_OK);
    identity = identity_of(sealed);
    assert_int_equal(
        setpay_keyring_add(ring, SETPAY_PROFILE_GATEWAY_ENCRYPT, "visa", true, &identity),
        SETPAY_OK);

    const struct setpay_held *held =
        setpay_keyring_in_use(ring, SETPAY_PROFILE_GATEWAY_SIGN, "visa");
    assert_true(setpay_digest_equal(setpay_held_thumbprint(held), &other->thumbprint));
    held = setpay_keyring_find(ring, SETPAY_PROFILE_GATEWAY_SIGN, "visa", &one->thumbprint);
    assert_non_null(held);
    assert_false(held->in_use);
    /* by its own use and brand alone (rules G2, G4) */
    assert_null(
        setpay_keyring_find(ring, SETPAY_PROFILE_GATEWAY_ENCRYPT, "visa", &one->thumbprint));
    assert_null(
        setpay_keyring_find(ring, SETPAY_PROFILE_GATEWAY_SIGN, "mastercard", &one->thumbprint));
    assert_null(setpay_keyring_find(ring, SETPAY_PROFILE_GATEWAY_SIGN, NULL, &one->thumbprint));
    assert_non_null(
        setpay_keyring_in_use(ring, SETPAY_PROFILE_GATEWAY_ENCRYPT, "visa")->envelope_key);
    setpay_keyring_unref(ring);
    test_party_free(one);
    test_party_free(other);
    test_party_free(sealed);
    test_pki_free(pki);
}

static void a_ring_that_was_taken_outlives_its_replacement(void **state)
{
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *one = test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "g", NULL);
    struct setpay_keys *keys = NULL;
    struct setpay_keyring *first = NULL, *second = NULL;
    struct setpay_identity identity = identity_of(one);
    (void)state;
    assert_int_equal(setpay_keys_new(&keys), SETPAY_OK);
    assert_null(setpay_keys_take(keys));
    assert_int_equal(setpay_keyring_new(&first), SETPAY_OK);
    assert_int_equal(
        setpay_keyring_add(first, SETPAY_PROFILE_GATEWAY_SIGN, "visa", true, &identity), SETPAY_OK);
    setpay_keys_put(keys, first);
    struct setpay_keyring *taken = setpay_keys_take(keys);
    assert_int_equal(setpay_keyring_new(&second), SETPAY_OK);
    setpay_keys_put(keys, second);
    assert_non_null(setpay_keyring_in_use(taken, SETPAY_PROFILE_GATEWAY_SIGN, "visa"));
    setpay_keyring_unref(taken);
    setpay_keys_free(keys);
    test_party_free(one);
    test_pki_free(pki);
}

/* ------------------------------------------------------------------ files */

struct fixture {
    char folder[64];
    char key[128], certificate[128];
    struct setpay_party_files files;
    struct test_pki *pki;
    struct test_party *one, *other;
};

static void write_pair(const struct test_party *party, const char *key, const char *certificate)
{
    struct setpay_problem problem;
    char pem[8192];
    FILE *out = fmemopen(pem, sizeof pem, "w");
    assert_non_null(out);
    assert_int_equal(PEM_write_X509(out, party->x509), 1);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(setpay_key_save(key, party->key, NULL, true, &problem), SETPAY_OK);
    assert_int_equal(setpay_file_write(certificate, setpay_view_string(pem), 0644, true, &problem),
                     SETPAY_OK);
}

static int make_files(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct setpay_problem problem;
    assert_non_null(f);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/setpay-keyring.XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->key, sizeof f->key, "%s/pair.key", f->folder);
    (void)snprintf(f->certificate, sizeof f->certificate, "%s/pair.pem", f->folder);
    assert_int_equal(setpay_party_files_init(&f->files, f->key, f->certificate,
                                             SETPAY_KEEP_FOR_INSTRUCTIONS, &problem),
                     SETPAY_OK);
    f->pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    f->one = test_party_new(f->pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "g", NULL);
    f->other = test_party_new(f->pki, "visa", SETPAY_PROFILE_GATEWAY_ENCRYPT, "g", NULL);
    write_pair(f->one, f->key, f->certificate);
    *state = f;
    return 0;
}

static int remove_files(void **state)
{
    struct fixture *f = *state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
    test_party_free(f->one);
    test_party_free(f->other);
    test_pki_free(f->pki);
    free(f);
    return 0;
}

static size_t earlier_of(const struct fixture *f, struct setpay_party_earlier *earlier)
{
    struct setpay_party_earlier list[4];
    size_t count = setpay_party_files_earlier(&f->files, list, 4);
    if (count > 0)
        *earlier = list[0];
    return count;
}

static void expect_in_use(const struct fixture *f, const struct test_party *party)
{
    struct setpay_problem problem;
    struct setpay_certificate *certificate = NULL;
    EVP_PKEY *key = NULL;
    assert_int_equal(setpay_identity_read_certificate(f->certificate, &certificate, &problem),
                     SETPAY_OK);
    assert_true(
        setpay_digest_equal(setpay_certificate_thumbprint(certificate), &party->thumbprint));
    assert_int_equal(setpay_key_load(f->key, NULL, &key, &problem), SETPAY_OK);
    assert_int_equal(EVP_PKEY_eq(key, party->key), 1);
    EVP_PKEY_free(key);
    setpay_certificate_unref(certificate);
}

static void an_exchange_keeps_the_pair_before(void **state)
{
    struct fixture *f = *state;
    struct setpay_party_earlier earlier = {.replaced_ms = 0};
    struct setpay_problem problem;
    struct stat before, after;
    bool present = false;
    assert_int_equal(stat(f->key, &before), 0);
    write_pair(f->other, f->files.new_key, f->files.new_certificate);
    assert_int_equal(setpay_party_files_settle(&f->files, &present, &problem), SETPAY_OK);
    assert_true(present);
    expect_in_use(f, f->other);
    assert_int_equal(earlier_of(f, &earlier), 1);
    /* the same file under another name, and not a copy of the key */
    assert_int_equal(stat(earlier.key, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_nlink, 1);
    assert_in_range(setpay_clock_now_ms() - earlier.replaced_ms, 0, 60 * SETPAY_SECOND_MS);
}

static void an_exchange_that_was_cut_off_is_ended(void **state)
{
    struct fixture *f = *state;
    struct setpay_party_earlier earlier;
    struct setpay_problem problem;
    bool present = false;
    /* only a new key: what is in use stays */
    assert_int_equal(setpay_key_save(f->files.new_key, f->other->key, NULL, false, &problem),
                     SETPAY_OK);
    assert_int_equal(setpay_party_files_settle(&f->files, &present, &problem), SETPAY_OK);
    expect_in_use(f, f->one);
    assert_int_equal(access(f->files.new_key, F_OK), 0);
    /* between the two renames */
    write_pair(f->other, f->files.new_key, f->files.new_certificate);
    assert_int_equal(rename(f->files.new_key, f->key), 0);
    assert_int_equal(setpay_party_files_mend(&f->files, &problem), SETPAY_OK);
    expect_in_use(f, f->other);
    assert_int_equal(earlier_of(f, &earlier),
                     0); /* its second name comes before that, in earnest */
}

static void a_replaced_key_is_destroyed(void **state)
{
    struct fixture *f = *state;
    struct setpay_party_earlier earlier;
    struct setpay_problem problem;
    char link_path[160], bytes[512];
    bool present = false;
    write_pair(f->other, f->files.new_key, f->files.new_certificate);
    assert_int_equal(setpay_party_files_settle(&f->files, &present, &problem), SETPAY_OK);
    assert_int_equal(earlier_of(f, &earlier), 1);
    (void)snprintf(link_path, sizeof link_path, "%s/link", f->folder);
    assert_int_equal(link(earlier.key, link_path), 0);
    assert_int_equal(setpay_party_files_destroy(&f->files, &earlier, &problem), SETPAY_OK);
    assert_int_equal(access(earlier.key, F_OK), -1);
    assert_int_equal(access(earlier.certificate, F_OK), -1);
    FILE *in = fopen(link_path, "rb");
    assert_non_null(in);
    size_t size = fread(bytes, 1, sizeof bytes, in);
    assert_int_equal(fclose(in), 0);
    assert_true(size > 100);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(bytes[i], 0);
    expect_in_use(f, f->other);
}

/* What a crash can leave: the pair in use under two names. It must not be wiped with the second. */
static void a_second_name_of_the_pair_in_use_is_only_a_name(void **state)
{
    struct fixture *f = *state;
    struct setpay_party_earlier earlier;
    struct setpay_problem problem;
    char text[SETPAY_DIGEST_TEXT_SIZE], key[160], certificate[160];
    setpay_digest_format(&f->one->thumbprint, text);
    (void)snprintf(key, sizeof key, "%s.%.16s", f->key, text);
    (void)snprintf(certificate, sizeof certificate, "%s.%.16s", f->certificate, text);
    assert_int_equal(link(f->key, key), 0);
    assert_int_equal(link(f->certificate, certificate), 0);
    assert_int_equal(earlier_of(f, &earlier), 1);
    assert_int_equal(setpay_party_files_destroy(&f->files, &earlier, &problem), SETPAY_OK);
    assert_int_equal(access(key, F_OK), -1);
    expect_in_use(f, f->one);
}

static void one_at_a_time_changes_the_files(void **state)
{
    const struct fixture *f = *state;
    struct setpay_problem problem;
    int lock = -1, second = -1;
    assert_int_equal(setpay_party_files_lock(&f->files, &lock, &problem), SETPAY_OK);
    assert_int_equal(setpay_party_files_lock(&f->files, &second, &problem), SETPAY_E_BUSY);
    assert_non_null(strstr(problem.text, f->folder));
    setpay_party_files_unlock(lock);
    assert_int_equal(setpay_party_files_lock(&f->files, &second, &problem), SETPAY_OK);
    setpay_party_files_unlock(second);
}

/* ------------------------------------------------------------------ when it is time */

static void a_certificate_is_due_before_its_end(void **state)
{
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *party = test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "g", NULL);
    setpay_time_ms end_ms = setpay_certificate_not_after_ms(party->certificate);
    int64_t third_ms = (end_ms - setpay_certificate_not_before_ms(party->certificate)) / 3;
    (void)state;
    assert_false(
        setpay_identity_is_due(party->certificate, SETPAY_DAY_MS, end_ms - SETPAY_DAY_MS - 1));
    assert_true(setpay_identity_is_due(party->certificate, SETPAY_DAY_MS, end_ms - SETPAY_DAY_MS));
    /* a short life is not renewed all the time */
    assert_false(
        setpay_identity_is_due(party->certificate, 1000 * SETPAY_DAY_MS, end_ms - third_ms - 1));
    assert_true(
        setpay_identity_is_due(party->certificate, 1000 * SETPAY_DAY_MS, end_ms - third_ms));
    test_party_free(party);
    test_pki_free(pki);
}

/* As a copy that was cut off leaves it. */
static void an_empty_file_is_told_as_such(void **state)
{
    struct fixture *f = *state;
    struct setpay_problem problem;
    struct setpay_trust *trust = NULL;
    struct setpay_certificate *certificate = NULL;
    assert_int_equal(
        setpay_file_write(f->certificate, setpay_view_string(""), 0644, true, &problem), SETPAY_OK);
    assert_int_equal(setpay_trust_load(f->certificate, &trust, &problem), SETPAY_E_CERT_MALFORMED);
    assert_non_null(strstr(problem.text, "pair.pem: is empty, expected the one root certificate"));
    assert_null(trust);
    assert_int_equal(setpay_identity_read_certificate(f->certificate, &certificate, &problem),
                     SETPAY_E_CERT_MALFORMED);
    assert_non_null(strstr(problem.text, "expected 1 to 4 certificates in PEM"));
    assert_null(certificate);
}

int main(void)
{
#define FILES(test) cmocka_unit_test_setup_teardown(test, make_files, remove_files)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_is_found_by_what_names_it),
        cmocka_unit_test(a_ring_that_was_taken_outlives_its_replacement),
        FILES(an_exchange_keeps_the_pair_before),
        FILES(an_exchange_that_was_cut_off_is_ended),
        FILES(a_replaced_key_is_destroyed),
        FILES(a_second_name_of_the_pair_in_use_is_only_a_name),
        FILES(one_at_a_time_changes_the_files),
        FILES(an_empty_file_is_told_as_such),
        cmocka_unit_test(a_certificate_is_due_before_its_end),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
