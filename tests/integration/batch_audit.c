/*
 * Three books of one day: the gateway's, a merchant's exported batches and the issuer's clearing
 * file, made by the real programs. They agree. Then each is edited, one edit at a time, by somebody
 * who knows the file's form (totals and hash are made to fit): the audit names every edit. The
 * gateway is stopped meanwhile.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/base/zone.h"
#include "gateway/issuer/clearing_file.h"
#include "tests/support/test_audited.h"
#include "tests/support/test_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 150
#define OTHER_ID "0123456789abcdef0123456789abcdef"

static struct test_market market;
static struct test_audited books = {.market = &market};
static json_t *exported; /* two batches: the second is open */

#define MERCHANT(...) TEST_AUDITED_MERCHANT(&books, __VA_ARGS__)
#define GATEWAY(...) TEST_AUDITED_GATEWAY(&books, __VA_ARGS__)

static int audit(const char *merchant, const char *clearing)
{
    return test_audited_files(&books, merchant, clearing);
}

static void expect(const char *what, int status, int expected_status, const char *words)
{
    test_audited_expect(&books, what, status, expected_status, words);
}

static void save(const char *name, const char *text)
{
    test_audited_save(&books, name, text);
}

/* ------------------------------------------------------------------ the day */

static void post(const struct test_sale *sale, const char *what, const char *body)
{
    test_audited_post(&books, sale, what, body);
}

static void sell(const char *capture)
{
    test_audited_sell(&books, capture);
}

static void undo(const struct test_sale *sale)
{
    char path[160], body[96];
    json_t *order = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s", sale->order.id);
    assert_int_equal(test_merchantd_api(market.merchant, path, NULL, &order), 200);
    const json_t *list = json_object_get(order, "captures");
    (void)snprintf(body, sizeof body, "{\"id\":\"%s\"}",
                   json_string_value(json_object_get(json_array_get(list, 0), "id")));
    post(sale, "undo", body);
    json_decref(order);
}

/* Authorised and captured by one request, whose answer proves it. */
static void sell_at_once(bool undone)
{
    static const struct test_end sold = {SETPAY_MESSAGE_P_RES, SETPAY_STATUS_AUTHORISED,
                                         SETPAY_RECEIPT_CAPTURE, 1, 0};
    struct test_sale sale;
    struct setpay_buffer message, answer;
    struct test_order order =
        test_merchantd_order_to_capture(market.merchant, TEST_PRICE, "immediate");
    test_sale_again(&market, &order, market.holder, &sale);
    test_purchase_sign(sale.purchase);
    test_purchase_preq(sale.purchase, &message);
    test_channel_ask(test_market_channel(&market), setpay_buffer_view(&message), &answer);
    test_sale_expect(&market, &sale, setpay_buffer_view(&answer), &sold);
    setpay_buffer_clear(&message);
    setpay_buffer_clear(&answer);
    if (undone) {
        undo(&sale);
        test_gateway_wait_acknowledged(market.gateway);
    }
    test_sale_clear(&sale);
}

static void sell_and_undo(const char *refund)
{
    struct test_sale sale;
    struct test_order made = test_merchantd_order_to_capture(market.merchant, TEST_PRICE, "manual");
    test_sale_again(&market, &made, market.holder, &sale);
    test_sale_pay(&market, &sale);
    post(&sale, "capture", "{}");
    if (refund != NULL)
        post(&sale, "refund", refund);
    else
        undo(&sale);
    test_sale_clear(&sale);
}

static void wait_presented(void)
{
    for (int i = 0; i < 1000; i++) {
        if (test_gateway_number(market.gateway,
                                "SELECT COUNT(*) FROM presentment WHERE acknowledged = 0") == 0)
            return;
        (void)usleep(20000);
    }
    fail_msg("presentments are not answered");
}

static void save_clearing(void)
{
    assert_int_equal(test_audited_run(&books, "setpay-issuersim", "issuer.conf",
                                      (const char *const[]){"clearing", NULL}),
                     0);
    save("clearing.csv", books.printed);
}

