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
#include "common/crypto/base64.h"
#include "common/net/batch_file.h"
#include "common/net/evidence_json.h"
#include "gateway/issuer/clearing_file.h"
#include "tests/support/test_market.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_S 150
#define OTHER_ID "0123456789abcdef0123456789abcdef"

static struct test_market market;
static char *printed;
static json_t *exported; /* two batches: the second is open */

/* ------------------------------------------------------------------ programs */

static int run(const char *program, const char *configuration, const char *const *words)
{
    char path[TEST_PATH_SIZE];
    const char *all[20] = {"--config", test_path(market.gateway->folder, configuration, path)};
    size_t count = 2;
    for (; *words != NULL; words++)
        all[count++] = *words;
    free(printed);
    printed = NULL;
    return test_run_to_end(program, all, &printed);
}
#define MERCHANT(...)                                                                              \
    run("setpay-merchant", "merchant.conf", (const char *const[]){__VA_ARGS__, NULL})
#define GATEWAY(...) run("setpay-gateway", "gateway.conf", (const char *const[]){__VA_ARGS__, NULL})

static int audit(const char *merchant, const char *clearing)
{
    char one[TEST_PATH_SIZE], other[TEST_PATH_SIZE];
    (void)test_path(market.gateway->folder, merchant, one);
    if (clearing == NULL)
        return GATEWAY("audit", "--merchant", one);
    return GATEWAY("audit", "--merchant", one, "--clearing",
                   test_path(market.gateway->folder, clearing, other));
}

static void expect(const char *what, int status, int expected_status, const char *words)
{
    if (status != expected_status || strstr(printed, words) == NULL)
        fail_msg("%s: exit status %d, expected %d and '%s' in:\n%s", what, status, expected_status,
                 words, printed);
}

static void save(const char *name, const char *text)
{
    test_write_file(market.gateway->folder, name, setpay_view_string(text));
}

/* ------------------------------------------------------------------ the day */

static void post(const struct test_sale *sale, const char *what, const char *body)
{
    char path[160];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s/%s", sale->order.id, what);
    assert_int_equal(test_merchantd_api(market.merchant, path, body, &answer), 200);
    json_decref(answer);
}

