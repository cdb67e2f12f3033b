/*
 * Short texts that people and peers give: pay links, amounts, ids, digests, cursors, card prefixes,
 * idempotency keys, names. What parses is written as a text that parses to the same. Input: which
 * of them, then the text (or, for the last few, bytes).
 */
#include "cardholder/wallet.h"
#include "common/base/ids.h"
#include "common/base/log.h"
#include "common/base/money.h"
#include "gateway/network/prefixes.h"
#include "merchant/store/api/idempotency.h"
#include "merchant/store/order_list.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

/* rule W4: a host, a port, a token, and nothing else */
static void check_link(const char *text)
{
    struct setpay_wallet_link link, again;
    struct setpay_problem problem = {{0}};
    char out[SETPAY_WALLET_LINK_TEXT_SIZE];
    fuzz_stain(&link, sizeof(link));
    if (setpay_wallet_link_parse(text, &link, &problem) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&link, sizeof(link)) && problem.text[0] != '\0');
        return;
    }
    FUZZ_CHECK(setpay_host_is_valid(link.host) && link.port != 0);
    FUZZ_CHECK(strlen(link.token) >= 16 && strpbrk(link.token, "?&#=%/;: ") == NULL);
    FUZZ_CHECK(strlen(setpay_wallet_link_format(&link, out)) < sizeof(out));
    FUZZ_CHECK(setpay_wallet_link_parse(out, &again, &problem) == SETPAY_OK);
    FUZZ_CHECK(setpay_wallet_link_equal(&link, &again));
}

static void check_money(const char *text)
{
    struct setpay_money money, again;
    char out[SETPAY_MONEY_TEXT_SIZE];
    fuzz_stain(&money, sizeof(money));
    if (setpay_money_parse(text, &money) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&money, sizeof(money)));
        return;
    }
    FUZZ_CHECK(money.minor >= 0 && money.minor <= SETPAY_MONEY_MAX_MINOR);
    FUZZ_CHECK(setpay_money_parse(setpay_money_format(&money, out), &again) == SETPAY_OK);
    FUZZ_CHECK(setpay_money_equal(&money, &again));
}

static void check_ids(const char *text)
{
    struct setpay_id id;
    struct setpay_digest digest;
    char out[SETPAY_DIGEST_TEXT_SIZE];
    if (setpay_id_parse(text, &id) == SETPAY_OK)
        FUZZ_CHECK(strcasecmp(setpay_id_format(&id, out), text) == 0);
    if (setpay_digest_parse(text, &digest) == SETPAY_OK)
        FUZZ_CHECK(strcasecmp(setpay_digest_format(&digest, out), text) == 0);
}

static void check_cursor(const char *text)
{
    uint8_t bytes[32];
    char out[SETPAY_BASE64URL_SIZE(32)];
    int64_t before = -1;
    if (setpay_order_cursor_parse(text, &before) == SETPAY_OK)
        FUZZ_CHECK(before > 0);
    else
        FUZZ_CHECK(before == -1);
    for (size_t size = 1; size <= sizeof(bytes); size++) {
        if (setpay_base64url_decode(text, bytes, size) != SETPAY_OK)
            continue;
        setpay_base64url_encode(setpay_view_of(bytes, size), out);
        FUZZ_CHECK(strcmp(out, text) == 0); /* one text only for the same bytes */
    }
}

static void check_prefixes(const char *text)
{
    struct setpay_prefixes prefixes;
    struct setpay_problem problem = {{0}};
    fuzz_stain(&prefixes, sizeof(prefixes));
    if (setpay_prefixes_parse(text, &prefixes, &problem) != SETPAY_OK) {
        FUZZ_CHECK(problem.text[0] != '\0');
        return;
    }
    FUZZ_CHECK((prefixes.count >= 1 || strcmp(text, "none") == 0) &&
               prefixes.count <= SETPAY_PREFIXES_MAX);
    for (size_t i = 0; i < prefixes.count; i++) {
        const struct setpay_prefix *range = &prefixes.ranges[i];
        size_t digits = strlen(range->low);
        FUZZ_CHECK(digits == strlen(range->high) && strcmp(range->low, range->high) <= 0);
        char pan[20] = "00000000000000000000";
        memcpy(pan, range->high, digits);
        FUZZ_CHECK(setpay_prefixes_match(&prefixes, setpay_view_of(pan, 16)) >= (int)digits);
    }
}

/* A name that passes can stand in a certificate, a path, a log line. */
static void check_names(const char *text)
{
    size_t size = strlen(text);
    if (setpay_brand_is_valid(text))
        FUZZ_CHECK(size <= SETPAY_BRAND_MAX && strpbrk(text, "./\\\" \n") == NULL);
    if (setpay_party_id_is_valid(text))
        FUZZ_CHECK(size <= 32 && strpbrk(text, "./\\\" \n") == NULL);
    if (setpay_host_is_valid(text))
        FUZZ_CHECK(size <= 253 && strpbrk(text, "/\\\"*: \n") == NULL && text[size - 1] != '.');
    if (setpay_idempotency_key_is_valid(text))
        FUZZ_CHECK(size <= 255 && strpbrk(text, " \n\t\x7f") == NULL);
    (void)setpay_wallet_pan_is_valid(setpay_view_string(text));
}

/* Masking keeps length and everything that is no digit, and is done after one pass. */
static void check_mask(const char *text)
{
    char *masked = strdup(text), *again;
    FUZZ_CHECK(masked != NULL);
    setpay_log_mask(masked);
    FUZZ_CHECK(strlen(masked) == strlen(text));
    for (size_t i = 0; text[i] != '\0'; i++)
        FUZZ_CHECK(masked[i] == text[i] || (text[i] >= '0' && text[i] <= '9'));
    again = strdup(masked);
    FUZZ_CHECK(again != NULL);
    setpay_log_mask(again);
    FUZZ_CHECK(strcmp(again, masked) == 0);
    free(again);
    free(masked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const checks[])(const char *) = {
        check_link, check_money, check_ids, check_cursor, check_prefixes, check_names, check_mask,
    };
    struct setpay_view input = {data, size};
    size_t which = fuzz_take(&input) % (sizeof(checks) / sizeof(checks[0]));
    char *text = fuzz_text(input);
    checks[which](text);
    free(text);
    return 0;
}