/* Everything that is done in a day, and the three agree on it: while all daemons run, and after. */
static void three_books_agree(void **state)
{
    (void)state;
    sell("{\"amount\":1000}");
    sell("{}");
    sell_and_undo("{\"amount\":300}");
    sell_and_undo(NULL);
    sell_at_once(false);
    sell_at_once(true);
    assert_int_equal(MERCHANT("batch", "close"), 0);
    wait_presented();
    sell("{\"amount\":7}");
    assert_int_equal(MERCHANT("batch", "export", "--all"), 0);
    exported = json_loads(books.printed, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(exported);
    save("shop.json", books.printed);
    save_clearing();
    expect("running", audit("shop.json", "clearing.csv"), 0, ": 0 findings; the last entry is ");
    assert_non_null(strstr(books.printed, "shop.json, of shop: 8 items, 8 agree, 0 findings"));
    assert_non_null(strstr(books.printed, "7 items, 7 agree, 0 findings")); /* the issuer's */

    /* Sales, refunds and what was undone: a stranger proves them too. */
    expect("a stranger", test_audited_verify(&books, "shop.json", "crls/root.pem"), 0,
           "The batches are good: of shop.");

    assert_int_equal(MERCHANT("batch", "export", "1", "--brand", "visa"), 0);
    save("first.json", books.printed);
    assert_int_equal(MERCHANT("batch", "export", "9"), 1);
    assert_int_equal(MERCHANT("batch", "export"), 2);
    assert_int_equal(MERCHANT("batch", "export", "1", "--all"), 2);
    expect("one batch", audit("first.json", NULL), 0, "first.json, of shop: 7 items, 7 agree");

    sell("{\"amount\":8}"); /* after the export, into the batch that is open */
    expect("later", audit("shop.json", "clearing.csv"), 0, "8 items, 8 agree, 0 findings");
    test_gateway_stop(market.gateway);
    expect("stopped", audit("shop.json", "clearing.csv"), 0, "8 items, 8 agree, 0 findings");
    assert_int_equal(GATEWAY("audit", "--merchant", "no-such-file"), 2);
    assert_int_equal(audit("clearing.csv", NULL), 2);
    assert_int_equal(audit("shop.json", "shop.json"), 2);
    assert_int_equal(MERCHANT("batch", "export", "--all"), 0); /* as it is with the gateway gone */
}

/* ------------------------------------------------------------------ edits of the merchant's file
 */

static json_t *batch_of(json_t *file, size_t n)
{
    return json_array_get(json_object_get(file, "batches"), n);
}

/* The closed batch; batches are listed from the newest. */
static json_t *items_of(json_t *file)
{
    return json_object_get(batch_of(file, 1), "items");
}

/* One that is no sale. */
static size_t at_of(json_t *file, const char *kind, const char *status)
{
    size_t index;
    json_t *item;
    json_array_foreach(items_of(file), index, item)
    {
        const json_t *proof = json_object_get(item, "proof");
        if (strcmp(json_string_value(json_object_get(proof, "type")), "AuthRes") != 0 &&
            strcmp(json_string_value(json_object_get(item, "kind")), kind) == 0 &&
            strcmp(json_string_value(json_object_get(item, "status")), status) == 0)
            return index;
    }
    fail_msg("there is no %s that is %s", kind, status);
    return 0;
}

static json_t *capture_of(json_t *file)
{
    return json_array_get(items_of(file), at_of(file, "capture", "done"));
}

static json_t *other_of(json_t *file)
{
    return json_array_get(items_of(file), at_of(file, "credit", "done"));
}

static json_t *undone_of(json_t *file)
{
    return json_array_get(items_of(file), at_of(file, "capture", "undone"));
}

static json_t *proof_of(json_t *item)
{
    return json_object_get(item, "proof");
}

static json_t *total_of(json_t *file)
{
    return json_array_get(json_object_get(batch_of(file, 1), "totals"), 0);
}

static void amount(json_t *f)
{
    test_audited_add_to(capture_of(f), "amount", 1);
    test_audited_add_to(total_of(f), "capture_amount", 1);
}
static void currency(json_t *f)
{
    test_audited_set_text(capture_of(f), "currency", "USD");
}
static void kind(json_t *f)
{
    test_audited_set_text(other_of(f), "kind", "capture");
}
static void payment(json_t *f)
{
    test_audited_set_text(capture_of(f), "xid", OTHER_ID);
}
static void day(json_t *f)
{
    test_audited_set_text(capture_of(f), "date", "2026-01-01T00:00:00.000Z");
}
static void moment(json_t *f)
{
    test_audited_set_text(capture_of(f), "date", json_string_value(json_object_get(f, "exported")));
}
static void id(json_t *f)
{
    test_audited_set_text(capture_of(f), "id", OTHER_ID);
}
static void remove_item(json_t *f)
{
    json_array_remove(items_of(f), at_of(f, "capture", "done"));
}
static void remove_undone(json_t *f)
{
    json_array_remove(items_of(f), at_of(f, "capture", "undone"));
}
static void repeat(json_t *f)
{
    json_array_insert(items_of(f), 1, json_array_get(items_of(f), 0));
}
static void repeat_in_other(json_t *f)
{
    json_array_append(json_object_get(batch_of(f, 0), "items"), capture_of(f));
}
static void reorder(json_t *f)
{
    json_array_append(items_of(f), json_array_get(items_of(f), 0));
    json_array_remove(items_of(f), 0);
}
static void number(json_t *f)
{
    test_audited_add_to(batch_of(f, 1), "batch", 6);
}
static void brand(json_t *f)
{
    test_audited_set_text(batch_of(f, 1), "brand", "mastercard");
}
static void total(json_t *f)
{
    test_audited_add_to(total_of(f), "credit_amount", -300);
}
static void count(json_t *f)
{
    test_audited_add_to(total_of(f), "capture_count", 1);
}
static void no_total(json_t *f)
{
    json_array_clear(json_object_get(batch_of(f, 1), "totals"));
}
static void two_totals(json_t *f)
{
    json_array_append(json_object_get(batch_of(f, 1), "totals"), total_of(f));
}
static void hash(json_t *f)
{
    test_audited_set_text(batch_of(f, 1), "hash", OTHER_ID OTHER_ID);
}
static void merchant(json_t *f)
{
    test_audited_set_text(f, "merchant_id", TEST_GATEWAY_OTHER);
}
static void swap_signature(json_t *f)
{
    json_object_set(proof_of(capture_of(f)), "signature",
                    json_object_get(proof_of(undone_of(f)), "signature"));
}
static void swap_content(json_t *f)
{
    json_object_set(proof_of(capture_of(f)), "content",
                    json_object_get(proof_of(undone_of(f)), "content"));
}
static void swap_proof(json_t *f)
{
    json_object_set(capture_of(f), "proof", proof_of(undone_of(f)));
}
static void swap_kind(json_t *f)
{
    json_object_set(capture_of(f), "proof", proof_of(other_of(f)));
}
static void retype(json_t *f)
{
    test_audited_set_text(proof_of(capture_of(f)), "type", "AuthRes");
}
static void no_proof(json_t *f)
{
    json_object_del(capture_of(f), "proof");
}
static void bad_proof(json_t *f)
{
    test_audited_set_text(proof_of(capture_of(f)), "content", "*");
}
static void say_undone(json_t *f)
{
    test_audited_set_text(capture_of(f), "status", "undone");
}
static void prove_undone(json_t *f)
{
    json_object_set(capture_of(f), "undone_proof", json_object_get(undone_of(f), "undone_proof"));
    test_audited_set_text(capture_of(f), "status", "undone");
}
static void say_done(json_t *f)
{
    test_audited_set_text(undone_of(f), "status", "done");
}
static void hide_undone(json_t *f)
{
    json_object_del(undone_of(f), "undone_proof");
    test_audited_set_text(undone_of(f), "status", "done");
}
static void no_certificates(json_t *f)
{
    json_array_clear(json_object_get(f, "certificates"));
}
static void bad_certificate(json_t *f)
{
    json_array_insert_new(json_object_get(f, "certificates"), 0, json_string("TUlJQg=="));
}
static void batch_twice(json_t *f)
{
    json_array_append(json_object_get(f, "batches"), batch_of(f, 1));
}
static void no_batch(json_t *f)
{
    json_array_remove(json_object_get(f, "batches"), 1);
}
static void close_it(json_t *f)
{
    test_audited_set_text(batch_of(f, 0), "status", "closed");
}

static void another_gateway(json_t *file)
{
    test_audited_sign_by(file, proof_of(capture_of(file)), market.gateway->pki, "gateway-2");
}

static void another_root(json_t *file)
{
    static const char *const brands[] = {"visa", NULL};
    struct test_pki *pki = test_pki_new(setpay_clock_now_ms(), brands);
    test_audited_sign_by(file, proof_of(capture_of(file)), pki, TEST_GATEWAY_ID);
    test_pki_free(pki);
}

static const struct {
    const char *name;
    void (*edit)(json_t *file);
    const char *words[2];
} edits[] = {
    {"amount", amount, {": amount: the merchant has ", "the gateway's books have"}},
    {"currency", currency, {": currency: the merchant has ", "the gateway has signed"}},
    {"kind", kind, {": kind: its answer is a CredRes", ": kind: by the gateway's books"}},
    {"xid", payment, {": xid: the gateway has signed", ": xid: by the gateway's books"}},
    {"date", day, {": date: the merchant has 2026-01-01", "the gateway's books have"}},
    {"date by a moment", moment, {": date: the merchant has ", "has signed it at"}},
    {"id", id, {": extra: the gateway's books", ": missing: by the gateway's books"}},
    {"row removed", remove_item, {": missing: by the gateway's books", ": totals: EUR"}},
    {"undone row removed", remove_undone, {": missing: ", " and undone, the merchant has it not"}},
    {"row repeated", repeat, {": duplicate: it stands in", "before, in batch 1"}},
    {"row repeated in another", repeat_in_other, {": duplicate: ", ": batch: the gateway has"}},
    {"order", reorder, {": order: it stands behind", ": order: "}},
    {"batch number", number, {": batch: the gateway has signed it into batch 1", ": batch: by"}},
    {"brand", brand, {"signed by another than this gateway for mastercard", ": extra: "}},
    {"total", total, {": totals: EUR: the merchant counts", "1 credit of 0,"}},
    {"count", count, {": totals: EUR: the merchant counts 5 captures", "come to 4 of"}},
    {"no total", no_total, {": totals: there are items in EUR", "and no total"}},
    {"two totals", two_totals, {": totals: there are two totals in EUR", ""}},
    {"another merchant's file", merchant, {": merchant: the gateway has signed it to shop", ""}},
    {"signature swapped", swap_signature, {"its answer is not signed by the gateway as it is", ""}},
    {"content swapped", swap_content, {"its answer is not signed by the gateway as it is", ""}},
    {"answer swapped", swap_proof, {": signature: its answer is of another step", ""}},
    {"answer of another kind", swap_kind, {": kind: its answer is a CredRes, expected CapRes", ""}},
    {"type", retype, {"its answer is not signed by the gateway as it is", ""}},
    {"no answer", no_proof, {": signature: there is no answer", ""}},
    {"answer unreadable", bad_proof, {": signature: its answer can't be read", ""}},
    {"said to be undone", say_undone, {": undone: the merchant says", "books as done"}},
    {"undone by another's", prove_undone, {"the answer that undoes it is of another step", ""}},
    {"said to be done", say_done, {": undone: the merchant has it as done, beside", "as undone"}},
    {"undoing hidden", hide_undone, {": undone: the merchant has it as done, the gateway's", ""}},
    {"no certificates", no_certificates, {"by which its answer is signed is not in the file", ""}},
    {"no certificate", bad_certificate, {": certificate: certificate 1 can't be read", ""}},
    {"another gateway", another_gateway, {"is of the gateway gateway-2, expected", "by another"}},
    {"another root", another_root, {": certificate: certificate 4 is not good", "by another"}},
    {"batch twice", batch_twice, {"batch 1: duplicate: the batch stands", ""}},
    {"batch removed", no_batch, {": missing: by the gateway's books", ""}},
    {"closed", close_it, {"batch 2: status: the merchant has it as closed", ""}},
};

static void names_every_edit_of_the_merchants(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        json_t *file = json_deep_copy(exported);
        edits[i].edit(file);
        test_audited_hash_again(file);
        test_audited_save_json(&books, "edited.json", file);
        int status = audit("edited.json", NULL);
        expect(edits[i].name, status, 1, edits[i].words[0]);
        expect(edits[i].name, status, 1, edits[i].words[1]);
        assert_null(strstr(books.printed, ": hash: "));
        json_decref(file);
    }
    json_t *file = json_deep_copy(exported);
    hash(file);
    test_audited_save_json(&books, "edited.json", file);
    expect("hash", audit("edited.json", NULL), 1, "batch 1: hash: it is not that of its items");
    amount(file);
    test_audited_set_text(file, "setpay_batch", "1");
    test_audited_save_json(&books, "edited.json", file);
    assert_int_equal(audit("edited.json", NULL), 2); /* no finding: the file is none */
    json_decref(file);
    print_message("# tally: edits to a merchant's batches that an audit found = %zu\n",
                  sizeof edits / sizeof *edits + 1);
}

