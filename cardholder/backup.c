/*
 * What a wallet's backup is, and how it is sealed.
 *
 * Its key comes from the master key and a fresh id, so that no two backups share one. The head is
 *
 *     setpay sealed backup 1 N R P SALT BOX ID\n
 *
 * scrypt's parameters and the box of the master key as they are in the database, in hex; it is
 * authenticated with every piece (common/net/sealed.h).
 */
#include "cardholder/backup.h"

#include "common/crypto/seal.h"
#include "common/net/options.h"
#include "common/net/sealed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define KEY_SIZE 32
/* scrypt with these takes a second and 256 MiB; a head that asks for more was made to hurt. */
#define SCRYPT_N_MAX (UINT64_C(1) << 18)
#define SCRYPT_RP_MAX 16

/* clang-format off */
const struct setpay_option setpay_wallet_options[] = {
    SETPAY_DAEMON_OPTIONS,
    {"", "socket", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "UNIX socket for setpay-wallet"},
    {"", "connect_timeout", SETPAY_OPTION_DURATION, "5s", 10, 600000, false, false, NULL,
     "how long connecting to a merchant may take, for each address"},
    {"", "answer_timeout", SETPAY_OPTION_DURATION, "30s", 10, 600000, false, false, NULL,
     "how long a merchant's answer is waited for, before the wallet inquires"},
    {"", "answer_wait", SETPAY_OPTION_DURATION, "40s", 10, 600000, false, false, NULL,
     "how long a payment command waits in all; the wallet itself goes on"},
    {"", "inquiry_min", SETPAY_OPTION_DURATION, "250ms", 10, 600000, false, false, NULL,
     "the pause before the first inquiry; it doubles each time"},
    {"", "inquiry_max", SETPAY_OPTION_DURATION, NULL, 10, 86400000, false, false, NULL,
     "the longest pause between inquiries (60s; 1s with testing = yes)"},
    {"", "renew_before", SETPAY_OPTION_DURATION, "30d", 0, 31622400000, false, false, NULL,
     "how long before its end a card's certificate is renewed, a third of its life at most; 0s: only by command"},
    {"", "renew_retry_min", SETPAY_OPTION_DURATION, "1m", 10, 86400000, false, false, NULL,
     "the pause after a renewal that failed; it doubles each time"},
    {"", "renew_retry_max", SETPAY_OPTION_DURATION, "6h", 10, 604800000, false, false, NULL,
     "the longest pause between renewals that fail"},
    {"", "keep_keys", SETPAY_OPTION_DURATION, "180d", 0, 63244800000, false, false, NULL,
     "how long a renewed card's earlier key asks after purchases that were authorised; 0s: until their outcome"},
    {"", "follow_every", SETPAY_OPTION_DURATION, "24h", 0, 2678400000, false, false, NULL,
     "how often, about, the wallet asks by itself what became of an authorised purchase; 0s: never"},
    {"", "follow_for", SETPAY_OPTION_DURATION, "31d", 0, 63244800000, false, false, NULL,
     "for how long after its last change; list asks after as old ones"},
    {NULL, NULL, SETPAY_OPTION_TEXT, NULL, 0, 0, false, false, NULL, NULL},
};
/* clang-format on */

/* Rule W8 does the rest, when a link is paid. */
const struct setpay_backup_party setpay_wallet_backup = {
    .name = "wallet",
    .schema = &setpay_wallet_schema,
    .options = setpay_wallet_options,
    .apart = (const char *const[]){NULL},
    .set_back_words =
        "What was paid after that moment is not in it. So that nothing is paid twice, the wallet\n"
        "pays a link only with --insist for the next 30 days (rule W8): look at your statement\n"
        "first, where the link is one of before. What is not final yet is asked after once the\n"
        "wallet is unlocked. Cards that were removed since are back: setpay-wallet card list.\n"
        "Spending rules agree to nothing until they are set anew: setpay-wallet rule list.",
};

const struct setpay_service_spec setpay_wallet_stopped_spec = {
    .name = "setpay-walletd",
    .options = setpay_wallet_options,
    .schema = &setpay_wallet_schema,
    .backup = &setpay_wallet_backup,
};

/* ------------------------------------------------------------------ sealing */

static enum setpay_error derive_key(const struct setpay_secret *master, const struct setpay_id *id,
                                    struct setpay_secret *key)
{
    return setpay_derive(master, setpay_id_view(id), setpay_view_string("setpay wallet backup"),
                         KEY_SIZE, key);
}

