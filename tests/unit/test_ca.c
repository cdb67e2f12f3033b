/*
 * The certification authority: what the command line can't show. A cardholder's card never stays
 * (rule C1), a key is certified once (rule C2), everything is in the log (rule C3), and a moved
 * clock decides about ends.
 */
#include "ca/ca.h"
#include "ca/forward.h"
#include "ca/state.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"
#include "common/pki/certificate.h"
#include "common/pki/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW INT64_C(1795435200000) /* 2026-11-23T12:00:00Z */
#define PAN "4929000000006"
#define END_2812 INT64_C(1861919999000) /* 2028-12-31T23:59:59Z */

static char folder[64];
static struct setpay_ca *ca;
static struct setpay_problem problem;
static json_t *forwarded_args; /* outlive the command that they ask for */

static void ok(enum setpay_error error)
{
    if (error != SETPAY_OK)
        fail_msg("%s: %s", setpay_error_name(error), problem.text);
}

static struct setpay_secret secret(const void *bytes, size_t size)
{
    struct setpay_secret made = {0};

    ok(setpay_secret_copy(&made, setpay_view_of(bytes, size)));
    return made;
}

static int remove_entry(const char *path, const struct stat *state, int type, struct FTW *ftw)
{
    (void)state;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    struct setpay_secret passphrase = secret("a long passphrase", 17);

    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/setpay-test-ca-XXXXXX");
    assert_non_null(mkdtemp(folder));
    ok(setpay_ca_init(folder, "test root", &passphrase, NOW, &problem));
    ok(setpay_ca_open(folder, false, &ca, &problem));
    ok(setpay_ca_unlock(ca, &passphrase, &problem));
    ok(setpay_ca_brand_add(ca, "visa", false, NOW, &problem));
    setpay_secret_clear(&passphrase);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_ca_close(ca);
    ca = NULL;
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static EVP_PKEY *new_key(void)
{
    EVP_PKEY *key = NULL;

    ok(setpay_key_generate(&key));
    return key;
}

/* A request without any wish, in DER. */
static struct setpay_secret plain_request(EVP_PKEY *key)
{
    const struct setpay_csr_wish wish = {0};
    struct setpay_secret der = {0};

    ok(setpay_csr_build(key, &wish, &der));
    return der;
}

struct card {
    struct setpay_secret pan;
    struct setpay_secret expiry;
    struct setpay_secret pan_secret;
};

static struct card new_card(const char *expiry)
{
    struct card card = {.pan = secret(PAN, strlen(PAN)), .expiry = secret(expiry, 4)};
    uint8_t bytes[32];

    memset(bytes, 0xa7, sizeof bytes); /* marked, so that it is found where it must not be */
    card.pan_secret = secret(bytes, sizeof bytes);
    return card;
}

static void clear_card(struct card *card)
{
    setpay_secret_clear(&card->pan);
    setpay_secret_clear(&card->expiry);
    setpay_secret_clear(&card->pan_secret);
}

static struct setpay_secret card_request(EVP_PKEY *key, const struct card *card)
{
    const struct setpay_csr_wish wish = {
        .pan = &card->pan, .expiry = &card->expiry, .pan_secret = &card->pan_secret};
    struct setpay_secret der = {0};

    ok(setpay_csr_build(key, &wish, &der));
    return der;
}

static enum setpay_error issue(const char *profile, const char *id, const char *dns,
                               struct setpay_view csr, setpay_time_ms now,
                               struct setpay_ca_issued *issued)
{
    const struct setpay_ca_request request = {.profile = profile,
                                              .csr = csr,
                                              .brand = "visa",
                                              .id = id,
                                              .dns = {dns},
                                              .dns_count = dns == NULL ? 0 : 1};

    setpay_ca_issued_init(issued);
    return setpay_ca_issue(ca, &request, now, issued, &problem);
}

static uint64_t log_count(void)
{
    struct setpay_ca_log_head head;

    ok(setpay_ca_log_verify(ca, NULL, &head, &problem));
    return head.count;
}

/* The leaf of a PEM chain, through the eyes of everybody else. */
static struct setpay_certificate *leaf_of(const struct setpay_ca_issued *issued)
{
    BIO *bio = BIO_new_mem_buf(issued->chain.data, (int)issued->chain.size);
    X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    struct setpay_certificate *certificate = NULL;
    unsigned char *der = NULL;
    int size = i2d_X509(x509, &der);

    ok(setpay_certificate_parse(setpay_view_of(der, (size_t)size), &certificate));
    OPENSSL_free(der);
    X509_free(x509);
    BIO_free(bio);
    return certificate;
}

/* ---- every profile that is issued is one that is accepted ---- */

static void test_profiles(void **state)
{
    (void)state;
    for (int each = SETPAY_PROFILE_NONE + 1; each < SETPAY_PROFILES; each++) {
        const struct setpay_profile_info *info = setpay_profile_info((enum setpay_profile)each);
        EVP_PKEY *key = new_key();
        struct setpay_secret csr;
        struct setpay_ca_issued issued;
        struct setpay_certificate *leaf;

        if (info->profile == SETPAY_PROFILE_CARDHOLDER_SIGN) {
            EVP_PKEY_free(key);
            continue;
        }
        csr = plain_request(key);
        ok(issue(info->name, "party_1", info->dns_names ? "localhost" : NULL,
                 setpay_secret_view(&csr), NOW, &issued));
        leaf = leaf_of(&issued);
        assert_int_equal(setpay_certificate_profile(leaf), info->profile);
        assert_string_equal(setpay_certificate_brand(leaf), "visa");
        assert_string_equal(setpay_certificate_id(leaf), "party_1");
        assert_true(setpay_certificate_not_after_ms(leaf) <= NOW + info->max_days * SETPAY_DAY_MS);
        setpay_certificate_unref(leaf);
        setpay_ca_issued_clear(&issued);
        setpay_secret_clear(&csr);
        EVP_PKEY_free(key);
    }
}

/* ---- a cardholder's certificate holds the blinded account id, and nothing keeps the card ---- */

static const char *marks[3];
static size_t mark_sizes[3];

static int search_file(const char *path, const struct stat *state, int type, struct FTW *ftw)
{
    FILE *file;
    char *content;
    size_t size = (size_t)state->st_size;

    (void)ftw;
    if (type != FTW_F)
        return 0;
    file = fopen(path, "rb");
    assert_non_null(file);
    content = malloc(size + 1);
    assert_non_null(content);
    size = fread(content, 1, size, file);
    (void)fclose(file);
    for (size_t at = 0; at < 3; at++)
        if (memmem(content, size, marks[at], mark_sizes[at]) != NULL)
            fail_msg("%s holds mark %zu of the card", path, at);
    free(content);
    return 0;
}

static void test_cardholder(void **state)
{
    EVP_PKEY *key = new_key();
    struct card card = new_card("2812");
    struct setpay_secret csr = card_request(key, &card);
    struct setpay_ca_issued issued;
    struct setpay_certificate *leaf;
    struct setpay_digest account;
    struct setpay_digest named;
    char secret_text[65];

    (void)state;
    ok(issue("cardholder", NULL, NULL, setpay_secret_view(&csr), NOW, &issued));
    leaf = leaf_of(&issued);
    assert_int_equal(setpay_certificate_profile(leaf), SETPAY_PROFILE_CARDHOLDER_SIGN);
    ok(setpay_account_id(&card.pan_secret, &card.pan, &card.expiry, &account));
    ok(setpay_certificate_account(leaf, &named));
    assert_true(setpay_digest_equal(&account, &named));
    assert_true(setpay_certificate_not_after_ms(leaf) <= END_2812);
    /* rule C1: card number and PANSecret, raw and in hex, are nowhere in the CA's folder */
    setpay_hex_encode(setpay_secret_view(&card.pan_secret), secret_text);
    marks[0] = PAN;
    mark_sizes[0] = strlen(PAN);
    marks[1] = (const char *)card.pan_secret.data;
    mark_sizes[1] = 32;
    marks[2] = secret_text;
    mark_sizes[2] = 64;
    assert_int_equal(nftw(folder, search_file, 16, FTW_PHYS), 0);
    setpay_certificate_unref(leaf);
    setpay_ca_issued_clear(&issued);
    setpay_secret_clear(&csr);
    clear_card(&card);
    EVP_PKEY_free(key);
}

/* ---- the certificate ends with the card's last month, and an expired card gets none ---- */

static void test_card_end(void **state)
{
    EVP_PKEY *key = new_key();
    struct card card = new_card("2612");
    struct setpay_secret csr = card_request(key, &card);
    struct setpay_ca_issued issued;
    uint64_t before = log_count();

    (void)state;
    assert_int_equal(issue("cardholder", NULL, NULL, setpay_secret_view(&csr),
                           INT64_C(1798761600000), &issued), /* 2027-01-01T00:00:00Z */
                     SETPAY_E_EXPIRED);
    assert_int_equal(issued.chain.size, 0);
    setpay_ca_issued_clear(&issued);
    assert_int_equal(log_count(), before);
    ok(issue("cardholder", NULL, NULL, setpay_secret_view(&csr), NOW, &issued));
    assert_int_equal(issued.not_after, INT64_C(1798761599000)); /* 2026-12-31T23:59:59Z */
    setpay_ca_issued_clear(&issued);
    setpay_secret_clear(&csr);
    clear_card(&card);
    EVP_PKEY_free(key);
}

/* ---- card data has no place in another party's request ---- */

static void test_card_for_merchant(void **state)
{
    EVP_PKEY *key = new_key();
    struct card card = new_card("2812");
    struct setpay_secret csr = card_request(key, &card);
    struct setpay_ca_issued issued;

    (void)state;
    assert_int_equal(issue("merchant-sign", "shop", NULL, setpay_secret_view(&csr), NOW, &issued),
                     SETPAY_E_CSR);
    setpay_ca_issued_clear(&issued);
    setpay_secret_clear(&csr);
    clear_card(&card);
    EVP_PKEY_free(key);
}

/* ---- a key is certified once, however its point is written (rule C2) ---- */

static void test_key_once(void **state)
{
    EVP_PKEY *key = new_key();
    struct setpay_secret csr = plain_request(key);
    struct setpay_ca_issued issued;
    X509_REQ *again = X509_REQ_new();
    unsigned char *der = NULL;
    int size;
    enum setpay_error error;

    (void)state;
    ok(issue("merchant-sign", "shop", NULL, setpay_secret_view(&csr), NOW, &issued));
    setpay_ca_issued_clear(&issued);
    assert_int_equal(issue("gateway-sign", "gw", NULL, setpay_secret_view(&csr), NOW, &issued),
                     SETPAY_E_KEY_CERTIFIED);
    setpay_ca_issued_clear(&issued);
    assert_int_equal(EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                    "compressed"),
                     1);
    assert_int_equal(i2d_PUBKEY(key, NULL), 59); /* uncompressed it has 91 bytes */
    assert_int_equal(X509_REQ_set_pubkey(again, key), 1);
    assert_true(X509_REQ_sign(again, key, EVP_sha256()) > 0);
    size = i2d_X509_REQ(again, &der);
    assert_true(size > 0);
    error = issue("merchant-sign", "shop", NULL, setpay_view_of(der, (size_t)size), NOW, &issued);
    assert_int_equal(error, SETPAY_E_KEY_CERTIFIED);
    setpay_ca_issued_clear(&issued);
    OPENSSL_free(der);
    X509_REQ_free(again);
    setpay_secret_clear(&csr);
    EVP_PKEY_free(key);
}

