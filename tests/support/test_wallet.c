/*
 * What stands around a wallet under test: lists, configuration, passphrase, cards.
 */
#include "tests/support/test_wallet.h"

#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/crypto/hash.h"
#include "common/net/control_client.h"
#include "common/pki/csr.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
#define OK(expression) NEED((expression) == SETPAY_OK)

#define PASSPHRASE "correct horse battery"

/* ------------------------------------------------------------------ files */

static void write_crl(struct test_wallet *w, const char *brand, enum setpay_ca_kind kind)
{
    struct setpay_buffer der;
    char name[64];
    setpay_buffer_init(&der, SETPAY_LIMIT_CRL_BYTES);
    test_pki_crl(w->pki, brand, kind, w->pki->now_ms, TEST_CRL_GOOD, &der);
    (void)snprintf(name, sizeof name, "crls/%s-%d.crl", brand == NULL ? "root" : brand, (int)kind);
    test_write_file(w->folder, name, setpay_buffer_view(&der));
    setpay_buffer_clear(&der);
}

void test_wallet_publish_crl(struct test_wallet *w, const char *brand, enum setpay_ca_kind kind)
{
    write_crl(w, brand, kind);
    test_daemon_reload(&w->daemon);
}

static void write_pem(FILE *file, struct setpay_view der)
{
    const unsigned char *at = der.data;
    X509 *x509 = d2i_X509(NULL, &at, (long)der.size);
    NEED(x509 != NULL && PEM_write_X509(file, x509) == 1);
    X509_free(x509);
}

static void write_trust(struct test_wallet *w, const char *leave_out)
{
    char path[TEST_PATH_SIZE];
    NEED(mkdir(test_path(w->folder, "crls", path), 0700) == 0);
    FILE *file = fopen(test_path(w->folder, "root.pem", path), "w");
    NEED(file != NULL);
    write_pem(file, setpay_buffer_view(&w->pki->root.der));
    NEED(fclose(file) == 0);
    file = fopen(test_path(w->folder, "crls/cas.pem", path), "w");
    NEED(file != NULL);
    write_crl(w, NULL, SETPAY_CA_ROOT);
    for (size_t i = 0; i < w->pki->brand_count; i++) {
        const struct test_pki_brand *brand = &w->pki->brands[i];
        for (int kind = SETPAY_CA_BRAND; kind < SETPAY_CA_KINDS; kind++) {
            write_pem(file, setpay_buffer_view(&brand->ca[kind].der));
            if (kind != SETPAY_CA_GATEWAY || leave_out == NULL ||
                strcmp(brand->name, leave_out) != 0)
                write_crl(w, brand->name, (enum setpay_ca_kind)kind);
        }
    }
    NEED(fclose(file) == 0);
}

static void write_configuration(struct test_wallet *w, int64_t answer_timeout_ms)
{
    char path[TEST_PATH_SIZE];
    FILE *file = fopen(test_path(w->folder, "wallet.conf", path), "w");
    NEED(file != NULL);
    (void)fprintf(file,
                  "testing = yes\nroot = %s/root.pem\ncrls = %s/crls\nsocket = %s\n"
                  "database = sqlite:%s/wallet.db\nlog = %s/wallet.log\n"
                  "admin_socket = %s/wallet.sock\nadmin_address = %s\n"
                  "answer_timeout = %lldms\nanswer_wait = 60s\ninquiry_min = 10ms\n"
                  "inquiry_max = 20ms\nfollow_every = %s\n",
                  w->folder, w->folder, w->socket, w->folder, w->folder, w->folder, w->daemon.admin,
                  (long long)answer_timeout_ms, w->follow_every != NULL ? w->follow_every : "0s");
    NEED(fclose(file) == 0);
}

/* ------------------------------------------------------------------ calls */

enum setpay_error test_wallet_call(struct test_wallet *w, const char *command, json_t *args,
                                   json_t **result)
{
    struct setpay_control_client *client = NULL;
    struct setpay_problem problem = {{0}};
    *result = NULL;
    enum setpay_error error =
        setpay_control_client_open(w->socket, "setpay-walletd", NULL, &client, &problem);
    if (error == SETPAY_OK)
        error = setpay_control_client_call(client, command, args, 2 * TEST_WAIT_MS, NULL, NULL,
                                           result, &problem);
    else
        json_decref(args);
    setpay_control_client_close(client);
    return error;
}

json_t *test_wallet_do(struct test_wallet *w, const char *command, json_t *args)
{
    json_t *result = NULL;
    enum setpay_error error = test_wallet_call(w, command, args, &result);
    if (error != SETPAY_OK)
        (void)fprintf(stderr, "%s: %s\n", command, setpay_error_name(error));
    NEED(error == SETPAY_OK);
    return result;
}

void test_wallet_send(struct test_wallet *w, const char *command, json_t *args)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    json_t *line = json_pack("{s:i, s:s, s:o}", "id", 1, "command", command, "args", args);
    char *text = json_dumps(line, JSON_COMPACT);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    NEED(text != NULL && fd >= 0);
    memcpy(address.sun_path, w->socket, strlen(w->socket) + 1);
    NEED(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    NEED(dprintf(fd, "%s\n", text) == (int)strlen(text) + 1);
    NEED(close(fd) == 0);
    free(text);
    json_decref(line);
}