static void sell(const char *capture)
{
    struct test_sale sale;
    struct test_order order =
        test_merchantd_order_to_capture(market.merchant, TEST_PRICE, "manual");
    test_sale_again(&market, &order, market.holder, &sale);
    test_sale_pay(&market, &sale);
    post(&sale, "capture", capture);
    test_sale_clear(&sale);
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
    assert_int_equal(
        run("setpay-issuersim", "issuer.conf", (const char *const[]){"clearing", NULL}), 0);
    save("clearing.csv", printed);
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
    exported = json_loads(printed, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(exported);
    save("shop.json", printed);
    save_clearing();
    expect("running", audit("shop.json", "clearing.csv"), 0, ": 0 findings; the last entry is ");
    assert_non_null(strstr(printed, "shop.json, of shop: 8 items, 8 agree, 0 findings"));
    assert_non_null(strstr(printed, "shop.json: 1 closed batch with the totals that the gateway"));
    assert_non_null(strstr(printed, "1 closed batch, 1 by a request of its merchant's"));
    assert_non_null(strstr(printed, "7 items, 7 agree, 0 findings")); /* the issuer's */

    assert_int_equal(MERCHANT("batch", "export", "1", "--brand", "visa"), 0);
    save("first.json", printed);
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

static void set_text(json_t *object, const char *member, const char *text)
{
    assert_int_equal(json_object_set_new(object, member, json_string(text)), 0);
}

static void add_to(json_t *object, const char *member, int more)
{
    json_int_t value = json_integer_value(json_object_get(object, member));
    assert_int_equal(json_object_set_new(object, member, json_integer(value + more)), 0);
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
    add_to(capture_of(f), "amount", 1);
    add_to(total_of(f), "capture_amount", 1);
}
static void currency(json_t *f)
{
    set_text(capture_of(f), "currency", "USD");
}
static void kind(json_t *f)
{
    set_text(other_of(f), "kind", "capture");
}
static void payment(json_t *f)
{
    set_text(capture_of(f), "xid", OTHER_ID);
}
static void day(json_t *f)
{
    set_text(capture_of(f), "date", "2026-01-01T00:00:00.000Z");
}
static void moment(json_t *f)
{
    set_text(capture_of(f), "date", json_string_value(json_object_get(f, "exported")));
}
static void id(json_t *f)
{
    set_text(capture_of(f), "id", OTHER_ID);
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
    add_to(batch_of(f, 1), "batch", 6);
}
static void brand(json_t *f)
{
    set_text(batch_of(f, 1), "brand", "mastercard");
}
static void total(json_t *f)
{
    add_to(total_of(f), "credit_amount", -300);
}
static void count(json_t *f)
{
    add_to(total_of(f), "capture_count", 1);
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
    set_text(batch_of(f, 1), "hash", OTHER_ID OTHER_ID);
}
static void merchant(json_t *f)
{
    set_text(f, "merchant_id", TEST_GATEWAY_OTHER);
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
    set_text(proof_of(capture_of(f)), "type", "AuthRes");
}
static void no_proof(json_t *f)
{
    json_object_del(capture_of(f), "proof");
}
static void bad_proof(json_t *f)
{
    set_text(proof_of(capture_of(f)), "content", "*");
}
static void say_undone(json_t *f)
{
    set_text(capture_of(f), "status", "undone");
}
static void prove_undone(json_t *f)
{
    json_object_set(capture_of(f), "undone_proof", json_object_get(undone_of(f), "undone_proof"));
    set_text(capture_of(f), "status", "undone");
}
static void say_done(json_t *f)
{
    set_text(undone_of(f), "status", "done");
}
static void hide_undone(json_t *f)
{
    json_object_del(undone_of(f), "undone_proof");
    set_text(undone_of(f), "status", "done");
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
    set_text(batch_of(f, 0), "status", "closed");
}

/* That party's signature over content, in a proof. */
static void sign(json_t *proof, enum setpay_message_type type, struct setpay_view content,
                 const struct test_party *party)
{
    struct setpay_buffer bytes;
    struct setpay_message message;
    char signer[SETPAY_DIGEST_TEXT_SIZE];
    const struct setpay_message_parts parts = {
        .type = type, .content = content, .key = party->signing_key, .signer = &party->thumbprint};
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    assert_int_equal(setpay_message_build(&parts, &bytes), SETPAY_OK);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&bytes), &message), SETPAY_OK);
    assert_int_equal(setpay_evidence_json_set(proof, "content", message.content), SETPAY_OK);
    assert_int_equal(setpay_evidence_json_set(proof, "signature", message.signature), SETPAY_OK);
    set_text(proof, "type", setpay_message_type_name(type));
    set_text(proof, "signer", setpay_digest_format(&party->thumbprint, signer));
    setpay_message_clear(&message);
    setpay_buffer_clear(&bytes);
}

/* Another's signature over the same words, with its certificate in the file. */
static void sign_by(json_t *file, json_t *json, struct test_pki *pki, const char *gateway_id)
{
    struct test_party *party =
        test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, gateway_id, NULL);
    struct setpay_batch_proof proof = {.message = {.is_signed = false}};
    json_t *der = json_object();
    assert_int_equal(setpay_batch_proof_read(json, &proof), SETPAY_OK);
    sign(json, proof.message.type, proof.message.content, party);
    assert_int_equal(setpay_evidence_json_set(der, "der", setpay_buffer_view(&party->der)),
                     SETPAY_OK);
    json_array_append(json_object_get(file, "certificates"), json_object_get(der, "der"));
    json_decref(der);
    setpay_batch_proof_clear(&proof);
    test_party_free(party);
}

static void another_gateway(json_t *file)
{
    sign_by(file, proof_of(capture_of(file)), market.gateway->pki, "gateway-2");
}

static void another_root(json_t *file)
{
    static const char *const brands[] = {"visa", NULL};
    struct test_pki *pki = test_pki_new(setpay_clock_now_ms(), brands);
    sign_by(file, proof_of(capture_of(file)), pki, TEST_GATEWAY_ID);
    test_pki_free(pki);
}

/* ------------------------------------------------------------------ edits of how it was closed */

