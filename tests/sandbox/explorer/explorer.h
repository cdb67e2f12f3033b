/*
 * setpay-explorer: one purchase of a sandbox as its three parties saw it, on one page.
 *
 * Each party's part comes out of that party's own database, and of what its own keys open; nothing
 * is filled in from another's. Who holds no copy of a message has none on the page either.
 *
 *     read.c     what each party holds of the purchase
 *     keys.c     its certificates, and what its keys open
 *     fields.c   the fields of a message, by the tables that the codec itself goes by
 *     check.c    signatures, chains, digests and the dual signature, computed again
 *     revoked.c  whether a list that a party holds names what has signed
 *     words.c    fields in words, and which of them are not shown
 *     rows.c     which of it belongs together, in order of time
 *     page.c     the page
 */
#ifndef SETPAY_SANDBOX_EXPLORER_H
#define SETPAY_SANDBOX_EXPLORER_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/money.h"
#include "common/crypto/envelope.h"
#include "common/pki/certificate.h"
#include "common/pki/chain.h"
#include "common/pki/crl.h"
#include "common/wire/layout.h"
#include "common/wire/purchase.h"
#include "common/wire/receipt.h"
#include "common/wire/signed.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum explorer_party { EXPLORER_WALLET, EXPLORER_MERCHANT, EXPLORER_GATEWAY, EXPLORER_PARTIES };

#define EXPLORER_WORDS 320 /* room for one sentence */
#define EXPLORER_HELD 2048 /* messages of one purchase, at all parties */
#define EXPLORER_RECEIPTS 1024
#define EXPLORER_CERTIFICATES 256 /* at one party */
#define EXPLORER_LISTS 256        /* revocation lists, likewise */
#define EXPLORER_SIGNERS 64       /* certificates that have signed, and what is above them */
#define EXPLORER_CHECKS 4096
#define EXPLORER_PATH 4096
#define EXPLORER_PAGE_BYTES                                                                        \
    ((size_t)32 * 1024 * 1024) /* of 1,024 receipts, with what led to them */

/* A message of which a party holds the exact bytes that were signed. */
struct explorer_held {
    enum explorer_party party;
    enum setpay_message_type type;
    const char *from; /* the table that it was read from; static */
    struct setpay_buffer content;
    struct setpay_buffer signature; /* empty: none is kept, or the type has none */
    struct setpay_digest signer;    /* of a signature */
    enum setpay_error error;        /* what came of verifying it (check.c); none: SETPAY_OK */
};

/* The number-th receipt of the purchase (from 0), as three parties may hold it. */
struct explorer_receipt {
    struct setpay_buffer opened[EXPLORER_PARTIES]; /* a packed Signed */
    struct setpay_buffer sealed[EXPLORER_PARTIES]; /* a packed SealedReceipt */
    enum setpay_error error[EXPLORER_PARTIES];     /* of opened, by check.c; none: SETPAY_OK */
};

struct explorer_certificates {
    struct setpay_certificate *list[EXPLORER_CERTIFICATES]; /* owned */
    size_t count;
};

struct explorer_lists {
    struct setpay_crl *list[EXPLORER_LISTS]; /* owned */
    size_t count;
};

/* What a party's newest list of an authority says of a certificate of that authority. */
struct explorer_listing {
    const struct setpay_crl *list; /* borrowed; NULL: it holds none */
    bool is_revoked;
    setpay_time_ms revoked_ms;
};

/* A certificate by which something here was signed or sealed, or an authority above one. */
struct explorer_signer {
    const struct setpay_certificate *certificate; /* borrowed */
    setpay_time_ms last_ms;                       /* the latest date of what it was used for */
    struct explorer_listing listings[EXPLORER_PARTIES];
};

/* What a party's own row of the purchase says. */
struct explorer_record {
    bool there;
    bool has_oimd, has_pimd, has_pomd;
    struct setpay_digest oimd, pimd, pomd;
};

/* The digests as a party computes them out of what it holds. */
struct explorer_dual {
    bool there;
    bool oi_is_open, pi_is_open; /* computed from the half itself; otherwise it holds the digest */
    bool has_digests;
    struct setpay_digest oimd, pimd, pomd;
    enum setpay_error error; /* SETPAY_OK: DS is over this POMD, by the cardholder's key */
    char words[EXPLORER_WORDS];
};

