/*
 * Four databases side by side. Each party's own numbers of states become one word, so that they can
 * be compared; what is no final state has none.
 */
#include "tests/support/test_agreement.h"

#include "cardholder/purchase_state.h"
#include "gateway/payment/payment_state.h"
#include "merchant/payment/purchase_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum word { UNDER_WAY, AUTHORISED, DECLINED, VOIDED, REVERSED };
static const char *const words_of[] = {"under way", "authorised", "declined", "voided", "reversed"};

static enum word wallet_word(int64_t state)
{
    switch (state) {
    case SETPAY_WALLET_AUTHORISED:
        return AUTHORISED;
    case SETPAY_WALLET_DECLINED:
        return DECLINED;
    case SETPAY_WALLET_VOIDED:
        return VOIDED;
    case SETPAY_WALLET_REVERSED:
        return REVERSED;
    default:
        return UNDER_WAY;
    }
}

static enum word merchant_word(int64_t state)
{
    switch (state) {
    case SETPAY_PURCHASE_AUTHORISED:
    case SETPAY_PURCHASE_CAPTURED:
        return AUTHORISED;
    case SETPAY_PURCHASE_DECLINED:
        return DECLINED;
    case SETPAY_PURCHASE_VOIDED:
        return VOIDED;
    case SETPAY_PURCHASE_REVERSED:
        return REVERSED;
    default:
        return UNDER_WAY;
    }
}

static enum word gateway_word(int64_t state)
{
    switch (state) {
    case SETPAY_PAYMENT_APPROVED:
    case SETPAY_PAYMENT_CAPTURED:
        return AUTHORISED;
    case SETPAY_PAYMENT_DECLINED:
        return DECLINED;
    case SETPAY_PAYMENT_VOIDED:
        return VOIDED;
    case SETPAY_PAYMENT_REVERSED:
        return REVERSED;
    default:
        return UNDER_WAY;
    }
}

/* Always false, so that a check can end with it. */
static bool say(char *words, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool say(char *words, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(words, size, format, args);
    va_end(args);
    return false;
}

/* ------------------------------------------------------------------ one order */

#define WALLETS_MAX 4

struct books {
    const struct test_sandbox *sandbox;
    const char *const *wallets;
    sqlite3 *wallet[WALLETS_MAX];
    size_t wallet_count;
    bool strangers;
    sqlite3 *merchant;
    sqlite3 *gateway;
    sqlite3 *issuer;
    char *words;
    size_t size;
};

static bool books_open(struct books *books)
{
    bool good = true;
    for (size_t i = 0; books->wallets != NULL && books->wallets[i] != NULL; i++) {
        books->wallet[i] = test_sandbox_database(books->sandbox, books->wallets[i]);
        good = good && books->wallet[i] != NULL;
        books->wallet_count++;
    }
    books->merchant = test_sandbox_database(books->sandbox, "merchant");
    books->gateway = test_sandbox_database(books->sandbox, "gateway");
    books->issuer = test_sandbox_database(books->sandbox, "issuer");
    return good && books->merchant != NULL && books->gateway != NULL && books->issuer != NULL;
}

static void books_close(struct books *books)
{
    for (size_t i = 0; i < books->wallet_count; i++)
        sqlite3_close(books->wallet[i]);
    sqlite3_close(books->merchant);
    sqlite3_close(books->gateway);
    sqlite3_close(books->issuer);
}

/* A wallet that has paid asks again only when it is told to. */
static void refresh(const struct books *books, const char *wallet, const char *xid)
{
    char socket[192];
    (void)snprintf(socket, sizeof socket, "%s/run/%s.sock", books->sandbox->dir, wallet);
    enum setpay_error error = test_sandbox_call(
        socket, "purchase.show", json_pack("{s:s, s:b}", "xid", xid, "refresh", 1), NULL);
    (void)error; /* dead just now: the next look is soon */
}

static bool wallets_agree(const struct books *books, const char *xid, enum word word)
{
    int knowing = 0;
    for (size_t i = 0; i < books->wallet_count; i++) {
        int64_t state = test_database_number(
            books->wallet[i], "SELECT state FROM purchase WHERE xid = unhex_xid(?1)", xid);
        if (state < 0)
            continue;
        knowing++;
        if (wallet_word(state) == word)
            continue;
        if (word == REVERSED && wallet_word(state) == AUTHORISED)
            refresh(books, books->wallets[i], xid);
        return say(books->words, books->size, "%s: %s at %s, %s at the merchant", xid,
                   words_of[wallet_word(state)], books->wallets[i], words_of[word]);
    }
    return knowing == 1 || (books->strangers && knowing == 0)
               ? true
               : say(books->words, books->size, "%s: %d wallets have signed it", xid, knowing);
}

/* What the issuer has been told to charge is held no more; of one purchase, or of all (xid NULL).
 */
static int64_t presented_of(const struct books *books, const char *xid)
{
    static const char *const sum =
        "SELECT coalesce(sum(s.amount_minor), 0) FROM presentment JOIN step s ON s.id = step_id"
        " JOIN payment p ON p.id = s.payment_id WHERE s.kind = 1 AND acknowledged <> 0"
        " AND p.sale_id IS NULL"
        " AND (?1 IS NULL OR p.xid = unhex_xid(?1))";
    return test_database_number(books->gateway, sum, xid);
}

/* What was captured and given back: the same to the last unit, and each step once. */
static bool steps_agree(const struct books *books, const char *xid)
{
    static const char *const sums[] = {"captured_minor", "credited_minor"};
    for (size_t i = 0; i < 2; i++) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "SELECT %s FROM purchase WHERE xid = unhex_xid(?1)",
                       sums[i]);
        int64_t ours = test_database_number(books->merchant, sql, xid);
        (void)snprintf(sql, sizeof sql,
                       "SELECT coalesce(sum(%s), 0) FROM payment WHERE xid = unhex_xid(?1)",
                       sums[i]);
        int64_t theirs = test_database_number(books->gateway, sql, xid);
        if (ours != theirs)
            return say(books->words, books->size, "%s: %s is %d at the merchant, %d at the gateway",
                       xid, sums[i], (int)ours, (int)theirs);
    }
    return true;
}

