/*
 * The wallet's commands: arguments in, JSON out. What takes long (scrypt, the store, a merchant) is
 * started here and answered later.
 */
#include "cardholder/commands.h"

#include "cardholder/agreement.h"

#include "cardholder/backup.h"
#include "cardholder/doctor.h"
#include "cardholder/rule.h"
#include "cardholder/wallet.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

static const char *const no_arguments[] = {NULL};

bool setpay_wallet_is_locked(const struct setpay_wallet *wallet)
{
    return wallet->master.size == 0;
}

enum setpay_error setpay_wallet_parse_certificate(const struct setpay_buffer *der,
                                                  struct setpay_certificate **certificate)
{
    return setpay_certificate_parse(setpay_buffer_view(der), certificate);
}

static bool refuse_arguments(struct setpay_control_call *call, const json_t *args)
{
    struct setpay_problem problem = {{0}};
    enum setpay_error error = setpay_json_args_check(args, no_arguments, &problem);
    if (error != SETPAY_OK)
        setpay_wallet_fail(call, error, &problem);
    return error != SETPAY_OK;
}

/* ------------------------------------------------------------------ status, init, unlock, lock */

struct counts {
    bool initialised;
    size_t cards;
    size_t open;
    struct setpay_wallet_card list[SETPAY_WALLET_CARDS_MAX];
    size_t listed;
    struct setpay_id xids[SETPAY_WALLET_OPEN_MAX];
};

static enum setpay_error count(struct setpay_db *db, void *arg)
{
    struct counts *counts = arg;
    struct setpay_wallet_lock lock;
    size_t all = 0;
    enum setpay_error error = setpay_wallet_store_read_lock(db, &lock);
    counts->initialised = error == SETPAY_OK;
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    SETPAY_TRY(setpay_wallet_store_list_cards(db, counts->list, SETPAY_WALLET_CARDS_MAX, &all));
    counts->listed = all;
    for (size_t i = 0; i < all; i++)
        counts->cards += counts->list[i].status == SETPAY_WALLET_CARD_ACTIVE;
    return setpay_wallet_store_list_purchases(db, true, counts->xids, SETPAY_WALLET_OPEN_MAX,
                                              &counts->open);
}

/* Of cards whose certificate ends soon, or has. */
static json_t *list_notices(const struct setpay_wallet *wallet, const struct counts *counts)
{
    json_t *notices = json_array();
    char words[SETPAY_WALLET_NOTICE_SIZE];
    for (size_t i = 0; i < counts->listed; i++) {
        const struct setpay_wallet_card *card = &counts->list[i];
        setpay_wallet_renewal_words(card, wallet->renew_before_ms, setpay_clock_now_ms(), words);
        if (words[0] != '\0')
            json_array_append_new(notices,
                                  json_pack("{s:s, s:s}", "card", card->label, "notice", words));
    }
    return notices;
}

static void on_status(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    if (refuse_arguments(call, args))
        return;
    struct counts *counts = calloc(1, sizeof *counts);
    enum setpay_error error =
        counts == NULL ? SETPAY_E_NOMEM : setpay_store_read(wallet->reader, count, counts);
    if (error != SETPAY_OK)
        setpay_wallet_fail(call, error, NULL);
    else
        setpay_control_reply(
            call, json_pack("{s:b, s:b, s:I, s:I, s:o}", "initialised", counts->initialised,
                            "locked", setpay_wallet_is_locked(wallet), "cards",
                            (json_int_t)counts->cards, "open_purchases", (json_int_t)counts->open,
                            "notices", list_notices(wallet, counts)));
    free(counts);
}

/* A passphrase on its way: init stores the lock that was made, unlock takes the key. */
struct opening {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    struct setpay_wallet_lock lock;
    struct setpay_secret master;
};

static void opening_free(struct opening *opening)
{
    setpay_secret_clear(&opening->master);
    free(opening);
}

static enum setpay_error store_lock(struct setpay_db *db, void *arg)
{
    struct opening *opening = arg;
    return setpay_wallet_store_add_lock(db, &opening->lock, setpay_clock_now_ms());
}

