/*
 * One revocation list, by itself and against the CA of the fixtures: what parses has a number, and
 * dates in their order; what is proven is one that this CA has signed.
 */
#include "common/base/limits.h"
#include "common/pki/crl.h"
#include "tests/fuzz/fuzz.h"

static struct setpay_certificate *ca, *other;
static struct setpay_view first, second;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    ca = fuzz_certificate("mca.der");
    other = fuzz_certificate("pca.der");
    first = fuzz_fixture("mca-1.crl");
    second = fuzz_fixture("mca-2.crl");
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view der = {data, size};
    struct setpay_crl *crl = NULL;
    enum setpay_error error = setpay_crl_parse(der, &crl);
    FUZZ_CHECK((error == SETPAY_OK) == (crl != NULL));
    if (crl == NULL) {
        FUZZ_CHECK(error == SETPAY_E_CRL_INVALID || error == SETPAY_E_TOO_BIG);
        return 0;
    }
    FUZZ_CHECK(size <= SETPAY_LIMIT_CRL_BYTES);
    FUZZ_CHECK(setpay_view_equal(setpay_buffer_view(&crl->der), der));
    (void)setpay_crl_names(crl, ca);
    error = setpay_crl_prove(crl, ca, FUZZ_NOW_MS);
    if (error == SETPAY_OK) {
        FUZZ_CHECK(setpay_view_equal(der, first) || setpay_view_equal(der, second));
        FUZZ_CHECK(crl->info.this_update_ms <= crl->info.next_update_ms);
        FUZZ_CHECK(crl->info.next_update_ms - crl->info.this_update_ms <= SETPAY_LIMIT_CRL_LIFE_MS);
        FUZZ_CHECK(setpay_crl_names(crl, ca) && !setpay_crl_names(crl, other));
    }
    setpay_crl_unref(crl);
    return 0;
}