struct explorer_check {
    enum explorer_party party;
    bool holds;
    char what[EXPLORER_WORDS];
    char words[EXPLORER_WORDS]; /* why not; or "" */
};

struct explorer {
    const char *folder;   /* the sandbox's */
    const char *order_id; /* as asked for; NULL: the newest that was paid */

    char order[SETPAY_WIRE_LID_M_MAX + 1];
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char state[32]; /* of the purchase, at the merchant; so the sums */
    struct setpay_money amount, approved, captured, credited;
    struct setpay_id xid;
    int64_t purchase_id; /* the merchant's */

    struct explorer_held held[EXPLORER_HELD];
    size_t held_count;
    struct explorer_receipt receipts[EXPLORER_RECEIPTS];
    size_t receipt_count;
    struct explorer_certificates certificates[EXPLORER_PARTIES];
    struct explorer_certificates authorities; /* of the brand, as the sandbox has them */
    struct explorer_lists lists[EXPLORER_PARTIES];
    struct explorer_signer signers[EXPLORER_SIGNERS];
    size_t signer_count;
    struct explorer_record records[EXPLORER_PARTIES];

    char card_last4[8];            /* of the wallet's own card; "" */
    struct setpay_buffer envelope; /* as the wallet keeps it */
    bool merchant_has_envelope;    /* still, or again */
    size_t passed_size; /* of the envelope that the merchant's PReq names; 0: not known */
    struct setpay_envelope_key *gateway_key; /* NULL: it has none that can be read */
    struct setpay_digest gateway_key_of;     /* the certificate of it */
    struct setpay_instruction instruction;   /* the gateway's, opened */
    bool is_opened;
    enum setpay_error merchant_opens; /* what came of trying with the merchant's keys */
    bool merchant_tried;

    struct setpay_trust *trust;
    struct explorer_dual dual[EXPLORER_PARTIES];
    struct explorer_check checks[EXPLORER_CHECKS];
    size_t check_count, failed_count;
};

const char *explorer_party_name(enum explorer_party party); /* "wallet", … */
void explorer_clear(struct explorer *explorer);

/* ---- read.c ---- */

/* Finds the purchase of the order, and reads what each party holds of it. explorer has folder and
 * order_id, and is otherwise zeroed. SETPAY_E_NOT_FOUND (no such order, or nobody has paid it), and
 * errors of databases and files, with words in problem. */
