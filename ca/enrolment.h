/*
 * Who may be given a certificate over the network, and what they must know for it (rule C1).
 *
 * An enrolment is a name and a secret that somebody gave to a person: the issuer of a card to its
 * cardholder, the operator to a merchant or a gateway. The name travels as the user of HTTP Basic,
 * the secret as its password. Of a card the CA holds HMAC(PAN, expiry) under a key that it shares
 * with the issuer, and of every secret its scrypt: neither can be guessed from the database.
 *
 * A secret is good once: for one certificate of a card, for one of each kind of a merchant or a
 * gateway. The same request by the same key is answered again, since an answer can be lost. After
 * SETPAY_CA_TRIES wrong ones it is good for nothing, however long ago they were.
 */
#ifndef SETPAY_CA_ENROLMENT_H
#define SETPAY_CA_ENROLMENT_H

#include "ca/ca.h"
#include "common/base/secret.h"
#include "common/crypto/keyfile.h"
#include "common/pki/role.h"

#define SETPAY_CA_TRIES 5
#define SETPAY_CA_ENROLMENT_ID_SIZE 14      /* 13 characters of 5 bits, and a NUL */
#define SETPAY_CA_ENROLMENT_SECRET_CHARS 16 /* of 5 bits: 80 bits (rule C1: at least 64) */
#define SETPAY_CA_ENROLMENT_HOSTS_SIZE 1024
#define SETPAY_CA_ENROLMENT_LINE_MAX 512

/* The labels under which EST is served: who asks. */
#define SETPAY_CA_LABEL_CARDHOLDER "cardholder"
#define SETPAY_CA_LABEL_MERCHANT "merchant"
#define SETPAY_CA_LABEL_GATEWAY "gateway"

struct setpay_ca_enrolment {
    char id[SETPAY_CA_ENROLMENT_ID_SIZE];
    char label[12];
    char brand[SETPAY_BRAND_MAX + 1];
    char party[SETPAY_PARTY_ID_MAX + 1];        /* "" for a cardholder */
    char hosts[SETPAY_CA_ENROLMENT_HOSTS_SIZE]; /* of its TLS server, separated by blanks */
    struct setpay_digest card;                  /* HMAC(PAN, expiry); zeroes for others */
    struct setpay_scrypt scrypt;
    struct setpay_digest verifier; /* scrypt of the secret */
    setpay_time_ms expires;
    int64_t tries; /* that were wrong, since it was made */
};

/* ---- making them ---- */

/* The key under which cards are digested: 64 hexadecimal digits in a private file, made where it is
 * absent and make is true. *key must be empty. Errors of setpay_file_read_secret. */
