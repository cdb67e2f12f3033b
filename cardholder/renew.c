/*
 * Renewing cards' certificates over the network: by command (card.renew), and by itself while the
 * wallet is unlocked, before they end (renewal.c says when).
 *
 * What always holds: the next key is stored before a request for it leaves, and the same key is
 * asked for until it has its certificate; the authority gives the same certificate for the same key
 * again (rule C2). So a crash anywhere is followed by a try that ends the same renewal. The card
 * pays with its current key until the next one is certified; then one operation makes that the
 * current key. The earlier one stays for the purchases that it signed (rule M8), and is destroyed
 * when none of them needs it any more.
 *
 * The authority learns nothing of the card: the old certificate speaks for it (rule C1).
 */
#include "cardholder/wallet.h"

#include "common/base/log.h"
#include "common/base/testing.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS (30 * SETPAY_SECOND_MS)
#define LOOK_TESTING_MS 500
#define RENEWALS_MAX 16

struct setpay_wallet_renewal {
    struct setpay_wallet_renewal *next_one;
    struct setpay_wallet *wallet;
    struct setpay_control_call *call; /* NULL: by itself, so far */
    struct setpay_est_task *task;
    struct setpay_est_place place;
    struct setpay_wallet_card card;
    struct setpay_wallet_card next; /* the same card with its next key */
    bool begun;                     /* it is the card's one renewal, on the wallet's list */
    bool storing;
    struct setpay_wallet_certified certified;
    struct setpay_wallet_renewal_note note;
};

struct setpay_wallet_renewer {
    struct setpay_wallet *wallet;
    struct setpay_timer *timer;
    int64_t look_ms, pause_min_ms, pause_max_ms, keep_ms;
    bool destroying;
    setpay_time_ms kept_since_ms;
    size_t over; /* keys that are, or were destroyed */
    size_t count;
    struct setpay_wallet_card cards[SETPAY_WALLET_CARDS_MAX];
};

const struct setpay_digest *setpay_wallet_root(const struct setpay_wallet *wallet)
{
    return setpay_certificate_thumbprint(setpay_trust_root(wallet->trust));
}

/* ------------------------------------------------------------------ ends */

static void renewal_free(struct setpay_wallet_renewal *renewal)
{
    struct setpay_wallet_renewal **at = &renewal->wallet->renewals;
    while (*at != NULL && *at != renewal)
        at = &(*at)->next_one;
    if (*at != NULL)
        *at = renewal->next_one;
    setpay_est_cancel(renewal->task);
    setpay_wallet_card_clear(&renewal->card);
    setpay_wallet_card_clear(&renewal->next);
    setpay_wallet_certified_clear(&renewal->certified);
    free(renewal);
}

static enum setpay_error store_failure(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_renewal *renewal = arg;
    return setpay_wallet_store_note_failure(db, &renewal->card.id, &renewal->note);
}

static void on_failure_stored(void *arg, enum setpay_error error)
{
    struct setpay_wallet_renewal *renewal = arg;
    if (error != SETPAY_OK)
        setpay_log_error(error, "card.renewal_not_noted",
                         setpay_field_id("card", &renewal->card.id));
    renewal_free(renewal);
}

/* That the wallet was locked or stopped is no failure. */
static bool is_worth_a_note(const struct setpay_wallet_renewal *renewal, enum setpay_error error)
{
    enum setpay_wallet_renewal_state state = setpay_wallet_renewal_state(
        &renewal->card, renewal->wallet->renew_before_ms, setpay_clock_now_ms());
    return renewal->begun && error != SETPAY_E_LOCKED && error != SETPAY_E_DRAINING &&
           error != SETPAY_E_NOT_FOUND && error != SETPAY_E_USAGE &&
           renewal->wallet->renewer != NULL && state != SETPAY_WALLET_RENEWAL_NONE;
}