/* ---- renewal keeps who it is and where it ends; an ended or revoked one is not renewed ---- */

static void test_renew(void **state)
{
    EVP_PKEY *keys[3] = {new_key(), new_key(), new_key()};
    struct card card = new_card("2812");
    struct setpay_secret first = card_request(keys[0], &card);
    struct setpay_secret second = plain_request(keys[1]);
    struct setpay_secret third = plain_request(keys[2]);
    struct setpay_ca_issued issued;
    struct setpay_ca_issued renewed;
    struct setpay_view old;

    (void)state;
    ok(issue("cardholder", NULL, NULL, setpay_secret_view(&first), NOW, &issued));
    old = setpay_buffer_view(&issued.chain);
    setpay_ca_issued_init(&renewed);
    ok(setpay_ca_renew(ca, old, setpay_secret_view(&second), 0, NOW + SETPAY_DAY_MS, &renewed,
                       &problem));
    assert_string_equal(renewed.subject, issued.subject);
    assert_true(renewed.not_after <= issued.not_after);
    setpay_ca_issued_clear(&renewed);
    assert_int_equal(setpay_ca_renew(ca, old, setpay_secret_view(&third), 0,
                                     issued.not_after + SETPAY_DAY_MS, &renewed, &problem),
                     SETPAY_E_CERT_TIME);
    ok(setpay_ca_revoke(
        ca, &(struct setpay_ca_revoking){.serial = issued.serial, .reason = "superseded"},
        NOW + SETPAY_DAY_MS, NULL, &problem));
    assert_int_equal(setpay_ca_renew(ca, old, setpay_secret_view(&third), 0,
                                     NOW + 2 * SETPAY_DAY_MS, &renewed, &problem),
                     SETPAY_E_CERT_REVOKED);
    assert_int_equal(renewed.chain.size, 0);
    setpay_ca_issued_clear(&renewed);
    setpay_ca_issued_clear(&issued);
    setpay_secret_clear(&first);
    setpay_secret_clear(&second);
    setpay_secret_clear(&third);
    clear_card(&card);
    for (size_t at = 0; at < 3; at++)
        EVP_PKEY_free(keys[at]);
}

