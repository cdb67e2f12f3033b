/*
 * What happens to a purchase after the sale, in the hands of its cardholder: the real
 * setpay-walletd and setpay-wallet, receipts of the real setpay-gatewayd for captures, credits and
 * what undoes them, and between them a merchant in the test's hands, who hands them on or does not.
 *
 * - the wallet shows what the receipts say, once somebody looks, and by itself after a while
 * - what does not follow is refused, shown, and kept; what is held back changes nothing
 * - the exported file proves it all to who has no wallet, no network and one root
 */
#include "common/base/clock.h"
#include "common/wire/purchase.h"
#include "tests/support/test_gateway.h"
#include "tests/support/test_shop.h"
#include "tests/support/test_wallet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(expression) assert_int_equal((expression), SETPAY_OK)
#define APPROVES "4242424242424242"
#define TOTAL TEST_SHOP_AMOUNT

static struct test_gateway *gateway;
static struct test_shop *shop;
static struct test_wallet *wallet;
static struct test_line *line;
static struct setpay_buffer preq; /* as the wallet sent it last */

/* ------------------------------------------------------------------ the merchant and its gateway
 */

/* struct test_lie.instead, without a lie: keeps the request. */
static void keep_preq(struct test_shop *of, struct test_sale *sale,
                      const struct setpay_message *request, struct setpay_view raw,
                      struct setpay_buffer *message)
{
    (void)of, (void)sale, (void)message;
    if (request->type == SETPAY_MESSAGE_P_REQ)
        OK(setpay_buffer_set(&preq, raw));
}

/* The approval code is the issuer's, which this merchant does not repeat. */
static void say_no_code(struct test_shop *of, struct test_sale *sale, struct setpay_pres *word)
{
    (void)of, (void)sale;
    word->approval_code[0] = '\0';
}

static const struct test_lie honest = {.word = say_no_code, .instead = keep_preq};

static void be_honest(void)
{
    test_shop_honest(shop);
    test_shop_lie(shop, &honest, NULL, false, true, true);
    test_shop_lock(shop);
    shop->outcome = 0; /* the real gateway's business */
    test_shop_unlock(shop);
}

static void fill_header(struct setpay_request_header *header)
{
    OK(setpay_id_random(&header->rrpid));
    header->date_ms = setpay_clock_now_ms();
    header->has_sender = header->has_receiver = true;
    header->sender = shop->sign->thumbprint;
    header->receiver = shop->gateway_sign->thumbprint;
}

/* Asks the gateway; the content of its answer, which is of that type and verifies. */
static void ask(enum setpay_message_type type, struct setpay_view content,
                const struct setpay_message *purchase, struct setpay_buffer *answered)
{
    struct setpay_view beside[SETPAY_LIMIT_CERTIFICATES] = {setpay_buffer_view(&shop->sign->der)};
    struct setpay_buffer message, answer;
    struct setpay_message opened;
    size_t count = 1;
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++)
        beside[count++] = shop->sign->chain[i];
    for (size_t i = 0; purchase != NULL && i < purchase->certificate_count; i++)
        beside[count++] = purchase->certificates[i];
    struct setpay_message_parts parts = {.type = type,
                                         .content = content,
                                         .key = shop->sign->signing_key,
                                         .signer = &shop->sign->thumbprint,
                                         .certificates = beside,
                                         .certificate_count = count};
    if (purchase != NULL)
        parts.envelope = purchase->envelope;
    setpay_buffer_init(&message, SETPAY_LIMIT_MESSAGE_BYTES);
    OK(setpay_message_build(&parts, &message));
    test_line_ask(line, setpay_buffer_view(&message), &answer);
    OK(setpay_message_parse(setpay_buffer_view(&answer), &opened));
    assert_int_equal(opened.type, type + 1);
    OK(setpay_message_verify(&opened, shop->gateway_sign->certificate));
    setpay_buffer_init(answered, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_buffer_set(answered, opened.content));
    setpay_message_clear(&opened);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
}

/* The sale's list, which the shop hands on from now on. */
static void hand_on(struct test_sale *sale, const struct setpay_sealed_receipt *receipt,
                    int64_t authorised_minor)
{
    test_shop_lock(shop);
    assert_true(sale->receipt_count < TEST_SALE_RECEIPTS);
    sale->receipts[sale->receipt_count] = *receipt;
    sale->kinds[sale->receipt_count++] = receipt->kind;
    sale->authorised_minor += authorised_minor;
    test_shop_unlock(shop);
}