static void note_failure(struct setpay_wallet_renewal *renewal, enum setpay_error error,
                         const char *words)
{
    const struct setpay_wallet_renewer *renewer = renewal->wallet->renewer;
    struct setpay_wallet_renewal_note *note = &renewal->note;
    uint32_t chance = 0;
    if (RAND_bytes((unsigned char *)&chance, sizeof chance) != 1)
        chance = 0;
    note->failures = renewal->card.renewal.failures + 1;
    note->tried_ms = setpay_clock_now_ms();
    note->again_ms = note->tried_ms + setpay_wallet_renewal_pause_ms(note->failures, error,
                                                                     renewer->pause_min_ms,
                                                                     renewer->pause_max_ms, chance);
    (void)snprintf(note->error, sizeof note->error, "%s", setpay_error_name(error));
    (void)snprintf(note->words, sizeof note->words, "%.*s", (int)sizeof note->words - 1, words);
}

static void renewal_fail(struct setpay_wallet_renewal *renewal, enum setpay_error error,
                         const struct setpay_problem *problem)
{
    struct setpay_wallet *wallet = renewal->wallet;
    const char *words =
        problem != NULL && problem->text[0] != '\0' ? problem->text : setpay_error_text(error);
    setpay_log_error(error, "card.not_renewed", setpay_field_id("card", &renewal->card.id),
                     setpay_field_text("authority", renewal->place.host));
    if (renewal->call != NULL)
        setpay_wallet_fail(renewal->call, error, problem);
    renewal->call = NULL;
    renewal->storing = false;
    if (is_worth_a_note(renewal, error)) {
        note_failure(renewal, error, words);
        if (setpay_store_submit(wallet->store, store_failure, on_failure_stored, renewal,
                                &wallet->executor) == SETPAY_OK) {
            renewal->storing = true;
            return;
        }
    }
    renewal_free(renewal);
}

void setpay_wallet_renew_stop(struct setpay_wallet *wallet, enum setpay_error why)
{
    struct setpay_wallet_renewal *next;
    for (struct setpay_wallet_renewal *at = wallet->renewals; at != NULL; at = next) {
        next = at->next_one;
        if (at->storing)
            continue; /* nothing of it is open, and the store's answer comes */
        setpay_est_cancel(at->task);
        at->task = NULL;
        renewal_fail(at, why, NULL);
    }
}

/* ------------------------------------------------------------------ the certificate comes */

static enum setpay_error store_renewed(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_renewal *renewal = arg;
    SETPAY_TRY(setpay_wallet_store_renew_card(db, &renewal->next, &renewal->certified,
                                              &renewal->place,
                                              setpay_wallet_root(renewal->wallet)));
    return setpay_wallet_store_read_card(db, &renewal->next.id, &renewal->card);
}

static void on_renewed(void *arg, enum setpay_error error)
{
    struct setpay_wallet_renewal *renewal = arg;
    struct setpay_wallet *wallet = renewal->wallet;
    if (error != SETPAY_OK) {
        renewal_fail(renewal, error, NULL);
        return;
    }
    setpay_log(SETPAY_LOG_INFO, "card.renewed", setpay_field_id("card", &renewal->card.id),
               setpay_field_text("authority", renewal->place.host),
               setpay_field_text("by", renewal->call == NULL ? "itself" : "command"));
    if (renewal->call != NULL)
        setpay_control_reply(renewal->call,
                             setpay_wallet_card_json(&renewal->card, wallet->renew_before_ms,
                                                     setpay_clock_now_ms()));
    renewal_free(renewal);
    setpay_wallet_renewer_wake(wallet); /* the earlier key may be over, and another card's turn */
}

/* Whom an authority turns away at the door hears no reason. By the lists that it has just given the
 * wallet knows the most likely one. */
static enum setpay_error explain(const struct setpay_wallet_renewal *renewal,
                                 const struct setpay_est_result *result,
                                 struct setpay_problem *problem)
{
    const struct setpay_view held = setpay_buffer_view(&renewal->card.certificate);
    struct setpay_certificate *certificate = NULL;
    enum setpay_error standing = setpay_wallet_verify_card(renewal->wallet, &held, 1, &certificate);
    setpay_certificate_unref(certificate);
    if (standing == SETPAY_E_CERT_REVOKED)
        return setpay_problem_set(
            problem, standing,
            "the card's certificate is revoked, and can't be renewed: ask its "
            "issuer, and enrol the card anew under another label");
    return setpay_wallet_explain_authority(
        result, renewal->call == NULL ? "" : "; give the same command again", problem);
}

