/*
 * setpay-cad: an authority that setpay-ca has made, with enrolments as an issuer gives them to its
 * cardholders; each is used once, by setpay's own EST client, several at a time. A certificate must
 * come back for each.
 */
#include "tests/bench/parts.h"

#include "ca/enrolment.h"
#include "common/crypto/keyfile.h"
#include "common/net/est_client.h"
#include "common/pki/csr.h"
#include "tests/bench/fail.h"
#include "tests/bench/held.h"

#include <event2/event.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>

#define AT_ONCE 4
#define REPEATS 3
#define ENROLMENTS_MAX (REPEATS * 16)
#define EXPIRY "3012"
#define LIFE_MS (30 * SETPAY_DAY_MS)

struct holder {
    struct load *load;
    char pan[20];
    struct setpay_ca_enrolment enrolment;
    struct setpay_secret secret;
    struct setpay_secret pan_secret;
    EVP_PKEY *key;
};

struct load {
    char folder[256];
    struct test_daemon daemon;
    char listen[TEST_ADDRESS_SIZE];
    struct setpay_loop *loop;
    struct setpay_trust *trust;
    struct setpay_est_place place;
    struct holder holders[ENROLMENTS_MAX];
    size_t count; /* of a repetition */
    size_t next, until, ended;
};

/* ------------------------------------------------------------------ the authority */

static void ca(const struct load *load, const char *const *more)
{
    char dir[300], passphrase[300];
    const char *words[20] = {"--dir", dir, "--passphrase-file", passphrase};
    size_t count = 4;
    (void)snprintf(dir, sizeof dir, "%s/ca", load->folder);
    (void)snprintf(passphrase, sizeof passphrase, "%s/passphrase", load->folder);
    for (; *more != NULL && count + 1 < 20; more++)
        words[count++] = *more;
    test_run_program("setpay-ca", words, NULL);
}

static void write_text(const struct load *load, const char *name, struct setpay_view text)
{
    char path[300];
    mode_t mask = umask(077);
    (void)snprintf(path, sizeof path, "%s/%s", load->folder, name);
    FILE *file = fopen(path, "we");
    (void)umask(mask);
    BENCH_NEED(file != NULL && fwrite(text.data, 1, text.size, file) == text.size &&
               fclose(file) == 0);
}

/* The server's own certificate. */
static void make_server(const struct load *load)
{
    struct setpay_secret pem = {0}, csr = {0};
    const struct setpay_csr_wish wish = {.brand = "visa"};
    char request[300], certificate[300];
    EVP_PKEY *key = NULL;
    BENCH_OK(setpay_key_generate(&key));
    BENCH_OK(setpay_key_build_pem(key, NULL, &pem));
    BENCH_OK(setpay_csr_build(key, &wish, &csr));
    write_text(load, "tls.key", setpay_secret_view(&pem));
    write_text(load, "tls.csr", setpay_secret_view(&csr));
    (void)snprintf(request, sizeof request, "%s/tls.csr", load->folder);
    (void)snprintf(certificate, sizeof certificate, "%s/tls.pem", load->folder);
    const char *words[] = {"issue", "ca-tls-server", "--csr",     request, "--brand",
                           "visa",  "--id",          "authority", "--dns", "localhost",
                           "-o",    certificate,     NULL};
    ca(load, words);
    setpay_secret_clear(&pem);
    setpay_secret_clear(&csr);
    EVP_PKEY_free(key);
}

/* The number-th card: visa's digits, and the check digit that makes it one. */
static void make_pan(char pan[20], unsigned number)
{
    for (unsigned check = 0; check < 10; check++) {
        (void)snprintf(pan, 20, "400000%09u%u", number, check);
        if (setpay_wallet_pan_is_valid(setpay_view_string(pan)))
            return;
    }
}

