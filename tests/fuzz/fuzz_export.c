/*
 * Exported receipts, as anybody can hand one to a stranger. Input: the text of the file.
 *
 * What is believed has at least its offer, order, chain or emptiness proven; what is not says where
 * it fails, in words, and claims no xid that was not read out of a signed order.
 */
#include "cardholder/verify.h"
#include "tests/fuzz/fuzz.h"

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
    struct setpay_wallet_verdict verdict = {0};
    struct setpay_problem problem = {{0}};
    enum setpay_error error =
        setpay_wallet_verify(setpay_view_of(data, size), SETPAY_VIEW_EMPTY, &verdict, &problem);
    if (error == SETPAY_OK) {
        FUZZ_CHECK(verdict.failed[0] == '\0' && verdict.root_known && !verdict.root_was_given);
        FUZZ_CHECK(json_array_size(verdict.proven) >= 4 && verdict.status[0] != '\0');
    } else {
        FUZZ_CHECK(verdict.failed[0] != '\0' && problem.text[0] != '\0');
        FUZZ_CHECK(error == SETPAY_E_EVIDENCE || setpay_error_kind(error) == SETPAY_KIND_PROTOCOL ||
                   setpay_error_kind(error) == SETPAY_KIND_SECURITY);
    }
    setpay_wallet_verdict_clear(&verdict);
    return 0;
}
