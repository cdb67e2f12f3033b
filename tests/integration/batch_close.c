/*
 * How a batch was closed, as each side shows it to others: at first the two count differently, then
 * the same. What the merchant exports holds the gateway's signed answers of both, what the gateway
 * hands out the merchant's requests. Then each is edited by somebody who knows its form, and signed
 * anew by the gateway itself: the audit names every edit, and a stranger, who has the root alone,
 * refuses all that no book is needed for. The gateway is stopped meanwhile.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/crypto/base64.h"
#include "common/net/batch_file.h"
#include "tests/support/test_audited.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 150
#define BATCH(n) "--brand", "visa", "--merchant-id", "shop", "--batch", n

static struct test_market market;
static struct test_audited books = {.market = &market};
static json_t *exported; /* two batches: the second is open */

#define MERCHANT(...) TEST_AUDITED_MERCHANT(&books, __VA_ARGS__)
#define GATEWAY(...) TEST_AUDITED_GATEWAY(&books, __VA_ARGS__)

static void expect(const char *what, int status, int expected_status, const char *words)
{
    test_audited_expect(&books, what, status, expected_status, words);
}

static int audit(const char *merchant)
{
    return test_audited_files(&books, merchant, NULL);
}

static int audit_edited(const json_t *file)
{
    test_audited_save_json(&books, "edited.json", file);
    return audit("edited.json");
}

static int verify(const char *file, const char *root)
{
    return test_audited_verify(&books, file, root);
}

/* ------------------------------------------------------------------ the day */

