/*
 * The doctor: what could keep a payment from working, in words, and what to do about it. Looks, and
 * changes nothing.
 */
#include "cardholder/wallet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STUCK_AFTER_MS 5000
#define DISK_MIN_BYTES (16u * 1024 * 1024)
#define CRLS_MAX 64
#define WORDS_SIZE 256

static void add(json_t *checks, const char *name, bool ok, const char *words, const char *todo)
{
    json_array_append_new(checks, json_pack("{s:s, s:b, s:s, s:s}", "name", name, "ok", ok, "words",
                                            words, "what_to_do", ok ? "" : todo));
}

static void check_database(const struct setpay_wallet *wallet, json_t *checks)
{
    struct setpay_store_health health;
    setpay_store_health(wallet->store, STUCK_AFTER_MS, &health);
    bool ok = !health.broken && !health.stuck;
    add(checks, "database", ok,
        ok              ? "the database takes what it is given"
        : health.broken ? "a commit failed"
                        : "an operation has been waiting for long",
        "look at the disk, then start setpay-walletd again");
}

/* "sqlite:PATH" -> PATH */
static const char *database_path(const struct setpay_wallet *wallet)
{
    const char *url = setpay_config_text(wallet->service->config, "", "database");
    const char *colon = strchr(url, ':');
    return colon != NULL ? colon + 1 : url;
}

static void check_permissions(const struct setpay_wallet *wallet, json_t *checks)
{
    const char *const paths[] = {database_path(wallet),
                                 setpay_config_text(wallet->service->config, "", "socket"),
                                 setpay_config_text(wallet->service->config, "", "admin_socket")};
    char words[WORDS_SIZE] = "database and sockets are for this user alone";
    char todo[WORDS_SIZE] = "";
    bool ok = true;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0] && ok; i++) {
        struct stat st;
        if (stat(paths[i], &st) != 0) {
            ok = false;
            snprintf(words, sizeof words, "%.150s: %s", paths[i], strerror(errno));
            snprintf(todo, sizeof todo, "start setpay-walletd again");
        } else if ((st.st_mode & 077) != 0 || st.st_uid != geteuid()) {
            ok = false;
            snprintf(words, sizeof words, "%.150s can be reached by others", paths[i]);
            snprintf(todo, sizeof todo, "chmod 0600 '%.150s'", paths[i]);
        }
    }
    add(checks, "permissions", ok, words, todo);
}

static void check_disk(const struct setpay_wallet *wallet, json_t *checks)
{
    struct statvfs fs;
    char words[WORDS_SIZE];
    bool known = statvfs(database_path(wallet), &fs) == 0;
    uint64_t bytes = known ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
    if (known)
        snprintf(words, sizeof words, "%llu MB are free where the database is",
                 (unsigned long long)(bytes / 1000000));
    else
        snprintf(words, sizeof words, "the free room can't be read: %s", strerror(errno));
    add(checks, "disk", known && bytes >= DISK_MIN_BYTES, words, "make room on that disk");
}

/* The lists that are held were made by clocks of others. */
static void check_trust(const struct setpay_wallet *wallet, json_t *checks)
{
    struct setpay_crl_info *infos = calloc(CRLS_MAX, sizeof *infos);
    setpay_time_ms now_ms = setpay_clock_now_ms();
    setpay_time_ms newest_ms = 0;
    char words[WORDS_SIZE] = "", time[SETPAY_TIME_TEXT_SIZE];
    size_t count = infos == NULL ? 0 : setpay_trust_crls(wallet->trust, infos, CRLS_MAX);
    size_t stale = 0;
    for (size_t i = 0; i < count && i < CRLS_MAX; i++) {
        if (infos[i].this_update_ms > newest_ms)
            newest_ms = infos[i].this_update_ms;
        if (infos[i].next_update_ms < now_ms && stale++ == 0)
            snprintf(words, sizeof words, "the revocation list of %s%s%s was due at %s",
                     infos[i].brand, infos[i].brand[0] != '\0' ? "'s " : "",
                     setpay_ca_info(infos[i].ca_kind)->name,
                     setpay_time_format(infos[i].next_update_ms, time));
    }
    free(infos);
    bool behind = newest_ms > now_ms + SETPAY_LIMIT_DATE_TOLERANCE_MS;
    add(checks, "clock", !behind,
        behind ? "this computer's clock is behind: a revocation list is from its future"
               : "this computer's clock does not contradict the revocation lists",
        "set the clock, by NTP for instance");
    if (count == 0)
        snprintf(words, sizeof words, "there are no revocation lists yet");
    else if (stale == 0)
        snprintf(words, sizeof words, "%zu revocation lists are held, all of them current", count);
    add(checks, "crls", count > 0 && stale == 0, words,
        "see that the card's authority can be reached, which the wallet then asks by itself; or "
        "put "
        "the CA's newest lists into the folder of the key crls");
}