/* Two files that hold the same would be paid twice. */
static void names_what_stands_in_two_files(void **state)
{
    char one[TEST_PATH_SIZE], other[TEST_PATH_SIZE];
    (void)state;
    int status = GATEWAY("--json", "audit", "--merchant",
                         test_path(market.gateway->folder, "shop.json", one), "--merchant",
                         test_path(market.gateway->folder, "first.json", other));
    expect("two files", status, 1, "\"duplicate\": 7");
    expect("two files", status, 1, "\"ok\": false");
    expect("two files", status, 1, "shop.json before, in batch 1");
}

/* ------------------------------------------------------------------ of the clearing file */

static struct setpay_clearing_row *row_of_kind(struct setpay_clearing_file *file,
                                               enum setpay_clearing_kind kind)
{
    for (size_t i = 0; i < file->row_count; i++)
        if (file->rows[i].kind == kind)
            return &file->rows[i];
    fail_msg("no %s is booked", setpay_clearing_kind_name(kind));
    abort(); /* which the line above does not come back from */
}

/* A row that is ours, booked, and a capture of the merchant's. */
static struct setpay_clearing_row *row_of(struct setpay_clearing_file *file)
{
    return row_of_kind(file, SETPAY_CLEARING_CAPTURE);
}

static void row_amount(struct setpay_clearing_file *f)
{
    row_of(f)->amount.minor++;
}
static void row_currency(struct setpay_clearing_file *f)
{
    memcpy(row_of(f)->amount.currency, "USD", 4);
}
static void row_kind(struct setpay_clearing_file *f)
{
    row_of(f)->kind = SETPAY_CLEARING_CREDIT;
}
static void row_removed(struct setpay_clearing_file *f)
{
    *row_of(f) = f->rows[f->row_count - 1];
    f->row_count--;
}
static void row_repeated(struct setpay_clearing_file *f)
{
    const struct setpay_clearing_row row = *row_of(f);
    assert_int_equal(setpay_clearing_file_add(f, &row), SETPAY_OK);
}
static void row_id(struct setpay_clearing_file *f)
{
    memcpy(row_of(f)->presentment, OTHER_ID, sizeof OTHER_ID);
}
static void row_xid(struct setpay_clearing_file *f)
{
    memcpy(row_of(f)->xid, OTHER_ID, sizeof OTHER_ID);
}
static void row_acquirer(struct setpay_clearing_file *f)
{
    memcpy(row_of(f)->acquirer, "77", 3);
}
static void row_refused(struct setpay_clearing_file *f)
{
    memcpy(row_of(f)->result, "51", 3);
}

