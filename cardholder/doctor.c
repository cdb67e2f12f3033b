/*
 * The wallet's records, judged: what could keep a payment from working.
 *
 * Whom a wallet has paid is nobody's business, so the merchants that are asked whether they answer
 * are those of open purchases alone, whom the wallet inquires of by itself anyway.
 */
#include "cardholder/doctor.h"
#include "common/base/noun.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ reading */

static void add_peer(struct setpay_wallet_records *records, bool is_authority, const char *host,
                     uint16_t port)
{
    struct setpay_wallet_doctor_peer peer = {.is_authority = is_authority, .place = {.port = port}};
    (void)snprintf(peer.place.host, sizeof peer.place.host, "%s", host);
    for (size_t i = 0; i < records->peer_count; i++) {
        const struct setpay_wallet_doctor_peer *known = &records->peers[i];
        if (known->is_authority == is_authority && known->place.port == port &&
            strcmp(known->place.host, host) == 0)
            return;
    }
    if (records->peer_count < SETPAY_WALLET_DOCTOR_PEERS_MAX)
        records->peers[records->peer_count++] = peer;
}

/* The list leaves them out, and what is sealed, which is not wanted here either. */
static enum setpay_error read_certificates(struct setpay_db *db,
                                           struct setpay_wallet_records *records)
{
    for (size_t i = 0; i < records->card_count; i++) {
        struct setpay_wallet_card whole = {0};
        struct setpay_wallet_card *card = &records->cards[i];
        if (card->status == SETPAY_WALLET_CARD_PENDING)
            continue;
        SETPAY_TRY(setpay_wallet_store_read_card(db, &card->id, &whole));
        setpay_buffer_move(&card->certificate, &whole.certificate);
        setpay_wallet_card_clear(&whole);
    }
    return SETPAY_OK;
}

static enum setpay_error read_authorities(struct setpay_db *db,
                                          struct setpay_wallet_records *records)
{
    struct setpay_wallet_authority authorities[SETPAY_WALLET_DOCTOR_PEERS_MAX];
    size_t count = 0;
    SETPAY_TRY(setpay_wallet_store_list_authorities(db, authorities, SETPAY_WALLET_DOCTOR_PEERS_MAX,
                                                    &count));
    for (size_t i = 0; i < count; i++)
        add_peer(records, true, authorities[i].place.host, authorities[i].place.port);
    return SETPAY_OK;
}

static enum setpay_error read_purchases(struct setpay_db *db, struct setpay_wallet_records *records)
{
    struct setpay_id open[SETPAY_WALLET_OPEN_MAX];
    SETPAY_TRY(setpay_wallet_store_list_purchases(db, true, open, SETPAY_WALLET_OPEN_MAX,
                                                  &records->open_count));
    for (size_t i = 0; i < records->open_count; i++) {
        struct setpay_wallet_purchase purchase = {0};
        SETPAY_TRY(setpay_wallet_store_read_purchase(db, &open[i], &purchase));
        add_peer(records, false, purchase.link.host, purchase.link.port);
        setpay_wallet_purchase_clear(&purchase);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_records_read(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_records *records = arg;
    struct setpay_wallet_lock lock;
    enum setpay_error error = setpay_wallet_store_read_lock(db, &lock);
    records->initialised = error == SETPAY_OK;
    if (error != SETPAY_OK && error != SETPAY_E_NOT_FOUND)
        return error;
    if (records->trust != NULL)
        SETPAY_TRY(setpay_saved_trust_read(db, records->trust, setpay_clock_now_ms()));
    SETPAY_TRY(setpay_wallet_store_list_cards(db, records->cards, SETPAY_WALLET_CARDS_MAX,
                                              &records->card_count));
    SETPAY_TRY(read_certificates(db, records));
    SETPAY_TRY(read_authorities(db, records));
    return read_purchases(db, records);
}

void setpay_wallet_records_clear(struct setpay_wallet_records *records)
{
    for (size_t i = 0; i < records->card_count; i++)
        setpay_wallet_card_clear(&records->cards[i]);
    records->card_count = 0;
}

/* ------------------------------------------------------------------ judging */

#define ROOT_TODO                                                                                  \
    "name the root of the authority that issued the cards in the key root; where it is the right " \
    "one the wallet learns the CAs again from the card's authority once that can be reached"

/* Of a certificate that ends soon the wallet says itself what becomes of it. */
static void check_dates(struct setpay_doctor *doctor, const char *called,
                        const struct setpay_wallet_card *card,
                        const struct setpay_certificate *leaf, int64_t lead_ms)
{
    char words[SETPAY_WALLET_NOTICE_SIZE];
    enum setpay_wallet_renewal_state state =
        setpay_wallet_renewal_state(card, lead_ms, doctor->now_ms);
    if (state == SETPAY_WALLET_RENEWAL_NONE || state == SETPAY_WALLET_RENEWAL_ENDED) {
        setpay_doctor_dates(doctor, called, leaf,
                            "enrol the card anew (setpay-wallet card enrol) under another label, "
                            "then remove this one");
        return;
    }
    setpay_doctor_add_date(doctor, called, setpay_certificate_not_before_ms(leaf));
    setpay_doctor_say(
        doctor, state == SETPAY_WALLET_RENEWAL_DUE ? SETPAY_FINDING_OK : SETPAY_FINDING_WARN,
        "renewal", called,
        state == SETPAY_WALLET_RENEWAL_CARD_ENDS
            ? "enrol the new card that its issuer sends: setpay-wallet card enrol"
            : "see that its authority can be reached, and renew it now: setpay-wallet card renew",
        "%s: %s", card->label, setpay_wallet_renewal_words(card, lead_ms, doctor->now_ms, words));
}

static void check_card(struct setpay_doctor *doctor, struct setpay_trust *trust,
                       const struct setpay_wallet_card *card, int64_t lead_ms)
{
    char called[SETPAY_WALLET_LABEL_MAX + 32];
    struct setpay_certificate *leaf = NULL, *believed = NULL;
    struct setpay_view der = setpay_buffer_view(&card->certificate);
    size_t failed = doctor->failed;
    (void)snprintf(called, sizeof called, "the certificate of the card '%s'", card->label);
    if (setpay_certificate_parse(der, &leaf) != SETPAY_OK) {
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CERTIFICATES, called,
                          "restore the wallet's newest backup, or enrol the card anew",
                          "%s can't be read", called);
        return;
    }
    check_dates(doctor, called, card, leaf, lead_ms);
    setpay_certificate_unref(leaf);
    if (doctor->failed != failed || doctor->root_is_wrong)
        return;
    enum setpay_error error =
        setpay_trust_verify_unlisted(trust, der, NULL, 0, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                     card->brand, doctor->now_ms, &believed);
    setpay_certificate_unref(believed);
    if (error == SETPAY_E_CERT_MISSING || error == SETPAY_E_CERT_CHAIN) {
        doctor->root_is_wrong = true;
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_ROOT, called, ROOT_TODO,
                          "wrong root: no CA that is known under it has issued %s", called);
    } else if (error != SETPAY_OK) {
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CERTIFICATES, called,
                          "ask the card's issuer; then enrol it anew", "%s: %s", called,
                          setpay_error_text(error));
    }
}

