/*
 * Trust (rule A3): whatever is put beside a message, in whatever order, nobody is believed whom the
 * CAs of the fixtures have not certified, nor one whom the newest list revokes; and no CRL number
 * goes back.
 *
 * Input: steps of one byte (what is done), and a part of two bytes of length.
 */
#include "common/pki/chain.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 24

static struct setpay_view root;

/* Everyone with a certificate: its files are NAME.der. */
static const char *const names[] = {
    "cardholder",       "merchant-sign", "merchant-tls-server",
    "merchant-revoked", "gateway-sign",  "gateway-encrypt",
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))
static struct setpay_certificate *issued[NAME_COUNT];
/* The CRL of the merchant-revoked's CA that lists it has this number (the first is 2). */
#define REVOKED_SINCE 3

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    root = fuzz_fixture("root.der");
    for (size_t i = 0; i < NAME_COUNT; i++) {
        char file[64];
        (void)snprintf(file, sizeof(file), "%s.der", names[i]);
        issued[i] = fuzz_certificate(file);
    }
    return 0;
}

/* The number of the MCA's CRL that is held; 0: none. */
static uint64_t merchant_crl_number(struct setpay_trust *trust)
{
    struct setpay_crl_info infos[SETPAY_LIMIT_TRUST_CAS];
    size_t count = setpay_trust_crls(trust, infos, SETPAY_LIMIT_TRUST_CAS);
    for (size_t i = 0; i < count; i++)
        if (infos[i].ca_kind == SETPAY_CA_MERCHANT)
            return infos[i].number;
    return 0;
}

static void check_believed(struct setpay_trust *trust, struct setpay_certificate *certificate,
                           enum setpay_profile profile, bool revoked_too)
{
    size_t i = 0;
    while (i < NAME_COUNT && !setpay_view_equal(setpay_certificate_der(issued[i]),
                                                setpay_certificate_der(certificate)))
        i++;
    FUZZ_CHECK(i < NAME_COUNT); /* nobody else can sign */
    FUZZ_CHECK(setpay_certificate_profile(certificate) == profile);
    if (strcmp(names[i], "merchant-revoked") == 0 && !revoked_too)
        FUZZ_CHECK(merchant_crl_number(trust) < REVOKED_SINCE);
}

static void verify(struct setpay_trust *trust, unsigned way, enum setpay_profile profile,
                   struct setpay_view der)
{
    struct setpay_certificate *certificate = NULL;
    struct setpay_digest thumbprint = {{0}};
    enum setpay_error error;
    switch (way) {
    case 0:
        error = setpay_trust_verify(trust, der, NULL, 0, profile, NULL, FUZZ_NOW_MS, &certificate);
        break;
    case 1:
        error = setpay_trust_verify_lapsed(trust, der, profile, NULL, FUZZ_NOW_MS, &certificate);
        break;
    case 2:
        error = setpay_trust_verify_issued(trust, der, NULL, 0, profile, NULL, FUZZ_NOW_MS,
                                           &certificate);
        break;
    default:
        if (der.size >= 1)
            thumbprint = *setpay_certificate_thumbprint(issued[der.data[0] % NAME_COUNT]);
        error = setpay_trust_verify_known(trust, &thumbprint, profile, "another-brand", FUZZ_NOW_MS,
                                          &certificate);
        FUZZ_CHECK(error != SETPAY_OK); /* of that brand there is nobody */
        error =
            setpay_trust_verify_known(trust, &thumbprint, profile, NULL, FUZZ_NOW_MS, &certificate);
    }
    FUZZ_CHECK((error == SETPAY_OK) == (certificate != NULL));
    if (certificate != NULL)
        check_believed(trust, certificate, profile, way == 2);
    setpay_certificate_unref(certificate);
}

static void step(struct setpay_trust *trust, uint8_t what, struct setpay_view part)
{
    uint64_t before = merchant_crl_number(trust);
    enum setpay_error error;
    switch (what % 4) {
    case 0:
        error = setpay_trust_add_ca(trust, part);
        break;
    case 1:
        error = setpay_trust_add_crl(trust, part, FUZZ_NOW_MS);
        break;
    case 2:
        (void)setpay_trust_learn(trust, &part, 1, &part, 1, FUZZ_NOW_MS);
        error = SETPAY_OK;
        break;
    default:
        verify(trust, what >> 2 & 3,
               (enum setpay_profile)(SETPAY_PROFILE_NONE + 1 + (what >> 4) % (SETPAY_PROFILES - 1)),
               part);
        error = SETPAY_OK;
    }
    FUZZ_CHECK(error != SETPAY_E_INTERNAL);
    FUZZ_CHECK(merchant_crl_number(trust) >= before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = {data, size};
    struct setpay_trust *trust = NULL;
    FUZZ_CHECK(setpay_trust_new(root, &trust) == SETPAY_OK);
    for (size_t i = 0; i < STEPS_MAX && input.size > 0; i++) {
        uint8_t what = fuzz_take(&input);
        step(trust, what, fuzz_take_part(&input));
    }
    setpay_trust_free(trust);
    return 0;
}