static json_t *export_all(void)
{
    assert_int_equal(MERCHANT("batch", "export", "--all"), 0);
    test_audited_save(&books, "shop.json", books.printed);
    json_t *file = json_loads(books.printed, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(file);
    return file;
}

static json_t *batch_of(json_t *file, size_t n)
{
    return json_array_get(json_object_get(file, "batches"), n);
}

/* The merchant's books are spoilt, and it learns it when it closes the batch; both words are kept,
 * and a file of then shows whose books they are. */
static void the_two_differ(void **state)
{
    (void)state;
    test_audited_sell(&books, "{\"amount\":1000}");
    test_audited_sell(&books, "{}");
    test_audited_sql(&books, "merchant.db",
                     "UPDATE step SET amount_minor = amount_minor + 1 WHERE amount_minor = 1000");
    assert_int_equal(MERCHANT("batch", "close"), 1);
    json_t *file = export_all();
    json_t *batch = batch_of(file, 0);
    assert_string_equal(json_string_value(json_object_get(batch, "status")), "differs");
    assert_null(json_object_get(batch, "proof"));
    assert_int_equal(json_array_size(json_object_get(batch, "differed")), 2);
    expect("differs", audit("shop.json"), 1,
           ": amount: the merchant has 10.01 EUR, the gateway has signed 10.00 EUR");
    expect("the request", GATEWAY("batch", "evidence", BATCH("1")), 0,
           "signed by the merchant: with other totals");
    json_decref(file);
}

static void then_they_agree(void **state)
{
    (void)state;
    test_audited_sql(&books, "merchant.db",
                     "UPDATE step SET amount_minor = amount_minor - 1 WHERE amount_minor = 1001");
    assert_int_equal(MERCHANT("batch", "close"), 0);
    test_audited_sell(&books, "{\"amount\":7}");
    exported = export_all();
    assert_non_null(json_object_get(exported, "answers_kept_since"));
    assert_int_equal(json_array_size(json_object_get(batch_of(exported, 1), "differed")), 2);
    expect("both", audit("shop.json"), 0, "shop.json, of shop: 3 items, 3 agree, 0 findings");
    expect("both", 0, 0, "shop.json: 1 closed batch with the totals that the gateway has signed");
    expect("both", 0, 0, "1 closed batch, 1 by a request of its merchant's that is kept");
    test_gateway_stop(market.gateway);
    expect("stopped", audit("shop.json"), 0, "3 items, 3 agree, 0 findings");
}

/* ------------------------------------------------------------------ edits of the merchant's file
 */

static json_t *total_of(json_t *f)
{
    return json_array_get(json_object_get(batch_of(f, 1), "totals"), 0);
}

static json_t *items_of(json_t *f)
{
    return json_object_get(batch_of(f, 1), "items");
}

static json_t *item_proof(json_t *f)
{
    return json_object_get(json_array_get(items_of(f), 0), "proof");
}

static json_t *close_of(json_t *f)
{
    return json_object_get(batch_of(f, 1), "proof");
}

/* Of the two, the one with the items. */
static json_t *differed_of(json_t *f)
{
    return json_array_get(json_object_get(batch_of(f, 1), "differed"), 1);
}

static void total_sum(json_t *f)
{
    test_audited_add_to(total_of(f), "capture_amount", 1);
}
static void total_count(json_t *f)
{
    test_audited_add_to(total_of(f), "capture_count", 1);
}
static void total_credit(json_t *f)
{
    test_audited_add_to(total_of(f), "credit_amount", 1);
}
static void total_currency(json_t *f)
{
    test_audited_set_text(total_of(f), "currency", "USD");
}
static void no_total(json_t *f)
{
    json_array_clear(json_object_get(batch_of(f, 1), "totals"));
}
/* By somebody who makes the file agree with itself. */
static void row_and_total(json_t *f)
{
    json_int_t amount =
        json_integer_value(json_object_get(json_array_get(items_of(f), 0), "amount"));
    test_audited_add_to(total_of(f), "capture_amount", -(int)amount);
    test_audited_add_to(total_of(f), "capture_count", -1);
    json_array_remove(items_of(f), 0);
}
static void brand(json_t *f)
{
    test_audited_set_text(batch_of(f, 1), "brand", "mastercard");
}
static void number(json_t *f)
{
    test_audited_add_to(batch_of(f, 1), "batch", 6);
}
static void merchant(json_t *f)
{
    test_audited_set_text(f, "merchant_id", TEST_GATEWAY_OTHER);
}
static void signature(json_t *f)
{
    json_object_set(close_of(f), "signature", json_object_get(item_proof(f), "signature"));
}
static void content(json_t *f)
{
    json_object_set(close_of(f), "content", json_object_get(item_proof(f), "content"));
}
static void unreadable(json_t *f)
{
    test_audited_set_text(close_of(f), "content", "*");
}
static void by_an_item(json_t *f)
{
    json_object_set(batch_of(f, 1), "proof", item_proof(f));
}
static void by_one_that_differed(json_t *f)
{
    json_object_set(batch_of(f, 1), "proof", differed_of(f));
}
static void beside_one_that_is_open(json_t *f)
{
    json_object_set(batch_of(f, 0), "proof", close_of(f));
}
static void left_out(json_t *f)
{
    json_object_del(batch_of(f, 1), "proof");
    test_audited_set_text(f, "answers_kept_since", "2026-01-01T00:00:00.000Z");
}
static void another_gateway(json_t *f)
{
    test_audited_sign_by(f, close_of(f), market.gateway->pki, "gateway-2");
}
static void another_root(json_t *f)
{
    static const char *const brands[] = {"visa", NULL};
    struct test_pki *pki = test_pki_new(setpay_clock_now_ms(), brands);
    test_audited_sign_by(f, close_of(f), pki, TEST_GATEWAY_ID);
    test_pki_free(pki);
}
static void no_certificates(json_t *f)
{
    json_array_clear(json_object_get(f, "certificates"));
}
static void differed_signature(json_t *f)
{
    json_object_set(differed_of(f), "signature", json_object_get(close_of(f), "signature"));
}
static void differed_closes(json_t *f)
{
    json_array_append(json_object_get(batch_of(f, 1), "differed"), close_of(f));
}
static void differed_elsewhere(json_t *f)
{
    json_object_set(batch_of(f, 0), "differed", json_object_get(batch_of(f, 1), "differed"));
}

/* ---- what the gateway itself could sign besides, with its own key */

static void sign_other(json_t *proof, void (*edit)(struct setpay_batch_admin_res *answer))
{
    struct setpay_batch_proof read = {.message = {.is_signed = false}};
    struct setpay_batch_admin_res answer;
    struct setpay_buffer made;
    assert_int_equal(setpay_batch_proof_read(proof, &read), SETPAY_OK);
    assert_int_equal(setpay_batch_admin_res_parse(read.message.content, &answer), SETPAY_OK);
    edit(&answer);
    setpay_buffer_init(&made, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_batch_admin_res_build(&answer, &made), SETPAY_OK);
    test_audited_sign(proof, SETPAY_MESSAGE_BATCH_ADMIN_RES, setpay_buffer_view(&made),
                      market.gateway->sign[0]);
    setpay_buffer_clear(&made);
    setpay_batch_admin_res_clear(&answer);
    setpay_batch_proof_clear(&read);
}

static void to_batch_2(struct setpay_batch_admin_res *answer)
{
    answer->batch = 2;
}
static void to_another(struct setpay_batch_admin_res *answer)
{
    (void)snprintf(answer->merchant_id, sizeof answer->merchant_id, "%s", TEST_GATEWAY_OTHER);
}
static void to_another_brand(struct setpay_batch_admin_res *answer)
{
    (void)snprintf(answer->brand, sizeof answer->brand, "mastercard");
}
static void to_more(struct setpay_batch_admin_res *answer)
{
    answer->totals[0].capture_minor++;
}
static void to_nothing(struct setpay_batch_admin_res *answer)
{
    answer->total_count = 0;
}
static void to_later(struct setpay_batch_admin_res *answer)
{
    answer->closed_ms++;
}
static void to_another_amount(struct setpay_batch_admin_res *answer)
{
    answer->items[0].amount.minor++;
}
static void to_another_currency(struct setpay_batch_admin_res *answer)
{
    memcpy(answer->items[0].amount.currency, "USD", 4);
}
static void to_another_item(struct setpay_batch_admin_res *answer)
{
    answer->items[0].id.bytes[0] ^= 1;
}
static void to_another_payment(struct setpay_batch_admin_res *answer)
{
    answer->items[0].xid.bytes[0] ^= 1;
}
static void to_a_credit(struct setpay_batch_admin_res *answer)
{
    answer->items[0].kind = SETPAY_BATCH_CREDIT;
}

/* The capture of batch 2, as in this one. */
static struct setpay_id of_batch_2;

static void to_the_open_one(struct setpay_batch_admin_res *answer)
{
    answer->items[0].id = of_batch_2;
}

static const struct {
    const char *name;
    void (*edit)(json_t *file);
    bool of_books; /* it shows by the gateway's books alone */
    /* Or: what the gateway signs in place of the answer that closes it, or that differed. */
    void (*closes)(struct setpay_batch_admin_res *answer);
    void (*differs)(struct setpay_batch_admin_res *answer);
    const char *words[2];
} edits[] = {
    {"sum", total_sum,
     .words = {"of 2251 and 0", "of 0, the gateway has signed 2 captures of 2250"}},
    {"count", total_count, .words = {"counts 3 captures", "the gateway has signed 2 captures"}},
    {"credit", total_credit,
     .words = {"credits of 1, the gateway has signed", "0 credits of 0 (in"}},
    {"currency", total_currency,
     .words = {"USD: the merchant counts 2 captures of 2250 and 0 credits of 0, the gateway has "
               "signed 0 captures",
               "EUR: the merchant counts 0 captures of 0 and 0 credits of 0, the gateway has "
               "signed 2 captures"}},
    {"no totals", no_total,
     .words = {"batch 1: totals: EUR: the merchant counts 0 captures", "has signed 2 captures"}},
    {"row and total", row_and_total,
     .words = {": totals: EUR: the merchant counts 1 capture of", "has signed 2 captures of"}},
    {"brand", brand,
     .words = {"the answer that closes it is signed by another than this gateway for mastercard"}},
    {"number", number, .words = {"has signed the answer that closes it for batch 1"}},
    {"another merchant's file", merchant,
     .words = {"merchant: the gateway has signed the answer that closes it to shop of visa"}},
    {"signature", signature,
     .words = {"batch 1: signature: the answer that closes it is not signed by the gateway as it"}},
    {"content", content,
     .words = {"batch 1: signature: the answer that closes it is not signed by the gateway as it"}},
    {"unreadable", unreadable, .words = {"signature: the answer that closes it can't be read"}},
    {"an item's answer", by_an_item,
     .words = {": kind: the answer that closes it is a CapRes, expected BatchAdminRes"}},
    {"one that differed", by_one_that_differed,
     .words = {": status: the merchant has it as closed, beside an answer that does not close it"}},
    {"beside one that is open", beside_one_that_is_open,
     .words = {"batch 2: status: the merchant has it as not closed, beside an answer that closes",
               "batch 2: batch: the gateway has signed the answer that closes it for batch 1"}},
    {"left out", left_out, .of_books = true,
     .words = {"batch 1: signature: there is no answer of the gateway's that closes it"}},
    {"another gateway's", another_gateway,
     .words = {"the answer that closes it is signed by another than this gateway for visa",
               "is of the gateway gateway-2"}},
    {"under another root", another_root,
     .words = {"the answer that closes it is signed by another than this gateway for visa",
               ": certificate: certificate "}},
    {"no certificates", no_certificates,
     .words = {"the certificate by which the answer that closes it is signed is not in the file"}},
    {"another batch's", .closes = to_batch_2,
     .words = {"batch 1: batch: the gateway has signed the answer that closes it for batch 2"}},
    {"another merchant's", .closes = to_another,
     .words = {"merchant: the gateway has signed the answer that closes it to " TEST_GATEWAY_OTHER,
               " of visa, the file is of shop"}},
    {"another brand's", .closes = to_another_brand,
     .words = {"merchant: the gateway has signed the answer that closes it to shop of mastercard"}},
    {"other totals", .closes = to_more,
     .words = {": totals: EUR: the merchant counts 2 captures of 2250",
               ": totals: EUR: the gateway has signed 2 captures of 2251 and 0 credits of 0, its "
               "books come to 2 captures of 2250"}},
    {"of nothing", .closes = to_nothing,
     .words = {"the gateway has signed 0 captures", "its books come to 2 captures of 2250"}},
    {"another moment", .of_books = true, .closes = to_later,
     .words = {": date: the gateway has signed that it was closed at ", ", its books have "}},
    {"differed, signature", differed_signature,
     .words = {"an answer in which the two differed is not signed by the gateway as it is"}},
    {"differed, closes", differed_closes,
     .words = {": status: an answer in which the two differed is one that closes it"}},
    {"differed, of another batch", differed_elsewhere,
     .words = {"batch 2: batch: the gateway has signed an answer in which the two differed for"}},
    {"differed, amount", .of_books = true, .differs = to_another_amount,
     .words = {": amount: the gateway has signed ", ", its books have "}},
    {"differed, currency", .of_books = true, .differs = to_another_currency,
     .words = {": amount: the gateway has signed ", " USD, its books have "}},
    {"differed, item", .of_books = true, .differs = to_another_item,
     .words = {": extra: the gateway has signed it as in the batch, its books have it not"}},
    {"differed, payment", .of_books = true, .differs = to_another_payment,
     .words = {": kind: the gateway has signed it as another than its books have"}},
    {"differed, kind", .of_books = true, .differs = to_a_credit,
     .words = {": kind: the gateway has signed it as another than its books have"}},
    {"differed, an item of another batch", .of_books = true, .differs = to_the_open_one,
     .words = {": batch: the gateway has signed it into it, its books have batch 2"}},
    {"differed, another merchant's", .differs = to_another,
     .words = {": merchant: the gateway has signed an answer in which the two differed to "}},
};

static void names_every_edit(void **state)
{
    const json_t *open = json_array_get(json_object_get(batch_of(exported, 0), "items"), 0);
    (void)state;
    assert_int_equal(setpay_id_parse(json_string_value(json_object_get(open, "id")), &of_batch_2),
                     SETPAY_OK);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        json_t *file = json_deep_copy(exported);
        if (edits[i].edit != NULL)
            edits[i].edit(file);
        if (edits[i].closes != NULL)
            sign_other(close_of(file), edits[i].closes);
        if (edits[i].differs != NULL)
            sign_other(differed_of(file), edits[i].differs);
        test_audited_hash_again(file);
        int status = audit_edited(file);
        for (size_t k = 0; k < 2; k++)
            expect(edits[i].name, status, 1, edits[i].words[k] == NULL ? "" : edits[i].words[k]);
        int expected = edits[i].of_books ? 0 : 5;
        expect(edits[i].name, verify("edited.json", "crls/root.pem"), expected, "");
        json_decref(file);
    }
    print_message("# tally: edits to how a batch was closed that an audit found = %zu\n",
                  sizeof edits / sizeof *edits);
}

