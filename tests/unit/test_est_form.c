/*
 * What a client of EST sends and reads, against what the authority's own server writes (ca/est.c):
 * each side's form is the other's input.
 */
#include "ca/est.h"
#include "common/crypto/base64.h"
#include "common/net/est_form.h"
#include "tests/support/test_pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <string.h>

static void places_are_a_host_and_a_port(void **state)
{
    static const struct {
        const char *url, *text; /* NULL: refused */
    } rows[] = {
        {"https://ca.example", "https://ca.example:443"},
        {"https://CA.Example:8443/", "https://ca.example:8443"},
        {"https://ca.example:0", NULL},
        {"https://ca.example:65536", NULL},
        {"https://ca.example:", NULL},
        {"https://ca.example/est", NULL},
        {"https://ca.example?x", NULL},
        {"https://user@ca.example", NULL},
        {"https://", NULL},
        {"http://ca.example", NULL},
        {"ca.example", NULL},
        {"https://ca..example", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setpay_est_place place;
        struct setpay_problem problem = {{0}};
        char text[SETPAY_EST_URL_SIZE];
        enum setpay_error error = setpay_est_place_parse(rows[i].url, &place, &problem);
        if (rows[i].text == NULL) {
            assert_int_equal(error, SETPAY_E_INVALID);
            assert_non_null(strstr(problem.text, rows[i].url));
        } else {
            assert_int_equal(error, SETPAY_OK);
            assert_string_equal(setpay_est_place_format(&place, text), rows[i].text);
        }
    }
}

static void credentials_arrive_as_they_left(void **state)
{
    struct setpay_secret password = {0}, header = {0}, got = {0};
    char text[256] = "", user[SETPAY_EST_USER_SIZE];
    (void)state;
    assert_int_equal(setpay_secret_copy(&password, setpay_view_string("AB:CD")), SETPAY_OK);
    assert_int_equal(setpay_est_authorization("an:id", &password, &header), SETPAY_E_INVALID);
    assert_int_equal(setpay_est_authorization("", &password, &header), SETPAY_E_INVALID);
    assert_int_equal(setpay_est_authorization("id", &password, &header), SETPAY_OK);
    memcpy(text, header.data, header.size);
    assert_int_equal(setpay_est_basic(text, user, &got), SETPAY_OK);
    assert_string_equal(user, "id");
    assert_true(setpay_secret_equal(&got, &password));
    setpay_secret_clear(&password);
    setpay_secret_clear(&header);
    setpay_secret_clear(&got);
}

static void the_nonce_is_found(void **state)
{
    static const char *const oids[] = {"1.2.840.10045.4.3.2", NULL};
    struct setpay_buffer answer;
    char nonce[SETPAY_EST_NONCE_SIZE];
    (void)state;
    setpay_buffer_init(&answer, 4096);
    assert_int_equal(setpay_est_csrattrs("a-nonce_7", oids, &answer), SETPAY_OK);
    assert_int_equal(setpay_est_read_nonce(setpay_buffer_view(&answer), nonce), SETPAY_OK);
    assert_string_equal(nonce, "a-nonce_7");
    for (size_t cut = 0; cut < answer.size; cut += 5)
        assert_int_equal(setpay_est_read_nonce(setpay_view_of(answer.data, cut), nonce),
                         SETPAY_E_MALFORMED);
    assert_int_equal(setpay_est_csrattrs("a\nnonce", oids, &answer), SETPAY_OK);
    assert_int_equal(setpay_est_read_nonce(setpay_buffer_view(&answer), nonce), SETPAY_E_MALFORMED);
    setpay_buffer_clear(&answer);
}

static void certificates_come_in_order(void **state)
{
    static const char *const brands[] = {"visa", NULL};
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *party =
        test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gate-1", NULL);
    struct setpay_buffer answer, certificates[3];
    BIO *pem = BIO_new(BIO_s_mem());
    char *text = NULL;
    size_t count = 0;
    (void)state;
    assert_int_equal(PEM_write_bio_X509(pem, party->x509), 1);
    assert_int_equal(PEM_write_bio_X509(pem, test_pki_ca(pki, "visa", SETPAY_CA_GATEWAY)->x509), 1);
    long size = BIO_get_mem_data(pem, &text);
    setpay_buffer_init(&answer, 64 * 1024);
    assert_int_equal(setpay_est_certs(setpay_view_of(text, (size_t)size), 1, &answer), SETPAY_OK);
    assert_int_equal(
        setpay_est_read_certificates(setpay_buffer_view(&answer), certificates, 3, &count),
        SETPAY_OK);
    assert_int_equal(count, 1);
    assert_true(
        setpay_view_equal(setpay_buffer_view(&certificates[0]), setpay_buffer_view(&party->der)));
    setpay_buffer_clear(&certificates[0]);
    assert_int_equal(setpay_est_certs(setpay_view_of(text, (size_t)size), SIZE_MAX, &answer),
                     SETPAY_OK);
    assert_int_equal(
        setpay_est_read_certificates(setpay_buffer_view(&answer), certificates, 1, &count),
        SETPAY_E_TOO_BIG);
    assert_int_equal(
        setpay_est_read_certificates(setpay_buffer_view(&answer), certificates, 3, &count),
        SETPAY_OK);
    assert_int_equal(count, 2);
    assert_true(
        setpay_view_equal(setpay_buffer_view(&certificates[0]), setpay_buffer_view(&party->der)));
    while (count > 0)
        setpay_buffer_clear(&certificates[--count]);
    for (size_t cut = 0; cut + 4 < answer.size; cut += 97)
        assert_int_equal(
            setpay_est_read_certificates(setpay_view_of(answer.data, cut), certificates, 3, &count),
            SETPAY_E_MALFORMED);
    assert_int_equal(setpay_est_certs(setpay_view_string("none"), 1, &answer), SETPAY_OK);
    assert_int_equal(
        setpay_est_read_certificates(setpay_buffer_view(&answer), certificates, 3, &count),
        SETPAY_E_MALFORMED);
    setpay_buffer_clear(&answer);
    BIO_free(pem);
    test_party_free(party);
    test_pki_free(pki);
}

static void words_of_others_hold_no_control_characters(void **state)
{
    char words[12];
    (void)state;
    setpay_est_read_words(setpay_view_string("a \x1b[1mb\r\nmore"), words, sizeof words);
    assert_string_equal(words, "a ?[1mb");
    setpay_est_read_words(setpay_view_string("0123456789abcdef"), words, sizeof words);
    assert_string_equal(words, "0123456789a");
    setpay_est_read_words(SETPAY_VIEW_EMPTY, words, sizeof words);
    assert_string_equal(words, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_a_host_and_a_port),
        cmocka_unit_test(credentials_arrive_as_they_left),
        cmocka_unit_test(the_nonce_is_found),
        cmocka_unit_test(certificates_come_in_order),
        cmocka_unit_test(words_of_others_hold_no_control_characters),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