json_t *test_wallet_purchase(struct test_wallet *w, const struct setpay_id *xid)
{
    char text[SETPAY_ID_TEXT_SIZE];
    return test_wallet_do(
        w, "purchase.show",
        json_pack("{s:s, s:b}", "xid", setpay_id_format(xid, text), "refresh", 0));
}

int test_wallet_cli(struct test_wallet *w, const char *const *words, json_t **printed)
{
    const char *argv[24] = {"--socket", w->socket, "--json"};
    size_t count = 3;
    char *output = NULL;
    for (; *words != NULL; words++) {
        NEED(count + 1 < sizeof argv / sizeof *argv);
        argv[count++] = *words;
    }
    int status = test_run_to_end("setpay-wallet", argv, &output);
    *printed = json_loads(output, 0, NULL);
    NEED(*printed != NULL);
    free(output);
    return status;
}

const char *test_error_words(enum setpay_error error)
{
    static char words[96];
    const char *rule = setpay_error_rule(error);
    (void)snprintf(words, sizeof words, "%s%s%s", setpay_error_name(error),
                   rule[0] == '\0' ? "" : " ", rule);
    return words;
}

/* ------------------------------------------------------------------ the daemon */

static void give_passphrase(struct test_wallet *w, const char *command)
{
    json_decref(test_wallet_do(w, command, json_pack("{s:s}", "passphrase", PASSPHRASE)));
}

void test_wallet_unlock(struct test_wallet *w)
{
    give_passphrase(w, "wallet.unlock");
}

void test_wallet_start(struct test_wallet *w, int64_t answer_timeout_ms)
{
    write_configuration(w, answer_timeout_ms);
    test_daemon_start(&w->daemon, NULL);
    test_wallet_unlock(w);
}

void test_wallet_set_clock(struct test_wallet *w, int64_t offset_ms)
{
    json_decref(test_daemon_control(&w->daemon, "testing.clock",
                                    json_pack("{s:I}", "offset_ms", (json_int_t)offset_ms)));
}

struct test_wallet *test_wallet_new(struct test_pki *pki, const char *leave_out)
{
    struct test_wallet *w = calloc(1, sizeof *w);
    NEED(w != NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/setpay-walletd-XXXXXX");
    NEED(mkdtemp(w->folder) != NULL);
    w->pki = pki;
    w->daemon =
        (struct test_daemon){.folder = w->folder, .program = "setpay-walletd", .name = "wallet"};
    (void)snprintf(w->socket, sizeof w->socket, "%s/user.sock", w->folder);
    test_choose_address(w->daemon.admin);
    write_trust(w, leave_out);
    write_configuration(w, TEST_WALLET_ANSWER_MS);
    test_daemon_start(&w->daemon, NULL);
    give_passphrase(w, "wallet.init");
    return w;
}

void test_wallet_free(struct test_wallet *w)
{
    if (w == NULL)
        return;
    test_daemon_kill(&w->daemon);
    test_remove_folder(w->folder);
    free(w);
}

/* ------------------------------------------------------------------ cards */

/* What a CA does with a request: the blinded account id of what it names, for its key. */
static struct test_party *certify(struct test_wallet *w, const char *brand, const char *pem)
{
    struct setpay_csr csr = {0};
    struct setpay_digest account;
    char id[SETPAY_DIGEST_TEXT_SIZE];
    unsigned char *der = NULL;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    int size = i2d_X509_REQ(request, &der);
    NEED(size > 0);
    OK(setpay_csr_parse(setpay_view_of(der, (size_t)size), &csr));
    OK(setpay_account_id(&csr.pan_secret, &csr.pan, &csr.expiry, &account));
    struct test_party *party = test_party_new_for(w->pki, brand, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                                  setpay_digest_format(&account, id), csr.key);
    setpay_csr_clear(&csr);
    OPENSSL_free(der);
    X509_REQ_free(request);
    BIO_free(bio);
    return party;
}

void test_wallet_add_card(struct test_wallet *w, const char *brand, const char *pan,
                          const char *expiry, const char *label)
{
    char path[TEST_PATH_SIZE];
    size_t size = 0;
    json_t *asked = test_wallet_do(w, "card.request",
                                   json_pack("{s:s, s:s, s:s, s:s}", "brand", brand, "label", label,
                                             "pan", pan, "expiry", expiry));
    struct test_party *party = certify(w, brand, json_string_value(json_object_get(asked, "csr")));
    FILE *file = fopen(test_path(w->folder, "card.pem", path), "w");
    NEED(file != NULL);
    write_pem(file, setpay_buffer_view(&party->der));
    for (size_t i = 0; i < SETPAY_CHAIN_CAS; i++)
        write_pem(file, party->chain[i]);
    NEED(fclose(file) == 0);
    char *pem = test_read_file(w->folder, "card.pem", &size);
    json_decref(test_wallet_do(w, "card.import", json_pack("{s:s}", "certificates", pem)));
    free(pem);
    test_party_free(party);
    json_decref(asked);
}