static json_t *close_of(json_t *file)
{
    return proof_of(batch_of(file, 1));
}
static void total_currency(json_t *f)
{
    set_text(total_of(f), "currency", "USD");
}
/* By somebody who makes the file agree with itself. */
static void remove_with_total(json_t *f)
{
    json_t *item = capture_of(f);
    add_to(total_of(f), "capture_amount",
           -(int)json_integer_value(json_object_get(item, "amount")));
    add_to(total_of(f), "capture_count", -1);
    remove_item(f);
}
static void close_signature(json_t *f)
{
    json_object_set(close_of(f), "signature",
                    json_object_get(proof_of(capture_of(f)), "signature"));
}
static void close_content(json_t *f)
{
    json_object_set(close_of(f), "content", json_object_get(proof_of(capture_of(f)), "content"));
}
static void close_bad(json_t *f)
{
    set_text(close_of(f), "content", "*");
}
static void close_by_item(json_t *f)
{
    json_object_set(batch_of(f, 1), "proof", proof_of(capture_of(f)));
}
static void close_of_open(json_t *f)
{
    json_object_set(batch_of(f, 0), "proof", close_of(f));
}
static void close_left_out(json_t *f)
{
    json_object_del(batch_of(f, 1), "proof");
    set_text(f, "answers_kept_since", "2026-01-01T00:00:00.000Z");
}
static void close_by_another(json_t *f)
{
    sign_by(f, close_of(f), market.gateway->pki, "gateway-2");
}

/* What the gateway itself could sign besides: with its own key, other words. */
static void sign_other(json_t *proof, void (*edit)(struct setpay_batch_admin_res *answer))
{
    struct setpay_batch_proof read = {.message = {.is_signed = false}};
    struct setpay_batch_admin_res answer;
    struct setpay_buffer content;
    assert_int_equal(setpay_batch_proof_read(proof, &read), SETPAY_OK);
    assert_int_equal(setpay_batch_admin_res_parse(read.message.content, &answer), SETPAY_OK);
    edit(&answer);
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    assert_int_equal(setpay_batch_admin_res_build(&answer, &content), SETPAY_OK);
    sign(proof, SETPAY_MESSAGE_BATCH_ADMIN_RES, setpay_buffer_view(&content),
         market.gateway->sign[0]);
    setpay_buffer_clear(&content);
    setpay_batch_admin_res_clear(&answer);
    setpay_batch_proof_clear(&read);
}

static void of_batch_2(struct setpay_batch_admin_res *answer)
{
    answer->batch = 2;
}
static void of_another(struct setpay_batch_admin_res *answer)
{
    (void)snprintf(answer->merchant_id, sizeof answer->merchant_id, "%s", TEST_GATEWAY_OTHER);
}
static void of_another_brand(struct setpay_batch_admin_res *answer)
{
    (void)snprintf(answer->brand, sizeof answer->brand, "mastercard");
}
static void with_more(struct setpay_batch_admin_res *answer)
{
    answer->totals[0].capture_minor++;
}
static void not_agreed(struct setpay_batch_admin_res *answer)
{
    answer->agreed = false;
    answer->closed_ms = 0;
}
static void later(struct setpay_batch_admin_res *answer)
{
    answer->closed_ms++;
}
static void close_batch_2(json_t *f)
{
    sign_other(close_of(f), of_batch_2);
}
static void close_of_another(json_t *f)
{
    sign_other(close_of(f), of_another);
}
static void close_of_another_brand(json_t *f)
{
    sign_other(close_of(f), of_another_brand);
}
static void close_with_more(json_t *f)
{
    sign_other(close_of(f), with_more);
}
static void close_not_agreed(json_t *f)
{
    sign_other(close_of(f), not_agreed);
}
static void close_later(json_t *f)
{
    sign_other(close_of(f), later);
}

/* An answer with an item, as the gateway gives them where the two differ. */
static struct setpay_batch_item shown;

static void with_item(struct setpay_batch_admin_res *answer)
{
    not_agreed(answer);
    answer->items = calloc(1, sizeof *answer->items);
    assert_non_null(answer->items);
    answer->items[0] = shown;
    answer->item_count = 1;
}

