/*
 * Opening a purchase of a sandbox. The wallet's database is read as any program could; what is
 * secret in it is the envelope, and that opens with the gateway's encryption key.
 */
#include "tests/support/test_opened.h"

#include "common/base/secret.h"
#include "common/crypto/keyfile.h"

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 4096
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

void test_opened_init(void)
{
    CHECK(setpay_secret_system_init() == SETPAY_OK);
}

static void path_in(char *path, const char *sandbox, const char *brand, const char *name)
{
    CHECK(snprintf(path, PATH_SIZE, "%s/gateway/%s/%s", sandbox, brand, name) < PATH_SIZE);
}

static struct setpay_envelope_key *load_key(const char *sandbox, const char *brand)
{
    char path[PATH_SIZE];
    struct setpay_problem problem;
    struct setpay_envelope_key *key = NULL;
    EVP_PKEY *pkey = NULL;
    path_in(path, sandbox, brand, "encrypt.key");
    CHECK(setpay_key_load(path, NULL, &pkey, &problem) == SETPAY_OK);
    path_in(path, sandbox, brand, "encrypt.pem");
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    CHECK(certificate != NULL);
    CHECK(setpay_envelope_key_new(pkey, certificate, &key) == SETPAY_OK);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(pkey);
    return key;
}

static void parse_blob(sqlite3_stmt *row, int column, struct setpay_message *message)
{
    struct setpay_view bytes =
        setpay_view_of(sqlite3_column_blob(row, column), (size_t)sqlite3_column_bytes(row, column));
    CHECK(setpay_message_parse(bytes, message) == SETPAY_OK);
}

static void read_wallet(const char *sandbox, const char *order_id, struct test_opened *opened)
{
    char path[PATH_SIZE];
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    CHECK(snprintf(path, sizeof path, "%s/db/wallet.db", sandbox) < (int)sizeof path);
    CHECK(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    CHECK(sqlite3_prepare_v2(db,
                             "SELECT preq, offer FROM purchase WHERE lid_m = ?"
                             " ORDER BY created DESC LIMIT 1",
                             -1, &row, NULL) == SQLITE_OK);
    CHECK(sqlite3_bind_text(row, 1, order_id, -1, SQLITE_STATIC) == SQLITE_OK);
    CHECK(sqlite3_step(row) == SQLITE_ROW);
    parse_blob(row, 0, &opened->message);
    parse_blob(row, 1, &opened->offer_message);
    sqlite3_finalize(row);
    sqlite3_close(db);
}

void test_opened_load(const char *sandbox, const char *order_id, struct test_opened *opened)
{
    struct setpay_certificate *cardholder = NULL;
    memset(opened, 0, sizeof *opened);
    read_wallet(sandbox, order_id, opened);
    CHECK(setpay_pinit_res_parse(opened->offer_message.content, &opened->offer) == SETPAY_OK);
    CHECK(setpay_preq_read(opened->message.content, opened->message.envelope, &opened->preq,
                           &opened->oi) == SETPAY_OK);
    struct setpay_envelope_key *key = load_key(sandbox, opened->oi.brand);
    CHECK(setpay_instruction_open(key, opened->message.envelope, &opened->preq.envelope,
                                  &opened->instruction) == SETPAY_OK);
    setpay_envelope_key_free(key);
    struct setpay_view der = setpay_message_certificate(&opened->message, &opened->oi.cardholder);
    CHECK(setpay_certificate_parse(der, &cardholder) == SETPAY_OK);
    CHECK(setpay_certificate_account(cardholder, &opened->account) == SETPAY_OK);
    setpay_certificate_unref(cardholder);
}

void test_opened_clear(struct test_opened *opened)
{
    setpay_preq_clear(&opened->preq);
    setpay_pinit_res_clear(&opened->offer);
    setpay_instruction_clear(&opened->instruction);
    setpay_message_clear(&opened->message);
    setpay_message_clear(&opened->offer_message);
}
