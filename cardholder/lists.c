/*
 * Revocation lists of the wallet's own accord. While it pays they come beside the merchants'
 * messages; but who was off for more than a day holds none that is current, and would believe
 * nobody, not even a merchant who brings newer ones. So a list of a card's brand that is past its
 * time, and not before, is fetched from that card's authority. An authority learns by this that the
 * wallet is there, and nothing else.
 */
#include "cardholder/wallet.h"

#include "common/base/log.h"
#include "common/net/identity.h"
#include "common/net/lists.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK_MS (30 * SETPAY_SECOND_MS)
#define LOOK_TESTING_MS 500
#define WAIT_MAX_FACTOR 32

struct setpay_wallet_lists {
    struct setpay_wallet *wallet;
    struct setpay_lists *fetching;
    struct setpay_wallet_authority authorities[SETPAY_LISTS_SOURCES_MAX];
    size_t count;
};

static enum setpay_error read_authorities(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_lists *lists = arg;
    return setpay_wallet_store_list_authorities(db, lists->authorities, SETPAY_LISTS_SOURCES_MAX,
                                                &lists->count);
}

static size_t give_sources(void *arg, struct setpay_lists_source *sources)
{
    struct setpay_wallet_lists *lists = arg;
    if (lists->wallet->draining)
        return 0;
    enum setpay_error error = setpay_store_read(lists->wallet->reader, read_authorities, lists);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "lists.not_fetched", setpay_field_text("authority", "all"));
        return 0;
    }
    for (size_t i = 0; i < lists->count; i++) {
        snprintf(sources[i].brand, sizeof sources[i].brand, "%s", lists->authorities[i].brand);
        sources[i].place = lists->authorities[i].place;
    }
    return lists->count;
}

static void on_fetched(void *arg)
{
    struct setpay_wallet_lists *lists = arg;
    setpay_saved_trust_save(&lists->wallet->saved);
}

enum setpay_error setpay_wallet_lists_new(struct setpay_wallet *wallet)
{
    const struct setpay_config *config = wallet->service->config;
    struct setpay_wallet_lists *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    wallet->lists = made; /* freed with the wallet, also after an error here */
    made->wallet = wallet;
    int64_t look_ms = wallet->service->testing ? LOOK_TESTING_MS : LOOK_MS;
    const struct setpay_lists_options options = {
        .loop = wallet->loop,
        .trust = wallet->trust,
        .look_ms = look_ms,
        .wait_max_ms = WAIT_MAX_FACTOR * look_ms,
        .connect_timeout_ms = setpay_config_int(config, "", "connect_timeout"),
        .deadline_ms = setpay_config_int(config, "", "answer_timeout"),
        .sources_cb = give_sources,
        .fetched_cb = on_fetched,
        .arg = made,
    };
    return setpay_lists_new(&options, &made->fetching);
}

void setpay_wallet_lists_free(struct setpay_wallet *wallet)
{
    if (wallet->lists == NULL)
        return;
    setpay_lists_free(wallet->lists->fetching);
    free(wallet->lists);
    wallet->lists = NULL;
}