/* The one that undid the sale that was undone. */
static struct setpay_clearing_row *undoing_of(struct setpay_clearing_file *file)
{
    return row_of_kind(file, SETPAY_CLEARING_SALE_REVERSAL);
}
static void undoing_amount(struct setpay_clearing_file *f)
{
    undoing_of(f)->amount.minor++;
}
static void undoing_currency(struct setpay_clearing_file *f)
{
    memcpy(undoing_of(f)->amount.currency, "JPY", 4);
}
static void undoing_xid(struct setpay_clearing_file *f)
{
    memcpy(undoing_of(f)->xid, OTHER_ID, sizeof OTHER_ID);
}
static void undoing_id(struct setpay_clearing_file *f)
{
    memcpy(undoing_of(f)->presentment, OTHER_ID, sizeof OTHER_ID);
}
static void undoing_capture(struct setpay_clearing_file *f)
{
    struct setpay_clearing_row row = *row_of(f);
    row.kind = SETPAY_CLEARING_SALE_REVERSAL;
    assert_int_equal(setpay_clearing_file_add(f, &row), SETPAY_OK);
}
/* The other sale, which stands. */
static void undoing_another(struct setpay_clearing_file *f)
{
    char undone[33];
    memcpy(undone, undoing_of(f)->presentment, sizeof undone);
    for (size_t i = 0; i < f->row_count; i++)
        if (f->rows[i].kind == SETPAY_CLEARING_SALE &&
            strcmp(f->rows[i].presentment, undone) != 0) {
            memcpy(undoing_of(f)->presentment, f->rows[i].presentment, sizeof undone);
            memcpy(undoing_of(f)->xid, f->rows[i].xid, sizeof f->rows[i].xid);
            return;
        }
    fail_msg("every sale was undone");
}