/* ---- a wrong passphrase, and two who want the same folder ---- */

static void test_doors(void **state)
{
    struct setpay_secret wrong = secret("another passphrase", 18);
    struct setpay_ca *second = NULL;

    (void)state;
    assert_int_equal(setpay_ca_unlock(ca, &wrong, &problem), SETPAY_E_PASSPHRASE);
    assert_int_equal(setpay_ca_open(folder, false, &second, &problem), SETPAY_E_RUNNING);
    assert_null(second);
    setpay_secret_clear(&wrong);
}

/* ---- CRL numbers grow by one, and an issuing CA's life is a day at most (rule A3) ---- */

struct seen {
    uint64_t number;
    setpay_time_ms life;
};

static void see_crl(void *arg, const char *authority, uint64_t number, setpay_time_ms this_update,
                    setpay_time_ms next_update, struct setpay_view der)
{
    struct seen *seen = arg;

    assert_true(der.size > 0);
    if (strcmp(authority, "visa.cca") == 0) {
        seen->number = number;
        seen->life = next_update - this_update;
    }
}

static enum setpay_error make_lists(const char *brand, setpay_time_ms now)
{
    const struct setpay_ca_lists_wish wish = {.brand = brand, .now = now};

    return setpay_ca_make_crls(ca, &wish, NULL, &problem);
}

