/*
 * card.enrol: a card gets its certificate from its authority over the network (rules C1, C2).
 *
 * What always holds: the card, with the key that is to be certified, is stored before the request
 * leaves; whatever happens then, the same command goes on with the same key, so that a secret which
 * is good once is not lost with an answer. What was mistyped can be typed again. The secret itself
 * is never stored.
 */
#include "cardholder/wallet.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

#define ID_MAX 64
#define ENROLMENTS_MAX 16
#define AGAIN "; the card is kept, give the same command again"

struct setpay_wallet_enrolment {
    struct setpay_wallet_enrolment *next;
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    struct setpay_est_task *task;
    struct setpay_est_place place;
    char user[ID_MAX + 1];
    struct setpay_secret password;
    struct setpay_wallet_card card;
    bool is_new;
};

/* ------------------------------------------------------------------ ends */

static void enrolment_free(struct setpay_wallet_enrolment *enrolment)
{
    struct setpay_wallet_enrolment **at = &enrolment->wallet->enrolments;
    while (*at != NULL && *at != enrolment)
        at = &(*at)->next;
    if (*at != NULL)
        *at = enrolment->next;
    setpay_secret_clear(&enrolment->password);
    setpay_wallet_card_clear(&enrolment->card);
    free(enrolment);
}

static void enrolment_fail(struct setpay_wallet_enrolment *enrolment, enum setpay_error error,
                           const struct setpay_problem *problem)
{
    setpay_log_error(error, "card.not_enrolled", setpay_field_id("card", &enrolment->card.id),
                     setpay_field_text("authority", enrolment->place.host));
    setpay_wallet_fail(enrolment->call, error, problem);
    enrolment_free(enrolment);
}

void setpay_wallet_enrol_drain(struct setpay_wallet *wallet)
{
    struct setpay_wallet_enrolment *next;
    for (struct setpay_wallet_enrolment *at = wallet->enrolments; at != NULL; at = next) {
        next = at->next;
        if (at->task == NULL)
            continue; /* the store has it, and will find the wallet draining */
        setpay_est_cancel(at->task);
        enrolment_fail(at, SETPAY_E_DRAINING, NULL);
    }
}

/* ------------------------------------------------------------------ the certificate comes */

enum setpay_error setpay_wallet_explain_authority(const struct setpay_est_result *result,
                                                  const char *after_again,
                                                  struct setpay_problem *problem)
{
    enum setpay_error_kind kind = setpay_error_kind(result->error);
    if (kind == SETPAY_KIND_AGAIN || kind == SETPAY_KIND_BUSY)
        return setpay_problem_set(problem, result->error, "%s%s", result->words, after_again);
    if (result->words[0] != '\0')
        return setpay_problem_set(problem, result->error, "%s", result->words);
    return result->error;
}

static enum setpay_error explain(const struct setpay_est_result *result,
                                 struct setpay_problem *problem)
{
    if (result->error == SETPAY_E_ENROLMENT)
        return setpay_problem_set(
            problem, result->error,
            "the authority refuses it: id, secret, card number or expiry is wrong, or the secret "
            "is spent; it does not say which" AGAIN
            ". Five wrong tries spend a secret: then ask the issuer for a new one");
    return setpay_wallet_explain_authority(result, AGAIN, problem);
}

static enum setpay_error take_certificate(struct setpay_wallet_enrolment *enrolment,
                                          const struct setpay_est_result *result,
                                          struct setpay_problem *problem)
{
    struct setpay_wallet *wallet = enrolment->wallet;
    struct setpay_certificate *certificate = NULL;
    struct setpay_wallet_certified certified = {.begins_ms = 0};
    if (result->error != SETPAY_OK)
        return explain(result, problem);
    SETPAY_TRY(setpay_wallet_verify_card(wallet, result->certificates, result->certificate_count,
                                         &certificate));
    enum setpay_error error =
        setpay_wallet_card_check(&wallet->master, &enrolment->card, certificate);
    if (error == SETPAY_E_NOT_FOUND)
        setpay_problem_set(problem, error, "the authority's certificate is for another key");
    if (error == SETPAY_OK)
        error =
            setpay_wallet_card_certify(&wallet->master, &enrolment->card, certificate, &certified);
    if (error == SETPAY_OK)
        error = setpay_wallet_take_card(wallet, enrolment->call, &enrolment->card.id, &certified);
    setpay_wallet_certified_clear(&certified);
    setpay_certificate_unref(certificate);
    return error;
}

static void on_certificates(void *arg, const struct setpay_est_result *result)
{
    struct setpay_wallet_enrolment *enrolment = arg;
    struct setpay_wallet *wallet = enrolment->wallet;
    struct setpay_problem problem = {{0}};
    enrolment->task = NULL; /* it goes by itself */
    enum setpay_error error = take_certificate(enrolment, result, &problem);
    if (error != SETPAY_OK) {
        setpay_saved_trust_save(&wallet->saved); /* the lists were learned all the same */
        enrolment_fail(enrolment, error, &problem);
        return;
    }
    enrolment_free(enrolment);
}

static enum setpay_error build(void *arg, const char *nonce, struct setpay_secret *der)
{
    struct setpay_wallet_enrolment *enrolment = arg;
    return setpay_wallet_card_build_csr(&enrolment->wallet->master, &enrolment->card, nonce, der);
}

/* ------------------------------------------------------------------ stored, then asked for */

static enum setpay_error store_enrolling(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_enrolment *enrolment = arg;
    return setpay_wallet_store_put_enrolling(db, &enrolment->card, enrolment->is_new,
                                             &enrolment->place,
                                             setpay_wallet_root(enrolment->wallet));
}

