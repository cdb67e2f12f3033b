/*
 * Revocation lists of the wallet's own accord. While it pays they come beside the merchants'
 * messages; but who was off for more than a day holds none that is current, and would believe
 * nobody, not even a merchant who brings newer ones. So a list of a card's brand that is past its
 * time is fetched from that card's authority. An authority learns by this that the wallet is there,
 * and nothing else.
 */
#include "cardholder/wallet.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS (30 * SETPAY_SECOND_MS)
#define LOOK_TESTING_MS 500
#define WAIT_MAX_FACTOR 32
#define AUTHORITIES_MAX 64

struct setpay_wallet_lists {
    struct setpay_wallet *wallet;
    struct setpay_timer *timer;
    struct setpay_est_task *task;
    struct setpay_wallet_authority authorities[AUTHORITIES_MAX];
    size_t count;
    size_t turn; /* who is asked next */
    int64_t look_ms, wait_ms, not_before_ms;
};

static enum setpay_error read_authorities(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_lists *lists = arg;
    return setpay_wallet_store_list_authorities(db, lists->authorities, AUTHORITIES_MAX,
                                                &lists->count);
}

/* A list of this brand, or of the root, is past its time, or there is none. */
static bool is_stale(const struct setpay_wallet *wallet, const char *brand)
{
    struct setpay_crl_info infos[SETPAY_LIMIT_TRUST_CAS];
    size_t count = setpay_trust_crls(wallet->trust, infos, SETPAY_LIMIT_TRUST_CAS);
    setpay_time_ms now_ms = setpay_clock_now_ms();
    bool held = false;
    for (size_t i = 0; i < count && i < SETPAY_LIMIT_TRUST_CAS; i++) {
        bool is_its = strcmp(infos[i].brand, brand) == 0;
        held = held || is_its;
        if ((is_its || infos[i].brand[0] == '\0') && infos[i].next_update_ms <= now_ms)
            return true;
    }
    return !held;
}

static void on_lists(void *arg, const struct setpay_est_result *result)
{
    struct setpay_wallet_lists *lists = arg;
    lists->task = NULL; /* it goes by itself */
    if (result->error == SETPAY_OK) {
        lists->wait_ms = lists->look_ms;
        setpay_log(SETPAY_LOG_INFO, "lists.fetched",
                   setpay_field_text("authority", lists->authorities[lists->turn].place.host));
        setpay_wallet_save_trust(lists->wallet);
    } else {
        setpay_log_error(
            result->error, "lists.not_fetched",
            setpay_field_text("authority", lists->authorities[lists->turn].place.host));
        lists->turn++;
    }
    /* Also after success: what is stale still is not made current by asking faster. */
    lists->not_before_ms = setpay_clock_monotonic_ms() + lists->wait_ms;
    if (lists->wait_ms < WAIT_MAX_FACTOR * lists->look_ms)
        lists->wait_ms *= 2;
}

static void fetch(struct setpay_wallet_lists *lists)
{
    struct setpay_wallet *wallet = lists->wallet;
    struct setpay_problem problem = {{0}};
    const struct setpay_est_wish wish = {
        .loop = wallet->loop,
        .trust = wallet->trust,
        .place = lists->authorities[lists->turn].place,
        .done_cb = on_lists,
        .arg = lists,
        .connect_timeout_ms = setpay_config_int(wallet->service->config, "", "connect_timeout"),
        .deadline_ms = setpay_config_int(wallet->service->config, "", "answer_timeout"),
    };
    enum setpay_error error = setpay_est_start(&wish, &lists->task, &problem);
    if (error != SETPAY_OK)
        setpay_log_error(error, "lists.not_fetched",
                         setpay_field_text("authority", wish.place.host));
}

static void on_look(void *arg)
{
    struct setpay_wallet_lists *lists = arg;
    setpay_timer_start(lists->timer, lists->look_ms);
    if (lists->task != NULL || lists->wallet->draining ||
        setpay_clock_monotonic_ms() < lists->not_before_ms)
        return;
    enum setpay_error error = setpay_store_read(lists->wallet->reader, read_authorities, lists);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "lists.not_fetched", setpay_field_text("authority", "all"));
        return;
    }
    if (lists->turn >= lists->count)
        lists->turn = 0;
    for (size_t i = 0; i < lists->count; i++) {
        if (is_stale(lists->wallet, lists->authorities[lists->turn].brand)) {
            fetch(lists);
            return;
        }
        lists->turn = (lists->turn + 1) % lists->count;
    }
    lists->wait_ms = lists->look_ms; /* all is current */
}

enum setpay_error setpay_wallet_lists_new(struct setpay_wallet *wallet)
{
    struct setpay_wallet_lists *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    wallet->lists = made; /* freed with the wallet, also after an error here */
    made->wallet = wallet;
    made->look_ms = wallet->service->testing ? LOOK_TESTING_MS : LOOK_MS;
    made->wait_ms = made->look_ms;
    SETPAY_TRY(setpay_timer_new(wallet->loop, on_look, made, &made->timer));
    setpay_timer_start(made->timer, 0);
    return SETPAY_OK;
}

void setpay_wallet_lists_free(struct setpay_wallet *wallet)
{
    if (wallet->lists == NULL)
        return;
    setpay_est_cancel(wallet->lists->task);
    setpay_timer_free(wallet->lists->timer);
    free(wallet->lists);
    wallet->lists = NULL;
}
