/*
 * What others have signed: kept to the byte, in order, each owner's own, with the certificate it
 * verifies under, which is kept once; through a restart; and never what travels beside a message.
 * Of batches likewise, and whether it was agreed.
 */
#include "common/base/limits.h"
#include "common/store/batch_evidence.h"
#include "common/store/store.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct setpay_store_migration steps[] = {
    {1, SETPAY_EVIDENCE_SCHEMA}, {2, SETPAY_BATCH_EVIDENCE_SCHEMA}, {0}};
static const struct setpay_store_schema schema = {.name = "evidence", .steps = steps};

#define SEEN_MAX 4

struct call {
    int64_t owner;
    struct setpay_message message;
    const struct setpay_certificate *certificate;
    /* Found. */
    size_t count;
    char types[SEEN_MAX][24];
    uint8_t contents[SEEN_MAX][32];
    size_t signature_sizes[SEEN_MAX];
    bool under_certificate[SEEN_MAX];
    struct setpay_buffer der;
    int64_t certificates;
};

static enum setpay_error keep(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    return setpay_evidence_keep(db, call->owner, &call->message, call->certificate, TEST_DATE_MS);
}

static enum setpay_error see(void *arg, const struct setpay_evidence *evidence)
{
    struct call *call = arg;
    size_t at = call->count++;
    assert_true(at < SEEN_MAX && evidence->content.size <= sizeof call->contents[at]);
    strncpy(call->types[at], evidence->type, sizeof call->types[at] - 1);
    memcpy(call->contents[at], evidence->content.data, evidence->content.size);
    call->signature_sizes[at] = evidence->signature.size;
    call->under_certificate[at] =
        setpay_view_equal(evidence->certificate, setpay_certificate_der(call->certificate));
    assert_int_equal(evidence->created_ms, TEST_DATE_MS);
    return SETPAY_OK;
}

static enum setpay_error look(struct setpay_db *db, void *arg)
{
    struct call *call = arg;
    struct setpay_db_rows *rows;
    call->count = 0;
    SETPAY_TRY(setpay_evidence_each(db, call->owner, see, call));
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT COUNT(*) FROM evidence_certificate"));
    call->certificates = setpay_db_get_int(rows, 0);
    SETPAY_TRY(setpay_db_end(rows));
    return setpay_evidence_certificate(db, setpay_certificate_thumbprint(call->certificate),
                                       &call->der);
}

static struct setpay_store *open_store(const struct test_folder *folder)
{
    struct setpay_store *store = NULL;
    struct setpay_problem problem;
    struct setpay_store_options options = {.url = folder->url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    return store;
}

static void test_messages_are_kept_to_the_byte_with_their_certificates(void **state)
{
    (void)state;
    static const char *const brands[] = {"visa", NULL};
    struct test_folder folder;
    test_folder_make(&folder);
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *merchant =
        test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL);
    struct test_party *stranger =
        test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "other", NULL);
    struct setpay_store *store = open_store(&folder);
    struct call call = {.owner = 7, .certificate = merchant->certificate};
    setpay_buffer_init(&call.der, SETPAY_LIMIT_CERTIFICATE_BYTES);

    /* Nothing is there, of message or certificate. */
    assert_int_equal(setpay_store_submit_wait(store, look, &call), SETPAY_E_NOT_FOUND);
    assert_int_equal(call.count, 0);

    /* A signed message, and one whose signature stands in its content. */
    call.message = (struct setpay_message){.type = SETPAY_MESSAGE_AUTH_REQ,
                                           .is_signed = true,
                                           .content = setpay_view_string("asked for"),
                                           .signature = setpay_view_string("12345678"),
                                           .envelope = setpay_view_string("SEALED")};
    assert_int_equal(setpay_store_submit_wait(store, keep, &call), SETPAY_OK);
    call.message = (struct setpay_message){.type = SETPAY_MESSAGE_P_REQ,
                                           .content = setpay_view_string("an order"),
                                           .envelope = setpay_view_string("SEALED")};
    assert_int_equal(setpay_store_submit_wait(store, keep, &call), SETPAY_OK);

    /* Another owner's, under another certificate. */
    struct call other = {.owner = 8, .certificate = stranger->certificate, .message = call.message};
    assert_int_equal(setpay_store_submit_wait(store, keep, &other), SETPAY_OK);
    setpay_store_close(store);
    store = open_store(&folder);
    assert_int_equal(setpay_store_submit_wait(store, look, &call), SETPAY_OK);
    assert_int_equal(call.count, 2);
    assert_string_equal(call.types[0], "AuthReq");
    assert_memory_equal(call.contents[0], "asked for", 9);
    assert_int_equal(call.signature_sizes[0], 8);
    assert_string_equal(call.types[1], "PReq");
    assert_memory_equal(call.contents[1], "an order", 8);
    assert_int_equal(call.signature_sizes[1], 0);
    assert_true(call.under_certificate[0] && call.under_certificate[1]);
    assert_int_equal(call.certificates, 2);
    assert_true(setpay_view_equal(setpay_buffer_view(&call.der),
                                  setpay_certificate_der(merchant->certificate)));
    setpay_store_close(store);
    setpay_buffer_clear(&call.der);
    test_party_free(merchant);
    test_party_free(stranger);
    test_pki_free(pki);
    test_folder_remove(&folder);
}