static void on_stored(void *arg, enum setpay_error error)
{
    struct setpay_wallet_enrolment *enrolment = arg;
    struct setpay_wallet *wallet = enrolment->wallet;
    struct setpay_problem problem = {{0}};
    const struct setpay_est_wish wish = {
        .loop = wallet->loop,
        .trust = wallet->trust,
        .place = enrolment->place,
        .label = SETPAY_EST_CARDHOLDER,
        .user = enrolment->user,
        .password = &enrolment->password,
        .build_cb = build,
        .done_cb = on_certificates,
        .arg = enrolment,
        .connect_timeout_ms = setpay_config_int(wallet->service->config, "", "connect_timeout"),
        .deadline_ms = setpay_config_int(wallet->service->config, "", "answer_timeout"),
    };
    if (error == SETPAY_E_EXISTS)
        setpay_problem_set(&problem, error, "there is a card with this label; choose another one");
    if (error == SETPAY_OK && wallet->draining)
        error = SETPAY_E_DRAINING;
    if (error == SETPAY_OK)
        error = setpay_est_start(&wish, &enrolment->task, &problem);
    if (error == SETPAY_E_INVALID)
        setpay_problem_set(&problem, error, "enrolment: expected the id that the issuer gave");
    setpay_secret_clear(&enrolment->password);
    if (error != SETPAY_OK)
        enrolment_fail(enrolment, error, &problem);
}

/* ------------------------------------------------------------------ the command */

struct lookup {
    const struct setpay_wallet_card_wish *wish;
    struct setpay_wallet_card *card;
};

static enum setpay_error find_enrolling(struct setpay_db *db, void *arg)
{
    struct lookup *lookup = arg;
    return setpay_wallet_store_find_enrolling(db, lookup->wish->label, lookup->wish->brand,
                                              lookup->card);
}

/* The card that was begun under this label, or a new one. */
static enum setpay_error prepare_card(struct setpay_wallet_enrolment *enrolment,
                                      const struct setpay_wallet_card_wish *wish,
                                      struct setpay_problem *problem)
{
    struct setpay_wallet *wallet = enrolment->wallet;
    struct lookup lookup = {.wish = wish, .card = &enrolment->card};
    struct setpay_secret unused = {0};
    enum setpay_error error = setpay_store_read(wallet->reader, find_enrolling, &lookup);
    if (error == SETPAY_E_EXISTS)
        return setpay_problem_set(problem, error,
                                  "there is a card with this label; choose another one");
    if (error == SETPAY_OK)
        return setpay_wallet_card_retype(&wallet->master, wish, setpay_clock_now_ms(),
                                         &enrolment->card, problem);
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    enrolment->is_new = true;
    error = setpay_wallet_card_make(&wallet->master, wish, setpay_clock_now_ms(), &enrolment->card,
                                    &unused, problem);
    setpay_secret_clear(&unused); /* it lacks the nonce */
    return error;
}

static enum setpay_error read_arguments(struct setpay_wallet_enrolment *enrolment,
                                        const json_t *args, struct setpay_wallet_card_wish *wish,
                                        struct setpay_secret secrets[4],
                                        struct setpay_problem *problem)
{
    static const char *const names[] = {"url", "enrolment", "secret",   "brand",        "label",
                                        "pan", "expiry",    "postcode", "house_digits", NULL};
    const char *url = NULL, *user = NULL;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "url", true, &url, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "enrolment", true, &user, problem));
    SETPAY_TRY(setpay_json_arg_secret(args, "secret", true, &enrolment->password, problem));
    SETPAY_TRY(setpay_wallet_card_read_wish(args, wish, secrets, problem));
    SETPAY_TRY(setpay_est_place_parse(url, &enrolment->place, problem));
    if (strlen(user) > ID_MAX)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "enrolment: expected the id that the issuer gave");
    memcpy(enrolment->user, user, strlen(user) + 1);
    return SETPAY_OK;
}

static bool is_full(const struct setpay_wallet *wallet)
{
    size_t count = 0;
    for (const struct setpay_wallet_enrolment *at = wallet->enrolments; at != NULL; at = at->next)
        count++;
    return count >= ENROLMENTS_MAX;
}

void setpay_wallet_on_card_enrol(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    struct setpay_wallet_card_wish wish = {0};
    struct setpay_secret secrets[4] = {{0}};
    struct setpay_problem problem = {{0}};
    struct setpay_wallet_enrolment *enrolment = calloc(1, sizeof *enrolment);
    if (enrolment == NULL) {
        setpay_wallet_fail(call, SETPAY_E_NOMEM, NULL);
        return;
    }
    enrolment->wallet = wallet;
    enrolment->call = call;
    enum setpay_error error = is_full(wallet) ? SETPAY_E_BUSY : SETPAY_OK;
    if (error == SETPAY_OK)
        error = read_arguments(enrolment, args, &wish, secrets, &problem);
    if (error == SETPAY_OK && setpay_wallet_is_locked(wallet))
        error = SETPAY_E_LOCKED;
    if (error == SETPAY_OK)
        error = prepare_card(enrolment, &wish, &problem);
    for (size_t i = 0; i < 4; i++)
        setpay_secret_clear(&secrets[i]);
    if (error == SETPAY_OK) {
        enrolment->next = wallet->enrolments;
        wallet->enrolments = enrolment;
        error = setpay_store_submit(wallet->store, store_enrolling, on_stored, enrolment,
                                    &wallet->executor);
    }
    if (error == SETPAY_OK)
        return;
    setpay_wallet_fail(call, error, &problem);
    enrolment_free(enrolment);
}