/* item: of the file; NULL: shown is what is in it. */
static void add_differed(json_t *f, json_t *item)
{
    json_t *list = json_array(), *answer = json_deep_copy(close_of(f));
    if (item != NULL) {
        memset(&shown, 0, sizeof shown);
        shown.kind = SETPAY_BATCH_CAPTURE;
        shown.amount.minor = json_integer_value(json_object_get(item, "amount"));
        (void)snprintf(shown.amount.currency, sizeof shown.amount.currency, "EUR");
        shown.date_ms = 1;
        assert_int_equal(setpay_id_parse(json_string_value(json_object_get(item, "id")), &shown.id),
                         SETPAY_OK);
        assert_int_equal(
            setpay_id_parse(json_string_value(json_object_get(item, "xid")), &shown.xid),
            SETPAY_OK);
    }
    sign_other(answer, with_item);
    json_array_append_new(list, answer);
    json_object_set_new(batch_of(f, 1), "differed", list);
}
static void differed(json_t *f)
{
    add_differed(f, capture_of(f));
}
static void differed_unknown(json_t *f)
{
    differed(f);
    shown.id.bytes[0] ^= 1;
    add_differed(f, NULL);
}
static void differed_amount(json_t *f)
{
    differed(f);
    shown.amount.minor++;
    add_differed(f, NULL);
}
static void differed_payment(json_t *f)
{
    differed(f);
    shown.xid.bytes[0] ^= 1;
    add_differed(f, NULL);
}
static void differed_of_open(json_t *f)
{
    add_differed(f, json_array_get(json_object_get(batch_of(f, 0), "items"), 0));
}
static void differed_closes(json_t *f)
{
    json_object_set_new(batch_of(f, 1), "differed", json_pack("[O]", close_of(f)));
}
static void differed_changed(json_t *f)
{
    differed(f);
    json_object_set(json_array_get(json_object_get(batch_of(f, 1), "differed"), 0), "signature",
                    json_object_get(close_of(f), "signature"));
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
    {"signed sum",
     total,
     {"credit of 300 (in minor units)", "credit of 0, the gateway has signed"}},
    {"signed count", count, {"counts 5 captures of ", ", the gateway has signed 4 captures of "}},
    {"signed currency",
     total_currency,
     {"EUR: the merchant counts 0 captures of 0 and 0 credits of 0, the gateway has signed 4",
      ", the gateway has signed 0 captures of 0 and 0 credits of 0 (in"}},
    {"row and total removed",
     remove_with_total,
     {": totals: EUR: the merchant counts 3 captures", ", the gateway has signed 4 captures"}},
    {"no totals at all", no_total, {"and 0 credits of 0, the gateway has signed 4", ""}},
    {"close, signature",
     close_signature,
     {"batch 1: signature: the answer that closes it is not signed by the gateway as it is", ""}},
    {"close, content",
     close_content,
     {"batch 1: signature: the answer that closes it is not signed by the gateway as it is", ""}},
    {"close, unreadable", close_bad, {"signature: the answer that closes it can't be read", ""}},
    {"close, an item's answer",
     close_by_item,
     {": kind: the answer that closes it is a CapRes, expected BatchAdminRes", ""}},
    {"close, of a batch that is open",
     close_of_open,
     {"batch 2: status: the merchant has it as not closed, beside an answer that closes it",
      "batch 2: batch: the gateway has signed the answer that closes it for batch 1"}},
    {"close, left out",
     close_left_out,
     {"batch 1: signature: there is no answer of the gateway's that closes it", ""}},
    {"close, another gateway's",
     close_by_another,
     {"the answer that closes it is signed by another than this gateway for visa",
      "is of the gateway gateway-2"}},
    {"close, another brand",
     brand,
     {"the answer that closes it is signed by another than this gateway for mastercard", ""}},
    {"close, another batch's",
     close_batch_2,
     {"batch 1: batch: the gateway has signed the answer that closes it for batch 2", ""}},
    {"close, another number", number, {"signed the answer that closes it for batch 1", ""}},
    {"close, another merchant's",
     close_of_another,
     {"batch 1: merchant: the gateway has signed the answer that closes it to " TEST_GATEWAY_OTHER,
      " of visa, the file is of shop"}},
    {"close, signed to another brand",
     close_of_another_brand,
     {"merchant: the gateway has signed the answer that closes it to shop of mastercard", ""}},
    {"close, other totals",
     close_with_more,
     {": totals: EUR: the merchant counts 4 captures",
      ": totals: EUR: the gateway has signed 4 captures"}},
    {"close, not agreed",
     close_not_agreed,
     {": status: the merchant has it as closed, beside an answer that does not close it", ""}},
    {"close, another moment",
     close_later,
     {": date: the gateway has signed that it was closed at ", ", its books have "}},
    {"differed, unknown",
     differed_unknown,
     {": extra: the gateway has signed it as in the batch, its books have it not", ""}},
    {"differed, amount", differed_amount, {": amount: the gateway has signed ", ", its books"}},
    {"differed, payment",
     differed_payment,
     {": kind: the gateway has signed it as another than its books have", ""}},
    {"differed, of another batch",
     differed_of_open,
     {": batch: the gateway has signed it into it, its books have batch 2", ""}},
    {"differed, closes",
     differed_closes,
     {": status: an answer in which the two differed is one that closes it", ""}},
    {"differed, changed",
     differed_changed,
     {"an answer in which the two differed is not signed by the gateway as it is", ""}},
};

