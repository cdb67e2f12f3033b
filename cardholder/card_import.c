/*
 * A card's certificate: verified, found to be of this very card, and taken; from a file that the
 * person gives (card.import) or from the authority's answer (enrol.c).
 */
#include "cardholder/wallet.h"

#include "common/base/log.h"
#include "common/crypto/keyfile.h"
#include "common/net/identity.h"

#include <stdlib.h>
#include <string.h>

#define IMPORT_CERTIFICATES_MAX 8

struct import {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    struct setpay_id id;
    struct setpay_wallet_certified certified;
    struct setpay_wallet_card card; /* as it became */
};

static void import_free(struct import *import)
{
    setpay_wallet_certified_clear(&import->certified);
    setpay_wallet_card_clear(&import->card);
    free(import);
}

static enum setpay_error store_import(struct setpay_db *db, void *arg)
{
    struct import *import = arg;
    SETPAY_TRY(setpay_wallet_store_activate_card(db, &import->id, &import->certified));
    return setpay_wallet_store_read_card(db, &import->id, &import->card);
}

static void on_imported(void *arg, enum setpay_error error)
{
    struct import *import = arg;
    if (error == SETPAY_OK) {
        setpay_log(SETPAY_LOG_INFO, "card.imported", setpay_field_id("card", &import->id));
        setpay_saved_trust_save(&import->wallet->saved);
        setpay_control_reply(import->call,
                             setpay_wallet_card_json(&import->card, import->wallet->renew_before_ms,
                                                     setpay_clock_now_ms()));
    } else {
        setpay_control_fail(import->call, error,
                            error == SETPAY_E_EXISTS ? "this card has its certificate already"
                                                     : NULL);
    }
    import_free(import);
}

enum setpay_error setpay_wallet_verify_card(struct setpay_wallet *wallet,
                                            const struct setpay_view *views, size_t count,
                                            struct setpay_certificate **certificate)
{
    struct setpay_view leaf = SETPAY_VIEW_EMPTY;
    for (size_t i = 0; i < count; i++) {
        struct setpay_certificate *parsed = NULL;
        if (setpay_certificate_parse(views[i], &parsed) == SETPAY_OK &&
            setpay_certificate_ca_kind(parsed) == SETPAY_CA_NONE)
            leaf = views[i];
        setpay_certificate_unref(parsed);
    }
    if (leaf.size == 0)
        leaf = views[0]; /* what is wrong with it, verification says */
    enum setpay_error error =
        setpay_trust_verify(wallet->trust, leaf, views, count, SETPAY_PROFILE_CARDHOLDER_SIGN, NULL,
                            setpay_clock_now_ms(), certificate);
    if (error == SETPAY_E_CRL_MISSING) { /* of a CA that is known since a moment ago */
        setpay_service_load_crls(wallet->service, wallet->trust);
        error =
            setpay_trust_verify(wallet->trust, leaf, views, count, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                NULL, setpay_clock_now_ms(), certificate);
    }
    return error;
}

static enum setpay_error verify_pem(struct setpay_wallet *wallet, const char *pem,
                                    struct setpay_certificate **certificate,
                                    struct setpay_problem *problem)
{
    struct setpay_buffer ders[IMPORT_CERTIFICATES_MAX] = {{0}};
    struct setpay_view views[IMPORT_CERTIFICATES_MAX] = {{0}};
    size_t count = 0;
    enum setpay_error error =
        setpay_pem_certificates(setpay_view_string(pem), ders, IMPORT_CERTIFICATES_MAX, &count);
    if (error != SETPAY_OK)
        return setpay_problem_set(problem, error,
                                  "expected the certificates that the CA issued, in PEM");
    for (size_t i = 0; i < count; i++)
        views[i] = setpay_buffer_view(&ders[i]);
    error = setpay_wallet_verify_card(wallet, views, count, certificate);
    for (size_t i = 0; i < count; i++)
        setpay_buffer_clear(&ders[i]);
    return error;
}