static void check_cards(struct setpay_doctor *doctor, struct setpay_trust *trust,
                        const struct setpay_wallet_records *records)
{
    size_t active = 0, over = 0, pending = 0, failed = doctor->failed, warned = doctor->warned;
    for (size_t i = 0; i < records->card_count; i++) {
        const struct setpay_wallet_card *card = &records->cards[i];
        if (card->status == SETPAY_WALLET_CARD_PENDING)
            pending++;
        else if (doctor->now_ms > card->expires_ms)
            over++;
        else
            active++;
        if (card->status != SETPAY_WALLET_CARD_PENDING)
            check_card(doctor, trust, card, records->renew_before_ms);
    }
    if (active + over > 0 && doctor->failed == failed && doctor->warned == warned &&
        !doctor->root_is_wrong)
        setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_CERTIFICATES, "", "",
                          "the certificates of all cards are current, and under the root");
    setpay_doctor_say(doctor, active > 0 ? SETPAY_FINDING_OK : SETPAY_FINDING_FAIL, "cards", "",
                      "get a card's certificate: setpay-wallet card enrol; or card request, then "
                      "import",
                      "%zu %s can pay, %zu %s for a certificate, %zu %s over", active,
                      setpay_noun((int64_t)active, "card", "cards"), pending,
                      setpay_noun((int64_t)pending, "waits", "wait"), over,
                      setpay_noun((int64_t)over, "is", "are"));
}

static void check_lists(struct setpay_doctor *doctor, struct setpay_trust *trust,
                        const struct setpay_wallet_records *records)
{
    const char *brands[SETPAY_DOCTOR_BRANDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < records->card_count && count < SETPAY_DOCTOR_BRANDS_MAX; i++) {
        size_t at = 0;
        if (records->cards[i].status == SETPAY_WALLET_CARD_PENDING)
            continue;
        while (at < count && strcmp(brands[at], records->cards[i].brand) != 0)
            at++;
        if (at == count)
            brands[count++] = records->cards[i].brand;
    }
    if (!doctor->root_is_wrong)
        setpay_doctor_lists(doctor, trust, brands, count,
                            "see that the card's authority can be reached, which the wallet then "
                            "asks by itself; or put the newest lists into the folder of the key "
                            "crls; and see the clock");
}

void setpay_wallet_doctor_records(struct setpay_doctor *doctor, struct setpay_trust *trust,
                                  const struct setpay_wallet_records *records, bool is_locked)
{
    if (!records->initialised || is_locked)
        setpay_doctor_say(
            doctor, SETPAY_FINDING_FAIL, "locked", "",
            records->initialised ? "setpay-wallet unlock" : "setpay-wallet init", "%s",
            records->initialised ? "the wallet is locked: nothing can be signed or inquired after"
                                 : "the wallet has not been initialised");
    check_cards(doctor, trust, records);
    check_lists(doctor, trust, records);
    setpay_doctor_say(
        doctor, records->open_count == 0 || !is_locked ? SETPAY_FINDING_OK : SETPAY_FINDING_FAIL,
        "purchases", "", "setpay-wallet unlock: the wallet then inquires by itself",
        "%zu %s for %s outcome", records->open_count,
        setpay_noun((int64_t)records->open_count, "purchase waits", "purchases wait"),
        setpay_noun((int64_t)records->open_count, "its", "their"));
}