/* Makes hashes fit what was edited. */
static void hash_again(json_t *file)
{
    size_t index;
    json_t *batch;
    json_array_foreach(json_object_get(file, "batches"), index, batch)
    {
        struct setpay_digest digest;
        char text[SETPAY_DIGEST_TEXT_SIZE];
        assert_int_equal(setpay_batch_json_hash(json_object_get(batch, "items"), &digest),
                         SETPAY_OK);
        set_text(batch, "hash", setpay_digest_format(&digest, text));
    }
}

static void save_json(const char *name, const json_t *file)
{
    char *text = json_dumps(file, JSON_COMPACT);
    assert_non_null(text);
    save(name, text);
    free(text);
}

static void names_every_edit_of_the_merchants(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        json_t *file = json_deep_copy(exported);
        edits[i].edit(file);
        hash_again(file);
        save_json("edited.json", file);
        int status = audit("edited.json", NULL);
        expect(edits[i].name, status, 1, edits[i].words[0]);
        expect(edits[i].name, status, 1, edits[i].words[1]);
        assert_null(strstr(printed, ": hash: "));
        json_decref(file);
    }
    json_t *file = json_deep_copy(exported);
    hash(file);
    save_json("edited.json", file);
    expect("hash", audit("edited.json", NULL), 1, "batch 1: hash: it is not that of its items");
    amount(file);
    set_text(file, "setpay_batch", "1");
    save_json("edited.json", file);
    assert_int_equal(audit("edited.json", NULL), 2); /* no finding: the file is none */
    json_decref(file);
    print_message("# tally: edits to a merchant's batches that an audit found = %zu\n",
                  sizeof edits / sizeof *edits + 1);
}

/* What is no edit: an honest answer in which the two differed; and a batch that was closed before
 * the merchant kept answers, of which there is none, and which is said in words. */
static void takes_what_holds(void **state)
{
    (void)state;
    json_t *file = json_deep_copy(exported);
    differed(file);
    save_json("edited.json", file);
    expect("differed", audit("edited.json", NULL), 0, "8 items, 8 agree, 0 findings");
    json_object_del(batch_of(file, 1), "proof");
    json_object_set(file, "answers_kept_since", json_object_get(file, "exported"));
    save_json("edited.json", file);
    expect("before", audit("edited.json", NULL), 0,
           "edited.json: 1 closed batch without the gateway's signed totals: before such answers");
    json_object_del(file, "answers_kept_since"); /* as older programs write it */
    save_json("edited.json", file);
    expect("older", audit("edited.json", NULL), 0, "8 items, 8 agree, 0 findings");
    set_text(file, "answers_kept_since", "yesterday");
    save_json("edited.json", file);
    assert_int_equal(audit("edited.json", NULL), 2);
    json_decref(file);
}