/* Further authorisations: each that the merchant knows the end of, and no other, has its row. */
static bool further_agree(const struct books *books, const char *xid, int64_t rows)
{
    static const char *const answered =
        "SELECT count(*) FROM step JOIN purchase p ON p.id = purchase_id"
        " WHERE p.xid = unhex_xid(?1) AND step.kind = 6 AND step.state IN (2, 4)";
    static const char *const approved =
        "SELECT count(*) FROM payment WHERE xid = unhex_xid(?1) AND approved_minor > 0";
    static const char *const taken =
        "SELECT taken_count FROM agreement JOIN purchase p ON p.id = purchase_id"
        " WHERE p.xid = unhex_xid(?1)";
    int64_t further = test_database_number(books->merchant, answered, xid);
    int64_t counted = test_database_number(books->merchant, taken, xid);
    if (rows != 1 + further)
        return say(books->words, books->size,
                   "%s: %d rows at the gateway, %d further payments at the merchant", xid,
                   (int)rows, (int)further);
    int64_t stands = test_database_number(books->gateway, approved, xid);
    return counted < 0 || counted == stands ||
           say(books->words, books->size, "%s: %d payments at the merchant, %d at the gateway", xid,
               (int)counted, (int)stands);
}

/* A cancellation: asked for at nobody's, or confirmed at everybody's and booked once. */
static bool cancellations_agree(const struct books *books, const char *xid)
{
    static const char *const kept =
        "SELECT (cancellation IS NOT NULL) + 2 * confirmed FROM agreement"
        " JOIN purchase p ON p.id = purchase_id WHERE p.xid = unhex_xid(?1)";
    static const char *const booked =
        "SELECT (cancelled_ms <> 0) + 2 * (SELECT count(*) FROM receipt WHERE receipt.kind = 9 AND"
        " payment_id = payment.id) FROM payment WHERE xid = unhex_xid(?1) AND first_id IS NULL";
    static const char *const signed_word =
        "SELECT (word IS NOT NULL) + 2 * (cancelled <> 0) FROM agreement WHERE xid ="
        " unhex_xid(?1)";
    int64_t ours = test_database_number(books->merchant, kept, xid);
    int64_t theirs = test_database_number(books->gateway, booked, xid);
    for (size_t i = 0; i < books->wallet_count && ours >= 0; i++) {
        int64_t wallet = test_database_number(books->wallet[i], signed_word, xid);
        if (wallet < 0)
            continue;
        if ((ours != 0 && ours != 3) || theirs != ours || wallet != ours)
            return say(books->words, books->size,
                       "%s: a cancellation is %d at the wallet, %d at the merchant, %d at the "
                       "gateway (1: asked for, 3: confirmed)",
                       xid, (int)wallet, (int)ours, (int)theirs);
    }
    return true;
}