static void check_root(const struct setpay_wallet *wallet, json_t *checks)
{
    const struct setpay_certificate *root = setpay_trust_root(wallet->trust);
    setpay_time_ms until_ms = setpay_certificate_not_after_ms(root);
    setpay_time_ms now_ms = setpay_clock_now_ms();
    bool ok = now_ms <= until_ms && now_ms >= setpay_certificate_not_before_ms(root);
    char words[WORDS_SIZE], time[SETPAY_TIME_TEXT_SIZE];
    snprintf(words, sizeof words, "the root certificate is good until %s",
             setpay_time_format(until_ms, time));
    add(checks, "root", ok, words, "get the new root certificate, and name it in the key root");
}

struct found {
    struct setpay_wallet_card cards[SETPAY_WALLET_CARDS_MAX];
    size_t card_count;
    struct setpay_id open[SETPAY_WALLET_OPEN_MAX];
    size_t open_count;
    bool initialised;
};

static enum setpay_error look(struct setpay_db *db, void *arg)
{
    struct found *found = arg;
    struct setpay_wallet_lock lock;
    enum setpay_error error = setpay_wallet_store_read_lock(db, &lock);
    found->initialised = error == SETPAY_OK;
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    SETPAY_TRY(setpay_wallet_store_list_cards(db, found->cards, SETPAY_WALLET_CARDS_MAX,
                                              &found->card_count));
    return setpay_wallet_store_list_purchases(db, true, found->open, SETPAY_WALLET_OPEN_MAX,
                                              &found->open_count);
}

static void check_cards(const struct found *found, json_t *checks)
{
    setpay_time_ms now_ms = setpay_clock_now_ms();
    size_t active = 0, over = 0, pending = 0;
    char words[WORDS_SIZE];
    for (size_t i = 0; i < found->card_count; i++) {
        if (found->cards[i].status == SETPAY_WALLET_CARD_PENDING)
            pending++;
        else if (now_ms > found->cards[i].expires_ms)
            over++;
        else
            active++;
    }
    snprintf(words, sizeof words, "%zu cards can pay, %zu wait for a certificate, %zu are over",
             active, pending, over);
    add(checks, "cards", active > 0 && over == 0, words,
        active == 0
            ? "get a card's certificate: setpay-wallet card enrol; or card request, then import"
            : "ask for a new certificate, and remove the old card");
}

json_t *setpay_wallet_doctor(struct setpay_wallet *wallet)
{
    json_t *checks = json_array();
    struct found *found = calloc(1, sizeof *found);
    char words[WORDS_SIZE];
    bool ok = true;
    check_database(wallet, checks);
    check_permissions(wallet, checks);
    check_disk(wallet, checks);
    check_root(wallet, checks);
    check_trust(wallet, checks);
    if (found != NULL && setpay_store_read(wallet->reader, look, found) == SETPAY_OK) {
        bool locked = setpay_wallet_is_locked(wallet);
        add(checks, "locked", !locked,
            !found->initialised ? "the wallet has not been initialised"
            : locked            ? "the wallet is locked: nothing can be signed or inquired after"
                                : "the wallet is unlocked",
            found->initialised ? "setpay-wallet unlock" : "setpay-wallet init");
        check_cards(found, checks);
        snprintf(words, sizeof words, "%zu purchases wait for their outcome", found->open_count);
        add(checks, "purchases", found->open_count == 0 || !locked, words,
            "setpay-wallet unlock: the wallet then inquires by itself");
    }
    free(found);
    for (size_t i = 0; i < json_array_size(checks); i++)
        ok = ok && json_is_true(json_object_get(json_array_get(checks, i), "ok"));
    return json_pack("{s:b, s:o}", "ok", ok, "checks", checks);
}