/* rules M7, G10 */
static enum setpay_error search(struct setpay_db *db, void *arg)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT COUNT(*) FROM evidence WHERE instr(content, 'SEALED') > 0"
                             " OR instr(signature, 'SEALED') > 0"));
    *(int64_t *)arg = setpay_db_get_int(rows, 0);
    return setpay_db_end(rows);
}

static void test_what_is_sealed_is_not_kept(void **state)
{
    (void)state;
    static const char *const brands[] = {"visa", NULL};
    struct test_folder folder;
    test_folder_make(&folder);
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *merchant =
        test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop", NULL);
    struct setpay_store *store = open_store(&folder);
    int64_t found = -1;
    struct call call = {.owner = 1,
                        .certificate = merchant->certificate,
                        .message = {.type = SETPAY_MESSAGE_AUTH_REQ,
                                    .is_signed = true,
                                    .content = setpay_view_string("asked for"),
                                    .signature = setpay_view_string("12345678"),
                                    .envelope = setpay_view_string("SEALED")}};
    assert_int_equal(setpay_store_submit_wait(store, keep, &call), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, search, &found), SETPAY_OK);
    assert_int_equal(found, 0);
    setpay_store_close(store);
    test_party_free(merchant);
    test_pki_free(pki);
    test_folder_remove(&folder);
}

/* ------------------------------------------------------------------ of batches */

struct batch_call {
    int64_t batch_id, after, room;
    bool agreed;
    const char *content;
    const struct test_party *signer;
    /* Found. */
    size_t count;
    int64_t numbers[SEEN_MAX];
    bool agreeds[SEEN_MAX];
    char contents[SEEN_MAX][32];
    int64_t agreed_count, differing_count;
};

static enum setpay_error keep_of_batch(struct setpay_db *db, void *arg)
{
    const struct batch_call *call = arg;
    const struct setpay_message message = {.type = SETPAY_MESSAGE_BATCH_ADMIN_RES,
                                           .is_signed = true,
                                           .content = setpay_view_string(call->content),
                                           .signature = setpay_view_string("12345678")};
    return setpay_batch_evidence_keep(db, call->batch_id, call->agreed, &message,
                                      call->signer->certificate, TEST_DATE_MS);
}