static bool purchase_agrees(const struct books *books, const char *xid, enum word word,
                            int64_t approved)
{
    int64_t rows = test_database_number(
        books->gateway, "SELECT count(*) FROM payment WHERE xid = unhex_xid(?1)", xid);
    int64_t state = test_database_number(
        books->gateway, "SELECT state FROM payment WHERE xid = unhex_xid(?1) AND first_id IS NULL",
        xid);
    int64_t left = test_database_number(
        books->gateway,
        "SELECT sum(approved_minor - reversed_minor) FROM payment WHERE xid = unhex_xid(?1)", xid);
    int64_t asked = test_database_number(
        books->issuer, "SELECT count(*) FROM card_authorisation WHERE xid = ?1", xid);
    int64_t held = test_database_number(
        books->issuer, "SELECT coalesce(sum(held_minor), 0) FROM card_authorisation WHERE xid = ?1",
        xid);
    if (word == UNDER_WAY)
        return say(books->words, books->size, "%s: under way at the merchant", xid);
    if (rows < 1 || gateway_word(state) != word)
        return say(books->words, books->size, "%s: %s at the gateway (%d rows), %s at the merchant",
                   xid, words_of[gateway_word(state)], (int)rows, words_of[word]);
    if (asked > rows || asked < 0 || (word == VOIDED && asked != 0))
        return say(books->words, books->size, "%s: %s, the issuer was asked %d times", xid,
                   words_of[word], (int)asked);
    /* A sale is booked at once: nothing of it is held. */
    int64_t sold = test_database_number(books->merchant,
                                        "SELECT sale FROM purchase WHERE xid = unhex_xid(?1)", xid);
    int64_t expected = word == AUTHORISED ? approved : 0;
    if (held != (sold == 1 ? 0 : expected - presented_of(books, xid)) ||
        (word == AUTHORISED && left != expected))
        return say(books->words, books->size,
                   "%s: %s %d at the merchant, %d left at the gateway, %d held by the issuer", xid,
                   words_of[word], (int)approved, (int)left, (int)held);
    return further_agree(books, xid, rows) && steps_agree(books, xid) &&
           wallets_agree(books, xid, word) && cancellations_agree(books, xid);
}

/* What a wallet has signed for the order has come to the merchant. */
static bool nothing_unsent(const struct books *books, const char *order_id)
{
    for (size_t i = 0; i < books->wallet_count; i++) {
        sqlite3_stmt *statement = NULL;
        bool good = sqlite3_prepare_v2(books->wallet[i],
                                       "SELECT lower(hex(xid)) FROM purchase WHERE lid_m = ?1", -1,
                                       &statement, NULL) == SQLITE_OK;
        int step = SQLITE_ERROR;
        if (good)
            sqlite3_bind_text(statement, 1, order_id, -1, SQLITE_STATIC);
        while (good && (step = sqlite3_step(statement)) == SQLITE_ROW) {
            const char *xid = (const char *)sqlite3_column_text(statement, 0);
            good = test_database_number(books->merchant,
                                        "SELECT count(*) FROM purchase WHERE xid = unhex_xid(?1)",
                                        xid) == 1;
            if (!good)
                say(books->words, books->size, "%s: signed by %s, unknown to the merchant", xid,
                    books->wallets[i]);
        }
        sqlite3_finalize(statement);
        if (!good || step != SQLITE_DONE)
            return false;
    }
    return true;
}

static bool purchases_agree(const struct books *books, const char *order_id,
                            struct test_outcome *outcome)
{
    sqlite3_stmt *statement = NULL;
    int step = SQLITE_ERROR;
    bool good = sqlite3_prepare_v2(books->merchant,
                                   "SELECT lower(hex(xid)), state, approved_minor FROM purchase"
                                   " WHERE order_id = ?1 ORDER BY id",
                                   -1, &statement, NULL) == SQLITE_OK;
    if (good)
        sqlite3_bind_text(statement, 1, order_id, -1, SQLITE_STATIC);
    while (good && (step = sqlite3_step(statement)) == SQLITE_ROW) {
        enum word word = merchant_word(sqlite3_column_int64(statement, 1));
        good = purchase_agrees(books, (const char *)sqlite3_column_text(statement, 0), word,
                               sqlite3_column_int64(statement, 2));
        outcome->attempts++;
        outcome->authorised += word == AUTHORISED;
        outcome->declined += word == DECLINED;
        outcome->voided += word == VOIDED;
        outcome->reversed += word == REVERSED;
    }
    sqlite3_finalize(statement);
    if (!good || step != SQLITE_DONE)
        return false;
    return outcome->authorised <= 1 ||
           say(books->words, books->size, "%d purchases of one order are authorised (rule M4)",
               outcome->authorised);
}

bool test_order_agrees(const struct test_sandbox *sandbox, const char *order_id,
                       const char *const *wallets, bool strangers, struct test_outcome *outcome,
                       char *words, size_t size)
{
    struct books books = {.sandbox = sandbox,
                          .wallets = wallets,
                          .strangers = strangers,
                          .words = words,
                          .size = size};
    memset(outcome, 0, sizeof *outcome);
    (void)snprintf(words, size, "a database can't be read");
    bool good = books_open(&books) && nothing_unsent(&books, order_id) &&
                purchases_agree(&books, order_id, outcome);
    books_close(&books);
    return good;
}