/* Asks for the authorisation of what the wallet sent; the CapToken. */
static struct setpay_id authorise(struct test_sale *sale)
{
    struct setpay_message message;
    struct setpay_preq read;
    struct setpay_oi oi;
    struct setpay_auth_req request = {.intent = SETPAY_INTENT_AUTHORISE};
    struct setpay_auth_res res;
    struct setpay_buffer content, answered;
    OK(setpay_message_parse(setpay_buffer_view(&preq), &message));
    OK(setpay_preq_read(message.content, message.envelope, &read, &oi));
    fill_header(&request.header);
    request.xid = oi.xid;
    request.amount = oi.amount;
    memcpy(request.brand, oi.brand, sizeof request.brand);
    strcpy(request.merchant_id, TEST_SHOP_ID);
    request.terms = oi.terms;
    request.expiry_ms = oi.expiry_ms;
    request.oimd = sale->oimd;
    request.pimd = read.pimd;
    request.dual_signature = read.dual_signature;
    request.cardholder = oi.cardholder;
    request.gateway_encrypt = oi.gateway_encrypt;
    request.envelope = read.envelope;
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_auth_req_build(&request, &content));
    ask(SETPAY_MESSAGE_AUTH_REQ, setpay_buffer_view(&content), &message, &answered);
    OK(setpay_auth_res_parse(setpay_buffer_view(&answered), &res));
    assert_int_equal(res.outcome, SETPAY_AUTH_APPROVED);
    hand_on(sale, &res.receipt, res.amount.minor);
    setpay_preq_clear(&read);
    setpay_message_clear(&message);
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&answered);
    return res.cap_token;
}

/* One step at the gateway, which must be done; its id. */
static struct setpay_id step(enum setpay_message_type type, struct test_sale *sale,
                             const struct setpay_id *of, int64_t minor)
{
    struct setpay_step one = {.xid = sale->xid, .of = *of, .amount = sale->amount};
    struct setpay_step_req request = {.steps = &one, .step_count = 1};
    struct setpay_step_res res;
    struct setpay_buffer content, answered;
    one.amount.minor = minor;
    fill_header(&request.header);
    strcpy(request.brand, "visa");
    strcpy(request.merchant_id, TEST_SHOP_ID);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    OK(setpay_step_req_build(&request, &content));
    ask(type, setpay_buffer_view(&content), NULL, &answered);
    OK(setpay_step_res_parse(setpay_buffer_view(&answered), &res));
    assert_int_equal(res.done_count, 1);
    struct setpay_id id = res.done[0].id;
    hand_on(sale, &res.done[0].receipt, 0);
    setpay_step_res_clear(&res);
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&answered);
    return id;
}

/* ------------------------------------------------------------------ the wallet */

/* A purchase of TOTAL, authorised by the real gateway. */
static struct test_sale *pay(struct setpay_id *token)
{
    be_honest();
    json_t *prepared =
        test_wallet_do(wallet, "pay.prepare", json_pack("{s:s}", "uri", test_shop_link(shop)));
    const json_t *offer = json_object_get(prepared, "offer");
    json_t *agreed = json_object();
    static const char *const members[] = {"xid", "amount", "currency", "merchant_id"};
    for (size_t i = 0; i < 4; i++)
        json_object_set(agreed, members[i], json_object_get(offer, members[i]));
    test_shop_lock(shop);
    shop->silent_at[TEST_ASK_PAY] = true; /* it takes the order, and says nothing yet */
    test_shop_unlock(shop);
    test_wallet_send(wallet, "pay.confirm", agreed);
    test_shop_wait(shop, TEST_ASK_PAY, 1);
    struct test_sale *sale = test_shop_last(shop);
    *token = authorise(sale);
    json_decref(prepared);
    return sale;
}

