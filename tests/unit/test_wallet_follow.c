/*
 * Which purchase the wallet asks after by itself next: authorised ones, while they are young, each
 * at its time, and none because another clock said so.
 */
#include "cardholder/wallet.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW TEST_PKI_NOW_MS
#define OK(expression) assert_int_equal((expression), SETPAY_OK)

static struct test_folder folder;
static struct setpay_store *store;
static struct setpay_reader *reader;

/* A purchase with that first byte in its xid. */
struct one {
    uint8_t first;
    enum setpay_wallet_state state;
    setpay_time_ms updated_ms;
    setpay_time_ms next_ms; /* 0: not set yet */
};

static enum setpay_error put(struct setpay_db *db, void *arg)
{
    const struct one *one = arg;
    struct setpay_id xid = test_id(one->first);
    struct setpay_digest digest = test_digest(one->first);
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO purchase (xid, version, state, host, port, token, created, updated, brand,"
        " merchant_id, merchant_name, lid_c, lid_m, chall_c, amount, currency, terms, rrpid,"
        " request_hash, merchant, gateway_sign, gateway_encrypt, cardholder, oimd, pomd, signed,"
        " expiry, gateway_certificate, card_box, back_key_box, offer, preq, receipts, last_hash,"
        " last_kind, authorised, reversed, action_code, approval_code, said, disagreement, breach)"
        " VALUES ($1, 1, $2, 'shop', 443, $3, 0, $4, 'visa', 'shop', 'Shop', $1, 'order', $5, 1,"
        " 'EUR', 1, $1, $5, $5, $5, $5, $5, $5, $5, 0, 0, $5, $5, $5, $5, $5, 0, $5, 0, 0, 0, '',"
        " '', 0, '', 0)",
        SETPAY_DB_ID(&xid), SETPAY_DB_INT(one->state), SETPAY_DB_TEXT("token"),
        SETPAY_DB_INT(one->updated_ms), SETPAY_DB_DIGEST(&digest)));
    return one->next_ms == 0 ? SETPAY_OK : setpay_wallet_store_set_followed(db, &xid, one->next_ms);
}

static enum setpay_error find(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_find_followed(db, NOW - 31 * SETPAY_DAY_MS, NOW,
                                             NOW + 2 * SETPAY_DAY_MS, arg);
}

/* The first byte of the one that is due; 0: none. */
static int due(void)
{
    struct setpay_wallet_followed followed;
    enum setpay_error error = setpay_store_read(reader, find, &followed);
    assert_true(error == SETPAY_OK || error == SETPAY_E_NOT_FOUND);
    return error == SETPAY_OK ? followed.xid.bytes[0] : 0;
}

static void add(struct one one)
{
    OK(setpay_store_submit_wait(store, put, &one));
}

static enum setpay_error push_back(struct setpay_db *db, void *arg)
{
    struct setpay_id xid = test_id((uint8_t) * (const int *)arg);
    return setpay_wallet_store_set_followed(db, &xid, NOW + SETPAY_DAY_MS);
}

static void the_longest_due_is_next(void **state)
{
    static const enum setpay_wallet_state others[] = {SETPAY_WALLET_PENDING,  SETPAY_WALLET_REFUSED,
                                                      SETPAY_WALLET_DECLINED, SETPAY_WALLET_VOIDED,
                                                      SETPAY_WALLET_REVERSED, SETPAY_WALLET_LAPSED};
    static const int expected[] = {0x20, 0x21, 0x22, 0x23, 0};
    (void)state;
    assert_int_equal(due(), 0);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        add((struct one){(uint8_t)(0x10 + i), others[i], NOW, 0});
    add((struct one){0x18, SETPAY_WALLET_AUTHORISED, NOW - 32 * SETPAY_DAY_MS, 0}); /* too old */
    add((struct one){0x19, SETPAY_WALLET_AUTHORISED, NOW, NOW + SETPAY_DAY_MS});    /* not yet */
    assert_int_equal(due(), 0);
    add((struct one){0x20, SETPAY_WALLET_AUTHORISED, NOW, 0});       /* its first time is not set */
    add((struct one){0x22, SETPAY_WALLET_AUTHORISED, NOW, NOW - 1}); /* due */
    add((struct one){0x21, SETPAY_WALLET_AUTHORISED, NOW, NOW - 2}); /* longer due */
    add((struct one){0x23, SETPAY_WALLET_AUTHORISED, NOW, NOW + 900 * SETPAY_DAY_MS}); /* a clock */
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        int found = due();
        assert_int_equal(found, expected[i]);
        if (found != 0)
            OK(setpay_store_submit_wait(store, push_back, &found));
    }
}

static int set_up(void **state)
{
    struct setpay_problem problem;
    (void)state;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = &setpay_wallet_schema};
    OK(setpay_store_open(&options, &store, &problem));
    OK(setpay_reader_new(store, &reader));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_reader_free(reader);
    setpay_store_close(store);
    test_folder_remove(&folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_longest_due_is_next)};
    return cmocka_run_group_tests_name("wallet_follow", tests, set_up, tear_down);
}
