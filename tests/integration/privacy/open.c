/*
 * The marks of a sandbox, in the form that seek reads:
 *
 *     open SANDBOX ORDER                     of a purchase, from the wallet's own database opened
 *                                            with the gateway's key (tests/support/test_opened.h)
 *     open --vault SANDBOX LABEL             the wallet's master key, and the key of a card
 *     open --card SANDBOX LABEL              a card's number and PANSecret, from the wallet's
 * database open --key FILE NAME [PASSPHRASE-FILE] a private key
 *
 * What is too short to be looked for alone (card expiry, security code) is marked with what stands
 * beside it in each place where it is ever written: in PI, in the ISO 8583 message, in JSON, and
 * alone in memory of its own.
 */
#include "tests/support/test_opened.h"

#include "cardholder/wallet.h"
#include "common/base/secret.h"
#include "common/crypto/file.h"
#include "common/crypto/keyfile.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "open: %s\n", what);
    exit(1);
}

static void mark(const char *name, const char *kind, struct setpay_view bytes)
{
    if (bytes.size == 0)
        return;
    printf("%s %s ", name, kind);
    for (size_t i = 0; i < bytes.size; i++)
        printf("%02x", bytes.data[i]);
    putchar('\n');
}

static void mark_text(const char *name, const char *kind, const char *text)
{
    mark(name, kind, setpay_view_string(text));
}

/* BEFORE value AFTER, as one mark. */
static void mark_between(const char *name, const char *before, size_t before_size,
                         struct setpay_view value, const char *after, size_t after_size)
{
    uint8_t bytes[256];
    if (value.size == 0 || before_size + value.size + after_size > sizeof bytes)
        return;
    memcpy(bytes, before, before_size);
    memcpy(bytes + before_size, value.data, value.size);
    memcpy(bytes + before_size + value.size, after, after_size);
    mark(name, "exact", setpay_view_of(bytes, before_size + value.size + after_size));
}

/* Where a short secret is ever written: alone (the secure heap gives 64 zeroed bytes at least),
 * as a JSON value, and in the PI (field number and length before it, the next field after). */
static void mark_short(const char *name, const char *json_name, struct setpay_view value,
                       struct setpay_view pi)
{
    char before[64];
    static const char zeros[16] = {0};
    mark_between(name, zeros, 0, value, zeros, sizeof zeros);
    snprintf(before, sizeof before, "\"%s\":\"", json_name);
    mark_between(name, before, strlen(before), value, "\"", 1);
    snprintf(before, sizeof before, "\"%s\": \"", json_name);
    mark_between(name, before, strlen(before), value, "\"", 1);
    for (size_t i = 8; value.size > 0 && i + value.size + 8 <= pi.size; i++)
        if (memcmp(pi.data + i, value.data, value.size) == 0 && pi.data[i - 1] == value.size)
            mark(name, "exact", setpay_view_of(pi.data + i - 8, value.size + 16));
}

static void mark_card(const struct setpay_pi *pi, struct setpay_view bytes)
{
    struct setpay_view pan = setpay_secret_view(&pi->pan);
    struct setpay_view code = setpay_secret_view(&pi->security_code);
    char element[16];
    mark("pan", "digits", pan);
    mark("pan_secret", "bytes", setpay_secret_view(&pi->pan_secret));
    mark("back_key", "bytes", setpay_secret_view(&pi->back_key));
    mark_text("address", "text", pi->postcode);
    mark_text("address", "text", pi->house_digits);
    mark_short("expiry", "expiry", setpay_secret_view(&pi->expiry), bytes);
    mark_short("code", "security_code", code, bytes);
    /* Fields 14 and 18 of ISO 8583, one behind the other: expiry, and the sandbox shop's category.
     */
    mark_between("expiry", "", 0, setpay_secret_view(&pi->expiry), "5999", 4);
    /* Field 48 of ISO 8583: element 92, its length, the code (docs/iso8583.md). */
    snprintf(element, sizeof element, "92%02zu", code.size);
    mark_between("code", element, strlen(element), code, "", 0);
}