enum setpay_error setpay_wallet_take_card(struct setpay_wallet *wallet,
                                          struct setpay_control_call *call,
                                          const struct setpay_id *id,
                                          struct setpay_wallet_certified *certified)
{
    struct import *import = calloc(1, sizeof *import);
    if (import == NULL)
        return SETPAY_E_NOMEM;
    import->wallet = wallet;
    import->call = call;
    import->id = *id;
    import->certified = *certified;
    memset(certified, 0, sizeof *certified);
    enum setpay_error error =
        setpay_store_submit(wallet->store, store_import, on_imported, import, &wallet->executor);
    if (error != SETPAY_OK)
        import_free(import);
    return error;
}

/* ------------------------------------------------------------------ card.import */

struct find_key {
    struct setpay_wallet *wallet;
    const struct setpay_certificate *certificate;
    struct setpay_id id;
    struct setpay_wallet_certified certified;
};

/* Which card's key it is; then all of rule G5. */
static enum setpay_error find_by_key(struct setpay_db *db, void *arg)
{
    struct find_key *find = arg;
    struct setpay_wallet_card *cards = calloc(SETPAY_WALLET_CARDS_MAX, sizeof *cards);
    struct setpay_digest digest;
    size_t count = 0;
    if (cards == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_key_digest(
        setpay_public_key_pkey(setpay_certificate_key(find->certificate)), &digest);
    if (error == SETPAY_OK)
        error = setpay_wallet_store_list_cards(db, cards, SETPAY_WALLET_CARDS_MAX, &count);
    enum setpay_error found = SETPAY_E_NOT_FOUND;
    for (size_t i = 0; i < count; i++) {
        if (error == SETPAY_OK && setpay_digest_equal(&digest, &cards[i].key_digest)) {
            struct setpay_wallet_card card = {0};
            find->id = cards[i].id;
            found = cards[i].status == SETPAY_WALLET_CARD_PENDING ? SETPAY_OK : SETPAY_E_EXISTS;
            if (found == SETPAY_OK)
                found = setpay_wallet_store_read_card(db, &find->id, &card);
            if (found == SETPAY_OK)
                found = setpay_wallet_card_check(&find->wallet->master, &card, find->certificate);
            if (found == SETPAY_OK)
                found = setpay_wallet_card_certify(&find->wallet->master, &card, find->certificate,
                                                   &find->certified);
            setpay_wallet_card_clear(&card);
        }
        setpay_wallet_card_clear(&cards[i]);
    }
    free(cards);
    return error == SETPAY_OK ? found : error;
}

void setpay_wallet_on_card_import(struct setpay_control_call *call, const json_t *args, void *arg)
{
    static const char *const names[] = {"certificates", NULL};
    struct setpay_wallet *wallet = arg;
    struct setpay_problem problem = {{0}};
    const char *pem = NULL;
    struct setpay_certificate *certificate = NULL;
    struct find_key find = {.wallet = wallet};
    enum setpay_error error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "certificates", true, &pem, &problem);
    if (error == SETPAY_OK && setpay_wallet_is_locked(wallet))
        error = SETPAY_E_LOCKED;
    if (error == SETPAY_OK)
        error = verify_pem(wallet, pem, &certificate, &problem);
    if (error == SETPAY_OK) {
        find.certificate = certificate;
        error = setpay_store_read(wallet->reader, find_by_key, &find);
        if (error == SETPAY_E_NOT_FOUND)
            setpay_problem_set(&problem, error,
                               "no card that was asked for has this key; "
                               "make a request with: setpay-wallet card request");
        if (error == SETPAY_E_EXISTS)
            setpay_problem_set(&problem, error, "this card has its certificate already");
    }
    if (error == SETPAY_OK)
        error = setpay_wallet_take_card(wallet, call, &find.id, &find.certified);
    setpay_certificate_unref(certificate);
    setpay_wallet_certified_clear(&find.certified);
    if (error != SETPAY_OK)
        setpay_wallet_fail(call, error, &problem);
}