static enum setpay_error take_certificate(struct setpay_wallet_renewal *renewal,
                                          const struct setpay_est_result *result,
                                          struct setpay_problem *problem)
{
    struct setpay_wallet *wallet = renewal->wallet;
    struct setpay_certificate *certificate = NULL;
    if (result->error != SETPAY_OK)
        return explain(renewal, result, problem);
    SETPAY_TRY(setpay_wallet_verify_card(wallet, result->certificates, result->certificate_count,
                                         &certificate));
    /* Of the next key and of this very card: the blinded account stays (rule C1). */
    enum setpay_error error =
        setpay_wallet_card_check(&wallet->master, &renewal->next, certificate);
    if (error == SETPAY_E_NOT_FOUND)
        error = setpay_problem_set(problem, SETPAY_E_ANSWER_REQUEST,
                                   "the authority's certificate is for another key");
    if (error == SETPAY_OK)
        error = setpay_wallet_card_certify(&wallet->master, &renewal->next, certificate,
                                           &renewal->certified);
    setpay_certificate_unref(certificate);
    if (error != SETPAY_OK)
        return error;
    /* An authority that gives no longer one is not asked again and again. Two of the same second
     * say nothing of that. */
    if (renewal->certified.expires_ms <= renewal->card.expires_ms &&
        renewal->certified.begins_ms > renewal->card.begins_ms)
        renewal->certified.ends_with_card = true;
    renewal->storing = true;
    setpay_testing_point("renew.received");
    error =
        setpay_store_submit(wallet->store, store_renewed, on_renewed, renewal, &wallet->executor);
    if (error != SETPAY_OK)
        renewal->storing = false;
    return error;
}

static void on_certificates(void *arg, const struct setpay_est_result *result)
{
    struct setpay_wallet_renewal *renewal = arg;
    struct setpay_wallet *wallet = renewal->wallet;
    struct setpay_problem problem = {{0}};
    renewal->task = NULL; /* it goes by itself */
    enum setpay_error error = take_certificate(renewal, result, &problem);
    setpay_saved_trust_save(&wallet->saved); /* the lists were learned in any case */
    if (error != SETPAY_OK)
        renewal_fail(renewal, error, &problem);
}

/* ------------------------------------------------------------------ the authority is asked */

static enum setpay_error build(void *arg, const char *nonce, struct setpay_secret *der)
{
    struct setpay_wallet_renewal *renewal = arg;
    return setpay_wallet_card_build_renewal(&renewal->wallet->master, &renewal->next, nonce, der);
}

/* The CAs above the certificate, for whoever does not hold them. */
static enum setpay_error find_chain(struct setpay_wallet *wallet,
                                    const struct setpay_certificate *leaf, STACK_OF(X509) * *chain)
{
    struct setpay_certificate *cas[SETPAY_CHAIN_CAS] = {NULL};
    size_t count = 0;
    SETPAY_TRY(setpay_trust_chain(wallet->trust, leaf, cas, &count));
    STACK_OF(X509) *made = sk_X509_new_null();
    enum setpay_error error = made == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    for (size_t i = 0; i < count; i++) {
        X509 *x509 = setpay_certificate_x509(cas[i]);
        if (error == SETPAY_OK && X509_add_cert(made, x509, X509_ADD_FLAG_UP_REF) != 1)
            error = SETPAY_E_NOMEM;
        setpay_certificate_unref(cas[i]);
    }
    if (error == SETPAY_OK)
        *chain = made;
    else
        sk_X509_pop_free(made, X509_free);
    return error;
}