static enum setpay_error see_of_batch(void *arg, const struct setpay_batch_evidence *evidence)
{
    struct batch_call *call = arg;
    const struct setpay_evidence *message = &evidence->message;
    size_t at = call->count++;
    assert_true(at < SEEN_MAX && message->content.size < sizeof call->contents[at]);
    call->numbers[at] = evidence->number;
    call->agreeds[at] = evidence->agreed;
    memset(call->contents[at], 0, sizeof call->contents[at]);
    memcpy(call->contents[at], message->content.data, message->content.size);
    assert_string_equal(message->type, "BatchAdminRes");
    assert_true(setpay_view_equal(message->signature, setpay_view_string("12345678")));
    assert_true(
        setpay_view_equal(message->certificate, setpay_certificate_der(call->signer->certificate)));
    assert_true(setpay_digest_equal(&message->signer, &call->signer->thumbprint));
    assert_int_equal(message->created_ms, TEST_DATE_MS);
    return SETPAY_OK;
}

static enum setpay_error look_of_batch(struct setpay_db *db, void *arg)
{
    struct batch_call *call = arg;
    call->count = 0;
    SETPAY_TRY(setpay_batch_evidence_count(db, call->batch_id, true, &call->agreed_count));
    SETPAY_TRY(setpay_batch_evidence_count(db, call->batch_id, false, &call->differing_count));
    return setpay_batch_evidence_each(db, call->batch_id, call->after, call->room, see_of_batch,
                                      call);
}

static void keep_word(struct setpay_store *store, struct batch_call *call, int64_t batch_id,
                      bool agreed, const char *content)
{
    call->batch_id = batch_id;
    call->agreed = agreed;
    call->content = content;
    assert_int_equal(setpay_store_submit_wait(store, keep_of_batch, call), SETPAY_OK);
}

static void test_what_was_signed_of_a_batch_is_kept_in_order(void **state)
{
    (void)state;
    static const char *const brands[] = {"visa", NULL};
    struct test_folder folder;
    test_folder_make(&folder);
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct test_party *gateway =
        test_party_new(pki, "visa", SETPAY_PROFILE_GATEWAY_SIGN, "gateway", NULL);
    struct setpay_store *store = open_store(&folder);
    struct batch_call call = {.signer = gateway, .room = SEEN_MAX};
    keep_word(store, &call, 3, false, "other totals");
    keep_word(store, &call, 4, true, "of another batch");
    keep_word(store, &call, 3, false, "these items");
    keep_word(store, &call, 3, true, "closed");
    setpay_store_close(store);
    store = open_store(&folder);

    call.batch_id = 3;
    assert_int_equal(setpay_store_submit_wait(store, look_of_batch, &call), SETPAY_OK);
    assert_int_equal(call.count, 3);
    assert_int_equal(call.agreed_count, 1);
    assert_int_equal(call.differing_count, 2);
    assert_string_equal(call.contents[0], "other totals");
    assert_string_equal(call.contents[1], "these items");
    assert_string_equal(call.contents[2], "closed");
    assert_true(!call.agreeds[0] && !call.agreeds[1] && call.agreeds[2]);
    assert_true(call.numbers[0] == 1 && call.numbers[1] == 2 && call.numbers[2] == 3);

    call.after = 1; /* a page of one */
    call.room = 1;
    assert_int_equal(setpay_store_submit_wait(store, look_of_batch, &call), SETPAY_OK);
    assert_int_equal(call.count, 1);
    assert_string_equal(call.contents[0], "these items");
    call.batch_id = 5;
    call.after = 0;
    assert_int_equal(setpay_store_submit_wait(store, look_of_batch, &call), SETPAY_OK);
    assert_int_equal(call.count + (size_t)call.agreed_count + (size_t)call.differing_count, 0);
    setpay_store_close(store);
    test_party_free(gateway);
    test_pki_free(pki);
    test_folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_kept_to_the_byte_with_their_certificates),
        cmocka_unit_test(test_what_is_sealed_is_not_kept),
        cmocka_unit_test(test_what_was_signed_of_a_batch_is_kept_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