static const struct {
    const char *name;
    void (*edit)(struct setpay_clearing_file *file);
    const char *words[2];
} rows[] = {
    {"amount", row_amount, {": amount: the issuer has charged", "shop.json the merchant has"}},
    {"currency", row_currency, {": currency: the issuer has charged", "shop.json the merchant"}},
    {"kind", row_kind, {": amount: the issuer has credited", "(credit), by "}},
    {"row removed", row_removed, {": missing: ", "are not in the file"}},
    {"row repeated", row_repeated, {": duplicate: the issuer has", "of the same presentment"}},
    {"id", row_id, {": extra: the issuer has charged", ": missing: "}},
    {"xid", row_xid, {": amount: the issuer has charged", ": xid: the issuer has it of another"}},
    {"acquirer", row_acquirer, {": missing: ", "are not in the file"}},
    {"result", row_refused, {": missing: the issuer has refused", "answered 00 before"}},
    {"undone, amount",
     undoing_amount,
     {"more than was undone", "the merchant has 12.50 EUR (undone"}},
    {"undone, currency",
     undoing_currency,
     {": currency: the issuer has given back 1250 JPY of a sale, the ledger",
      ": currency: the issuer has given back 1250 JPY of a sale, by "}},
    {"undone, xid",
     undoing_xid,
     {": amount: the issuer has given back", ": xid: the issuer has it of another"}},
    {"undone, id", undoing_id, {": extra: the issuer has given back", "does not know"}},
    {"undone, a capture",
     undoing_capture,
     {"as of a sale (sale-reversal)", ": undone: the issuer"}},
    {"undone, another",
     undoing_another,
     {"of a sale, more than was undone", ": undone: the issuer has given back"}},
};

