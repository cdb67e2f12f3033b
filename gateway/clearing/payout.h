/*
 * Payouts: what a settlement has to pay to a merchant, on its way to the merchant's bank.
 *
 *     made -> sent <-> paid
 *      ^       ^        ^
 *      |       +--------+-> returned
 *      +-> set-aside
 *
 * A database that was restored from a backup has forgotten what was sent since: what is made may be
 * with the bank. Such payouts are in doubt. They are sent only where that is asked for, and the
 * bank's word that one was paid is taken of it though it stands in no file: made -> paid. Where it
 * was paid with another amount, or with others as one, there is no such word: it is set aside, with
 * the reason, and never sent. What was paid in its stead is in no book here but that reason: the
 * payout left cash when it was made, and a difference is the operator's to settle.
 *
 * A payout is made in the operation of its settlement, which posts it out of cash. It is sent by
 * being written to a file for the bank (pain.c): payout, file and bytes are kept in one operation,
 * before anybody sees the file, so that a payout is in one file and no other, whatever crashes, and
 * the file can be had again to the byte. What the bank says of it, paid or returned, is told by a
 * person. What is returned goes back from cash to merchant payable in that operation, as an
 * adjustment (adjustment.h), and the merchant's next settlement pays it again.
 *
 * A word that was told by mistake is undone (payout_word.c): the payout is as it was before it, and
 * the word is kept beside it, with the reason. A return can be undone until a settlement has paid
 * it again: from then on there are two payouts of that money, and one of them was paid.
 *
 * Each of these steps has an entry of the ledger, whose event is computed of all that was told with
 * it. Sent and paid move nothing: cash out, and in again. But the ledger is only ever added to: a
 * payout that was sent can't be made to look as if it was not, and be sent again.
 *
 * A payout is known by its settlement's id, which the bank has as EndToEndId. Settlements of before
 * there were payouts were paid by other means, and have none.
 *
 * All functions with a db run inside a store operation or a read.
 */
#ifndef SETPAY_GATEWAY_CLEARING_PAYOUT_H
#define SETPAY_GATEWAY_CLEARING_PAYOUT_H

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/zone.h"
#include "common/store/db.h"
#include "common/wire/messages.h"
#include "gateway/clearing/ledger.h"
#include "gateway/clearing/payee.h"
#include "gateway/clearing/payout_state.h"
#include "gateway/clearing/settlement.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* sent, paid, returned: the events of the entries of what was done with it. holder, iban, bic: to
 * whom it was sent. What is not known yet is '' or 0. digest: of content, the file's bytes. */
#define SETPAY_PAYOUT_SCHEMA                                                                       \
    "CREATE TABLE payout ("                                                                        \
    " id INTEGER PRIMARY KEY, settlement_id INTEGER NOT NULL UNIQUE, state INTEGER NOT NULL,"      \
    " file_id INTEGER NOT NULL DEFAULT 0, holder TEXT NOT NULL DEFAULT '',"                        \
    " iban TEXT NOT NULL DEFAULT '', bic TEXT NOT NULL DEFAULT '', sent BLOB UNIQUE,"              \
    " sent_ms INTEGER NOT NULL DEFAULT 0, paid BLOB UNIQUE, reference TEXT NOT NULL DEFAULT '',"   \
    " paid_day TEXT NOT NULL DEFAULT '', paid_ms INTEGER NOT NULL DEFAULT 0, returned BLOB "       \
    "UNIQUE,"                                                                                      \
    " return_code TEXT NOT NULL DEFAULT '', return_reason TEXT NOT NULL DEFAULT '',"               \
    " return_reference TEXT NOT NULL DEFAULT '', return_day TEXT NOT NULL DEFAULT '',"             \
    " returned_ms INTEGER NOT NULL DEFAULT 0);"                                                    \
    "CREATE INDEX payout_by_state ON payout (state, id);"                                          \
    "CREATE INDEX payout_by_file ON payout (file_id, id);"                                         \
    "CREATE TABLE payout_file ("                                                                   \
    " id INTEGER PRIMARY KEY, token BLOB NOT NULL UNIQUE, currency TEXT NOT NULL,"                 \
    " day TEXT NOT NULL, payout_count INTEGER NOT NULL, amount_minor INTEGER NOT NULL,"            \
    " created_ms INTEGER NOT NULL, digest BLOB NOT NULL, content BLOB NOT NULL);"                  \
    "CREATE TABLE payout_rule (id INTEGER PRIMARY KEY, last_before INTEGER NOT NULL);"             \
    "INSERT INTO payout_rule SELECT 1, COALESCE(MAX(id), 0) FROM settlement;"
