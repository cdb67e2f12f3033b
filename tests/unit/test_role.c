/*
 * The tables of profiles and CA kinds hold together, names are what they may be, and the
 * certificateType extension has one form.
 */
#include "common/pki/role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/x509v3.h>
#include <string.h>

static void tables_are_whole(void **state)
{
    (void)state;
    assert_null(setpay_profile_info(SETPAY_PROFILE_NONE));
    assert_null(setpay_profile_info(SETPAY_PROFILES));
    assert_null(setpay_ca_info(SETPAY_CA_NONE));
    assert_null(setpay_ca_info(SETPAY_CA_KINDS));
    for (int p = 1; p < SETPAY_PROFILES; p++) {
        const struct setpay_profile_info *info = setpay_profile_info((enum setpay_profile)p);
        assert_non_null(info);
        assert_int_equal(info->profile, p);
        assert_int_equal(setpay_profile_by_name(info->name), p);
        assert_non_null(info->ekus[0]);
        assert_int_equal(setpay_ca_info(info->issuer)->path_length, 0);
        /* No two profiles of one role can be taken for each other. */
        for (int q = 1; q < p; q++) {
            const struct setpay_profile_info *other = setpay_profile_info((enum setpay_profile)q);
            if (other->type == info->type)
                assert_string_not_equal(other->ekus[0], info->ekus[0]);
        }
    }
    for (int k = 1; k < SETPAY_CA_KINDS; k++) {
        const struct setpay_ca_info *info = setpay_ca_info((enum setpay_ca_kind)k);
        assert_int_equal(info->kind, k);
        assert_int_equal(setpay_ca_kind_by_name(info->name), k);
    }
    assert_int_equal(setpay_profile_by_name("nobody"), SETPAY_PROFILE_NONE);
    assert_int_equal(setpay_ca_kind_by_name("nobody"), SETPAY_CA_NONE);
    assert_int_equal(setpay_profile_info(SETPAY_PROFILE_GATEWAY_ENCRYPT)->max_days, 90);
}

static void names_are_narrow(void **state)
{
    (void)state;
    char long_name[80];
    memset(long_name, 'a', sizeof(long_name));
    long_name[33] = '\0';
    assert_true(setpay_brand_is_valid("visa-2"));
    assert_false(setpay_brand_is_valid("Visa"));
    assert_false(setpay_brand_is_valid(""));
    assert_false(setpay_brand_is_valid("a b"));
    assert_false(setpay_brand_is_valid(long_name));
    assert_true(setpay_brand_is_valid(long_name + 1));
    assert_true(setpay_party_id_is_valid("Shop_1-a"));
    assert_false(setpay_party_id_is_valid("shop.example"));
    assert_false(setpay_party_id_is_valid(long_name));
    assert_false(setpay_account_text_is_valid("00"));
    assert_true(setpay_account_text_is_valid(
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"));
    assert_false(setpay_account_text_is_valid(
        "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"));
}

static void hosts_are_names_and_no_addresses(void **state)
{
    (void)state;
    static const char *const good[] = {"localhost", "a.b", "shop-1.example.org", "1.example"};
    static const char *const bad[] = {"",          ".",         "a.",    ".a",     "a..b",
                                      "*.example", "127.0.0.1", "-a.b",  "a-.b",   "a_b.c",
                                      "a b",       "::1",       "a.b/c", "host:1", "\xc3\xa4.de"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(setpay_host_is_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(setpay_host_is_valid(bad[i]));
}

static void type_extension_reads_what_it_writes(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit <= SETPAY_TYPE_ACQUIRER; bit++) {
        X509_EXTENSION *extension = NULL;
        enum setpay_type_bit type;
        X509 *x509 = X509_new();
        assert_int_equal(setpay_type_extension_read(x509, &type), SETPAY_E_CERT_ROLE);
        assert_int_equal(setpay_type_extension_new((enum setpay_type_bit)bit, &extension),
                         SETPAY_OK);
        assert_int_equal(X509_add_ext(x509, extension, -1), 1);
        assert_int_equal(setpay_type_extension_read(x509, &type), SETPAY_OK);
        assert_int_equal(type, bit);
        assert_int_equal(X509_add_ext(x509, extension, -1), 1); /* twice */
        assert_int_equal(setpay_type_extension_read(x509, &type), SETPAY_E_CERT_ROLE);
        X509_EXTENSION_free(extension);
        X509_free(x509);
    }
}

static void other_forms_of_the_type_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        int size;
        int critical;
    } rows[] = {
        {"\x03\x02\x07\x80", 4, 1},     /* critical */
        {"\x03\x02\x06\x80", 4, 0},     /* a trailing zero bit */
        {"\x03\x02\x06\xc0", 4, 0},     /* two bits */
        {"\x03\x03\x07\x80\x00", 5, 0}, /* a trailing zero byte */
        {"\x03\x02\x07\x00", 4, 0},     /* no bit */
        {"\x03\x01\x00", 3, 0},         /* empty */
        {"\x03\x03\x05\x00\x20", 5, 0}, /* bit 10: unknown */
        {"\x04\x02\x07\x80", 4, 0},     /* OCTET STRING */
        {"\x03\x02\x07\x80\x00", 5, 0}, /* a byte behind */
        {"\x03\x81\x02\x07\x80", 5, 0}, /* a length in two bytes */
    };
    ASN1_OBJECT *oid = OBJ_txt2obj(SETPAY_OID_CERTIFICATE_TYPE, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum setpay_type_bit type;
        X509 *x509 = X509_new();
        ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
        ASN1_OCTET_STRING_set(value, (const unsigned char *)rows[i].bytes, rows[i].size);
        X509_EXTENSION *extension =
            X509_EXTENSION_create_by_OBJ(NULL, oid, rows[i].critical, value);
        assert_int_equal(X509_add_ext(x509, extension, -1), 1);
        assert_int_equal(setpay_type_extension_read(x509, &type), SETPAY_E_CERT_ROLE);
        X509_EXTENSION_free(extension);
        ASN1_OCTET_STRING_free(value);
        X509_free(x509);
    }
    ASN1_OBJECT_free(oid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_whole),
        cmocka_unit_test(names_are_narrow),
        cmocka_unit_test(hosts_are_names_and_no_addresses),
        cmocka_unit_test(type_extension_reads_what_it_writes),
        cmocka_unit_test(other_forms_of_the_type_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