enum setpay_error setpay_wallet_backup_seal(const struct setpay_wallet_lock *lock,
                                            const struct setpay_secret *master,
                                            struct setpay_buffer *head, struct setpay_secret *key)
{
    char salt[2 * sizeof lock->scrypt.salt + 1];
    char box[2 * sizeof lock->box + 1];
    char id_text[SETPAY_ID_TEXT_SIZE];
    struct setpay_id id;
    if (master->size == 0)
        return SETPAY_E_LOCKED;
    SETPAY_TRY(setpay_id_random(&id));
    setpay_hex_encode(setpay_view_of(lock->scrypt.salt, sizeof lock->scrypt.salt), salt);
    setpay_hex_encode(setpay_view_of(lock->box, sizeof lock->box), box);
    setpay_buffer_init(head, SETPAY_SEALED_HEAD_MAX);
    SETPAY_TRY(setpay_buffer_append_format(
        head, SETPAY_SEALED_MAGIC "1 %" PRIu64 " %" PRIu32 " %" PRIu32 " %s %s %s\n",
        lock->scrypt.n, lock->scrypt.r, lock->scrypt.p, salt, box, setpay_id_format(&id, id_text)));
    return derive_key(master, &id, key);
}

static enum setpay_error parse_head(struct setpay_view head, struct setpay_wallet_lock *lock,
                                    struct setpay_id *id)
{
    char text[SETPAY_SEALED_HEAD_MAX + 1];
    char salt[2 * sizeof lock->scrypt.salt + 2];
    char box[2 * sizeof lock->box + 2];
    char id_text[SETPAY_ID_TEXT_SIZE + 1];
    char format[120];
    int end = 0;
    if (head.size >= sizeof text)
        return SETPAY_E_BACKUP;
    memcpy(text, head.data, head.size);
    text[head.size] = '\0';
    (void)snprintf(format, sizeof format,
                   SETPAY_SEALED_MAGIC "1 %%" SCNu64 " %%" SCNu32 " %%" SCNu32
                                       " %%%zu[0-9a-f] %%%zu[0-9a-f] %%%zu[0-9a-f]%%n",
                   sizeof salt - 1, sizeof box - 1, sizeof id_text - 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int found = sscanf(text, format, &lock->scrypt.n, &lock->scrypt.r, &lock->scrypt.p, salt, box,
                       id_text, &end);
#pragma GCC diagnostic pop
    if (found != 6 || strcmp(text + end, "\n") != 0 || lock->scrypt.n > SCRYPT_N_MAX ||
        lock->scrypt.r > SCRYPT_RP_MAX || lock->scrypt.p > SCRYPT_RP_MAX ||
        setpay_hex_decode(salt, lock->scrypt.salt, sizeof lock->scrypt.salt) != SETPAY_OK ||
        setpay_hex_decode(box, lock->box, sizeof lock->box) != SETPAY_OK ||
        setpay_id_parse(id_text, id) != SETPAY_OK)
        return SETPAY_E_BACKUP;
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_backup_unseal(struct setpay_view head,
                                              const struct setpay_secret *passphrase,
                                              struct setpay_secret *key)
{
    struct setpay_wallet_lock lock;
    struct setpay_secret master = {0};
    struct setpay_id id;
    memset(&lock, 0, sizeof lock);
    SETPAY_TRY(parse_head(head, &lock, &id));
    enum setpay_error error = setpay_wallet_lock_open(&lock, passphrase, &master);
    if (error == SETPAY_OK)
        error = derive_key(&master, &id, key);
    setpay_secret_clear(&master);
    return error;
}

/* ------------------------------------------------------------------ wallet.backup */

static enum setpay_error read_lock(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_read_lock(db, arg);
}

void setpay_wallet_on_backup(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    struct setpay_problem problem = {{0}};
    struct setpay_wallet_lock lock;
    struct setpay_secret key = {0};
    struct setpay_buffer head = {0};
    enum setpay_error error = wallet->master.size == 0
                                  ? SETPAY_E_LOCKED
                                  : setpay_store_read(wallet->reader, read_lock, &lock);
    if (error == SETPAY_OK)
        error = setpay_wallet_backup_seal(&lock, &wallet->master, &head, &key);
    if (error == SETPAY_OK)
        error = setpay_service_backup_start(wallet->service, wallet->loop, call, args, &key,
                                            setpay_buffer_view(&head), &problem);
    setpay_secret_clear(&key);
    setpay_buffer_clear(&head);
    if (error != SETPAY_OK)
        setpay_wallet_fail(call, error, &problem);
}