enum setpay_error explorer_read(struct explorer *explorer,
                                struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether those bytes stand anywhere in the files of a party's database. */
bool explorer_database_has(const struct explorer *explorer, enum explorer_party party,
                           struct setpay_view bytes);

/* ---- keys.c ---- */

/* FOLDER/BETWEEN/NAME END of the sandbox, into EXPLORER_PATH bytes; false where that is too long.
 */
bool explorer_path(char *path, const struct explorer *explorer, const char *between,
                   const char *name, const char *end);
/* What is no certificate of this PKI, or one too many, is passed over: its message says so then. */
void explorer_add_certificate(struct explorer *explorer, enum explorer_party party,
                              struct setpay_view der);
/* The party's own certificate of that thumbprint, borrowed; NULL. */
struct setpay_certificate *explorer_certificate(const struct explorer *explorer,
                                                enum explorer_party party,
                                                const struct setpay_digest *thumbprint);

/* The root, the parties' own certificates, the gateway's key; and what came of trying the
 * merchant's. Errors of files, with words in problem. */
enum setpay_error explorer_read_keys(struct explorer *explorer,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ---- fields.c ---- */

/* One field, as a value of our structs. Bytes are borrowed from the message. */
struct explorer_field {
    const char *path; /* "header.rrpid", "items[2].name" */
    const char *name; /* its last part */
    enum setpay_wire_kind kind;
    bool is_there;  /* false: optional, and absent */
    bool is_secret; /* of a message of secrets: only what explorer_field_is_shown lets through */
    struct setpay_view bytes;
    int64_t number;
    struct setpay_money money;
    const char *word; /* of an enumeration: its value's name */
};
typedef enum setpay_error explorer_field_fn(void *arg, const struct explorer_field *field);

/* What a type of message is about, who sends it to whom, and how it is read. NULL where unknown. */
struct explorer_kind {
    enum setpay_message_type type;
    const struct setpay_wire_layout *layout;
    enum explorer_party from, to;
    const char *title; /* what it does */
};
const struct explorer_kind *explorer_kind(enum setpay_message_type type);
bool explorer_is_answer(enum setpay_message_type type);

/* Every field of a message in the order of its table, those of messages inside it and of packed
 * ones (OI in PReq) too. Errors of parsing, or of visit. */
enum setpay_error explorer_fields(const struct setpay_wire_layout *layout,
                                  struct setpay_view content, explorer_field_fn *visit,
                                  void *arg) SETPAY_MUST_CHECK;
/* The same of one that is parsed already. */
enum setpay_error explorer_fields_of(const struct setpay_wire_layout *layout, const void *message,
                                     explorer_field_fn *visit, void *arg) SETPAY_MUST_CHECK;

/* The first field of that name, of 16 or 32 bytes, or a number; false where there is none, or the
 * content can't be read. */
bool explorer_find_id(const struct setpay_wire_layout *layout, struct setpay_view content,
                      const char *name, struct setpay_id *id);
bool explorer_find_digest(const struct setpay_wire_layout *layout, struct setpay_view content,
                          const char *name, struct setpay_digest *digest);
bool explorer_find_number(const struct setpay_wire_layout *layout, struct setpay_view content,
                          const char *name, int64_t *number);
/* Whether any field xid of it is this one. */
bool explorer_concerns(enum setpay_message_type type, struct setpay_view content,
                       const struct setpay_id *xid);

/* ---- check.c ---- */

/* Fills checks, dual and instruction: what does not hold is no error, but a check that says so. */
void explorer_check(struct explorer *explorer);
void explorer_note(struct explorer *explorer, enum explorer_party party, bool holds,
                   const char *words, const char *format, ...) SETPAY_PRINTF(5, 6);

/* Rules A1 and A2: a receipt that the party holds opened, verified under the certificate that it
 * holds of its signer. SETPAY_E_CERT_MISSING, and errors of setpay_receipt_verify. */
enum setpay_error explorer_receipt_read(const struct explorer *explorer, enum explorer_party party,
                                        size_t number,
                                        struct setpay_receipt *receipt) SETPAY_MUST_CHECK;

/* ---- revoked.c ---- */

/* One that a party holds; what is none is told as a check that does not hold. */
void explorer_add_list(struct explorer *explorer, enum explorer_party party,
                       struct setpay_view der);
/* The certificate (borrowed) was used for something of that date. */
void explorer_add_signer(struct explorer *explorer, const struct setpay_certificate *certificate,
                         setpay_time_ms date_ms);
/* Looks for all that was added, and for the authorities above, on the parties' lists. */
void explorer_check_revocation(struct explorer *explorer);
/* "the merchant's certificate (1a2b3c4d…)", always with "the", into EXPLORER_WORDS bytes. */
void explorer_signer_title(const struct explorer_signer *signer, char *title);

/* ---- words.c ---- */

/* A field for the page; is_code: its value is a digest, an id, or other bytes in hexadecimal. */
json_t *explorer_field_json(const char *path, const char *value, const char *note, bool is_code);
/* Adds a digest that stands in the place of a message to a cell's main fields, by its first digits.
 * SETPAY_E_NOMEM. */
enum setpay_error explorer_digest_json(json_t *cell, const char *path,
                                       const struct setpay_digest *digest,
                                       const char *note) SETPAY_MUST_CHECK;
/* Fields of a message into a cell's lists main and more: those whose path begins with only and not
 * with without, each of which may be "". parsed: the struct, or NULL for content. What can't be
 * read is told in the cell and noted as a check that does not hold. SETPAY_E_NOMEM. */
enum setpay_error explorer_cell_fill(struct explorer *explorer, enum explorer_party party,
                                     json_t *cell, const struct setpay_wire_layout *layout,
                                     struct setpay_view content, const void *parsed,
                                     const char *only, const char *without) SETPAY_MUST_CHECK;
/* A field of a party's own messages by its name, in words, short; NULL where it has none. */
json_t *explorer_value(const struct explorer *explorer, enum explorer_party party,
                       const char *name);

/* ---- rows.c ---- */

/* The messages as rows for the page: a new array. */
enum setpay_error explorer_rows(struct explorer *explorer, json_t **rows) SETPAY_MUST_CHECK;

/* ---- page.c ---- */

/* Appends the page to html. */
enum setpay_error explorer_page(struct explorer *explorer, struct setpay_buffer *html,
                                struct setpay_problem *problem) SETPAY_MUST_CHECK;

#endif