static void as_it_was(struct setpay_batch_admin_res *answer)
{
    (void)answer;
}

/* What is no edit: the gateway's words signed by it once more; and a batch that was closed before
 * the merchant kept answers, of which there is none, and which is said in words. */
static void takes_what_holds(void **state)
{
    (void)state;
    json_t *file = json_deep_copy(exported);
    sign_other(close_of(file), as_it_was);
    sign_other(differed_of(file), as_it_was);
    expect("signed again", audit_edited(file), 0, "3 items, 3 agree, 0 findings");
    expect("a stranger", verify("edited.json", "crls/root.pem"), 0, "with these totals");
    expect("a stranger", 0, 0, "2 captures of 22.50 EUR, 0 credits of 0.00 EUR");
    expect("a stranger", 0, 0, "the two counted differently before: 2 signed answers");
    expect("a stranger", 0, 0, "The batches are good: of shop.");
    assert_int_equal(verify("edited.json", NULL), 2); /* there is no root in it */
    json_object_del(batch_of(file, 1), "proof");
    json_object_del(batch_of(file, 1), "differed");
    json_object_set(file, "answers_kept_since", json_object_get(file, "exported"));
    expect("before", audit_edited(file), 0,
           "edited.json: 1 closed batch without the gateway's signed totals: before such answers");
    json_object_del(file, "answers_kept_since"); /* as older programs write it */
    expect("older", audit_edited(file), 0, "3 items, 3 agree, 0 findings");
    test_audited_set_text(file, "answers_kept_since", "yesterday");
    assert_int_equal(audit_edited(file), 2); /* no finding: the file is none */
    json_decref(file);
}