/* Looks, by the command line, and compares; takes expected. */
static void shows(const char *const *words, const char *member, json_t *expected)
{
    json_t *printed = NULL;
    const char *name;
    json_t *value;
    assert_int_equal(test_wallet_cli(wallet, words, &printed), 0);
    const json_t *shown =
        member != NULL ? json_array_get(json_object_get(printed, member), 0) : printed;
    json_object_foreach(expected, name, value)
    {
        const json_t *found = json_object_get(shown, name);
        if (!json_equal(found, value))
            print_message("%s: %s\n", name, json_dumps(found, JSON_ENCODE_ANY));
        assert_true(json_equal(found, value));
    }
    json_decref(printed);
    json_decref(expected);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *text_of(const struct test_sale *sale, char *out)
{
    return setpay_id_format(&sale->xid, out);
}

static json_t *amounts(const char *status, int captured, int credited)
{
    return json_pack("{s:s, s:i, s:i, s:i, s:b}", "status", status, "authorised_amount", TOTAL,
                     "captured_amount", captured, "credited_amount", credited, "refreshed", 1);
}

/* ------------------------------------------------------------------ what the person sees */

static void who_looks_sees_what_was_done(void **state)
{
    struct setpay_id token;
    char xid[SETPAY_ID_TEXT_SIZE];
    (void)state;
    struct test_sale *sale = pay(&token);
    text_of(sale, xid);
    shows(WORDS("status", xid), NULL, amounts("authorised", 0, 0));
    struct setpay_id capture = step(SETPAY_MESSAGE_CAP_REQ, sale, &token, 700);
    shows(WORDS("status", xid), NULL, amounts("captured", 700, 0));
    struct setpay_id credit = step(SETPAY_MESSAGE_CRED_REQ, sale, &capture, 100);
    shows(WORDS("list"), "purchases", amounts("captured", 700, 100));
    step(SETPAY_MESSAGE_CRED_REV_REQ, sale, &credit, 100);
    shows(WORDS("receipt", xid), NULL, amounts("captured", 700, 0));
    step(SETPAY_MESSAGE_CAP_REV_REQ, sale, &capture, 700);
    shows(WORDS("status", xid), NULL, amounts("authorised", 0, 0));
    json_t *receipts = test_wallet_do(wallet, "purchase.receipt", json_pack("{s:s}", "xid", xid));
    assert_int_equal(json_array_size(json_object_get(receipts, "receipts")), 5);
    assert_true(json_is_null(json_object_get(receipts, "disagreement")));
    assert_int_equal(json_array_size(json_object_get(receipts, "evidence")), 0);
    json_decref(receipts);
}

/* A merchant who is away: what is known is shown, and that it may be old. */
static void who_is_away_is_named(void **state)
{
    struct setpay_id token;
    char xid[SETPAY_ID_TEXT_SIZE];
    json_t *printed = NULL;
    (void)state;
    struct test_sale *sale = pay(&token);
    text_of(sale, xid);
    shows(WORDS("status", xid), NULL, amounts("authorised", 0, 0));
    step(SETPAY_MESSAGE_CAP_REQ, sale, &token, TOTAL);
    test_shop_lock(shop);
    shop->silent_at[TEST_ASK_INQUIRE] = true;
    test_shop_unlock(shop);
    assert_int_equal(test_wallet_cli(wallet, WORDS("status", xid), &printed), 0);
    assert_string_equal(json_string_value(json_object_get(printed, "status")), "authorised");
    assert_true(json_is_false(json_object_get(printed, "refreshed")));
    assert_true(json_is_string(json_object_get(printed, "refresh_error")));
    json_decref(printed);
    assert_int_equal(test_wallet_cli(wallet, WORDS("list"), &printed), 0);
    assert_true(json_integer_value(json_object_get(printed, "asked")) > 0);
    assert_true(
        json_equal(json_object_get(printed, "asked"), json_object_get(printed, "not_heard")));
    json_decref(printed);
    json_decref(test_wallet_do(wallet, "wallet.lock", json_object()));
    assert_int_equal(test_wallet_cli(wallet, WORDS("list"), &printed), 0);
    assert_int_equal(json_integer_value(json_object_get(printed, "asked")), 0);
    assert_true(json_is_string(json_object_get(printed, "refresh_error")));
    json_decref(printed);
    test_wallet_unlock(wallet);
    be_honest();
    shows(WORDS("receipt", xid), NULL, amounts("captured", TOTAL, 0));
}

/* struct test_lie.word: the last receipt is held back. */
static void one_less(struct test_shop *of, struct test_sale *sale, struct setpay_pres *word)
{
    say_no_code(of, sale, word);
    word->receipt_count--;
}
static const struct test_lie holds_back = {.word = one_less};

/* Receipts that were known and are missing later: nothing changes, and nobody is accused. */
static void what_is_held_back_changes_nothing(void **state)
{
    struct setpay_id token;
    char xid[SETPAY_ID_TEXT_SIZE];
    (void)state;
    struct test_sale *sale = pay(&token);
    text_of(sale, xid);
    shows(WORDS("status", xid), NULL, amounts("authorised", 0, 0));
    step(SETPAY_MESSAGE_CAP_REQ, sale, &token, 500);
    shows(WORDS("status", xid), NULL, amounts("captured", 500, 0));
    json_t *before = test_wallet_purchase(wallet, &sale->xid);
    test_shop_lie(shop, &holds_back, NULL, false, false, true);
    shows(WORDS("status", xid), NULL, amounts("captured", 500, 0));
    json_t *after = test_wallet_purchase(wallet, &sale->xid);
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
}

/* A gateway that colludes has signed what does not add up: refused, shown, kept (rule W6). */
static void what_does_not_follow_is_refused(void **state)
{
    struct setpay_id token;
    struct setpay_receipt draft;
    struct setpay_sealed_receipt sealed;
    char xid[SETPAY_ID_TEXT_SIZE];
    (void)state;
    struct test_sale *sale = pay(&token);
    text_of(sale, xid);
    step(SETPAY_MESSAGE_CAP_REQ, sale, &token, 500);
    shows(WORDS("status", xid), NULL, amounts("captured", 500, 0));
    json_t *known = test_wallet_do(wallet, "purchase.receipt", json_pack("{s:s}", "xid", xid));
    const json_t *last = json_array_get(json_object_get(known, "receipts"), 1);
    test_shop_lock(shop);
    OK(setpay_digest_parse(json_string_value(json_object_get(last, "hash")), &sale->last_hash));
    test_sale_draft(sale, SETPAY_RECEIPT_CREDIT, 501, &draft);
    test_sale_seal(sale, &draft, shop->gateway_sign, &sealed);
    test_shop_unlock(shop);
    json_decref(known);
    hand_on(sale, &sealed, 0);
    json_t *expected = amounts("captured", 500, 0);
    static const char words[] = "a receipt that the merchant handed on is not one that can follow: "
                                "it does not add up with those before it";
    json_object_set_new(expected, "disagreement", json_string(words));
    shows(WORDS("status", xid), NULL, expected);
    json_t *kept = test_wallet_do(wallet, "purchase.receipt", json_pack("{s:s}", "xid", xid));
    assert_int_equal(json_array_size(json_object_get(kept, "receipts")), 2);
    const json_t *evidence = json_array_get(json_object_get(kept, "evidence"), 0);
    assert_string_equal(json_string_value(json_object_get(evidence, "what")), words);
    assert_string_equal(test_daemon_refusal(&wallet->daemon, "receipt.refused", NULL),
                        "RECEIPT W6");
    json_decref(kept);
    test_shop_lock(shop);
    sale->receipt_count--; /* the true one comes, and counts */
    test_shop_unlock(shop);
    struct setpay_id more = step(SETPAY_MESSAGE_CAP_REQ, sale, &token, 100);
    (void)more;
    shows(WORDS("status", xid), NULL, amounts("captured", 600, 0));
}

/* ------------------------------------------------------------------ the file */

static int verify(const char *const *words, const char *failed)
{
    json_t *printed = NULL;
    int status = test_wallet_cli(wallet, words, &printed);
    const char *found = json_string_value(json_object_get(printed, "failed"));
    if (failed != NULL)
        assert_string_equal(found != NULL ? found : "", failed);
    json_decref(printed);
    return status;
}

/* With the merchant and the gateway away, and the wallet stopped. */
static void the_file_proves_it(void **state)
{
    struct setpay_id token;
    char xid[SETPAY_ID_TEXT_SIZE], file[TEST_PATH_SIZE], root[TEST_PATH_SIZE],
        other[TEST_PATH_SIZE];
    (void)state;
    struct test_sale *sale = pay(&token);
    text_of(sale, xid);
    struct setpay_id capture = step(SETPAY_MESSAGE_CAP_REQ, sale, &token, 700);
    step(SETPAY_MESSAGE_CRED_REQ, sale, &capture, 100);
    test_path(wallet->folder, "export.json", file);
    test_path(wallet->folder, "root.pem", root);
    shows(WORDS("receipt", xid, "--export", file), NULL, json_pack("{s:i}", "receipts", 3));
    test_daemon_stop(&wallet->daemon);
    assert_int_equal(verify(WORDS("verify", file, "--root", root), ""), 0);
    assert_int_equal(verify(WORDS("verify", file), ""), 0);
    test_path(gateway->folder, "not-there.json", other);
    assert_int_equal(verify(WORDS("verify", other), NULL), 1);
    assert_int_equal(verify(WORDS("verify", root), "the file"), 1);
    assert_int_equal(verify(WORDS("verify"), NULL), 2);
    assert_int_equal(verify(WORDS("verify", file, "--root", file), NULL), 1);
    json_t *changed = json_load_file(file, 0, NULL);
    json_object_set_new(changed, "credited_amount", json_integer(0));
    test_path(wallet->folder, "changed.json", other);
    assert_int_equal(json_dump_file(changed, other, 0), 0);
    assert_int_equal(verify(WORDS("verify", other, "--root", root), "credited_amount"), 5);
    struct test_pki *stranger =
        test_pki_new(setpay_clock_now_ms(), (const char *const[]){"visa", NULL});
    test_path(gateway->folder, "stranger", other);
    assert_int_equal(mkdir(other, 0700), 0);
    test_pki_write(stranger, other);
    char stranger_root[TEST_PATH_SIZE];
    test_path(other, "root.pem", stranger_root);
    assert_int_equal(verify(WORDS("verify", file, "--root", stranger_root), "certificates[0]"), 5);
    test_pki_free(stranger);
    json_decref(changed);
    test_wallet_start(wallet, TEST_WALLET_ANSWER_MS);
}

/* ------------------------------------------------------------------ by itself */

static void waits_until_captured(const struct test_sale *sale, int64_t minor)
{
    int64_t until = setpay_clock_monotonic_ms() + TEST_WAIT_MS;
    for (;;) {
        json_t *shown = test_wallet_purchase(wallet, &sale->xid); /* nobody is asked by this */
        int64_t captured = json_integer_value(json_object_get(shown, "captured_amount"));
        json_decref(shown);
        if (captured == minor)
            return;
        assert_true(setpay_clock_monotonic_ms() < until);
        (void)usleep(20000);
    }
}

static void it_asks_by_itself_while_it_is_unlocked(void **state)
{
    struct setpay_id token;
    char xid[SETPAY_ID_TEXT_SIZE];
    (void)state;
    struct test_sale *sale = pay(&token);
    text_of(sale, xid);
    shows(WORDS("status", xid), NULL, amounts("authorised", 0, 0));
    test_daemon_stop(&wallet->daemon);
    wallet->follow_every = "100ms";
    test_wallet_start(wallet, TEST_WALLET_ANSWER_MS);
    step(SETPAY_MESSAGE_CAP_REQ, sale, &token, 300);
    waits_until_captured(sale, 300);
    json_decref(test_wallet_do(wallet, "wallet.lock", json_object()));
    size_t asked = test_shop_count(shop, TEST_ASK_INQUIRE);
    (void)usleep(1000000); /* ten times as long as it would take */
    assert_in_range(test_shop_count(shop, TEST_ASK_INQUIRE), asked, asked + 1); /* one on its way */
    step(SETPAY_MESSAGE_CAP_REQ, sale, &token, 200);
    test_wallet_unlock(wallet);
    waits_until_captured(sale, 500);
}

/* ------------------------------------------------------------------ everybody */

static struct test_party *own[4]; /* the shop's, which the gateway does not know */

static int set_up(void **state)
{
    (void)state;
    OK(setpay_secret_system_init());
    gateway = test_gateway_new();
    shop = test_shop_new(gateway->pki);
    struct test_party **const places[] = {&shop->sign, &shop->gateway_sign, &shop->gateway_encrypt};
    struct test_party *const known[] = {gateway->shop[0].sign, gateway->sign[0],
                                        gateway->encrypt[0]};
    for (size_t i = 0; i < 3; i++) {
        own[i] = *places[i];
        *places[i] = known[i];
    }
    line = test_line_new(gateway, gateway->shop[0].tls, "visa");
    assert_non_null(line);
    wallet = test_wallet_new(gateway->pki, NULL);
    test_wallet_add_card(wallet, "visa", APPROVES, "3012", "daily");
    setpay_buffer_init(&preq, SETPAY_LIMIT_MESSAGE_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_wallet_free(wallet);
    test_line_free(line);
    shop->sign = own[0];
    shop->gateway_sign = own[1];
    shop->gateway_encrypt = own[2];
    test_shop_free(shop);
    test_gateway_free(gateway);
    setpay_buffer_clear(&preq);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_looks_sees_what_was_done),
        cmocka_unit_test(what_is_held_back_changes_nothing),
        cmocka_unit_test(what_does_not_follow_is_refused),
        cmocka_unit_test(the_file_proves_it),
        cmocka_unit_test(who_is_away_is_named),
        cmocka_unit_test(it_asks_by_itself_while_it_is_unlocked),
    };
    return cmocka_run_group_tests_name("wallet_steps", tests, set_up, tear_down);
}
