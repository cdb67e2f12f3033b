/*
 * Receipts on all their ways: the content, what the gateway signed, what it sealed, and what a
 * merchant made of it. Input: which of them, then its bytes.
 *
 * The gateway of the fixtures signs nothing here but what check_content gives it: so nothing else
 * may verify, and nothing opens that was not sealed under the back key.
 */
#include "common/crypto/keyfile.h"
#include "common/wire/receipt.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mutate.h"

#include <string.h>

static struct setpay_certificate *gateway, *other;
static struct setpay_signing_key *key;
static struct setpay_secret back_key;
static const struct setpay_id receipt_id = {{1, 2, 3}}, xid = {{9, 8, 7}};
/* The one receipt that the gateway did sign, sealed for xid. */
static struct setpay_view genuine;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct setpay_digest secret = {{42}};
    (void)argc;
    (void)argv;
    fuzz_start();
    gateway = fuzz_certificate("gateway-sign.der");
    other = fuzz_certificate("merchant-sign.der");
    genuine = fuzz_fixture("receipt.signed");
    FUZZ_CHECK(setpay_signing_key_from_pkey(fuzz_key("gateway-sign.key"), &key) == SETPAY_OK);
    FUZZ_CHECK(setpay_secret_copy(&back_key, setpay_digest_view(&secret)) == SETPAY_OK);
    return 0;
}

/* Seals, packs, parses and opens again. */
static void check_sealing(struct setpay_view signed_bytes, enum setpay_receipt_kind kind,
                          const struct setpay_id *of, bool opens)
{
    struct setpay_sealed_receipt sealed, parsed;
    struct setpay_receipt receipt;
    struct setpay_buffer packed, evidence;
    setpay_buffer_init(&packed, sizeof(sealed));
    setpay_buffer_init(&evidence, SETPAY_WIRE_RECEIPT_MAX);
    FUZZ_CHECK(setpay_sealed_receipt_make(&back_key, &receipt_id, of, kind, signed_bytes,
                                          &sealed) == SETPAY_OK);
    if (setpay_sealed_receipt_build(&sealed, &packed) == SETPAY_OK) {
        fuzz_stain(&parsed, sizeof(parsed));
        FUZZ_CHECK(setpay_sealed_receipt_parse(setpay_buffer_view(&packed), &parsed) == SETPAY_OK);
        fuzz_stain(&receipt, sizeof(receipt));
        enum setpay_error error =
            setpay_sealed_receipt_open(&parsed, &back_key, of, gateway, &receipt, &evidence);
        FUZZ_CHECK(error == (opens ? SETPAY_OK : SETPAY_E_RECEIPT));
        if (opens)
            FUZZ_CHECK(setpay_view_equal(setpay_buffer_view(&evidence), signed_bytes));
        else
            FUZZ_CHECK(fuzz_is_stained(&receipt, sizeof(receipt)) && evidence.size == 0);
        /* Rule W6: of another transaction, kind or gateway it is none. */
        struct setpay_id another = *of;
        another.bytes[0] ^= 1;
        FUZZ_CHECK(setpay_sealed_receipt_open(&parsed, &back_key, &another, gateway, &receipt,
                                              &evidence) == SETPAY_E_RECEIPT);
        FUZZ_CHECK(setpay_sealed_receipt_open(&parsed, &back_key, of, other, &receipt, &evidence) ==
                   SETPAY_E_RECEIPT);
        parsed.kind = kind % SETPAY_RECEIPT_CREDIT + 1;
        FUZZ_CHECK(setpay_sealed_receipt_open(&parsed, &back_key, of, gateway, &receipt,
                                              &evidence) == SETPAY_E_RECEIPT);
    }
    setpay_buffer_clear(&packed);
    setpay_buffer_clear(&evidence);
}

/* A content that parses, signed by the gateway. */
static void check_content(struct setpay_view content)
{
    struct setpay_receipt receipt, verified;
    struct setpay_buffer bytes;
    struct setpay_digest signer;
    if (setpay_receipt_parse(content, &receipt) != SETPAY_OK)
        return;
    receipt.gateway_sign = *setpay_certificate_thumbprint(gateway);
    setpay_buffer_init(&bytes, SETPAY_WIRE_RECEIPT_MAX);
    FUZZ_CHECK(setpay_receipt_sign(&receipt, key, &bytes) == SETPAY_OK);
    FUZZ_CHECK(setpay_receipt_verify(setpay_buffer_view(&bytes), gateway, &verified) == SETPAY_OK);
    FUZZ_CHECK(setpay_receipt_signer(setpay_buffer_view(&bytes), &signer) == SETPAY_OK);
    FUZZ_CHECK(setpay_digest_equal(&signer, &receipt.gateway_sign));
    FUZZ_CHECK(setpay_receipt_verify(setpay_buffer_view(&bytes), other, &verified) ==
               SETPAY_E_RECEIPT);
    check_sealing(setpay_buffer_view(&bytes), receipt.kind, &receipt.xid, true);
    setpay_buffer_clear(&bytes);
}

/* Signed bytes of a stranger: only the genuine ones verify. */
static void check_signed(struct setpay_view bytes)
{
    struct setpay_receipt receipt;
    fuzz_stain(&receipt, sizeof(receipt));
    enum setpay_error error = setpay_receipt_verify(bytes, gateway, &receipt);
    bool is_genuine = setpay_view_equal(bytes, genuine);
    FUZZ_CHECK(is_genuine ? error == SETPAY_OK : error != SETPAY_OK);
    if (error != SETPAY_OK)
        FUZZ_CHECK(fuzz_is_stained(&receipt, sizeof(receipt)));
    if (bytes.size >= 1 && bytes.size <= SETPAY_WIRE_RECEIPT_MAX - 16)
        check_sealing(bytes, SETPAY_RECEIPT_AUTHORISATION, &xid, is_genuine);
}

/* A sealed receipt of a stranger, who has no back key. */
static void check_sealed(struct setpay_view packed)
{
    struct setpay_sealed_receipt sealed;
    struct setpay_receipt receipt;
    struct setpay_buffer evidence, again;
    fuzz_stain(&sealed, sizeof(sealed));
    if (setpay_sealed_receipt_parse(packed, &sealed) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&sealed, sizeof(sealed)));
        return;
    }
    setpay_buffer_init(&evidence, SETPAY_WIRE_RECEIPT_MAX);
    setpay_buffer_init(&again, sizeof(sealed));
    FUZZ_CHECK(setpay_sealed_receipt_build(&sealed, &again) == SETPAY_OK);
    FUZZ_CHECK(setpay_view_equal(setpay_buffer_view(&again), packed));
    static const struct setpay_id unknown = {{0x77}};
    fuzz_stain(&receipt, sizeof(receipt));
    FUZZ_CHECK(setpay_sealed_receipt_open(&sealed, &back_key, &unknown, gateway, &receipt,
                                          &evidence) == SETPAY_E_RECEIPT);
    FUZZ_CHECK(fuzz_is_stained(&receipt, sizeof(receipt)) && evidence.size == 0);
    setpay_buffer_clear(&evidence);
    setpay_buffer_clear(&again);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_message(data, size, max_size, seed, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view bytes = {data, size};
    switch (fuzz_take(&bytes) % 3) {
    case 0:
        check_content(bytes);
        break;
    case 1:
        check_signed(bytes);
        break;
    default:
        check_sealed(bytes);
    }
    return 0;
}