static void test_crls(void **state)
{
    struct seen first = {0};
    struct seen second = {0};

    (void)state;
    ok(setpay_ca_list_crls(ca, "visa", see_crl, &first));
    ok(make_lists(NULL, NOW + SETPAY_HOUR_MS));
    ok(setpay_ca_list_crls(ca, "visa", see_crl, &second));
    assert_int_equal(second.number, first.number + 1);
    assert_true(second.life > 0 && second.life <= SETPAY_DAY_MS);
    assert_int_equal(make_lists("amex", NOW), SETPAY_E_NOT_FOUND);
}

static void revoke_one(const struct setpay_ca_issued *issued, setpay_time_ms now)
{
    const struct setpay_ca_revoking revoking = {.serial = issued->serial,
                                                .reason = "keyCompromise"};
    size_t revoked = 0;

    ok(setpay_ca_revoke(ca, &revoking, now, &revoked, &problem));
    assert_int_equal(revoked, 1);
}

/* By entries that are about the log itself, so that no table has them. */
static void lengthen_log(int count)
{
    struct setpay_ca_authority root = {0};
    struct setpay_ca_change change;

    ok(setpay_ca_authority_load(ca, "root", true, &root, &problem));
    ok(setpay_ca_change_begin(ca->registry, &change));
    for (int at = 0; at < count; at++)
        ok(setpay_ca_log_append(&change, &root, "restore", "1", "as of a test",
                                setpay_view_string(""), NOW));
    ok(setpay_ca_log_commit(ca, &change, &root));
    setpay_ca_change_clear(&change);
    setpay_ca_authority_clear(&root);
}