static enum setpay_error ask(struct setpay_wallet_renewal *renewal, struct setpay_problem *problem)
{
    struct setpay_wallet *wallet = renewal->wallet;
    struct setpay_certificate *held = NULL;
    EVP_PKEY *key = NULL;
    STACK_OF(X509) *chain = NULL;
    enum setpay_error error = setpay_wallet_parse_certificate(&renewal->card.certificate, &held);
    if (error == SETPAY_OK)
        error = setpay_wallet_card_open_pkey(&wallet->master, &renewal->card, &key);
    if (error == SETPAY_OK)
        error = find_chain(wallet, held, &chain);
    if (error == SETPAY_OK) {
        const struct setpay_tls_identity identity = {
            .certificate = setpay_certificate_x509(held), .key = key, .chain = chain};
        const struct setpay_est_wish wish = {
            .loop = wallet->loop,
            .trust = wallet->trust,
            .place = renewal->place,
            .label = SETPAY_EST_CARDHOLDER,
            .identity = &identity,
            .build_cb = build,
            .done_cb = on_certificates,
            .arg = renewal,
            .connect_timeout_ms = setpay_config_int(wallet->service->config, "", "connect_timeout"),
            .deadline_ms = setpay_config_int(wallet->service->config, "", "answer_timeout"),
        };
        error = setpay_est_start(&wish, &renewal->task, problem);
    }
    sk_X509_pop_free(chain, X509_free);
    EVP_PKEY_free(key);
    setpay_certificate_unref(held);
    return error;
}

static enum setpay_error store_next(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_renewal *renewal = arg;
    SETPAY_TRY(setpay_wallet_store_add_next_key(db, &renewal->next));
    return setpay_wallet_store_read_card_key(db, &renewal->next.id, SETPAY_WALLET_KEY_NEXT,
                                             &renewal->next);
}

static void on_next_stored(void *arg, enum setpay_error error)
{
    struct setpay_wallet_renewal *renewal = arg;
    struct setpay_wallet *wallet = renewal->wallet;
    struct setpay_problem problem = {{0}};
    renewal->storing = false;
    setpay_testing_point("renew.key");
    if (error == SETPAY_OK && wallet->draining)
        error = SETPAY_E_DRAINING;
    if (error == SETPAY_OK) /* locked meanwhile: says so */
        error = ask(renewal, &problem);
    if (error != SETPAY_OK)
        renewal_fail(renewal, error, &problem);
}

/* ------------------------------------------------------------------ begin */

struct lookup {
    const char *words;          /* which card, as the person says it; NULL: */
    const struct setpay_id *id; /* by its id */
    struct setpay_wallet_card *card, *next;
};

static enum setpay_error look_up(struct setpay_db *db, void *arg)
{
    struct lookup *lookup = arg;
    if (lookup->words != NULL)
        SETPAY_TRY(setpay_wallet_store_find_card(db, lookup->words, lookup->card));
    else
        SETPAY_TRY(setpay_wallet_store_read_card(db, lookup->id, lookup->card));
    enum setpay_error error = setpay_wallet_store_read_card_key(
        db, &lookup->card->id, SETPAY_WALLET_KEY_NEXT, lookup->next);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

/* Whether the card as it was found can be renewed at all. */
static enum setpay_error check(struct setpay_wallet_renewal *renewal,
                               struct setpay_problem *problem)
{
    const struct setpay_wallet_card *card = &renewal->card;
    char notice[SETPAY_WALLET_NOTICE_SIZE];
    setpay_time_ms now_ms = setpay_clock_now_ms();
    if (card->status != SETPAY_WALLET_CARD_ACTIVE)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "the card has no certificate yet; see: setpay-wallet card enrol");
    if (now_ms > card->expires_ms)
        return setpay_problem_set(problem, SETPAY_E_CERT_TIME, "%s",
                                  setpay_wallet_renewal_words(card, 0, now_ms, notice));
    if (renewal->place.host[0] == '\0') {
        if (card->authority.host[0] == '\0')
            return setpay_problem_set(problem, SETPAY_E_USAGE,
                                      "this card was not enrolled over the network: say where its "
                                      "authority is, with --url https://HOST[:PORT]");
        renewal->place = card->authority;
    }
    if (card->has_root && !setpay_digest_equal(&card->root, setpay_wallet_root(renewal->wallet)))
        return setpay_problem_set(problem, SETPAY_E_CERT_CHAIN,
                                  "the card was enrolled under another root certificate than the "
                                  "one that the wallet is configured with now");
    return SETPAY_OK;
}

