/*
 * The sandbox's own four daemons are the first of each kind. What is added has keys and
 * certificates of the sandbox's CA, and a configuration made out of the first one's.
 */
#include "tests/support/test_town.h"

#include "tests/support/test_sandbox_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_LIMIT_MS 120000
#define OUTPUT_MAX (4 * 1024 * 1024)
#define HOUR_MS 3600000LL
#define LINES_SHOWN 20
#define OWED_MAX 3

static const char *const programs[TEST_DAEMONS] = {"setpay-walletd", "setpay-merchantd",
                                                   "setpay-gatewayd", "setpay-issuersim"};

/* ------------------------------------------------------------------ starting */

static void start(struct test_town *town, struct test_townsman *man)
{
    man->pid = test_sandbox_start_program(&town->sandbox, programs[man->kind], man->name, NULL);
}

/* The added wallets have a passphrase of their own (test_sandbox_add_wallet). */
static bool unlock(const struct test_town *town, const struct test_townsman *man)
{
    if (man == town->wallets[0])
        return test_sandbox_unlock(&town->sandbox) == SETPAY_OK;
    return test_sandbox_call(man->socket, "wallet.unlock",
                             json_pack("{s:s}", "passphrase", "a passphrase for a test"),
                             NULL) == SETPAY_OK;
}

static bool is_ready(const struct test_town *town, const struct test_townsman *man)
{
    struct test_sandbox seen = town->sandbox;
    seen.admin_ports[man->kind] = man->admin_port;
    if (man->kind == TEST_WALLET && !unlock(town, man))
        return false;
    if (man->kind == TEST_GATEWAY && town->is_issuer_away)
        return test_sandbox_is_alive(&seen, man->kind);
    return test_sandbox_is_ready(&seen, man->kind);
}

static void wait_ready(const struct test_town *town, const struct test_townsman *man)
{
    int64_t until_ms = test_now_ms() + READY_LIMIT_MS;
    while (!is_ready(town, man)) {
        if (test_now_ms() > until_ms)
            test_bail_out("%s/%s does not become ready", town->sandbox.dir, man->name);
        test_pause_ms(10);
    }
}

static void start_all(struct test_town *town)
{
    start(town, town->issuer);
    start(town, town->gateway);
    wait_ready(town, town->issuer);
    wait_ready(town, town->gateway); /* what is due is asked for as soon as a merchant is up */
    for (size_t i = 0; i < TEST_TOWN_DAEMONS; i++) {
        if (&town->men[i] != town->issuer && &town->men[i] != town->gateway)
            start(town, &town->men[i]);
    }
    for (size_t i = 0; i < TEST_TOWN_DAEMONS; i++)
        wait_ready(town, &town->men[i]);
}