static void make_holder(struct load *load, const struct setpay_secret *card_key, size_t index,
                        FILE *lines)
{
    struct holder *holder = &load->holders[index];
    struct setpay_secret pan = {0}, expiry = {0};
    char line[SETPAY_CA_ENROLMENT_LINE_MAX];
    holder->load = load;
    make_pan(holder->pan, (unsigned)index);
    BENCH_OK(setpay_secret_copy(&pan, setpay_view_string(holder->pan)));
    BENCH_OK(setpay_secret_copy(&expiry, setpay_view_string(EXPIRY)));
    holder->enrolment = (struct setpay_ca_enrolment){
        .label = SETPAY_CA_LABEL_CARDHOLDER,
        .brand = "visa",
        .expires = setpay_clock_now_ms() + LIFE_MS,
    };
    BENCH_OK(setpay_ca_card_digest(card_key, &pan, &expiry, &holder->enrolment.card));
    BENCH_OK(setpay_ca_enrolment_make(&holder->enrolment, &holder->secret));
    BENCH_OK(setpay_ca_enrolment_format(&holder->enrolment, line));
    BENCH_NEED(fprintf(lines, "%s\n", line) > 0);
    BENCH_OK(setpay_key_generate(&holder->key));
    BENCH_OK(setpay_secret_random(&holder->pan_secret, 32));
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
}

static void make_holders(struct load *load)
{
    struct setpay_secret card_key = {0};
    struct setpay_problem problem = {{0}};
    char path[300];
    (void)snprintf(path, sizeof path, "%s/ca/cards.key", load->folder);
    BENCH_OK(setpay_ca_card_key(path, true, &card_key, &problem));
    (void)snprintf(path, sizeof path, "%s/issuer", load->folder);
    FILE *lines = fopen(path, "we");
    BENCH_NEED(lines != NULL);
    for (size_t i = 0; i < REPEATS * load->count; i++)
        make_holder(load, &card_key, i, lines);
    BENCH_NEED(fclose(lines) == 0);
    const char *words[] = {"enrolment", "import", path, NULL};
    ca(load, words);
    setpay_secret_clear(&card_key);
}

static void start(struct load *load)
{
    char text[2048];
    test_choose_address(load->listen);
    test_choose_address(load->daemon.admin);
    (void)snprintf(text, sizeof text,
                   "testing = yes\nworkers = 2\nfolder = %s/ca\npassphrase_file = %s/passphrase\n"
                   "listen = %s\ntls_key = %s/tls.key\ntls_cert = %s/tls.pem\n"
                   "admin_socket = %s/cad.sock\nadmin_address = %s\nlog = %s/cad.log\n"
                   "card_key = %s/ca/cards.key\n",
                   load->folder, load->folder, load->listen, load->folder, load->folder,
                   load->folder, load->daemon.admin, load->folder, load->folder);
    write_text(load, "cad.conf", setpay_view_string(text));
    load->daemon.folder = load->folder;
    load->daemon.program = "setpay-cad";
    load->daemon.name = "cad";
    test_daemon_start(&load->daemon, NULL);
}

/* ------------------------------------------------------------------ those who enrol */

static void begin(struct load *load);

static enum setpay_error build(void *arg, const char *nonce, struct setpay_secret *der)
{
    struct holder *holder = arg;
    struct setpay_secret pan = {0}, expiry = {0};
    enum setpay_error error = setpay_secret_copy(&pan, setpay_view_string(holder->pan));
    if (error == SETPAY_OK)
        error = setpay_secret_copy(&expiry, setpay_view_string(EXPIRY));
    const struct setpay_csr_wish wish = {.brand = "visa",
                                         .role = "cardholder",
                                         .challenge = nonce,
                                         .pan = &pan,
                                         .expiry = &expiry,
                                         .pan_secret = &holder->pan_secret};
    if (error == SETPAY_OK)
        error = setpay_csr_build(holder->key, &wish, der);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    return error;
}

static void on_done(void *arg, const struct setpay_est_result *result)
{
    struct holder *holder = arg;
    struct load *load = holder->load;
    if (result->error != SETPAY_OK || result->certificate_count == 0)
        BENCH_FAIL("setpay-cad: %s %s", setpay_error_name(result->error), result->words);
    if (++load->ended == load->until)
        (void)event_base_loopbreak(setpay_loop_base(load->loop));
    else
        begin(load);
}