static struct setpay_wallet_renewal *find(const struct setpay_wallet *wallet,
                                          const struct setpay_id *card)
{
    struct setpay_wallet_renewal *at = wallet->renewals;
    while (at != NULL && !setpay_id_equal(&at->card.id, card))
        at = at->next_one;
    return at;
}

static size_t count_renewals(const struct setpay_wallet *wallet)
{
    size_t count = 0;
    for (const struct setpay_wallet_renewal *at = wallet->renewals; at != NULL; at = at->next_one)
        count++;
    return count;
}

/* From a card that was found to a request that is under way. On SETPAY_OK the call is taken, by
 * this renewal or by one that was under way: then *renewal is not needed any more. */
static enum setpay_error begin(struct setpay_wallet_renewal *renewal, bool *joined,
                               struct setpay_problem *problem)
{
    struct setpay_wallet *wallet = renewal->wallet;
    struct setpay_wallet_renewal *other = find(wallet, &renewal->card.id);
    *joined = false;
    if (other != NULL) {
        if (other->call != NULL || renewal->call == NULL || other->storing)
            return setpay_problem_set(problem, SETPAY_E_UNDER_WAY,
                                      "the card is being renewed at this moment; see: "
                                      "setpay-wallet card list");
        other->call = renewal->call;
        *joined = true;
        return SETPAY_OK;
    }
    renewal->next_one = wallet->renewals;
    wallet->renewals = renewal;
    renewal->begun = true;
    SETPAY_TRY(check(renewal, problem));
    if (renewal->next.boxes[SETPAY_WALLET_BOX_KEY].size > 0) /* a renewal that was cut off */
        return ask(renewal, problem);
    SETPAY_TRY(setpay_wallet_card_make_next(&wallet->master, &renewal->card, &renewal->next));
    renewal->storing = true;
    enum setpay_error error =
        setpay_store_submit(wallet->store, store_next, on_next_stored, renewal, &wallet->executor);
    if (error != SETPAY_OK)
        renewal->storing = false;
    return error;
}

void setpay_wallet_on_card_renew(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"id", "url", NULL};
    struct setpay_wallet *wallet = arg;
    struct setpay_problem problem = {{0}};
    const char *words = NULL, *url = NULL;
    bool joined = false;
    struct setpay_wallet_renewal *renewal = calloc(1, sizeof *renewal);
    if (renewal == NULL) {
        setpay_wallet_fail(call, SETPAY_E_NOMEM, NULL);
        return;
    }
    renewal->wallet = wallet;
    renewal->call = call;
    struct lookup lookup = {.card = &renewal->card, .next = &renewal->next};
    enum setpay_error error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "id", true, &words, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "url", false, &url, &problem);
    if (error == SETPAY_OK && url != NULL)
        error = setpay_est_place_parse(url, &renewal->place, &problem);
    if (error == SETPAY_OK && setpay_wallet_is_locked(wallet))
        error = SETPAY_E_LOCKED;
    if (error == SETPAY_OK && count_renewals(wallet) >= RENEWALS_MAX)
        error = SETPAY_E_BUSY;
    lookup.words = words;
    if (error == SETPAY_OK)
        error = setpay_store_read(wallet->reader, look_up, &lookup);
    if (error == SETPAY_E_NOT_FOUND)
        setpay_problem_set(&problem, error, "there is no such card; see: setpay-wallet card list");
    if (error == SETPAY_OK)
        error = begin(renewal, &joined, &problem);
    if (error != SETPAY_OK)
        renewal_fail(renewal, error, &problem);
    else if (joined)
        renewal_free(renewal);
}

/* ------------------------------------------------------------------ by itself */

static enum setpay_error read_all(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_renewer *renewer = arg;
    SETPAY_TRY(setpay_wallet_store_count_over(db, renewer->kept_since_ms, &renewer->over));
    return setpay_wallet_store_list_cards(db, renewer->cards, SETPAY_WALLET_CARDS_MAX,
                                          &renewer->count);
}

static enum setpay_error destroy_over(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_renewer *renewer = arg;
    return setpay_wallet_store_destroy_over(db, renewer->kept_since_ms, &renewer->over);
}