static void on_lock_stored(void *arg, enum setpay_error error)
{
    struct opening *opening = arg;
    if (error == SETPAY_OK) {
        setpay_secret_move(&opening->wallet->master, &opening->master);
        setpay_log(SETPAY_LOG_INFO, "wallet.opened", setpay_field_text("by", "init"));
        setpay_control_reply(opening->call, json_pack("{s:b, s:b}", "initialised", 1, "locked", 0));
    } else {
        setpay_control_fail(opening->call, error,
                            error == SETPAY_E_EXISTS ? "the wallet is initialised already" : NULL);
    }
    opening_free(opening);
}

static void on_lock_made(struct setpay_wallet *wallet, void *arg, enum setpay_error error,
                         const struct setpay_wallet_lock *lock, struct setpay_secret *master)
{
    struct opening *opening = arg;
    if (error == SETPAY_OK) {
        opening->lock = *lock;
        setpay_secret_move(&opening->master, master);
        error = setpay_store_submit(wallet->store, store_lock, on_lock_stored, opening,
                                    &wallet->executor);
    }
    if (error != SETPAY_OK) {
        setpay_wallet_fail(opening->call, error, NULL);
        opening_free(opening);
    }
}

static void on_unlocked(struct setpay_wallet *wallet, void *arg, enum setpay_error error,
                        const struct setpay_wallet_lock *lock, struct setpay_secret *master)
{
    struct opening *opening = arg;
    struct counts *counts = calloc(1, sizeof *counts);
    (void)lock;
    if (error == SETPAY_OK && counts == NULL)
        error = SETPAY_E_NOMEM;
    if (error == SETPAY_OK)
        error = setpay_store_read(wallet->reader, count, counts);
    if (error == SETPAY_OK) {
        setpay_secret_move(&wallet->master, master);
        setpay_log(SETPAY_LOG_INFO, "wallet.opened",
                   setpay_field_int("open_purchases", (int64_t)counts->open));
        setpay_wallet_pursue_open(wallet); /* rule W5 */
        setpay_wallet_renewer_wake(wallet);
        setpay_control_reply(opening->call, json_pack("{s:b, s:I}", "locked", 0, "open_purchases",
                                                      (json_int_t)counts->open));
    } else {
        setpay_log_error(error, "wallet.refused", setpay_field_text("command", "unlock"));
        setpay_wallet_fail(opening->call, error, NULL);
    }
    free(counts);
    opening_free(opening);
}

static enum setpay_error read_lock(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_read_lock(db, arg);
}

static enum setpay_error open_wallet(struct setpay_wallet *wallet, struct opening *opening,
                                     bool init, const json_t *args, struct setpay_problem *problem)
{
    static const char *const names[] = {"passphrase", NULL};
    struct setpay_secret passphrase = {0};
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    enum setpay_error found = setpay_store_read(wallet->reader, read_lock, &opening->lock);
    if (found != SETPAY_OK && found != SETPAY_E_NOT_FOUND)
        return found;
    if (init && found == SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_EXISTS, "the wallet is initialised already");
    if (!init && found != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                                  "the wallet is not initialised yet: setpay-wallet init");
    SETPAY_TRY(setpay_json_arg_secret(args, "passphrase", true, &passphrase, problem));
    enum setpay_error error = SETPAY_OK;
    if (init && passphrase.size < SETPAY_WALLET_PASSPHRASE_MIN)
        error = setpay_problem_set(problem, SETPAY_E_INVALID,
                                   "the passphrase is too short: at least %d bytes",
                                   SETPAY_WALLET_PASSPHRASE_MIN);
    if (error == SETPAY_OK)
        error = setpay_wallet_unlock_start(wallet, init ? NULL : &opening->lock, &passphrase,
                                           init ? on_lock_made : on_unlocked, opening);
    setpay_secret_clear(&passphrase);
    return error;
}