/* First six and last four digits, as people and programs cut card numbers short. */
static void mark_cut(struct setpay_view pan)
{
    static const char *const between[] = {
        "...",          "......", "******", "xxxxxx", "XXXXXX", "------",
        "\xe2\x80\xa6", " ",      "",       " ... ",  "/",      "_"};
    static const char *const before_last[] = {
        "****",          "xxxx",
        "XXXX",          "...",
        "\xe2\x80\xa6",  "\"last4\":\"",
        "\"last4\": \"", "last4=",
        "**** ",         "\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2 "};
    char text[128];
    const char *last = (const char *)pan.data + pan.size - 4;
    for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
        snprintf(text, sizeof text, "%.6s%s%.4s", (const char *)pan.data, between[i], last);
        mark_text("cut", "text", text);
    }
    for (size_t i = 0; i < sizeof before_last / sizeof *before_last; i++) {
        snprintf(text, sizeof text, "%s%.4s", before_last[i], last);
        mark_text("cut", "text", text);
    }
}

static void mark_private_key(EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    uint8_t bytes[32];
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) != 1 ||
        BN_bn2binpad(number, bytes, sizeof bytes) != sizeof bytes)
        fail("a private key has no number");
    mark(name, "bytes", SETPAY_VIEW_ARRAY(bytes));
    BN_clear_free(number);
    EVP_PKEY_free(key);
}

static int mark_key_file(const char *path, const char *name, const char *passphrase_file)
{
    struct setpay_problem problem;
    struct setpay_secret passphrase = {0};
    EVP_PKEY *key = NULL;
    if (passphrase_file != NULL &&
        setpay_file_read_secret(passphrase_file, &passphrase, &problem) != SETPAY_OK)
        fail(passphrase_file);
    if (setpay_key_load(path, passphrase_file == NULL ? NULL : &passphrase, &key, &problem) !=
        SETPAY_OK)
        fail(problem.text);
    mark_private_key(key, name);
    setpay_secret_clear(&passphrase);
    return 0;
}

/* One row of the wallet's database. */
static sqlite3_stmt *row_of(sqlite3 *db, const char *sql, const char *value)
{
    sqlite3_stmt *row = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK ||
        (value != NULL && sqlite3_bind_text(row, 1, value, -1, SQLITE_STATIC) != SQLITE_OK) ||
        sqlite3_step(row) != SQLITE_ROW)
        fail(sql);
    return row;
}

static void copy_blob(sqlite3_stmt *row, int column, void *out, size_t size)
{
    if ((size_t)sqlite3_column_bytes(row, column) != size)
        fail("a blob of another size");
    memcpy(out, sqlite3_column_blob(row, column), size);
}

/* As a thief would who has the wallet's file and its passphrase. */
static sqlite3 *open_vault(const char *sandbox, struct setpay_secret *passphrase,
                           struct setpay_secret *master)
{
    char path[4096];
    sqlite3 *db = NULL;
    struct setpay_problem problem;
    struct setpay_wallet_lock lock;
    snprintf(path, sizeof path, "%s/wallet.passphrase", sandbox);
    if (setpay_file_read_secret(path, passphrase, &problem) != SETPAY_OK)
        fail(path);
    snprintf(path, sizeof path, "%s/db/wallet.db", sandbox);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        fail(path);
    sqlite3_busy_timeout(db, 5000);
    sqlite3_stmt *row = row_of(db, "SELECT salt, cost_n, cost_r, cost_p, box FROM vault", NULL);
    copy_blob(row, 0, lock.scrypt.salt, sizeof lock.scrypt.salt);
    lock.scrypt.n = (uint64_t)sqlite3_column_int64(row, 1);
    lock.scrypt.r = (uint32_t)sqlite3_column_int(row, 2);
    lock.scrypt.p = (uint32_t)sqlite3_column_int(row, 3);
    copy_blob(row, 4, lock.box, sizeof lock.box);
    sqlite3_finalize(row);
    if (setpay_wallet_lock_open(&lock, passphrase, master) != SETPAY_OK)
        fail("the wallet's passphrase");
    return db;
}