/* ------------------------------------------------------------------ the gateway's side */

static void expect_request(const json_t *message, bool agreed, int64_t minor)
{
    struct setpay_secret bytes = {0};
    struct setpay_batch_admin_req request;
    const char *text = json_string_value(json_object_get(message, "content"));
    assert_int_equal(json_is_true(json_object_get(message, "agreed")), agreed);
    assert_int_equal(
        setpay_base64_decode(setpay_view_string(text), SETPAY_LIMIT_CONTENT_BYTES, &bytes),
        SETPAY_OK);
    assert_int_equal(setpay_batch_admin_req_parse(setpay_secret_view(&bytes), &request), SETPAY_OK);
    assert_int_equal(request.action, SETPAY_BATCH_CLOSE);
    assert_int_equal(request.batch, 1);
    assert_string_equal(request.merchant_id, "shop");
    assert_int_equal(request.totals[0].capture_minor, minor);
    setpay_batch_admin_req_clear(&request);
    setpay_secret_clear(&bytes);
}

static void hands_out_the_requests(void **state)
{
    char path[TEST_PATH_SIZE];
    size_t size = 0;
    (void)state;
    (void)test_path(market.gateway->folder, "requests.json", path);
    expect("words", GATEWAY("batch", "evidence", BATCH("1")), 0,
           "signed by the merchant: closed with these totals");
    expect("open", GATEWAY("batch", "evidence", BATCH("2")), 0,
           "It is open: its merchant has not asked to close it.");
    expect("file", GATEWAY("batch", "evidence", BATCH("1"), "-o", path), 0,
           "2 messages of shop, visa batch 1");
    assert_int_equal(GATEWAY("batch", "evidence", BATCH("1"), "-o", path), 2); /* it is there */
    assert_int_equal(GATEWAY("batch", "evidence", BATCH("9")), 1);
    char *text = test_read_file(market.gateway->folder, "requests.json", &size);
    json_t *file = json_loadb(text, size, 0, NULL);
    const json_t *messages = json_object_get(file, "messages");
    assert_int_equal(json_array_size(messages), 2);
    expect_request(json_array_get(messages, 0), false, 2251);
    expect_request(json_array_get(messages, 1), true, 2250);
    json_decref(file);
    free(text);
}