static void end(struct test_townsman *man, int signal_number)
{
    if (man->pid > 0 && kill(man->pid, signal_number) == 0)
        while (waitpid(man->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    man->pid = 0;
}

/* ------------------------------------------------------------------ more merchants and wallets */

static void copy_text(char *out, size_t size, const char *text)
{
    if (strlen(text) >= size)
        test_bail_out("\"%s\" is too long", text);
    memcpy(out, text, strlen(text) + 1);
}

static void change(struct test_sandbox_change *change, const char *from, const char *to)
{
    copy_text(change->from, sizeof change->from, from);
    copy_text(change->to, sizeof change->to, to);
}

static void change_port(struct test_sandbox_change *change, uint16_t from, uint16_t to)
{
    (void)snprintf(change->from, sizeof change->from, ":%u", from);
    (void)snprintf(change->to, sizeof change->to, ":%u", to);
}

static void issue_keys(const struct test_town *town, const struct test_townsman *man)
{
    static const char *const brands[] = {"visa", "mastercard"};
    const char *dir = town->sandbox.dir;
    char program[600], ca[160], passphrase[160], out[192], output[160];
    (void)snprintf(program, sizeof program, "%s/setpay-ca", town->sandbox.bin);
    (void)snprintf(ca, sizeof ca, "%s/ca", dir);
    (void)snprintf(passphrase, sizeof passphrase, "%s/ca.passphrase", dir);
    (void)snprintf(output, sizeof output, "%s/log/ca.out", dir);
    (void)snprintf(out, sizeof out, "%s/%s", dir, man->name);
    const char *make[] = {"mkdir", "-p", out, NULL};
    test_sandbox_run_program(output, make);
    for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++) {
        (void)snprintf(out, sizeof out, "%s/%s/%s", dir, man->name, brands[i]);
        const char *words[] = {program,     "--dir",  ca,         "--passphrase-file",
                               passphrase,  "bundle", "merchant", "--brand",
                               brands[i],   "--id",   man->id,    "--dns",
                               "localhost", "--out",  out,        NULL};
        if (test_sandbox_run_program(output, words) != 0)
            test_bail_out("no keys for %s: see %s", man->name, output);
    }
}

static void configure_merchant(const struct test_town *town, struct test_townsman *man)
{
    const struct test_sandbox *sandbox = &town->sandbox;
    struct test_sandbox_change changes[11];
    char from[192], to[192], word[64];
    man->admin_port = test_sandbox_free_port();
    man->store = (struct test_store){.port = test_sandbox_free_port(), .token = man->token};
    change_port(&changes[0], sandbox->admin_ports[TEST_MERCHANT], man->admin_port);
    change_port(&changes[1], sandbox->api_port, man->store.port);
    change_port(&changes[2], sandbox->merchant_port, test_sandbox_free_port());
    (void)snprintf(word, sizeof word, "id = %s", man->id);
    change(&changes[3], "id = sandbox-shop", word);
    (void)snprintf(word, sizeof word, "/merchant/");
    (void)snprintf(to, sizeof to, "/%s/", man->name);
    change(&changes[4], word, to);
    static const char *const parts[] = {"/db/", "/log/", "/run/"};
    static const char *const ends[] = {".db", ".log", ".sock"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(from, sizeof from, "%smerchant%s", parts[i], ends[i]);
        (void)snprintf(to, sizeof to, "%s%s%s", parts[i], man->name, ends[i]);
        change(&changes[5 + i], from, to);
    }
    change(&changes[8], "The Sandbox Shop", man->id);
    change(&changes[9], "shop_", "# shop_"); /* sells by its API alone */
    change(&changes[10], "owner_listen", "# owner_listen");
    (void)snprintf(from, sizeof from, "%s/merchant.conf", sandbox->dir);
    (void)snprintf(to, sizeof to, "%s/%s.conf", sandbox->dir, man->name);
    test_sandbox_copy_changed(from, to, NULL, changes, 11);
}

/* While the daemons are stopped: their programs open the databases themselves. */
static void introduce_merchant(struct test_town *town, struct test_townsman *man)
{
    static const char *const brands[] = {"visa", "mastercard"};
    for (size_t i = 0; i < sizeof brands / sizeof brands[0]; i++) {
        const char *words[] = {"merchant", "add",    "--brand", brands[i], "--id",
                               man->id,    "--name", man->id,   NULL};
        if (test_town_program(town, "setpay-gateway", town->gateway, words, NULL) != 0)
            test_bail_out("the gateway does not take %s", man->id);
    }
    const char *words[] = {"--json", "token", "add", "--name", "town", NULL};
    char *output = NULL;
    int status = test_town_program(town, "setpay-merchant", man, words, &output);
    json_t *answer = json_loads(output, 0, NULL);
    const char *token = json_string_value(json_object_get(answer, "token"));
    if (status != 0 || token == NULL)
        test_bail_out("no token of %s", man->name);
    (void)snprintf(man->token, sizeof man->token, "%s", token);
    json_decref(answer);
    free(output);
}

static void add_merchant(struct test_town *town, struct test_townsman *man)
{
    issue_keys(town, man);
    configure_merchant(town, man);
    introduce_merchant(town, man);
}

/* The plan's lines of its issuer; and its fees in place of those that a sandbox has, which are the
 * last in its gateway's configuration. */
static void configure_gateway(const struct test_town *town, const struct test_town_plan *plan)
{
    static const char section[] = "[issuer sim]\n";
    char path[192], text[16384];
    (void)snprintf(path, sizeof path, "%s/gateway.conf", town->sandbox.dir);
    FILE *file = fopen(path, "re");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    char *issuer = strstr(text, section), *end = strstr(text, "\n[fees ");
    if (file == NULL || fclose(file) != 0 || issuer == NULL || end == NULL || end < issuer)
        test_bail_out("%s has no issuer, or no fees", path);
    issuer += sizeof section - 1;
    *end = '\0';
    file = fopen(path, "we");
    if (file == NULL ||
        fprintf(file, "%.*s%s%s\n%s", (int)(issuer - text), text, plan->issuer, issuer,
                plan->fees) < 0 ||
        fclose(file) != 0)
        test_bail_out("%s can't be written", path);
}

/* Its card is one that approves; its admin port is to stay. */
static void add_wallet(struct test_town *town, struct test_townsman *man, const char *brand)
{
    struct test_sandbox_change changes[1];
    char from[192], to[200];
    man->pid = test_sandbox_add_wallet(
        &town->sandbox, man->name, brand,
        strcmp(brand, "visa") == 0 ? "4242424242424242" : "5555555555554444", "3012");
    end(man, SIGTERM);
    man->admin_port = test_sandbox_free_port();
    change(&changes[0], "admin_address = 127.0.0.1:0", "");
    (void)snprintf(changes[0].to, sizeof changes[0].to, "admin_address = 127.0.0.1:%u",
                   man->admin_port);
    (void)snprintf(from, sizeof from, "%s/%s.conf", town->sandbox.dir, man->name);
    (void)snprintf(to, sizeof to, "%s.new", from);
    test_sandbox_copy_changed(from, to, NULL, changes, 1);
    if (rename(to, from) != 0)
        test_bail_out("%s can't be renamed", to);
    start(town, man);
    wait_ready(town, man);
}

/* ------------------------------------------------------------------ the killer */

static uint64_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

/* Until it is told otherwise, or for so many milliseconds. */
static void wait_a_while(struct test_town *town, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    while (town->kills && pthread_cond_timedwait(&town->told, &town->mutex, &until) != ETIMEDOUT)
        ;
}

/* What was spared when it was its turn, and is not now. */
static bool take_owed(struct test_town *town, enum test_daemon *kind)
{
    for (int i = 0; i < TEST_DAEMONS; i++) {
        if (town->owed[i] == 0 || town->killing.spared & TEST_SPARED(i))
            continue;
        town->owed[i]--;
        *kind = (enum test_daemon)i;
        return true;
    }
    return false;
}

/* Of eight in a row each kind has its share, in an order of chance. */
static enum test_daemon draw_kind(struct test_town *town)
{
    static const enum test_daemon all[TEST_TOWN_DRAWN] = {
        TEST_WALLET,   TEST_WALLET, TEST_MERCHANT, TEST_MERCHANT,
        TEST_MERCHANT, TEST_ISSUER, TEST_GATEWAY,  TEST_GATEWAY};
    enum test_daemon owed;
    if (take_owed(town, &owed))
        return owed;
    if (town->left == 0) {
        memcpy(town->drawn, all, sizeof all);
        town->left = TEST_TOWN_DRAWN;
    }
    size_t at = random_next(&town->state) % town->left;
    enum test_daemon kind = town->drawn[at];
    town->drawn[at] = town->drawn[--town->left];
    if ((town->killing.spared & TEST_SPARED(kind)) == 0)
        return kind;
    town->owed[kind] += town->owed[kind] < OWED_MAX;
    return TEST_GATEWAY;
}

static struct test_townsman *draw_man(struct test_town *town)
{
    switch (draw_kind(town)) {
    case TEST_WALLET:
        return town->wallets[random_next(&town->state) % TEST_TOWN_WALLETS];
    case TEST_MERCHANT:
        return town->merchants[random_next(&town->state) % TEST_TOWN_MERCHANTS];
    case TEST_ISSUER:
        return town->issuer;
    default:
        return town->gateway;
    }
}

void test_town_kill(struct test_town *town, struct test_townsman *man)
{
    end(man, SIGKILL);
    pthread_mutex_lock(&town->mutex);
    man->killed++;
    pthread_mutex_unlock(&town->mutex);
    start(town, man);
    wait_ready(town, man);
}

/* What it starts ends with it (PR_SET_PDEATHSIG is about the thread): so it lives as long as the
 * town. */
static void *kill_at_random(void *arg)
{
    struct test_town *town = arg;
    pthread_mutex_lock(&town->mutex);
    for (;;) {
        while (!town->kills)
            pthread_cond_wait(&town->told, &town->mutex);
        int pause_ms = town->killing.pause_ms;
        uint64_t more = random_next(&town->state) % (uint64_t)(pause_ms + 1);
        wait_a_while(town, pause_ms / 2 + (int)more);
        if (town->kills) {
            town->busy = true;
            struct test_townsman *man = draw_man(town);
            uint64_t chance = random_next(&town->state);
            pthread_mutex_unlock(&town->mutex);
            if (town->killing.before != NULL)
                town->killing.before(town, chance);
            test_town_kill(town, man);
            pthread_mutex_lock(&town->mutex);
            town->busy = false;
            pthread_cond_broadcast(&town->told);
        }
    }
    return NULL;
}

void test_town_killing_begins(struct test_town *town, const struct test_town_killing *killing)
{
    pthread_mutex_lock(&town->mutex);
    town->killing = *killing;
    town->state = killing->seed;
    town->kills = true;
    pthread_cond_broadcast(&town->told);
    pthread_mutex_unlock(&town->mutex);
}

void test_town_killing_ends(struct test_town *town)
{
    pthread_mutex_lock(&town->mutex);
    town->kills = false;
    pthread_cond_broadcast(&town->told);
    while (town->busy)
        pthread_cond_wait(&town->told, &town->mutex);
    pthread_mutex_unlock(&town->mutex);
    for (size_t i = 0; i < TEST_TOWN_DAEMONS; i++)
        wait_ready(town, &town->men[i]);
}

unsigned test_town_killed_of(struct test_town *town, enum test_daemon kind)
{
    unsigned killed = 0;
    pthread_mutex_lock(&town->mutex);
    for (size_t i = 0; i < TEST_TOWN_DAEMONS; i++)
        killed += town->men[i].kind == kind ? town->men[i].killed : 0;
    pthread_mutex_unlock(&town->mutex);
    return killed;
}

unsigned test_town_killed(struct test_town *town)
{
    unsigned killed = 0;
    for (int kind = 0; kind < TEST_DAEMONS; kind++)
        killed += test_town_killed_of(town, (enum test_daemon)kind);
    return killed;
}

void test_town_stop(struct test_townsman *man)
{
    end(man, SIGTERM);
}

void test_town_start(struct test_town *town, struct test_townsman *man)
{
    start(town, man);
    wait_ready(town, man);
}

/* ------------------------------------------------------------------ up and down */

static void fill(struct test_town *town)
{
    struct test_townsman *man = town->men;
    const struct test_sandbox *sandbox = &town->sandbox;
    for (size_t i = 0; i < TEST_TOWN_WALLETS; i++, man++) {
        town->wallets[i] = man;
        man->kind = TEST_WALLET;
        (void)snprintf(man->name, sizeof man->name, i == 0 ? "wallet" : "wallet%zu", i + 1);
        (void)snprintf(man->socket, sizeof man->socket, "%s/run/%s.sock", sandbox->dir, man->name);
    }
    for (size_t i = 0; i < TEST_TOWN_MERCHANTS; i++, man++) {
        town->merchants[i] = man;
        man->kind = TEST_MERCHANT;
        (void)snprintf(man->name, sizeof man->name, i == 0 ? "merchant" : "merchant%zu", i + 1);
        (void)snprintf(man->id, sizeof man->id, i == 0 ? "sandbox-shop" : "shop-%zu", i + 1);
    }
    town->gateway = man++;
    town->issuer = man;
    town->gateway->kind = TEST_GATEWAY;
    town->issuer->kind = TEST_ISSUER;
    (void)snprintf(town->gateway->name, sizeof man->name, "gateway");
    (void)snprintf(town->issuer->name, sizeof man->name, "issuer");
    for (size_t i = 0; i < TEST_TOWN_DAEMONS; i++)
        town->men[i].admin_port = sandbox->admin_ports[town->men[i].kind];
    (void)snprintf(town->merchants[0]->token, sizeof town->merchants[0]->token, "%s",
                   sandbox->token);
    town->merchants[0]->store =
        (struct test_store){.port = sandbox->api_port, .token = town->merchants[0]->token};
}

void test_town_up(struct test_town *town, const struct test_town_plan *plan)
{
    struct test_sandbox made;
    const char *build = getenv("BUILD");
    char path[256];
    memset(town, 0, sizeof *town);
    (void)snprintf(path, sizeof path, "%s/bin", build == NULL ? "build" : build);
    char *bin = realpath(path, NULL);
    if (bin == NULL)
        test_bail_out("%s is not there", path);
    test_sandbox_make(&made, bin);
    free(bin);
    test_sandbox_copy(&town->sandbox, &made, plan->lines);
    configure_gateway(town, plan);
    test_sandbox_down(&made, true);
    fill(town);
    for (size_t i = 1; i < TEST_TOWN_MERCHANTS; i++)
        add_merchant(town, town->merchants[i]);
    for (size_t i = 1; i < TEST_TOWN_WALLETS; i++) {
        add_wallet(town, town->wallets[i], plan->brand_of(i));
        end(town->wallets[i], SIGTERM);
    }
    for (size_t i = 0; i < TEST_TOWN_MERCHANTS; i++)
        town->merchants[i]->store.timeout_ms = 10000;
    start_all(town);
    if (pthread_mutex_init(&town->mutex, NULL) != 0 || pthread_cond_init(&town->told, NULL) != 0 ||
        pthread_create(&town->thread, NULL, kill_at_random, town) != 0)
        test_bail_out("no thread");
}

void test_town_down(struct test_town *town, bool remove)
{
    for (size_t i = 0; i < TEST_TOWN_DAEMONS; i++)
        end(&town->men[i], SIGKILL);
    test_sandbox_down(&town->sandbox, remove);
}

/* ------------------------------------------------------------------ days */

static void make_lists(const struct test_town *town)
{
    char program[600], ca[160], passphrase[160], crls[160], output[160], ahead[16];
    const char *dir = town->sandbox.dir;
    (void)snprintf(program, sizeof program, "%s/setpay-ca", town->sandbox.bin);
    (void)snprintf(ca, sizeof ca, "%s/ca", dir);
    (void)snprintf(passphrase, sizeof passphrase, "%s/ca.passphrase", dir);
    (void)snprintf(crls, sizeof crls, "%s/crls", dir);
    (void)snprintf(output, sizeof output, "%s/log/ca.out", dir);
    /* The operator's program has no clock of its own to move. */
    (void)snprintf(ahead, sizeof ahead, "+%dh", town->hour);
    const char *words[] = {"faketime",          "-f",       ahead, program, "--dir", ca,
                           "--passphrase-file", passphrase, "crl", "-o",    crls,    NULL};
    if (test_sandbox_run_program(output, words) != 0)
        test_bail_out("no revocation lists: see %s", output);
}

void test_town_hour(struct test_town *town, int hour)
{
    char offset[32];
    for (size_t i = 0; i < TEST_TOWN_DAEMONS; i++)
        end(&town->men[i], SIGTERM);
    (void)snprintf(offset, sizeof offset, "%lld", hour * HOUR_MS);
    setenv("SETPAY_CLOCK", offset, 1);
    town->hour = hour;
    make_lists(town);
    start_all(town);
}

/* ------------------------------------------------------------------ programs */

int test_town_program(const struct test_town *town, const char *program,
                      const struct test_townsman *of, const char *const *words, char **output)
{
    char path[600], config[192], file[192];
    const char *all[24] = {path, "--config", config};
    size_t count = 3;
    (void)snprintf(path, sizeof path, "%s/%s", town->sandbox.bin, program);
    (void)snprintf(config, sizeof config, "%s/%s.conf", town->sandbox.dir, of->name);
    (void)snprintf(file, sizeof file, "%s/program.out", town->sandbox.dir);
    while (*words != NULL && count < sizeof all / sizeof all[0] - 1)
        all[count++] = *words++;
    (void)unlink(file);
    int status = test_sandbox_run_program(file, all);
    FILE *in = fopen(file, "re");
    char *text = malloc(OUTPUT_MAX);
    if (in == NULL || text == NULL)
        test_bail_out("%s can't be read", file);
    text[fread(text, 1, OUTPUT_MAX - 1, in)] = '\0';
    fclose(in);
    if (output != NULL)
        *output = text;
    else
        free(text);
    return status;
}

void test_town_tool(const struct test_town *town, const char *what, const char *program,
                    const struct test_townsman *of, const char *const *words,
                    test_town_report_fn *report)
{
    char *output = NULL;
    int status = test_town_program(town, program, of, words, &output);
    if (status != 0) {
        printf("# exit status %d\n", status);
        int lines = 0;
        for (char *line = strtok(output, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            if (lines++ < LINES_SHOWN)
                printf("# %s\n", line);
        }
    }
    report(status == 0, what, "the operator's tool found something");
    free(output);
}

bool test_town_print(const struct test_town *town, const char *program,
                     const struct test_townsman *of, const char *const *words, const char *name,
                     char path[192])
{
    char *output = NULL;
    int status = test_town_program(town, program, of, words, &output);
    (void)snprintf(path, 192, "%s/%s", town->sandbox.dir, name);
    FILE *file = fopen(path, "we");
    bool good = file != NULL && fputs(output, file) >= 0;
    if (file != NULL && fclose(file) != 0)
        good = false;
    free(output);
    return good && status == 0;
}
