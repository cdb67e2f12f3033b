/*
 * One certificate, and PEM texts of several: what parses is of exactly one profile or CA kind, with
 * names of the form that every reader relies on. Input: 0 and DER, or 1 and PEM.
 */
#include "common/base/limits.h"
#include "common/net/identity.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#define PEM_ROOM 8

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check_der(struct setpay_view der)
{
    struct setpay_certificate *certificate = NULL;
    struct setpay_digest account;
    if (setpay_certificate_parse(der, &certificate) != SETPAY_OK) {
        FUZZ_CHECK(certificate == NULL);
        return;
    }
    bool leaf = setpay_certificate_profile(certificate) != SETPAY_PROFILE_NONE;
    enum setpay_ca_kind kind = setpay_certificate_ca_kind(certificate);
    const char *brand = setpay_certificate_brand(certificate);
    const char *id = setpay_certificate_id(certificate);
    FUZZ_CHECK(der.size <= SETPAY_LIMIT_CERTIFICATE_BYTES);
    FUZZ_CHECK(setpay_view_equal(setpay_certificate_der(certificate), der));
    FUZZ_CHECK(leaf == (kind == SETPAY_CA_NONE));
    FUZZ_CHECK(kind == SETPAY_CA_ROOT || setpay_brand_is_valid(brand));
    FUZZ_CHECK(setpay_certificate_not_before_ms(certificate) <=
               setpay_certificate_not_after_ms(certificate));
    FUZZ_CHECK(setpay_certificate_same_party(certificate, certificate) == leaf);
    if (setpay_certificate_profile(certificate) == SETPAY_PROFILE_CARDHOLDER_SIGN)
        FUZZ_CHECK(setpay_certificate_account(certificate, &account) == SETPAY_OK);
    else if (leaf)
        FUZZ_CHECK(setpay_party_id_is_valid(id));
    FUZZ_CHECK(!setpay_certificate_names_host(certificate, "*"));
    FUZZ_CHECK(!setpay_certificate_names_host(certificate, ""));
    setpay_certificate_unref(certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = {data, size};
    struct setpay_buffer list[PEM_ROOM] = {{0}};
    size_t count = 0;
    if (fuzz_take(&input) % 2 == 0) {
        check_der(input);
        return 0;
    }
    if (setpay_pem_certificates(input, list, PEM_ROOM, &count) != SETPAY_OK)
        FUZZ_CHECK(count == 0);
    FUZZ_CHECK(count <= PEM_ROOM);
    for (size_t i = 0; i < count; i++) {
        check_der(setpay_buffer_view(&list[i]));
        setpay_buffer_clear(&list[i]);
    }
    return 0;
}
