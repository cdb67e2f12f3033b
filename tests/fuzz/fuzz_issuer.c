/*
 * Both ends of the issuer's line: the simulator reads any request and answers it, the gateway reads
 * any answer to a request of its own. Input: 0 and a request, or 1 and an answer, each an ISO 8583
 * message without its header.
 *
 * Answers echo what they must, hold no card data and parse again. The gateway takes no answer that
 * approves more than was asked, or in another currency.
 */
#include "gateway/issuer/messages.h"
#include "gateway/network/requests.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check_answer(const struct setpay_iso_message *request,
                         const struct setpay_secret *frame)
{
    static const unsigned echoed[] = {SETPAY_ISO_STAN,       SETPAY_ISO_TRANSMISSION_TIME,
                                      SETPAY_ISO_RRN,        SETPAY_ISO_LOCAL_TIME,
                                      SETPAY_ISO_LOCAL_DATE, SETPAY_ISO_CURRENCY,
                                      SETPAY_ISO_ORIGINAL};
    static struct setpay_iso_message answer;
    FUZZ_CHECK(setpay_iso_parse(setpay_view_of(frame->data + SETPAY_ISO_HEADER_SIZE,
                                               frame->size - SETPAY_ISO_HEADER_SIZE),
                                &answer, NULL) == SETPAY_OK);
    FUZZ_CHECK(answer.secret_count == 0);
    FUZZ_CHECK(memcmp(answer.mti, request->mti, 2) == 0 && answer.mti[2] == request->mti[2] + 1);
    for (size_t i = 0; i < sizeof(echoed) / sizeof(echoed[0]); i++)
        FUZZ_CHECK(setpay_view_equal(setpay_iso_view(&answer, echoed[i]),
                                     setpay_iso_view(request, echoed[i])));
    setpay_iso_clear(&answer);
}

static void check_request(const struct setpay_iso_message *request)
{
    struct setpay_account_ask ask;
    struct setpay_account_key key;
    struct setpay_account_answer answer = {.response_code = "14"};
    struct setpay_secret frame = {0};
    int64_t remaining = -1, period = -1;
    struct setpay_account_presentment presentment;
    struct setpay_issuer_reconciliation reconciliation;
    fuzz_stain(&ask, sizeof(ask));
    if (setpay_issuer_read_authorisation(request, FUZZ_NOW_MS, &ask) == SETPAY_OK) {
        FUZZ_CHECK(ask.amount.minor > 0 && ask.amount.minor <= SETPAY_MONEY_MAX_MINOR);
        if (ask.card != NULL) {
            (void)memcpy(answer.response_code, "00", 3);
            (void)memcpy(answer.approval_code, "A1B2C3", 7);
            answer.approved_minor = ask.amount.minor;
        }
        answer.avs_result = ask.avs_result;
        answer.cvv_result = ask.cvv_result;
        if (setpay_issuer_build_authorisation(request, &answer, &frame) == SETPAY_OK)
            check_answer(request, &frame);
        setpay_secret_clear(&frame);
    } else {
        FUZZ_CHECK(fuzz_is_stained(&ask, sizeof(ask)));
    }
    if (setpay_issuer_read_reversal(request, &key, &remaining, &period) == SETPAY_OK)
        FUZZ_CHECK(remaining >= 0 && remaining <= SETPAY_MONEY_MAX_MINOR && period >= 0);
    else
        FUZZ_CHECK(remaining == -1 && period == -1);
    fuzz_stain(&presentment, sizeof(presentment));
    if (setpay_issuer_read_presentment(request, FUZZ_NOW_MS, &presentment) == SETPAY_OK)
        FUZZ_CHECK(presentment.amount.minor > 0 && strlen(presentment.id) == 32);
    else
        FUZZ_CHECK(fuzz_is_stained(&presentment, sizeof(presentment)));
    fuzz_stain(&reconciliation, sizeof(reconciliation));
    if (setpay_issuer_read_reconciliation(request, &reconciliation) == SETPAY_OK) {
        FUZZ_CHECK(reconciliation.period > 0 && reconciliation.theirs.debit_minor >= 0);
        if (setpay_issuer_build_reconciliation(request, &reconciliation, &frame) == SETPAY_OK)
            check_answer(request, &frame);
        setpay_secret_clear(&frame);
    } else {
        FUZZ_CHECK(fuzz_is_stained(&reconciliation, sizeof(reconciliation)));
    }
    if (setpay_issuer_build_answer(request, "30", &frame) == SETPAY_OK)
        check_answer(request, &frame);
    setpay_secret_clear(&frame);
}

static void check_approval(const struct setpay_iso_message *message)
{
    static const struct setpay_network_trace trace = {.stan = 123456, .time = FUZZ_NOW_MS};
    static const struct setpay_money asked = {.minor = 12500, .currency = "EUR"};
    struct setpay_network_answer read;
    if (!setpay_answer_matches(message, &trace))
        return;
    fuzz_stain(&read, sizeof(read));
    if (setpay_answer_read_authorisation(message, &trace, &asked, &read) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&read, sizeof(read)));
        return;
    }
    FUZZ_CHECK(strcmp(read.amount.currency, asked.currency) == 0);
    FUZZ_CHECK(read.amount.minor >= 0 && read.amount.minor <= asked.minor);
    bool approved = read.amount.minor > 0;
    FUZZ_CHECK(approved ==
               (strcmp(read.response_code, "00") == 0 || strcmp(read.response_code, "10") == 0));
    FUZZ_CHECK((strlen(read.approval_code) == 6) == approved);
    FUZZ_CHECK(!approved || (read.amount.minor == asked.minor) == (read.response_code[0] == '0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = {data, size};
    static struct setpay_iso_message message;
    bool is_answer = fuzz_take(&input) % 2 == 1;
    if (setpay_iso_parse(input, &message, NULL) != SETPAY_OK)
        return 0;
    if (is_answer)
        check_approval(&message);
    else
        check_request(&message);
    setpay_iso_clear(&message);
    return 0;
}