static void open_or_fail(struct setpay_control_call *call, const json_t *args,
                         struct setpay_wallet *wallet, bool init)
{
    struct setpay_problem problem = {{0}};
    struct opening *opening = calloc(1, sizeof *opening);
    enum setpay_error error = SETPAY_E_NOMEM;
    if (opening != NULL) {
        opening->wallet = wallet;
        opening->call = call;
        error = open_wallet(wallet, opening, init, args, &problem);
    }
    if (error == SETPAY_OK)
        return;
    setpay_wallet_fail(call, error, &problem);
    if (opening != NULL)
        opening_free(opening);
}

static void on_init(struct setpay_control_call *call, const json_t *args, void *arg)
{
    open_or_fail(call, args, arg, true);
}

static void on_unlock(struct setpay_control_call *call, const json_t *args, void *arg)
{
    open_or_fail(call, args, arg, false);
}

static void on_lock(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    if (refuse_arguments(call, args))
        return;
    setpay_wallet_renew_stop(wallet, SETPAY_E_LOCKED);
    setpay_secret_clear(&wallet->master);
    setpay_log(SETPAY_LOG_INFO, "wallet.closed", setpay_field_text("by", "lock"));
    setpay_control_reply(call, json_pack("{s:b}", "locked", 1));
}

/* ------------------------------------------------------------------ cards */

struct card_list {
    json_t *list;
    int64_t lead_ms;
    setpay_time_ms now_ms;
};

