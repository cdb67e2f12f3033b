/*
 * Envelopes (rule G2): whatever comes is refused in one way, unless it is one that was sealed to
 * this key and nobody has touched. Input: how to take it, then its bytes.
 */
#include "common/base/limits.h"
#include "common/crypto/envelope.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static struct setpay_certificate *recipient;
static struct setpay_envelope_key *key;
static struct setpay_view genuine;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    recipient = fuzz_certificate("gateway-encrypt.der");
    genuine = fuzz_fixture("envelope");
    FUZZ_CHECK(setpay_envelope_key_new(fuzz_key("gateway-encrypt.key"),
                                       setpay_certificate_x509(recipient), &key) == SETPAY_OK);
    return 0;
}

/* Opens; says whether it did. */
static bool check_open(struct setpay_view envelope)
{
    struct setpay_secret plaintext = {0};
    enum setpay_error form = setpay_envelope_check_form(envelope);
    enum setpay_error error = setpay_envelope_open(key, envelope, &plaintext);
    FUZZ_CHECK(form == SETPAY_OK || form == SETPAY_E_ENVELOPE);
    FUZZ_CHECK(error == SETPAY_OK || error == SETPAY_E_ENVELOPE);
    FUZZ_CHECK(form == SETPAY_OK || error == SETPAY_E_ENVELOPE);
    FUZZ_CHECK((error == SETPAY_OK) == (plaintext.data != NULL));
    setpay_secret_clear(&plaintext);
    return error == SETPAY_OK;
}

/* Any plaintext comes back; with one byte of its envelope changed it does not. */
static void check_seal(struct setpay_view plaintext, unsigned at, uint8_t change)
{
    struct setpay_secret opened = {0};
    struct setpay_buffer envelope;
    setpay_buffer_init(&envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
    enum setpay_error error =
        setpay_envelope_seal(setpay_certificate_x509(recipient), plaintext, &envelope);
    FUZZ_CHECK(error == SETPAY_OK || error == SETPAY_E_TOO_BIG);
    if (error == SETPAY_OK) {
        struct setpay_view sealed = setpay_buffer_view(&envelope);
        FUZZ_CHECK(setpay_envelope_open(key, sealed, &opened) == SETPAY_OK);
        FUZZ_CHECK(setpay_view_equal(setpay_secret_view(&opened), plaintext));
        envelope.data[at % envelope.size] ^= change;
        FUZZ_CHECK(change == 0 || !check_open(sealed));
    }
    setpay_secret_clear(&opened);
    setpay_buffer_clear(&envelope);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = {data, size};
    if (fuzz_take(&input) % 2 == 0) {
        /* Nobody else can seal without the public key, and the mutations know no curve. */
        FUZZ_CHECK(!check_open(input) || setpay_view_equal(input, genuine));
        return 0;
    }
    unsigned at = (unsigned)fuzz_take(&input) << 8;
    at |= fuzz_take(&input);
    uint8_t change = fuzz_take(&input);
    if (input.size > 0)
        check_seal(input, at, change);
    return 0;
}
