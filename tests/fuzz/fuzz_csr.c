/*
 * Certificate requests (rules C1, C2): what parses is signed by a P-256 key, all its names are of
 * their form, and the card's secrets came together or not at all.
 */
#include "common/crypto/keyfile.h"
#include "common/pki/csr.h"
#include "common/pki/role.h"
#include "tests/fuzz/fuzz.h"

#include <openssl/evp.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_csr csr = {0};
    struct setpay_digest digest;
    enum setpay_error error = setpay_csr_parse(setpay_view_of(data, size), &csr);
    if (error != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_blank(&csr, sizeof(csr)));
        return 0;
    }
    FUZZ_CHECK(size <= SETPAY_LIMIT_CSR_BYTES);
    FUZZ_CHECK(setpay_key_is_p256(csr.key));
    FUZZ_CHECK(setpay_key_digest(csr.key, &digest) == SETPAY_OK);
    FUZZ_CHECK(setpay_digest_equal(&digest, &csr.key_digest));
    FUZZ_CHECK(csr.brand[0] == '\0' || setpay_brand_is_valid(csr.brand));
    FUZZ_CHECK(csr.role[0] == '\0' || setpay_party_id_is_valid(csr.role));
    FUZZ_CHECK(csr.host_count <= SETPAY_LIMIT_CSR_HOSTS);
    for (size_t i = 0; i < csr.host_count; i++)
        FUZZ_CHECK(setpay_host_is_valid(csr.hosts[i]));
    bool secrets = csr.pan.size != 0;
    FUZZ_CHECK((csr.expiry.size == 4) == secrets && (csr.pan_secret.size == 32) == secrets);
    FUZZ_CHECK(secrets || (csr.expiry.size == 0 && csr.pan_secret.size == 0));
    setpay_csr_clear(&csr);
    return 0;
}
