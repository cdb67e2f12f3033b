/*
 * What the wallet's doctor looks at besides what every daemon's does: cards, purchases, and whom
 * they need. For the daemon, which has all of it, and for setpay-wallet where the daemon is
 * stopped.
 */
#ifndef SETPAY_CARDHOLDER_DOCTOR_H
#define SETPAY_CARDHOLDER_DOCTOR_H

#include "cardholder/wallet.h"
#include "common/net/doctor.h"

#define SETPAY_WALLET_DOCTOR_PEERS_MAX 16

/* Somebody whom a card or an open purchase needs. */
struct setpay_wallet_doctor_peer {
    bool is_authority; /* else a merchant of a purchase that waits for its outcome */
    struct setpay_est_place place;
};

/* What the database says. Zeroed memory is empty. */
struct setpay_wallet_records {
    struct setpay_trust *trust; /* borrowed; takes the CAs and lists in; NULL: are there already */
    bool initialised;
    struct setpay_wallet_card cards[SETPAY_WALLET_CARDS_MAX];
    size_t card_count;
    size_t open_count;
    int64_t renew_before_ms; /* as configured */
    struct setpay_wallet_doctor_peer peers[SETPAY_WALLET_DOCTOR_PEERS_MAX];
    size_t peer_count;
};
/* A setpay_store_read_fn; arg is the records. */
enum setpay_error setpay_wallet_records_read(struct setpay_db *db, void *arg);
void setpay_wallet_records_clear(struct setpay_wallet_records *records);

/* Cards with their certificates, purchases, the lists of the cards' brands. is_locked: of a daemon
 * that runs. */
void setpay_wallet_doctor_records(struct setpay_doctor *doctor, struct setpay_trust *trust,
                                  const struct setpay_wallet_records *records, bool is_locked);

/* The daemon's own part, as setpay_doctor_tell, and "peers": [{"kind","host","port"}]. */
json_t *setpay_wallet_doctor(struct setpay_wallet *wallet);

#endif
