#include "tests/support/test_audited.h"

#include "common/base/limits.h"
#include "common/net/batch_file.h"
#include "common/net/evidence_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int test_audited_run(struct test_audited *books, const char *program, const char *configuration,
                     const char *const *words)
{
    char path[TEST_PATH_SIZE];
    const char *all[20] = {"--config",
                           test_path(books->market->gateway->folder, configuration, path)};
    size_t count = 2;
    for (; *words != NULL; words++)
        all[count++] = *words;
    free(books->printed);
    books->printed = NULL;
    return test_run_to_end(program, all, &books->printed);
}

int test_audited_files(struct test_audited *books, const char *merchant, const char *clearing)
{
    char one[TEST_PATH_SIZE], other[TEST_PATH_SIZE];
    (void)test_path(books->market->gateway->folder, merchant, one);
    if (clearing == NULL)
        return TEST_AUDITED_GATEWAY(books, "audit", "--merchant", one);
    return TEST_AUDITED_GATEWAY(books, "audit", "--merchant", one, "--clearing",
                                test_path(books->market->gateway->folder, clearing, other));
}

int test_audited_verify(struct test_audited *books, const char *file, const char *root)
{
    char path[TEST_PATH_SIZE], root_path[TEST_PATH_SIZE];
    const char *folder = books->market->gateway->folder;
    const char *words[] = {"verify", test_path(folder, file, path), NULL, NULL, NULL};
    if (root != NULL) {
        words[2] = "--root";
        words[3] = test_path(folder, root, root_path);
    }
    free(books->printed);
    books->printed = NULL;
    return test_run_to_end("setpay-wallet", words, &books->printed);
}

void test_audited_expect(const struct test_audited *books, const char *what, int status,
                         int expected_status, const char *words)
{
    if (status != expected_status || strstr(books->printed, words) == NULL)
        fail_msg("%s: exit status %d, expected %d and '%s' in:\n%s", what, status, expected_status,
                 words, books->printed);
}

void test_audited_save(const struct test_audited *books, const char *name, const char *text)
{
    test_write_file(books->market->gateway->folder, name, setpay_view_string(text));
}

void test_audited_save_json(const struct test_audited *books, const char *name, const json_t *file)
{
    char *text = json_dumps(file, JSON_COMPACT);
    assert_non_null(text);
    test_audited_save(books, name, text);
    free(text);
}

void test_audited_sql(const struct test_audited *books, const char *database, const char *sql)
{
    char path[TEST_PATH_SIZE];
    char *words = NULL;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(test_path(books->market->gateway->folder, database, path), &db),
                     SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 5000), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
        fail_msg("%s: %s", sql, words);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* ------------------------------------------------------------------ the day */

void test_audited_post(const struct test_audited *books, const struct test_sale *sale,
                       const char *what, const char *body)
{
    char path[160];
    json_t *answer = NULL;
    (void)snprintf(path, sizeof path, "/orders/%s/%s", sale->order.id, what);
    assert_int_equal(test_merchantd_api(books->market->merchant, path, body, &answer), 200);
    json_decref(answer);
}

void test_audited_sell(const struct test_audited *books, const char *capture)
{
    struct test_market *market = books->market;
    struct test_sale sale;
    struct test_order order =
        test_merchantd_order_to_capture(market->merchant, TEST_PRICE, "manual");
    test_sale_again(market, &order, market->holder, &sale);
    test_sale_pay(market, &sale);
    test_audited_post(books, &sale, "capture", capture);
    test_sale_clear(&sale);
}

/* ------------------------------------------------------------------ edits */

void test_audited_set_text(json_t *object, const char *member, const char *text)
{
    assert_int_equal(json_object_set_new(object, member, json_string(text)), 0);
}

void test_audited_add_to(json_t *object, const char *member, int more)
{
    json_int_t value = json_integer_value(json_object_get(object, member));
    assert_int_equal(json_object_set_new(object, member, json_integer(value + more)), 0);
}

void test_audited_hash_again(json_t *file)
{
    size_t index;
    json_t *batch;
    json_array_foreach(json_object_get(file, "batches"), index, batch)
    {
        struct setpay_digest digest;
        char text[SETPAY_DIGEST_TEXT_SIZE];
        assert_int_equal(setpay_batch_json_hash(json_object_get(batch, "items"), &digest),
                         SETPAY_OK);
        test_audited_set_text(batch, "hash", setpay_digest_format(&digest, text));
    }
}

void test_audited_sign(json_t *proof, enum setpay_message_type type, struct setpay_view content,
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
    test_audited_set_text(proof, "type", setpay_message_type_name(type));
    test_audited_set_text(proof, "signer", setpay_digest_format(&party->thumbprint, signer));
    setpay_message_clear(&message);
    setpay_buffer_clear(&bytes);
}

void test_audited_sign_by(json_t *file, json_t *json, struct test_pki *pki, const char *gateway_id)
{
    struct test_party *party =
        test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, gateway_id, NULL);
    struct setpay_batch_proof proof = {.message = {.is_signed = false}};
    json_t *der = json_object();
    assert_int_equal(setpay_batch_proof_read(json, &proof), SETPAY_OK);
    test_audited_sign(json, proof.message.type, proof.message.content, party);
    assert_int_equal(setpay_evidence_json_set(der, "der", setpay_buffer_view(&party->der)),
                     SETPAY_OK);
    json_array_append(json_object_get(file, "certificates"), json_object_get(der, "der"));
    json_decref(der);
    setpay_batch_proof_clear(&proof);
    test_party_free(party);
}