static void save_rows(const char *name, void (*edit)(struct setpay_clearing_file *file))
{
    struct setpay_clearing_file file;
    struct setpay_problem problem;
    struct setpay_buffer bytes;
    size_t size = 0;
    char *text = test_read_file(market.gateway->folder, "clearing.csv", &size);
    assert_int_equal(setpay_clearing_file_parse(setpay_view_of(text, size), &file, &problem),
                     SETPAY_OK);
    edit(&file);
    setpay_buffer_init(&bytes, SETPAY_CLEARING_FILE_MAX);
    assert_int_equal(setpay_clearing_file_build(&file, &bytes), SETPAY_OK);
    test_write_file(market.gateway->folder, name, setpay_buffer_view(&bytes));
    setpay_buffer_clear(&bytes);
    setpay_clearing_file_clear(&file);
    free(text);
}

static void names_every_edit_of_the_issuers(void **state)
{
    size_t size = 0;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        save_rows("edited.csv", rows[i].edit);
        int status = audit("shop.json", "edited.csv");
        expect(rows[i].name, status, 1, rows[i].words[0]);
        expect(rows[i].name, status, 1, rows[i].words[1]);
    }
    /* Who does not know how the file is sealed: it is refused as a whole. */
    char *text = test_read_file(market.gateway->folder, "clearing.csv", &size);
    char *digit = strstr(text, ",1000,EUR,");
    assert_non_null(digit);
    digit[4] = '1';
    test_write_file(market.gateway->folder, "edited.csv", setpay_view_of(text, size));
    assert_int_equal(audit("shop.json", "edited.csv"), 2);
    free(text);
    print_message("# tally: edits to a clearing file that an audit found = %zu\n",
                  sizeof rows / sizeof *rows + 1);
}

/* ------------------------------------------------------------------ two days */

static char day_after[SETPAY_DATE_TEXT_SIZE];

/* The file of the day after, which has none of our rows. */
static void day_of_nothing(struct setpay_clearing_file *f)
{
    f->row_count = 0;
    memcpy(f->from, day_after, sizeof f->from);
    memcpy(f->to, day_after, sizeof f->to);
}

static void edit_gateway(const char *sql)
{
    test_audited_sql(&books, "gateway.db", sql);
}

/* Presented the day before a file begins, and answered on the day of it: the file of that day must
 * have it, and where both are here, one of them. When it was presented its batch says (ledger
 * verify), so that the answer is moved, and the file is that of the day after. */