static void begin(struct load *load)
{
    struct setpay_problem problem = {{0}};
    if (load->next == load->until)
        return;
    struct holder *holder = &load->holders[load->next++];
    const struct setpay_est_wish wish = {
        .loop = load->loop,
        .trust = load->trust,
        .place = load->place,
        .label = SETPAY_EST_CARDHOLDER,
        .user = holder->enrolment.id,
        .password = &holder->secret,
        .build_cb = build,
        .done_cb = on_done,
        .arg = holder,
    };
    struct setpay_est_task *task = NULL;
    if (setpay_est_start(&wish, &task, &problem) != SETPAY_OK)
        BENCH_FAIL("%s", problem.text);
}

static void trust_root(struct load *load)
{
    char path[300], url[64];
    struct setpay_problem problem = {{0}};
    unsigned char *der = NULL;
    (void)snprintf(path, sizeof path, "%s/ca/root.pem", load->folder);
    FILE *file = fopen(path, "re");
    X509 *root = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    int size = root == NULL ? 0 : i2d_X509(root, &der);
    BENCH_NEED(size > 0);
    BENCH_OK(setpay_trust_new(setpay_view_of(der, (size_t)size), &load->trust));
    (void)fclose(file);
    X509_free(root);
    OPENSSL_free(der);
    (void)snprintf(url, sizeof url, "https://localhost%s", strchr(load->listen, ':'));
    BENCH_OK(setpay_est_place_parse(url, &load->place, &problem));
}

static void run(struct load *load, double *each_us, double *cpu_us)
{
    struct bench_usage before, after;
    load->until = load->next + load->count;
    bench_usage_read(load->daemon.pid, &before);
    double started = bench_wall_us();
    for (int i = 0; i < AT_ONCE; i++)
        begin(load);
    BENCH_OK(setpay_loop_run(load->loop));
    *each_us = (bench_wall_us() - started) / (double)load->count;
    bench_usage_read(load->daemon.pid, &after);
    bench_usage_since(&before, &after);
    *cpu_us = (double)after.cpu_us / (double)load->count;
}

/* ------------------------------------------------------------------ all */

static void derive(void *arg)
{
    const struct holder *holder = arg;
    struct setpay_secret derived = {0};
    BENCH_OK(setpay_scrypt_derive(&holder->enrolment.scrypt, &holder->secret, &derived));
    setpay_secret_clear(&derived);
}

static void open_authority(struct load *load, const char *dir)
{
    const char *init[] = {"init", "--name", "Bench root", NULL};
    const char *brand[] = {"brand", "add", "visa", "--loopback", NULL};
    (void)snprintf(load->folder, sizeof load->folder, "%s/authority", dir);
    BENCH_NEED(mkdir(load->folder, 0700) == 0);
    write_text(load, "passphrase", setpay_view_string("a passphrase of the bench"));
    ca(load, init);
    ca(load, brand);
    make_server(load);
    make_holders(load);
    start(load);
    BENCH_OK(setpay_loop_new(0, &load->loop));
    trust_root(load);
}

static void measure_memory(struct bench_report *report, const struct load *load)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    BENCH_NEED(client != NULL);
    bench_held_tls(report, "cad: memory of a connection", load->daemon.pid, load->listen,
                   "localhost", client);
    SSL_CTX_free(client);
}

static void close_authority(struct load *load)
{
    test_daemon_stop(&load->daemon);
    setpay_loop_free(load->loop);
    setpay_trust_free(load->trust);
    for (size_t i = 0; i < REPEATS * load->count; i++) {
        setpay_secret_clear(&load->holders[i].secret);
        setpay_secret_clear(&load->holders[i].pan_secret);
        EVP_PKEY_free(load->holders[i].key);
    }
}

void bench_authority_alone(struct bench_report *report, const char *dir)
{
    struct load *load = calloc(1, sizeof *load);
    struct bench_repeats repeats = {.count = REPEATS};
    struct bench_timing scrypt;
    BENCH_NEED(load != NULL);
    load->count = bench_plan.quick ? 2 : 8;
    open_authority(load, dir);
    bench_measure(derive, &load->holders[0], BENCH_CPU, &scrypt);
    for (unsigned i = 0; i < REPEATS; i++)
        run(load, &repeats.each_us[i], &repeats.cpu_us[i]);
    bench_report_repeats(report, "cad: cards enrolled", "cad: CPU of an enrolment", &repeats,
                         scrypt.median_us, "1 scrypt");
    measure_memory(report, load);
    close_authority(load);
    free(load);
}