static struct setpay_ca_forwarded *begin(const char *words)
{
    struct setpay_ca_forwarded *command = NULL;
    json_t *args = json_pack("{s:s, s:s}", "words", words, "folder", folder);

    ok(setpay_ca_forwarded_new(ca, args, &command, &problem));
    forwarded_args = args;
    return command;
}

/* The parts that are left; the result is the caller's. */
static json_t *finish(struct setpay_ca_forwarded *command, size_t *parts)
{
    json_t *reply = NULL;
    bool unfinished = true;

    while (unfinished) {
        ok(setpay_ca_forwarded_run(command, &unfinished, &reply));
        (*parts)++;
    }
    setpay_ca_forwarded_free(command);
    json_decref(forwarded_args);
    return reply;
}

/* The daemon's way: who asks for a revocation while a long log is verified has it between two
 * parts, and the parts that follow see it. */
static void test_a_long_log_leaves_others_their_turn(void **state)
{
    static const char *const ways[] = {"log verify", "doctor"};
    EVP_PKEY *key = new_key();
    struct setpay_secret csr = plain_request(key);
    struct setpay_ca_issued issued;
    json_t *reply = NULL;
    bool unfinished = false;
    size_t parts = 0;

    (void)state;
    ok(issue("merchant-sign", "shop-1", NULL, setpay_secret_view(&csr), NOW, &issued));
    lengthen_log(2100);
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        struct setpay_ca_forwarded *command = begin(ways[way]);

        ok(setpay_ca_forwarded_run(command, &unfinished, &reply));
        assert_true(unfinished);
        if (way == 0) {
            revoke_one(&issued, NOW + 1000);
            ok(setpay_ca_brand_add(ca, "mastercard", false, NOW + 1000, &problem));
        } else {
            ok(make_lists(NULL, NOW + 1001));
        }
        parts = 1;
        reply = finish(command, &parts);
        assert_true(parts >= 3);
        const json_t *result = json_object_get(reply, "result");
        if (way == 0)
            assert_int_equal(json_integer_value(json_object_get(result, "entries")), log_count());
        else
            assert_non_null(
                strstr(json_string_value(json_object_get(
                           json_array_get(json_object_get(result, "checks"),
                                          json_array_size(json_object_get(result, "checks")) - 1),
                           "words")),
                       "every entry, link and signature"));
        json_decref(reply);
    }
    setpay_ca_issued_clear(&issued);
    setpay_secret_clear(&csr);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_profiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cardholder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_card_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_card_for_merchant, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_key_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_renew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_doors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_log_leaves_others_their_turn, set_up,
                                        tear_down),
    };

    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