static void names_what_is_in_neither_of_two_days(void **state)
{
    char shop[TEST_PATH_SIZE], whole[TEST_PATH_SIZE], lacks[TEST_PATH_SIZE], after[TEST_PATH_SIZE];
    char words[96], sql[256];
    size_t size = 0;
    struct setpay_clearing_file file;
    struct setpay_problem problem;
    struct setpay_date day = {1970, 1, 1};
    (void)state;
    char *text = test_read_file(market.gateway->folder, "clearing.csv", &size);
    assert_int_equal(setpay_clearing_file_parse(setpay_view_of(text, size), &file, &problem),
                     SETPAY_OK);
    assert_int_equal(setpay_date_parse(file.to, &day), SETPAY_OK);
    struct setpay_date next = setpay_date_add_days(&day, 1);
    (void)setpay_date_format(&next, day_after);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE presentment SET acknowledged_ms = %lld WHERE step_id ="
                   " (SELECT id FROM step WHERE token = x'%s')",
                   (long long)setpay_date_start_ms(&next), row_of(&file)->presentment);
    edit_gateway(sql);
    save_rows("lacks.csv", row_removed);
    save_rows("after.csv", day_of_nothing);
    (void)test_path(market.gateway->folder, "shop.json", shop);
    (void)test_path(market.gateway->folder, "clearing.csv", whole);
    (void)test_path(market.gateway->folder, "lacks.csv", lacks);
    (void)test_path(market.gateway->folder, "after.csv", after);
    (void)snprintf(words, sizeof words, "look in the file of %s.", file.to);
    expect("one day", GATEWAY("reconcile", after), 0, words);
    expect("one day", 0, 0, " 0 differences");
    expect("one day", GATEWAY("audit", "--clearing", after), 0,
           "1 item is not in it and must be in a file of days before it, which is not here");
    int status = GATEWAY("audit", "--clearing", after, "--clearing", lacks);
    expect("two days", status, 1, ": missing: ");
    (void)snprintf(words, sizeof words, "are in no file from %s on, though", file.to);
    expect("two days", status, 1, words);
    expect("two days", status, 1, ": 1 finding; ");
    status = GATEWAY("audit", "--merchant", shop, "--clearing", after, "--clearing", whole);
    expect("two days", status, 0, "clearing.csv, of issuersim: 7 items, 7 agree, 0 findings");
    expect("two days", status, 0, ": 0 findings; ");
    setpay_clearing_file_clear(&file);
    free(text);
}

/* ------------------------------------------------------------------ of the gateway's books */

/* What the gateway itself has changed, its own signature tells; and what the merchant never had. */
static void names_edits_of_the_gateways(void **state)
{
    (void)state;
    edit_gateway("UPDATE step SET amount_minor = amount_minor - 1 WHERE id = 1");
    expect("its own amount", audit("shop.json", "clearing.csv"), 1,
           "10.00 EUR, the gateway's books have 9.99 EUR");
    expect("its own amount", 1, 1, "visa batch 1 of shop: EUR: its merchant has signed 4 captures");
    expect("its own amount", 1, 1, "batch 1: totals: EUR: the gateway has signed 4 captures of");
    edit_gateway("UPDATE step SET amount_minor = amount_minor + 1, batch_id = 2 WHERE id = 1");
    expect("its own batch", audit("first.json", NULL), 1,
           ": batch: by the gateway's books it is in batch 2");
    edit_gateway("UPDATE step SET batch_id = 1, undone = 1 WHERE id = 1");
    expect("its own undoing", audit("first.json", NULL), 1,
           ": undone: the merchant has it as done, the gateway's books as undone");
    edit_gateway("UPDATE step SET undone = 0, token = x'" OTHER_ID "' WHERE id = 1");
    expect("its own id", audit("first.json", NULL), 1, ": extra: ");
    expect("its own id", 1, 1, ": missing: ");
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
        cmocka_unit_test(three_books_agree),
        cmocka_unit_test(names_every_edit_of_the_merchants),
        cmocka_unit_test(names_what_stands_in_two_files),
        cmocka_unit_test(names_every_edit_of_the_issuers),
        cmocka_unit_test(names_what_is_in_neither_of_two_days),
        cmocka_unit_test(names_edits_of_the_gateways),
    };
    test_alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