/* The gateway's side of it, for a stranger: what the merchant has signed to close the batch. */
static void hands_out_the_request(void **state)
{
    char path[TEST_PATH_SIZE];
    size_t size = 0;
    struct setpay_secret content = {0};
    struct setpay_batch_admin_req request;
    (void)state;
    expect("words",
           GATEWAY("batch", "evidence", "--brand", "visa", "--merchant-id", "shop", "--batch", "1"),
           0, "signed by the merchant: closed with these totals");
    expect("open",
           GATEWAY("batch", "evidence", "--brand", "visa", "--merchant-id", "shop", "--batch", "2"),
           0, "It is open: its merchant has not asked to close it.");
    (void)test_path(market.gateway->folder, "request.json", path);
    expect("file",
           GATEWAY("batch", "evidence", "--brand", "visa", "--merchant-id", "shop", "--batch", "1",
                   "-o", path),
           0, "1 message of shop, visa batch 1");
    assert_int_equal(GATEWAY("batch", "evidence", "--brand", "visa", "--merchant-id", "shop",
                             "--batch", "1", "-o", path),
                     2); /* a file that is there is never touched */
    assert_int_equal(
        GATEWAY("batch", "evidence", "--brand", "visa", "--merchant-id", "shop", "--batch", "9"),
        1);
    char *text = test_read_file(market.gateway->folder, "request.json", &size);
    json_t *file = json_loadb(text, size, 0, NULL);
    const json_t *messages = json_object_get(file, "messages");
    assert_int_equal(json_array_size(messages), 1);
    const char *base64 = json_string_value(json_object_get(json_array_get(messages, 0), "content"));
    assert_int_equal(
        setpay_base64_decode(setpay_view_string(base64), SETPAY_LIMIT_CONTENT_BYTES, &content),
        SETPAY_OK);
    assert_int_equal(setpay_batch_admin_req_parse(setpay_secret_view(&content), &request),
                     SETPAY_OK);
    assert_int_equal(request.action, SETPAY_BATCH_CLOSE);
    assert_string_equal(request.merchant_id, "shop");
    assert_int_equal(request.totals[0].capture_count, 4);
    setpay_batch_admin_req_clear(&request);
    setpay_secret_clear(&content);
    json_decref(file);
    free(text);
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
    char path[TEST_PATH_SIZE];
    char *words = NULL;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(test_path(market.gateway->folder, "gateway.db", path), &db),
                     SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
        fail_msg("%s: %s", sql, words);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
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

/* And what closed its batches: the words are the findings of an audit without any file. */
static void names_edits_of_what_closed_a_batch(void **state)
{
    static const struct {
        const char *edit, *back, *words;
    } closes[] = {
        {"UPDATE batch SET closed_ms = closed_ms + 1 WHERE id = 1",
         "UPDATE batch SET closed_ms = closed_ms - 1 WHERE id = 1",
         ": date: the gateway has signed that it was closed at "},
        {"UPDATE batch_evidence SET content = substr(content, 1, length(content) - 1) || x'01'",
         NULL, "(number 1) "},
        {"UPDATE batch_evidence SET signature = (SELECT signature FROM evidence WHERE type ="
         " 'CapReq' LIMIT 1)",
         NULL, "(number 1) is not signed by the merchant as it is"},
        {"UPDATE batch_evidence SET signer = (SELECT cardholder FROM payment LIMIT 1)", NULL,
         "(number 1) is not signed by the merchant as it is"},
        {"UPDATE batch_evidence SET type = 'CapReq'", NULL, "(number 1) is of another type"},
        {"UPDATE batch_evidence SET batch_id = 2", NULL, "(number 1) is of another batch"},
        {"UPDATE batch_evidence SET agreed = 0", NULL,
         "visa batch 1 of shop: the request by which its merchant has closed it is not kept"},
        {"INSERT INTO batch_evidence SELECT batch_id, 2, agreed, type, content, signature, signer,"
         " created_ms FROM batch_evidence",
         NULL, "visa batch 1 of shop: 2 requests that close it are kept"},
        {"DELETE FROM batch_evidence", NULL,
         "visa batch 1 of shop: the request by which its merchant has closed it is not kept"},
    };
    (void)state;
    edit_gateway("CREATE TABLE copied AS SELECT * FROM batch_evidence");
    for (size_t i = 0; i < sizeof closes / sizeof *closes; i++) {
        edit_gateway(closes[i].edit);
        expect(closes[i].edit, audit("shop.json", NULL), 1, closes[i].words);
        edit_gateway("DELETE FROM batch_evidence;"
                     "INSERT INTO batch_evidence SELECT * FROM copied");
        if (closes[i].back != NULL)
            edit_gateway(closes[i].back);
    }
    /* One that was closed before requests were kept, or in the merchant's place. */
    edit_gateway("DELETE FROM batch_evidence; UPDATE batch SET by_merchant = 0");
    expect("before", audit("shop.json", NULL), 0,
           "1 closed batch without: before requests were kept, or in the merchant's place");
    edit_gateway("INSERT INTO batch_evidence SELECT * FROM copied; DROP TABLE copied;"
                 "UPDATE batch SET by_merchant = 1 WHERE open = 0");
    expect("restored", audit("shop.json", NULL), 0, "8 items, 8 agree, 0 findings");
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
    free(printed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_books_agree),
        cmocka_unit_test(names_every_edit_of_the_merchants),
        cmocka_unit_test(takes_what_holds),
        cmocka_unit_test(hands_out_the_request),
        cmocka_unit_test(names_what_stands_in_two_files),
        cmocka_unit_test(names_every_edit_of_the_issuers),
        cmocka_unit_test(names_what_is_in_neither_of_two_days),
        cmocka_unit_test(names_edits_of_what_closed_a_batch),
        cmocka_unit_test(names_edits_of_the_gateways),
    };
    alarm(LIMIT_S);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    return cmocka_run_group_tests(tests, open_world, close_world);
}