/* SQL: a row of settlement has a payout. */
#define SETPAY_PAYOUT_IS_OF                                                                        \
    "settlement.payout_minor > 0 AND settlement.id >"                                              \
    " (SELECT last_before FROM payout_rule WHERE payout_rule.id = 1)"

/* Of a later step of the gateway's schema: words that were undone. word: the event of the entry
 * with which it was told; undone: of the one with which it was undone. */
#define SETPAY_PAYOUT_UNDONE_SCHEMA                                                                \
    "CREATE TABLE payout_undone ("                                                                 \
    " id INTEGER PRIMARY KEY, payout_id INTEGER NOT NULL, is_return INTEGER NOT NULL,"             \
    " word BLOB NOT NULL UNIQUE, reference TEXT NOT NULL, day TEXT NOT NULL, code TEXT NOT NULL,"  \
    " reason TEXT NOT NULL, told_ms INTEGER NOT NULL, undone BLOB NOT NULL UNIQUE,"                \
    " undone_reason TEXT NOT NULL, undone_ms INTEGER NOT NULL);"                                   \
    "CREATE INDEX payout_undone_by_payout ON payout_undone (payout_id, id);"

/* Of the step behind that: what was set aside. aside: the event of the entry. */
#define SETPAY_PAYOUT_ASIDE_SCHEMA                                                                 \
    "ALTER TABLE payout ADD COLUMN aside BLOB;"                                                    \
    "ALTER TABLE payout ADD COLUMN aside_reason TEXT NOT NULL DEFAULT '';"                         \
    "ALTER TABLE payout ADD COLUMN aside_ms INTEGER NOT NULL DEFAULT 0;"                           \
    "CREATE UNIQUE INDEX payout_aside ON payout (aside);"                                          \
    "ALTER TABLE payout_undone ADD COLUMN is_aside INTEGER NOT NULL DEFAULT 0;"

#define SETPAY_PAYOUTS_IN_FILE 1000
#define SETPAY_PAYOUT_FILE_MAX (3U * 1024 * 1024)
#define SETPAY_PAYOUT_REFERENCE_SIZE 65
#define SETPAY_PAYOUT_CODE_SIZE 5
#define SETPAY_PAYOUT_REASON_SIZE 201

/* What the bank says of one. */
struct setpay_payout_word {
    char reference[SETPAY_PAYOUT_REFERENCE_SIZE]; /* the bank's */
    char day[SETPAY_DATE_TEXT_SIZE];              /* on which it has booked it */
    char code[SETPAY_PAYOUT_CODE_SIZE];           /* why it came back, ISO 20022: "AC04" */
    char reason[SETPAY_PAYOUT_REASON_SIZE];       /* in words, or "" */
    setpay_time_ms at_ms;                         /* when that was told; 0: it was not */
    struct setpay_id event;                       /* of the entry */
};