static void on_erased(void *arg, enum setpay_error error)
{
    struct setpay_wallet_renewer *renewer = arg;
    renewer->destroying = false;
    if (error != SETPAY_OK) /* the next operation's checkpoint takes it along */
        setpay_log_error(error, "card.key_not_erased", setpay_field_int("keys", 1));
}

static void on_destroyed(void *arg, enum setpay_error error)
{
    struct setpay_wallet_renewer *renewer = arg;
    if (error == SETPAY_OK) {
        setpay_log(SETPAY_LOG_INFO, "card.key_destroyed",
                   setpay_field_int("keys", (int64_t)renewer->over));
        error = setpay_store_checkpoint_truncate(renewer->wallet->store, on_erased, renewer,
                                                 &renewer->wallet->executor);
        if (error == SETPAY_OK)
            return;
    }
    on_erased(renewer, error);
}

static void renew_one(struct setpay_wallet *wallet, const struct setpay_id *id)
{
    struct setpay_problem problem = {{0}};
    bool joined = false;
    struct setpay_wallet_renewal *renewal = calloc(1, sizeof *renewal);
    if (renewal == NULL)
        return; /* at the next look */
    renewal->wallet = wallet;
    struct lookup lookup = {.id = id, .card = &renewal->card, .next = &renewal->next};
    enum setpay_error error = setpay_store_read(wallet->reader, look_up, &lookup);
    if (error == SETPAY_OK)
        error = begin(renewal, &joined, &problem);
    if (error != SETPAY_OK)
        renewal_fail(renewal, error, &problem);
}

static void on_look(void *arg)
{
    struct setpay_wallet_renewer *renewer = arg;
    struct setpay_wallet *wallet = renewer->wallet;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    setpay_timer_start(renewer->timer, renewer->look_ms);
    if (wallet->draining || renewer->destroying)
        return;
    renewer->kept_since_ms = now_ms - renewer->keep_ms;
    enum setpay_error error = setpay_store_read(wallet->reader, read_all, renewer);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "card.not_renewed", setpay_field_text("authority", "all"));
        return;
    }
    if (renewer->over > 0)
        renewer->destroying = setpay_store_submit(wallet->store, destroy_over, on_destroyed,
                                                  renewer, &wallet->executor) == SETPAY_OK;
    /* One after the other: there is time. */
    for (size_t i = 0; i < renewer->count; i++) {
        const struct setpay_wallet_card *card = &renewer->cards[i];
        if (wallet->renewals == NULL && !setpay_wallet_is_locked(wallet) &&
            setpay_wallet_renewal_is_due(card, wallet->renew_before_ms, renewer->pause_max_ms,
                                         now_ms))
            renew_one(wallet, &card->id);
    }
}

void setpay_wallet_renewer_wake(struct setpay_wallet *wallet)
{
    if (wallet->renewer != NULL && !wallet->draining)
        setpay_timer_start(wallet->renewer->timer, 0);
}

enum setpay_error setpay_wallet_renewer_new(struct setpay_wallet *wallet)
{
    const struct setpay_config *config = wallet->service->config;
    struct setpay_wallet_renewer *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    wallet->renewer = made; /* freed with the wallet, also after an error here */
    made->wallet = wallet;
    made->look_ms = wallet->service->testing ? LOOK_TESTING_MS : LOOK_MS;
    made->pause_min_ms = setpay_config_int(config, "", "renew_retry_min");
    made->pause_max_ms = setpay_config_int(config, "", "renew_retry_max");
    made->keep_ms = setpay_config_int(config, "", "keep_keys");
    SETPAY_TRY(setpay_timer_new(wallet->loop, on_look, made, &made->timer));
    setpay_timer_start(made->timer, 0);
    return SETPAY_OK;
}

/* The loop has ended: nothing more comes of the store. */
void setpay_wallet_renewer_free(struct setpay_wallet *wallet)
{
    struct setpay_wallet_renewal *next;
    for (struct setpay_wallet_renewal *one = wallet->renewals; one != NULL; one = next) {
        next = one->next_one;
        renewal_free(one);
    }
    if (wallet->renewer == NULL)
        return;
    setpay_timer_free(wallet->renewer->timer);
    free(wallet->renewer);
    wallet->renewer = NULL;
}