/* The box in a column of a row that begins with whose it is. */
static void open_box(const struct setpay_secret *master, const char *what, sqlite3_stmt *row,
                     int column, struct setpay_secret *plain)
{
    struct setpay_id id;
    copy_blob(row, 0, id.bytes, sizeof id.bytes);
    struct setpay_view box =
        setpay_view_of(sqlite3_column_blob(row, column), (size_t)sqlite3_column_bytes(row, column));
    if (setpay_wallet_box_open(master, what, &id, box, plain) != SETPAY_OK)
        fail(what);
}

static int mark_enrolled(const char *sandbox, const char *label)
{
    struct setpay_secret passphrase = {0}, master = {0}, pan = {0}, pan_secret = {0};
    sqlite3 *db = open_vault(sandbox, &passphrase, &master);
    sqlite3_stmt *row =
        row_of(db, "SELECT id, pan_box, pan_secret_box FROM card WHERE label = ?", label);
    open_box(&master, "card pan", row, 1, &pan);
    open_box(&master, "card pan secret", row, 2, &pan_secret);
    mark("online_pan", "digits", setpay_secret_view(&pan));
    mark("online_pan_secret", "bytes", setpay_secret_view(&pan_secret));
    sqlite3_finalize(row);
    sqlite3_close(db);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&pan_secret);
    setpay_secret_clear(&master);
    setpay_secret_clear(&passphrase);
    return 0;
}

static int mark_vault(const char *sandbox, const char *label)
{
    struct setpay_secret passphrase = {0}, master = {0}, pem = {0};
    EVP_PKEY *key = NULL;
    sqlite3 *db = open_vault(sandbox, &passphrase, &master);
    mark("key_master", "bytes", setpay_secret_view(&master));
    mark("key_master", "text", setpay_secret_view(&passphrase));
    sqlite3_stmt *row = row_of(db,
                               "SELECT k.id, k.box FROM card c JOIN signing_key k ON k.card = c.id"
                               " WHERE c.label = ? AND k.role = 1",
                               label);
    open_box(&master, "card key", row, 1, &pem);
    if (setpay_key_parse_pem(setpay_secret_view(&pem), NULL, &key) != SETPAY_OK)
        fail("the card's key");
    mark_private_key(key, "key_wallet");
    sqlite3_finalize(row);
    sqlite3_close(db);
    setpay_secret_clear(&pem);
    setpay_secret_clear(&master);
    setpay_secret_clear(&passphrase);
    return 0;
}

static int mark_purchase(const char *sandbox, const char *order_id)
{
    struct test_opened opened;
    test_opened_load(sandbox, order_id, &opened);
    const struct setpay_instruction *instruction = &opened.instruction;
    mark_card(&instruction->pi, setpay_secret_view(&instruction->bytes));
    mark_cut(setpay_secret_view(&instruction->pi.pan));
    mark("pi_salt", "bytes", setpay_digest_view(&instruction->pi_salt));
    mark("oi_salt", "bytes", setpay_digest_view(&opened.preq.oi_salt));
    mark("xid", "bytes", setpay_id_view(&opened.oi.xid));
    mark("account", "bytes", setpay_digest_view(&opened.account));
    /* Out of the envelope: ciphertext, nowhere but in it. */
    struct setpay_view envelope = opened.message.envelope;
    mark("envelope", "bytes", setpay_view_of(envelope.data + envelope.size - 160, 64));
    mark_text("order", "text", opened.oi.lid_m);
    test_opened_clear(&opened);
    return 0;
}

int main(int argc, char **argv)
{
    test_opened_init();
    if ((argc == 4 || argc == 5) && strcmp(argv[1], "--key") == 0)
        return mark_key_file(argv[2], argv[3], argc == 5 ? argv[4] : NULL);
    if (argc == 4 && strcmp(argv[1], "--vault") == 0)
        return mark_vault(argv[2], argv[3]);
    if (argc == 4 && strcmp(argv[1], "--card") == 0)
        return mark_enrolled(argv[2], argv[3]);
    if (argc != 3)
        fail("usage: open SANDBOX ORDER | --vault|--card SANDBOX LABEL | --key FILE NAME "
             "[PASSPHRASE]");
    return mark_purchase(argv[1], argv[2]);
}