/* Edits of the gateway's books: findings of an audit without any file, but for the first. */
static const struct {
    const char *edit, *back, *words;
} spoilt[] = {
    {"UPDATE batch SET closed_ms = closed_ms + 1 WHERE id = 1",
     "UPDATE batch SET closed_ms = closed_ms - 1 WHERE id = 1",
     ": date: the gateway has signed that it was closed at "},
    {"UPDATE batch_evidence SET content = substr(content, 1, length(content) - 1) || x'01'", NULL,
     "(number 2) "},
    {"UPDATE batch_evidence SET signature = (SELECT signature FROM evidence WHERE type = 'CapReq'"
     " LIMIT 1) WHERE agreed = 1",
     NULL, "(number 2) is not signed by the merchant as it is"},
    {"UPDATE batch_evidence SET signer = (SELECT cardholder FROM payment LIMIT 1)", NULL,
     "(number 1) is not signed by the merchant as it is"},
    {"UPDATE batch_evidence SET type = 'CapReq'", NULL, "(number 2) is of another type"},
    {"UPDATE batch_evidence SET batch_id = 2", NULL, "(number 2) is of another batch"},
    {"UPDATE batch_evidence SET agreed = 0", NULL,
     "visa batch 1 of shop: the request by which its merchant has closed it is not kept"},
    {"UPDATE batch_evidence SET agreed = 1", NULL,
     "visa batch 1 of shop: 2 requests that close it are kept"},
    {"UPDATE batch_evidence SET agreed = 1 - agreed", NULL,
     "visa batch 1 of shop: EUR: its merchant has signed 2 captures of 2251 and 0 credits of 0, "
     "the "
     "books come to 2 captures of 2250"},
    {"DELETE FROM batch_evidence", NULL,
     "visa batch 1 of shop: the request by which its merchant has closed it is not kept"},
    {"UPDATE batch SET merchant_id = 'other' WHERE id = 1",
     "UPDATE batch SET merchant_id = 'shop' WHERE id = 1",
     "visa batch 1 of other: a request that is kept (number 2) is not signed by the merchant"},
};