static enum setpay_error list_cards(struct setpay_db *db, void *arg)
{
    struct card_list *listing = arg;
    struct setpay_wallet_card *cards = calloc(SETPAY_WALLET_CARDS_MAX, sizeof *cards);
    size_t found = 0;
    if (cards == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error =
        setpay_wallet_store_list_cards(db, cards, SETPAY_WALLET_CARDS_MAX, &found);
    for (size_t i = 0; i < found && error == SETPAY_OK; i++)
        json_array_append_new(
            listing->list, setpay_wallet_card_json(&cards[i], listing->lead_ms, listing->now_ms));
    free(cards);
    return error;
}

static void on_card_list(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    if (refuse_arguments(call, args))
        return;
    struct card_list listing = {
        .list = json_array(), .lead_ms = wallet->renew_before_ms, .now_ms = setpay_clock_now_ms()};
    enum setpay_error error = setpay_store_read(wallet->reader, list_cards, &listing);
    if (error == SETPAY_OK) {
        setpay_control_reply(call, json_pack("{s:o}", "cards", listing.list));
    } else {
        json_decref(listing.list);
        setpay_wallet_fail(call, error, NULL);
    }
}

struct card_change {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    char *words; /* which card */
    bool remove;
    struct setpay_wallet_card card;
};

static enum setpay_error change_card(struct setpay_db *db, void *arg)
{
    struct card_change *change = arg;
    SETPAY_TRY(setpay_wallet_store_find_card(db, change->words, &change->card));
    if (change->remove)
        return setpay_wallet_store_remove_card(db, &change->card.id);
    struct setpay_id id = change->card.id;
    SETPAY_TRY(setpay_wallet_store_set_default(db, &id));
    return setpay_wallet_store_read_card(db, &id, &change->card);
}

static void on_card_changed(void *arg, enum setpay_error error)
{
    struct card_change *change = arg;
    char id[SETPAY_ID_TEXT_SIZE];
    if (error == SETPAY_OK && change->remove)
        setpay_control_reply(change->call,
                             json_pack("{s:s}", "removed", setpay_id_format(&change->card.id, id)));
    else if (error == SETPAY_OK)
        setpay_control_reply(change->call,
                             setpay_wallet_card_json(&change->card, change->wallet->renew_before_ms,
                                                     setpay_clock_now_ms()));
    else if (error == SETPAY_E_STATE)
        setpay_control_fail(
            change->call, error,
            change->remove
                ? "a purchase that was signed with this card has no outcome yet, or more may be "
                  "taken by it: see setpay-wallet list and setpay-wallet agreement list"
                : "the card has no certificate yet");
    else
        setpay_control_fail(change->call, error,
                            error == SETPAY_E_NOT_FOUND
                                ? "there is no such card; see: setpay-wallet card list"
                                : NULL);
    setpay_wallet_card_clear(&change->card);
    free(change->words);
    free(change);
}

static void start_card_change(struct setpay_control_call *call, const json_t *args,
                              struct setpay_wallet *wallet, bool remove)
{
    static const char *const names[] = {"id", NULL};
    struct setpay_problem problem = {{0}};
    const char *words = NULL;
    struct card_change *change = NULL;
    enum setpay_error error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_json_arg_text(args, "id", true, &words, &problem);
    if (error == SETPAY_OK) {
        change = calloc(1, sizeof *change);
        error =
            change != NULL && (change->words = strdup(words)) != NULL ? SETPAY_OK : SETPAY_E_NOMEM;
    }
    if (error == SETPAY_OK) {
        change->wallet = wallet;
        change->call = call;
        change->remove = remove;
        error = setpay_store_submit(wallet->store, change_card, on_card_changed, change,
                                    &wallet->executor);
    }
    if (error == SETPAY_OK)
        return;
    setpay_wallet_fail(call, error, &problem);
    if (change != NULL)
        free(change->words);
    free(change);
}

static void on_card_remove(struct setpay_control_call *call, const json_t *args, void *arg)
{
    start_card_change(call, args, arg, true);
}

static void on_card_default(struct setpay_control_call *call, const json_t *args, void *arg)
{
    start_card_change(call, args, arg, false);
}

/* ------------------------------------------------------------------ doctor */

static void on_doctor(struct setpay_control_call *call, const json_t *args, void *arg)
{
    if (!refuse_arguments(call, args))
        setpay_control_reply(call, setpay_wallet_doctor(arg));
}

/* ------------------------------------------------------------------ the table */

const struct setpay_control_command setpay_wallet_commands[] = {
    {"wallet.status", on_status, "whether it is initialised and locked"},
    {"wallet.init", on_init, "a new wallet under a passphrase"},
    {"wallet.unlock", on_unlock, "open it with its passphrase"},
    {"wallet.lock", on_lock, "forget the keys in memory"},
    {"wallet.backup", setpay_wallet_on_backup, "all of the wallet, sealed, into a new file: path"},
    {"card.request", setpay_wallet_on_card_request, "a key and a certificate request for a card"},
    {"card.import", setpay_wallet_on_card_import, "the certificate that the CA issued"},
    {"card.enrol", setpay_wallet_on_card_enrol, "a card's certificate from its authority"},
    {"card.renew", setpay_wallet_on_card_renew, "a new key and certificate for a card"},
    {"card.list", on_card_list, "all cards"},
    {"card.remove", on_card_remove, "forget a card and its key"},
    {"card.default", on_card_default, "the card that is used where none is named"},
    {"offer.show", setpay_wallet_on_offer_show, "the verified offer of a link; nothing is signed"},
    {"pay.prepare", setpay_wallet_on_pay_prepare, "an offer to be confirmed"},
    {"pay.confirm", setpay_wallet_on_pay_confirm, "sign and send what the person agreed to"},
    {"pay.resume", setpay_wallet_on_pay_resume, "wait for a purchase that was signed before"},
    {"purchase.list", setpay_wallet_on_purchase_list, "all purchases; refresh: asked after anew"},
    {"purchase.show", setpay_wallet_on_purchase_show, "one purchase, asked after anew"},
    {"purchase.receipt", setpay_wallet_on_purchase_receipt, "the gateway's receipts of a purchase"},
    {"agreement.list", setpay_wallet_on_agreement_list, "what more than one payment was agreed to"},
    {"agreement.show", setpay_wallet_on_agreement_show, "one agreement, as its receipts say"},
    {"agreement.cancel", setpay_wallet_on_agreement_cancel, "sign and send its cancellation"},
    {"rule.add", setpay_wallet_on_rule_add, "a spending rule: what may be signed without asking"},
    {"rule.list", setpay_wallet_on_rule_list, "the spending rules"},
    {"rule.remove", setpay_wallet_on_rule_remove, "end a spending rule"},
    {"doctor", on_doctor, "what could keep a payment from working"},
    {NULL, NULL, NULL},
};