struct setpay_payout {
    int64_t id;
    int64_t settlement;
    struct setpay_id token; /* the settlement's */
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];
    char day[SETPAY_DATE_TEXT_SIZE]; /* that was settled */
    setpay_time_ms cut_off_ms;
    int64_t amount_minor;
    setpay_time_ms made_ms;
    enum setpay_payout_state state;
    int64_t file; /* 0: in none */
    struct setpay_id file_token;
    struct setpay_bank_account account; /* to which it was sent */
    setpay_time_ms sent_ms;
    struct setpay_id sent; /* the event of the entry */
    struct setpay_payout_word paid, returned;
    struct setpay_payout_word aside; /* nobody's but the operator's: a reason, and when */
};

/* A word that was undone. */
struct setpay_payout_undone {
    int64_t payout;           /* its row */
    bool is_return, is_aside; /* neither: it was paid */
    struct setpay_payout_word word;
    char reason[SETPAY_PAYOUT_REASON_SIZE]; /* why it was undone, in words */
    setpay_time_ms at_ms;
    struct setpay_id event; /* of the entry that undoes it */
};

struct setpay_payout_file {
    int64_t id;
    struct setpay_id token; /* the bank has it as MsgId */
    char currency[4];
    char day[SETPAY_DATE_TEXT_SIZE]; /* on which the bank is to pay */
    int64_t count;
    int64_t amount_minor;
    setpay_time_ms created_ms;
    struct setpay_digest digest; /* of its bytes */
};

/* ------------------------------------------------------------------ pure */

/* What a word must be: reference (1 to 64 printable ASCII characters, no blank), day (not behind
 * tomorrow); of a return also the code, and words on one line. SETPAY_E_INVALID with words. */
