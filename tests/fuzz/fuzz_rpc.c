/*
 * The wallet's socket: lines of JSON to the real commands of an open wallet with a database. Input:
 * lines as a local program sends them.
 *
 * Each answer is one line of JSON with "ok" or progress; a call is answered at most once; words of
 * an error are one line of text. Nothing leaves this process: connections to merchants are refused
 * below the wallet. wallet.init and wallet.unlock are left out: scrypt takes 0.1 s.
 */
#include "cardholder/commands.h"
#include "cardholder/wallet.h"
#include "common/base/config.h"
#include "common/net/options.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMANDS_MAX 32

static struct setpay_wallet wallet;
static const struct setpay_service_spec spec = {.name = "setpay-walletd"};
static struct setpay_service service = {.spec = &spec};
static struct setpay_control_command commands[COMMANDS_MAX];
static char socket_path[160];

/* In place of setpay_http_client_post (the linker's --wrap). */
enum setpay_error __wrap_setpay_http_client_post(struct setpay_http_client *client,
                                                 const char *host, uint16_t to_port,
                                                 const char *path, const char *content_type,
                                                 struct setpay_view body,
                                                 setpay_http_answer_cb *answer_cb, void *arg,
                                                 struct setpay_http_exchange **exchange);
enum setpay_error __wrap_setpay_http_client_post(struct setpay_http_client *client,
                                                 const char *host, uint16_t to_port,
                                                 const char *path, const char *content_type,
                                                 struct setpay_view body,
                                                 setpay_http_answer_cb *answer_cb, void *arg,
                                                 struct setpay_http_exchange **exchange)
{
    (void)client;
    (void)path;
    (void)content_type;
    (void)answer_cb;
    (void)arg;
    (void)exchange;
    /* A message of ours to a host that may be one. */
    FUZZ_CHECK(setpay_host_is_valid(host) && to_port != 0 && body.size > 0);
    return SETPAY_E_BUSY;
}

static void make_config(void)
{
    static const struct setpay_option options[] = {
        SETPAY_DAEMON_OPTIONS,
        {"", "socket", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL, "socket"},
        {NULL, NULL, SETPAY_OPTION_TEXT, NULL, 0, 0, false, false, NULL, NULL},
    };
    static char url[200], admin[200];
    char name[] = "fuzz", database[] = "--database", path[] = "--socket", root[] = "--root",
         admin_socket[] = "--admin_socket", certificate[] = "tests/fuzz/fixtures/root.der";
    struct setpay_problem problem = {{0}};
    (void)snprintf(url, sizeof(url), "sqlite:%s/wallet.db", fuzz_folder());
    (void)snprintf(socket_path, sizeof(socket_path), "%s/rpc", fuzz_folder());
    (void)snprintf(admin, sizeof(admin), "%s/admin", fuzz_folder());
    char *argv[] = {name, database,    url,          path,  socket_path,
                    root, certificate, admin_socket, admin, NULL};
    int argc = 9;
    FUZZ_CHECK(setpay_config_load(options, NULL, &argc, argv, &service.config, &problem) ==
               SETPAY_OK);
    const struct setpay_store_options store = {.url = url, .schema = &setpay_wallet_schema};
    FUZZ_CHECK(setpay_store_open(&store, &wallet.store, &problem) == SETPAY_OK);
}

static void unlock(void)
{
    if (wallet.master.size == 0)
        FUZZ_CHECK(setpay_secret_random(&wallet.master, 32) == SETPAY_OK);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct setpay_problem problem = {{0}};
    size_t count = 0;
    (void)argc;
    (void)argv;
    fuzz_start();
    make_config();
    for (const struct setpay_control_command *row = setpay_wallet_commands; row->name != NULL;
         row++)
        if (strcmp(row->name, "wallet.init") != 0 && strcmp(row->name, "wallet.unlock") != 0) {
            FUZZ_CHECK(count < COMMANDS_MAX - 1);
            commands[count++] = *row;
        }
    FUZZ_CHECK(setpay_loop_new(0, &wallet.loop) == SETPAY_OK);
    FUZZ_CHECK(setpay_trust_new(fuzz_fixture("root.der"), &wallet.trust) == SETPAY_OK);
    FUZZ_CHECK(setpay_reader_new(wallet.store, &wallet.reader) == SETPAY_OK);
    wallet.service = &service;
    wallet.executor = setpay_loop_executor(wallet.loop);
    wallet.inquiry_min_ms = wallet.inquiry_max_ms = wallet.answer_wait_ms = 1000;
    unlock();
    const struct setpay_control_options options = {.loop = wallet.loop,
                                                   .path = socket_path,
                                                   .daemon = "setpay-walletd",
                                                   .commands = commands,
                                                   .arg = &wallet,
                                                   .lock_held = true};
    FUZZ_CHECK(setpay_control_server_new(&options, &wallet.control, &problem) == SETPAY_OK);
    return 0;
}

static size_t count_lines(struct setpay_view bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes.size; i++)
        count += bytes.data[i] == '\n';
    return count;
}

/* Whether it ends a call. */
static bool check_line(struct setpay_view line)
{
    json_t *json = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json_is_object(json));
    const json_t *ok = json_object_get(json, "ok");
    FUZZ_CHECK(json_is_boolean(ok) || json_is_object(json_object_get(json, "progress")));
    if (json_is_false(ok)) {
        const json_t *error = json_object_get(json, "error");
        FUZZ_CHECK(json_is_string(json_object_get(error, "name")) &&
                   json_is_string(json_object_get(error, "text")) &&
                   json_is_integer(json_object_get(error, "exit")));
        FUZZ_CHECK(strcmp(json_string_value(json_object_get(error, "name")), "INTERNAL") != 0);
    }
    bool ends = ok != NULL;
    json_decref(json);
    return ends;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = {data, size};
    unlock();
    struct setpay_view answers = fuzz_talk(setpay_loop_base(wallet.loop), socket_path, input);
    size_t ended = 0;
    while (answers.size > 0) {
        const uint8_t *end = memchr(answers.data, '\n', answers.size);
        FUZZ_CHECK(end != NULL);
        ended += check_line(fuzz_take_bytes(&answers, (size_t)(end - answers.data)));
        (void)fuzz_take(&answers);
    }
    FUZZ_CHECK(ended <= count_lines(input));
    return 0;
}