static void names_edits_of_the_gateways(void **state)
{
    (void)state;
    test_audited_sql(&books, "gateway.db", "CREATE TABLE copied AS SELECT * FROM batch_evidence");
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        test_audited_sql(&books, "gateway.db", spoilt[i].edit);
        expect(spoilt[i].edit, audit("shop.json"), 1, spoilt[i].words);
        test_audited_sql(&books, "gateway.db",
                         "DELETE FROM batch_evidence;"
                         "INSERT INTO batch_evidence SELECT * FROM copied");
        if (spoilt[i].back != NULL)
            test_audited_sql(&books, "gateway.db", spoilt[i].back);
    }
    /* One that was closed before requests were kept, or in the merchant's place. */
    test_audited_sql(&books, "gateway.db",
                     "DELETE FROM batch_evidence; UPDATE batch SET by_merchant = 0");
    expect("before", audit("shop.json"), 0,
           "1 closed batch without: before requests were kept, or in the merchant's place");
    expect("before", GATEWAY("batch", "evidence", BATCH("1")), 0, "No request is kept: it was");
    test_audited_sql(&books, "gateway.db",
                     "INSERT INTO batch_evidence SELECT * FROM copied; DROP TABLE copied;"
                     "UPDATE batch SET by_merchant = 1 WHERE open = 0");
    expect("restored", audit("shop.json"), 0, "3 items, 3 agree, 0 findings");
    print_message("# tally: edits to requests that closed a batch that an audit found = %zu\n",
                  sizeof spoilt / sizeof *spoilt);
}

/* ------------------------------------------------------------------ the world */

static int open_world(void **state)
{
    (void)state;
    test_market_open(&market, NULL, "5m");
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    test_gateway_start(market.gateway, NULL);
    test_market_close(&market);
    json_decref(exported);
    free(books.printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_two_differ),         cmocka_unit_test(then_they_agree),
        cmocka_unit_test(names_every_edit),       cmocka_unit_test(takes_what_holds),
        cmocka_unit_test(hands_out_the_requests), cmocka_unit_test(names_edits_of_the_gateways),
    };
    alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