enum setpay_error setpay_payout_word_check(const struct setpay_payout_word *word, bool returns,
                                           setpay_time_ms now_ms,
                                           struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* What is sent is paid, and a clock that is wrong must not send it: by one that is ahead a bank
 * pays weeks late, and what is made by it is sent before its day. last_ms: when the newest was kept
 * (setpay_settlement_last_kept). SETPAY_E_STATE where the clock is further ahead of that than a
 * gateway is quiet, or more than a day behind it. */
enum setpay_error setpay_payout_check_clock(setpay_time_ms last_ms,
                                            setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* The id of a file: computed of its currency, day and time and of what it pays. */
enum setpay_error setpay_payout_file_token(const struct setpay_payout_file *file,
                                           const struct setpay_payout *payouts, size_t count,
                                           struct setpay_id *token) SETPAY_MUST_CHECK;
enum setpay_error setpay_payout_file_digest(struct setpay_view content,
                                            struct setpay_digest *digest) SETPAY_MUST_CHECK;
/* The events of the entries of a payout, computed of all that was told with each. */
enum setpay_error setpay_payout_sent_event(const struct setpay_payout *payout,
                                           const struct setpay_payout_file *file,
                                           struct setpay_id *event) SETPAY_MUST_CHECK;
enum setpay_error setpay_payout_paid_event(const struct setpay_payout *payout,
                                           struct setpay_id *event) SETPAY_MUST_CHECK;
enum setpay_error setpay_payout_returned_event(const struct setpay_payout *payout,
                                               struct setpay_id *event) SETPAY_MUST_CHECK;
enum setpay_error setpay_payout_aside_event(const struct setpay_payout *payout,
                                            struct setpay_id *event) SETPAY_MUST_CHECK;
enum setpay_error setpay_payout_undone_event(const struct setpay_payout_undone *undone,
                                             struct setpay_id *event) SETPAY_MUST_CHECK;
/* Whose entry it is, kind and postings; not of a word that is undone. */
void setpay_payout_post(const struct setpay_payout *payout, enum setpay_ledger_kind kind,
                        struct setpay_ledger_entry *entry);
/* The same of a word that is undone: its own entry the other way round. */
void setpay_payout_undone_post(const struct setpay_payout *payout, bool is_return,
                               struct setpay_ledger_entry *entry);

/* pain.c: pain.001.001.09, the order to the bank to pay these, all of file's currency and each with
 * its account. bytes is replaced. The same arguments give the same bytes. */
enum setpay_error setpay_payout_pain_001(const struct setpay_payout_file *file,
                                         const struct setpay_bank_account *payer,
                                         const struct setpay_payout *payouts, size_t count,
                                         struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ in an operation */

/* Of a settlement that was just made: its payout, where there is something to pay. */
enum setpay_error setpay_payout_make(struct setpay_db *db,
                                     const struct setpay_settlement *settlement) SETPAY_MUST_CHECK;

/* Whom a merchant's payouts go to. */
struct setpay_payee {
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    struct setpay_bank_account account;
};
struct setpay_payout_sending {
    const char *currency;
    const char *day; /* on which the bank is to pay */
    const struct setpay_bank_account *payer;
    const struct setpay_payee *payees;
    size_t payee_count;
    setpay_time_ms now_ms;
    /* When the database was restored from a backup; 0: never. It may have forgotten that what was
     * captured or became due by then was sent, under this settlement or another. Such are left
     * out. */
    setpay_time_ms restored_ms;
    /* These are not written, whatever else is: the tokens of payouts. */
    const struct setpay_id *left;
    size_t left_count;
    /* What came of it. */
    struct setpay_payout_file file;
    bool more;             /* there are more than one file holds: another operation */
    int64_t doubted_count; /* left out since they are in doubt */
    int64_t kept_count;    /* since they are in left */
};
/* Writes what is made, of that currency and to one of these payees, to a file: bytes, which is
 * replaced. SETPAY_E_NOT_FOUND: there is none. */
enum setpay_error setpay_payout_send(struct setpay_db *db, struct setpay_payout_sending *sending,
                                     struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

/* Whether something in it is of before the database was restored (0: never), so that it may have
 * been sent and forgotten. */
enum setpay_error setpay_payout_is_doubted(struct setpay_db *db, const struct setpay_payout *payout,
                                           setpay_time_ms restored_ms,
                                           bool *doubted) SETPAY_MUST_CHECK;

/* The bank has paid it: reference and day of word; of one that is not sent only where it is in
 * doubt since restored_ms. *known: that was told before with the same words, and nothing is
 * changed. SETPAY_E_EXISTS (told before with others), SETPAY_E_STATE, with words. */
enum setpay_error setpay_payout_pay(struct setpay_db *db, struct setpay_payout *payout,
                                    const struct setpay_payout_word *word,
                                    setpay_time_ms restored_ms, bool *known,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* It came back, or the bank has not paid it. The same. */
enum setpay_error setpay_payout_return(struct setpay_db *db, struct setpay_payout *payout,
                                       const struct setpay_payout_word *word, bool *known,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* It was settled by other means, and is never sent: word's reason and time. Only where it is in
 * doubt since restored_ms. The same as of setpay_payout_pay. */
enum setpay_error setpay_payout_set_aside(struct setpay_db *db, struct setpay_payout *payout,
                                          const struct setpay_payout_word *word,
                                          setpay_time_ms restored_ms, bool *known,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* Which word of the bank is meant. */
enum setpay_payout_which {
    SETPAY_PAYOUT_WORD_ANY = 0, /* with that reference; there must be but one */
    SETPAY_PAYOUT_WORD_PAID,
    SETPAY_PAYOUT_WORD_RETURNED,
};
/* What is to be undone of a payout, and what came of it. */
struct setpay_payout_undoing {
    /* The bank's, by which the word was told that is to be undone; NULL: that it was set aside. */
    const char *reference;
    enum setpay_payout_which which;
    const char *reason; /* checked by the caller */
    setpay_time_ms now_ms;
    struct setpay_payout_undone undone;
    bool known; /* it was undone before, by the same words, and nothing is changed */
};
/* The last word that was told of it is undone: *payout is as it was before. What was undone last is
 * known where that is asked again, as long as no such word has been told since. SETPAY_E_STATE with
 * words: nothing was told of it, or not by that reference, or more than one word by it, or a
 * settlement has paid it again, which is named. */
enum setpay_error setpay_payout_undo(struct setpay_db *db, struct setpay_payout *payout,
                                     struct setpay_payout_undoing *undoing,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether it is that payout's last word that is to be undone, or was, by the same words. */
enum setpay_error setpay_payout_undo_is_of(struct setpay_db *db, const struct setpay_payout *payout,
                                           const struct setpay_payout_undoing *undoing,
                                           bool *is_of) SETPAY_MUST_CHECK;

/* Inside of gateway/clearing: the entry of one of its steps. */
enum setpay_error setpay_payout_append(struct setpay_db *db, const struct setpay_payout *payout,
                                       enum setpay_ledger_kind kind, const struct setpay_id *event,
                                       setpay_time_ms at_ms) SETPAY_MUST_CHECK;

/* ------------------------------------------------------------------ looking */

/* By the settlement's id. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_payout_find(struct setpay_db *db, const struct setpay_id *token,
                                     struct setpay_payout *payout) SETPAY_MUST_CHECK;
/* By the event of one of its entries, with the word that was told with that, though it was undone
 * since. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_payout_find_event(struct setpay_db *db, enum setpay_ledger_kind kind,
                                           const struct setpay_id *event,
                                           struct setpay_payout *payout) SETPAY_MUST_CHECK;

struct setpay_payout_filter {
    int64_t state;        /* 0: any */
    int64_t file;         /* 0: any */
    const char *currency; /* NULL: any; so are these */
    const char *brand;
    const char *merchant_id;
    int64_t after; /* an id */
    int64_t limit;
};
typedef enum setpay_error setpay_payout_each_fn(void *arg, const struct setpay_payout *payout);
/* The oldest first. Ends with each's error. */
enum setpay_error setpay_payout_each(struct setpay_db *db,
                                     const struct setpay_payout_filter *filter,
                                     setpay_payout_each_fn *each, void *arg) SETPAY_MUST_CHECK;

/* A word that was undone, by the event of the entry that told it, or (by_undoing) of the one that
 * undid it. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_payout_undone_find(struct setpay_db *db, const struct setpay_id *event,
                                            bool by_undoing,
                                            struct setpay_payout_undone *undone) SETPAY_MUST_CHECK;
typedef enum setpay_error setpay_payout_undone_fn(void *arg,
                                                  const struct setpay_payout_undone *undone);
/* Those of one payout, the oldest first. Ends with each's error. */
enum setpay_error setpay_payout_each_undone(struct setpay_db *db, int64_t payout,
                                            setpay_payout_undone_fn *each,
                                            void *arg) SETPAY_MUST_CHECK;

/* What is made and waits, by merchant and currency. */
struct setpay_payout_waiting {
    char brand[SETPAY_WIRE_BRAND_MAX + 1];
    char merchant_id[SETPAY_WIRE_PARTY_MAX + 1];
    char currency[4];
    int64_t count, amount_minor;
};
typedef enum setpay_error setpay_payout_waiting_fn(void *arg,
                                                   const struct setpay_payout_waiting *waiting);
enum setpay_error setpay_payout_each_waiting(struct setpay_db *db, setpay_payout_waiting_fn *each,
                                             void *arg) SETPAY_MUST_CHECK;

/* By its id; content is replaced by its bytes (NULL: not wanted). SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_payout_file_find(struct setpay_db *db, const struct setpay_id *token,
                                          struct setpay_payout_file *file,
                                          struct setpay_buffer *content) SETPAY_MUST_CHECK;
typedef enum setpay_error setpay_payout_file_fn(void *arg, const struct setpay_payout_file *file);
/* The newest first, at most limit. */
enum setpay_error setpay_payout_each_file(struct setpay_db *db, int64_t limit,
                                          setpay_payout_file_fn *each, void *arg) SETPAY_MUST_CHECK;

#endif