/* ------------------------------------------------------------------ what was agreed to */

/* Of the newest attempt. */
static bool find_xid(const struct test_sandbox *sandbox, const char *wallet, const char *order_id,
                     char xid[33])
{
    sqlite3 *database = test_sandbox_database(sandbox, wallet);
    sqlite3_stmt *statement = NULL;
    bool found = sqlite3_prepare_v2(database,
                                    "SELECT lower(hex(xid)) FROM purchase WHERE lid_m = ?1"
                                    " ORDER BY created DESC, rowid DESC",
                                    -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_bind_text(statement, 1, order_id, -1, SQLITE_STATIC) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        (void)snprintf(xid, 33, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return found;
}

enum setpay_error test_agreement_cancel(const struct test_sandbox *sandbox, const char *wallet,
                                        const char *order_id)
{
    char xid[33], socket[192];
    if (!find_xid(sandbox, wallet, order_id, xid))
        return SETPAY_E_NOT_FOUND;
    (void)snprintf(socket, sizeof socket, "%s/run/%s.sock", sandbox->dir, wallet);
    return test_sandbox_call(socket, "agreement.cancel", json_pack("{s:s}", "xid", xid), NULL);
}

static int64_t number_of(const struct test_sandbox *sandbox, const char *party, const char *sql,
                         const char *order_id)
{
    sqlite3 *database = test_sandbox_database(sandbox, party);
    int64_t number = test_database_number(database, sql, order_id);
    sqlite3_close(database);
    return number;
}

int64_t test_agreement_payments(const struct test_sandbox *sandbox, const char *order_id)
{
    return number_of(sandbox, "merchant",
                     "SELECT max(taken_count) FROM agreement JOIN purchase p ON p.id = purchase_id"
                     " WHERE order_id = ?1",
                     order_id);
}

int64_t test_agreement_is_cancelled(const struct test_sandbox *sandbox, const char *wallet,
                                    const char *order_id)
{
    return number_of(sandbox, wallet,
                     "SELECT max(cancelled <> 0) FROM agreement JOIN purchase p ON p.xid ="
                     " agreement.xid WHERE lid_m = ?1",
                     order_id);
}

/* ------------------------------------------------------------------ everything */

bool test_nothing_left_over(const struct test_sandbox *sandbox, const char *const *wallets,
                            char *words, size_t size)
{
    struct books books = {.sandbox = sandbox, .wallets = wallets, .words = words, .size = size};
    if (!books_open(&books)) {
        books_close(&books);
        return say(words, size, "a database can't be read");
    }
    int64_t pending = 0;
    for (size_t i = 0; i < books.wallet_count; i++)
        pending += test_database_number(
            books.wallet[i], "SELECT count(*) FROM purchase WHERE state IN (1, 2)", NULL);
    int64_t waiting = test_database_number(
        books.merchant, "SELECT count(*) FROM purchase WHERE state IN (1, 2, 3, 5, 11)", NULL);
    int64_t sealed = test_database_number(books.merchant, "SELECT count(*) FROM instruction", NULL);
    int64_t asking =
        test_database_number(books.gateway, "SELECT count(*) FROM payment WHERE state = 1", NULL);
    int64_t reversals = test_database_number(
        books.gateway, "SELECT count(*) FROM reversal WHERE acknowledged = 0", NULL);
    int64_t unpresented = test_database_number(
        books.gateway, "SELECT count(*) FROM presentment WHERE acknowledged = 0", NULL);
    int64_t approved = test_database_number(books.gateway,
                                            "SELECT coalesce(sum(approved_minor - reversed_minor), "
                                            "0) FROM payment WHERE state IN (2, 6) AND "
                                            "sale_id IS NULL",
                                            NULL);
    int64_t held = test_database_number(
        books.issuer, "SELECT coalesce(sum(held_minor), 0) FROM card_authorisation", NULL);
    approved -= presented_of(&books, NULL);
    books_close(&books);
    if (pending == 0 && waiting == 0 && sealed == 0 && asking == 0 && reversals == 0 &&
        unpresented == 0 && approved == held && approved >= 0)
        return true;
    return say(
        words, size,
        "left over: %d pending at the wallet, %d waiting and %d instructions at the "
        "merchant, %d asking, %d open reversals and %d presentments at the gateway, approved %lld, "
        "held %lld",
        (int)pending, (int)waiting, (int)sealed, (int)asking, (int)reversals, (int)unpresented,
        (long long)approved, (long long)held);
}