enum setpay_error setpay_ca_card_key(const char *path, bool make, struct setpay_secret *key,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
enum setpay_error setpay_ca_card_digest(const struct setpay_secret *key,
                                        const struct setpay_secret *pan,
                                        const struct setpay_secret *expiry,
                                        struct setpay_digest *digest) SETPAY_MUST_CHECK;

/* A fresh id and secret (text, *secret must be empty) for an enrolment whose label, brand, party,
 * hosts, card and expires are set. About 0.1 s of scrypt. */
enum setpay_error setpay_ca_enrolment_make(struct setpay_ca_enrolment *enrolment,
                                           struct setpay_secret *secret) SETPAY_MUST_CHECK;
/* The secret as people write it, "ABCD-EFGH-…", becomes its one form: capitals without marks, O and
 * I and L as the digits that they look like. SETPAY_E_INVALID for other characters. */
enum setpay_error setpay_ca_secret_normalise(struct setpay_view text,
                                             struct setpay_secret *secret) SETPAY_MUST_CHECK;

/* A cardholder's enrolment as a line of an issuer's file, without its end; and back.
 * SETPAY_E_INVALID with words about the field. */
enum setpay_error
setpay_ca_enrolment_format(const struct setpay_ca_enrolment *enrolment,
                           char line[SETPAY_CA_ENROLMENT_LINE_MAX]) SETPAY_MUST_CHECK;
enum setpay_error setpay_ca_enrolment_parse(const char *line, struct setpay_ca_enrolment *enrolment,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ---- keeping them ---- */

/* Takes all of them, or none. One that is known by its id stays as it is, with its wrong tries, and
 * ended where it has ended; one for a card that had another takes its place (the issuer gave a new
 * secret). *added: how many were
 * not known. SETPAY_E_NOT_FOUND: a brand is not known here. */
enum setpay_error setpay_ca_enrolment_add(struct setpay_ca *ca,
                                          const struct setpay_ca_enrolment *enrolments,
                                          size_t count, size_t *added,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND. What was issued stays. */
enum setpay_error setpay_ca_enrolment_remove(struct setpay_ca *ca, const char *id,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* uses: how many certificates it was used for; renewals: how many came of those. */
typedef void setpay_ca_enrolment_cb(void *arg, const struct setpay_ca_enrolment *enrolment,
                                    int64_t uses, int64_t renewals);
/* One, ended or not. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_ca_enrolment_find(struct setpay_ca *ca, const char *id,
                                           struct setpay_ca_enrolment *enrolment, bool *ended,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* The certificates that it was used for, and those that came of them by renewal, oldest first. */
enum setpay_error setpay_ca_enrolment_certificates(struct setpay_ca *ca, const char *id,
                                                   setpay_ca_record_cb *each,
                                                   void *arg) SETPAY_MUST_CHECK;
enum setpay_error setpay_ca_enrolment_each(struct setpay_ca *ca, setpay_ca_enrolment_cb *each,
                                           void *arg) SETPAY_MUST_CHECK;

/* ---- using them (enrol.c) ---- */

/* What came with a request over the network. All borrowed. */
struct setpay_ca_asked {
    const char *label;
    const char *user;                     /* of HTTP Basic; NULL where there was none */
    const struct setpay_secret *password; /* likewise */
    struct setpay_view request;           /* PKCS#10, DER */
    const struct setpay_secret *nonce_key;
    const struct setpay_secret *card_key; /* NULL: cardholders can't enrol here */
    int card_days; /* how long their certificates live at most; 0: as long as the card */
};

/*
 * Rules C1 and C2, in this order: the request is well-formed and signed by its key, its nonce was
 * given out here and is not over, its key was never certified (but by this very enrolment), then
 * the secret. Every refusal of the last kind is SETPAY_E_ENROLMENT, takes as long and has the same
 * words; a wrong try is counted before it is judged.
 * SETPAY_E_CSR, SETPAY_E_NONCE, SETPAY_E_KEY_CERTIFIED, SETPAY_E_EXPIRED (the card), and errors of
 * the store. Otherwise issued is as after setpay_ca_issue.
 */
enum setpay_error setpay_ca_enrol(struct setpay_ca *ca, const struct setpay_ca_asked *asked,
                                  setpay_time_ms now, struct setpay_ca_issued *issued,
                                  struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* To the holder of a certificate, who has shown it by TLS: a new one of its kind; or, to a
 * gateway's signing certificate, one for its envelopes. The label must be the holder's. Errors as
 * above and those of setpay_ca_renew. */
enum setpay_error setpay_ca_reenrol(struct setpay_ca *ca, const struct setpay_ca_asked *asked,
                                    struct setpay_view holder, setpay_time_ms now,
                                    struct setpay_ca_issued *issued,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* A nonce that setpay_ca_enrol takes for SETPAY_CA_NONCE_LIFE_MS, once: it holds its own end, under
 * HMAC. nonce_key: 32 bytes, fresh for each start of the daemon. */
#define SETPAY_CA_NONCE_LIFE_MS (10 * SETPAY_MINUTE_MS)
#define SETPAY_CA_NONCE_SIZE 76
enum setpay_error setpay_ca_nonce_make(const struct setpay_secret *nonce_key, setpay_time_ms now,
                                       char nonce[SETPAY_CA_NONCE_SIZE]) SETPAY_MUST_CHECK;

#endif
