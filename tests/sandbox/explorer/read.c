/*
 * What each party holds of a purchase: read from the three databases of a sandbox, whether their
 * daemons run or not, by connections that can't write. A message is taken as its bytes stand there;
 * nothing is believed here.
 */
#include "tests/sandbox/explorer/explorer.h"

#include "common/crypto/hash.h"
#include "common/store/connection.h"
#include "common/store/evidence.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/purchase_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATABASE_MAX ((size_t)256 * 1024 * 1024) /* looked through in one piece */

const char *explorer_party_name(enum explorer_party party)
{
    static const char *const names[EXPLORER_PARTIES] = {"wallet", "merchant", "gateway"};
    return names[party];
}

/* ------------------------------------------------------------------ a database, as it is now */

/* A daemon that runs has a log beside its database; one that was stopped has left none, and then
 * nothing is to be made there by looking. */
static enum setpay_error open_database(const char *path, void **connection,
                                       struct setpay_problem *problem)
{
    const struct setpay_store_backend *backend = &setpay_store_sqlite;
    char log[EXPLORER_PATH + 8];
    (void)snprintf(log, sizeof log, "%s-wal", path);
    return access(log, F_OK) == 0 ? backend->open(path, false, NULL, connection, problem)
                                  : backend->open_still(path, connection, problem);
}

static enum setpay_error read_database(const char *path, setpay_store_read_fn *read, void *arg,
                                       struct setpay_problem *problem)
{
    const struct setpay_store_backend *backend = &setpay_store_sqlite;
    void *connection = NULL;
    struct setpay_db *db = NULL;
    SETPAY_TRY(open_database(path, &connection, problem));
    enum setpay_error error = setpay_db_new(backend, connection, 0, &db);
    if (error != SETPAY_OK) {
        backend->close(connection, true);
        return error;
    }
    error = backend->begin(connection, false);
    if (error == SETPAY_OK) {
        setpay_db_start(db);
        error = setpay_db_finish(db, read(db, arg));
        backend->rollback(connection);
    }
    if (error != SETPAY_OK && problem->text[0] == '\0')
        setpay_problem_write(problem, "%s: %s", path, setpay_error_text(error));
    setpay_db_free(db, true);
    return error;
}

/* ------------------------------------------------------------------ what is kept of it */

static bool is_held(const struct explorer *explorer, enum explorer_party party,
                    enum setpay_message_type type, struct setpay_view content)
{
    for (size_t i = 0; i < explorer->held_count; i++)
        if (explorer->held[i].party == party && explorer->held[i].type == type &&
            setpay_view_equal(setpay_buffer_view(&explorer->held[i].content), content))
            return true;
    return false;
}

static enum setpay_error add_held(struct explorer *explorer, enum explorer_party party,
                                  const char *from, enum setpay_message_type type,
                                  struct setpay_view content, struct setpay_view signature,
                                  const struct setpay_digest *signer)
{
    if (explorer_kind(type) == NULL || is_held(explorer, party, type, content))
        return SETPAY_OK;
    if (explorer->held_count == EXPLORER_HELD)
        return SETPAY_E_TOO_BIG;
    struct explorer_held *held = &explorer->held[explorer->held_count++];
    held->party = party;
    held->type = type;
    held->from = from;
    setpay_buffer_init(&held->content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&held->signature, SETPAY_LIMIT_CONTENT_BYTES);
    SETPAY_TRY(setpay_buffer_set(&held->content, content));
    SETPAY_TRY(setpay_buffer_set(&held->signature, signature));
    if (signature.size > 0)
        held->signer = *signer;
    return SETPAY_OK;
}

/* A whole Message that a party keeps, with the certificates beside it, if it is about the purchase.
 */
static enum setpay_error add_message(struct explorer *explorer, enum explorer_party party,
                                     const char *from, struct setpay_view bytes, bool always,
                                     struct setpay_buffer *envelope)
{
    struct setpay_message message;
    enum setpay_error error = setpay_message_parse(bytes, &message);
    if (error != SETPAY_OK) {
        explorer_note(explorer, party, false, setpay_error_text(error),
                      "each message in its table %s can be read", from);
        return SETPAY_OK;
    }
    bool concerns = always || explorer_concerns(message.type, message.content, &explorer->xid);
    for (size_t i = 0; concerns && i < message.certificate_count; i++)
        explorer_add_certificate(explorer, party, message.certificates[i]);
    if (concerns)
        error = add_held(explorer, party, from, message.type, message.content, message.signature,
                         &message.signer);
    if (error == SETPAY_OK && envelope != NULL) {
        setpay_buffer_init(envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
        error = setpay_buffer_set(envelope, message.envelope);
    }
    setpay_message_clear(&message);
    return error;
}

static enum setpay_error add_receipt(struct explorer *explorer, int64_t number,
                                     struct explorer_receipt **receipt)
{
    if (number < 0 || number >= EXPLORER_RECEIPTS)
        return SETPAY_E_TOO_BIG;
    if (explorer->receipt_count <= (size_t)number)
        explorer->receipt_count = (size_t)number + 1;
    *receipt = &explorer->receipts[number];
    return SETPAY_OK;
}

static enum setpay_error set_bytes(struct setpay_buffer *buffer, struct setpay_view bytes)
{
    setpay_buffer_init(buffer, SETPAY_LIMIT_CONTENT_BYTES);
    return setpay_buffer_set(buffer, bytes);
}

struct kept {
    struct explorer *explorer;
    enum explorer_party party;
    int64_t count;
};

static enum setpay_message_type type_by_name(const char *name)
{
    for (int type = 1; type <= SETPAY_MESSAGE_ERROR; type++) {
        const char *is = setpay_message_type_name((enum setpay_message_type)type);
        if (is != NULL && strcmp(is, name) == 0)
            return (enum setpay_message_type)type;
    }
    return SETPAY_MESSAGE_ERROR;
}

static enum setpay_error add_evidence(void *arg, const struct setpay_evidence *evidence)
{
    struct kept *kept = arg;
    struct setpay_digest signer;
    kept->count++;
    SETPAY_TRY(setpay_sha256(evidence->certificate, &signer)); /* its thumbprint */
    explorer_add_certificate(kept->explorer, kept->party, evidence->certificate);
    return add_held(kept->explorer, kept->party, "evidence", type_by_name(evidence->type),
                    evidence->content, evidence->signature, &signer);
}

/* All evidence of one owner; what lacks its signer's certificate is not among it, and is told. */
static enum setpay_error read_evidence(struct explorer *explorer, struct setpay_db *db,
                                       enum explorer_party party, int64_t owner)
{
    struct kept kept = {explorer, party, 0};
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_evidence_each(db, owner, add_evidence, &kept));
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*) FROM evidence WHERE owner = $1",
                             SETPAY_DB_INT(owner)));
    if (setpay_db_get_int(rows, 0) != kept.count)
        explorer_note(explorer, party, false, "there is one without",
                      "each message in its table evidence has its signer's certificate");
    return setpay_db_end(rows);
}

/* Certificates, one in a row. */
static enum setpay_error read_certificates(struct explorer *explorer, struct setpay_db *db,
                                           enum explorer_party party, const char *sql)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows, sql));
    while (setpay_db_next(rows))
        explorer_add_certificate(explorer, party, setpay_db_get_view(rows, 0));
    return setpay_db_end(rows);
}

/* What the party has been told of authorities, and of what they have revoked. */
static enum setpay_error read_lists(struct explorer *explorer, struct setpay_db *db,
                                    enum explorer_party party)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(read_certificates(explorer, db, party, "SELECT der FROM trust WHERE is_crl = 0"));
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT der FROM trust WHERE is_crl = 1"));
    while (setpay_db_next(rows))
        explorer_add_list(explorer, party, setpay_db_get_view(rows, 0));
    return setpay_db_end(rows);
}

/* Of the answers that it has given, those about the purchase. */
static enum setpay_error read_answers(struct explorer *explorer, struct setpay_db *db,
                                      enum explorer_party party)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT response FROM answer ORDER BY rowid"));
    while (error == SETPAY_OK && setpay_db_next(rows))
        error = add_message(explorer, party, "answer", setpay_db_get_view(rows, 0), false, NULL);
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* ------------------------------------------------------------------ merchant */

static enum setpay_error find_purchase(struct explorer *explorer, struct setpay_db *db,
                                       struct setpay_problem *problem)
{
    struct setpay_db_rows *rows;
    const char *order_id = explorer->order_id;
    if (order_id != NULL) {
        enum setpay_error error = setpay_db_one(
            db, &rows, "SELECT seq FROM orders WHERE order_id = $1", SETPAY_DB_TEXT(order_id));
        if (error == SETPAY_OK)
            error = setpay_db_end(rows);
        if (error == SETPAY_E_NOT_FOUND)
            return setpay_problem_set(problem, error, "there is no order '%.64s' in this sandbox",
                                      order_id);
        SETPAY_TRY(error);
    }
    enum setpay_error error =
        order_id != NULL ? setpay_db_one(db, &rows,
                                         "SELECT id, xid FROM purchase WHERE order_id = $1"
                                         " ORDER BY approved_minor > 0 DESC, id DESC LIMIT 1",
                                         SETPAY_DB_TEXT(order_id))
                         : setpay_db_one(db, &rows,
                                         "SELECT id, xid FROM purchase WHERE approved_minor > 0"
                                         " ORDER BY id DESC LIMIT 1");
    if (error == SETPAY_E_NOT_FOUND && order_id != NULL)
        return setpay_problem_set(problem, error,
                                  "nobody has tried to pay the order '%.64s' yet: pay its link",
                                  order_id);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error,
                                  "nothing has been paid in this sandbox yet: pay an order's link");
    SETPAY_TRY(error);
    explorer->purchase_id = setpay_db_get_int(rows, 0);
    setpay_db_get_id(rows, 1, &explorer->xid);
    return setpay_db_end(rows);
}

static void get_money(struct setpay_db_rows *rows, int column, const char *currency,
                      struct setpay_money *money)
{
    money->minor = setpay_db_get_int(rows, column);
    (void)snprintf(money->currency, sizeof money->currency, "%s", currency);
}

static enum setpay_error read_purchase(struct explorer *explorer, struct setpay_db *db)
{
    struct explorer_record *record = &explorer->records[EXPLORER_MERCHANT];
    struct setpay_db_rows *rows;
    char currency[4];
    SETPAY_TRY(setpay_db_one(db, &rows,
                             "SELECT order_id, brand, state, currency, amount_minor,"
                             " approved_minor, captured_minor, credited_minor, oimd, pimd, pomd,"
                             " certificate FROM purchase WHERE id = $1",
                             SETPAY_DB_INT(explorer->purchase_id)));
    setpay_db_get_text(rows, 0, explorer->order, sizeof explorer->order);
    setpay_db_get_text(rows, 1, explorer->brand, sizeof explorer->brand);
    int64_t state = setpay_db_get_int(rows, 2);
    if (state >= 0 && state < SETPAY_PURCHASE_STATES)
        (void)snprintf(explorer->state, sizeof explorer->state, "%s",
                       setpay_purchase_state_name((enum setpay_purchase_state)state));
    setpay_db_get_text(rows, 3, currency, sizeof currency);
    get_money(rows, 4, currency, &explorer->amount);
    get_money(rows, 5, currency, &explorer->approved);
    get_money(rows, 6, currency, &explorer->captured);
    get_money(rows, 7, currency, &explorer->credited);
    setpay_db_get_digest(rows, 8, &record->oimd);
    setpay_db_get_digest(rows, 9, &record->pimd);
    setpay_db_get_digest(rows, 10, &record->pomd);
    record->there = record->has_oimd = record->has_pimd = record->has_pomd = true;
    explorer_add_certificate(explorer, EXPLORER_MERCHANT, setpay_db_get_view(rows, 11));
    return setpay_db_end(rows);
}

static enum setpay_message_type asked_type(int64_t kind)
{
    static const enum setpay_message_type types[] = {
        [SETPAY_ASK_AUTHORISE] = SETPAY_MESSAGE_AUTH_REQ,
        [SETPAY_ASK_VOID] = SETPAY_MESSAGE_AUTH_REQ,
        [SETPAY_ASK_REVERSE] = SETPAY_MESSAGE_AUTH_REV_REQ,
        [SETPAY_ASK_CAPTURE] = SETPAY_MESSAGE_CAP_REQ,
        [SETPAY_ASK_CREDIT] = SETPAY_MESSAGE_CRED_REQ,
        [SETPAY_ASK_CAPTURE_REVERSAL] = SETPAY_MESSAGE_CAP_REV_REQ,
        [SETPAY_ASK_CREDIT_REVERSAL] = SETPAY_MESSAGE_CRED_REV_REQ,
        [SETPAY_ASK_FURTHER] = SETPAY_MESSAGE_AUTH_REQ,
        [SETPAY_ASK_CANCEL] = SETPAY_MESSAGE_AUTH_CAN_REQ,
    };
    return kind > 0 && (size_t)kind < sizeof types / sizeof *types ? types[kind]
                                                                   : SETPAY_MESSAGE_ERROR;
}

static enum setpay_error read_asked(struct explorer *explorer, struct setpay_db *db)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT kind, content, signature, COALESCE(signer, merchant)"
                                " FROM gateway_request JOIN purchase ON purchase.id = purchase_id"
                                " WHERE purchase_id = $1 ORDER BY gateway_request.id",
                                SETPAY_DB_INT(explorer->purchase_id)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        struct setpay_digest signer;
        enum setpay_message_type type = asked_type(setpay_db_get_int(rows, 0));
        setpay_db_get_digest(rows, 3, &signer);
        if (type == SETPAY_MESSAGE_ERROR)
            explorer_note(explorer, EXPLORER_MERCHANT, false, "there is one of no kind",
                          "each request in its table gateway_request can be read");
        error = add_held(explorer, EXPLORER_MERCHANT, "gateway_request", type,
                         setpay_db_get_view(rows, 1), setpay_db_get_view(rows, 2), &signer);
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error read_carried(struct explorer *explorer, struct setpay_db *db)
{
    struct setpay_db_rows *rows;
    struct explorer_receipt *receipt;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT number, sealed FROM sealed_receipt WHERE purchase_id = $1",
                                SETPAY_DB_INT(explorer->purchase_id)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        error = add_receipt(explorer, setpay_db_get_int(rows, 0), &receipt);
        if (error == SETPAY_OK)
            error = set_bytes(&receipt->sealed[EXPLORER_MERCHANT], setpay_db_get_view(rows, 1));
    }
    enum setpay_error end = setpay_db_end(rows);
    SETPAY_TRY(error != SETPAY_OK ? error : end);
    SETPAY_TRY(setpay_db_one(db, &rows, "SELECT count(*) FROM instruction WHERE purchase_id = $1",
                             SETPAY_DB_INT(explorer->purchase_id)));
    explorer->merchant_has_envelope = setpay_db_get_int(rows, 0) != 0;
    return setpay_db_end(rows);
}

/* Its own offer, where the answer that carried it is not kept any more. */
static enum setpay_error read_offer(struct explorer *explorer, struct setpay_db *db)
{
    struct setpay_db_rows *rows;
    enum setpay_error error = setpay_db_one(db, &rows, "SELECT content FROM offer WHERE xid = $1",
                                            SETPAY_DB_ID(&explorer->xid));
    if (error != SETPAY_OK)
        return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
    error = add_held(explorer, EXPLORER_MERCHANT, "offer", SETPAY_MESSAGE_PINIT_RES,
                     setpay_db_get_view(rows, 0), SETPAY_VIEW_EMPTY, NULL);
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

struct reading {
    struct explorer *explorer;
    struct setpay_problem *problem;
};

static enum setpay_error read_merchant(struct setpay_db *db, void *arg)
{
    const struct reading *reading = arg;
    struct explorer *explorer = reading->explorer;
    SETPAY_TRY(find_purchase(explorer, db, reading->problem));
    SETPAY_TRY(read_purchase(explorer, db));
    SETPAY_TRY(
        read_certificates(explorer, db, EXPLORER_MERCHANT, "SELECT der FROM evidence_certificate"));
    SETPAY_TRY(read_lists(explorer, db, EXPLORER_MERCHANT));
    SETPAY_TRY(read_answers(explorer, db, EXPLORER_MERCHANT));
    SETPAY_TRY(read_offer(explorer, db));
    SETPAY_TRY(read_evidence(explorer, db, EXPLORER_MERCHANT, explorer->purchase_id));
    SETPAY_TRY(read_asked(explorer, db));
    return read_carried(explorer, db);
}

/* ------------------------------------------------------------------ wallet */

static enum setpay_error read_wallet_purchase(struct explorer *explorer, struct setpay_db *db)
{
    struct explorer_record *record = &explorer->records[EXPLORER_WALLET];
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT oimd, pomd, gateway_certificate, offer, preq,"
                      " (SELECT last4 FROM card JOIN signing_key ON signing_key.card = card.id"
                      "  WHERE signing_key.thumbprint = purchase.cardholder)"
                      " FROM purchase WHERE xid = $1",
                      SETPAY_DB_ID(&explorer->xid));
    if (error != SETPAY_OK) /* another wallet's: this one holds nothing of it */
        return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
    record->there = record->has_oimd = record->has_pomd = true;
    setpay_db_get_digest(rows, 0, &record->oimd);
    setpay_db_get_digest(rows, 1, &record->pomd);
    explorer_add_certificate(explorer, EXPLORER_WALLET, setpay_db_get_view(rows, 2));
    error =
        add_message(explorer, EXPLORER_WALLET, "purchase", setpay_db_get_view(rows, 3), true, NULL);
    if (error == SETPAY_OK)
        error = add_message(explorer, EXPLORER_WALLET, "purchase", setpay_db_get_view(rows, 4),
                            true, &explorer->envelope);
    setpay_db_get_text(rows, 5, explorer->card_last4, sizeof explorer->card_last4);
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error read_wallet(struct setpay_db *db, void *arg)
{
    struct explorer *explorer = ((const struct reading *)arg)->explorer;
    struct explorer_receipt *receipt;
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK, end;
    SETPAY_TRY(read_wallet_purchase(explorer, db));
    SETPAY_TRY(read_lists(explorer, db, EXPLORER_WALLET));
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT bytes FROM evidence WHERE xid = $1",
                                SETPAY_DB_ID(&explorer->xid)));
    while (error == SETPAY_OK && setpay_db_next(rows))
        error = add_message(explorer, EXPLORER_WALLET, "evidence", setpay_db_get_view(rows, 0),
                            false, NULL);
    end = setpay_db_end(rows);
    SETPAY_TRY(error != SETPAY_OK ? error : end);
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT number, bytes FROM receipt WHERE xid = $1",
                                SETPAY_DB_ID(&explorer->xid)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        error = add_receipt(explorer, setpay_db_get_int(rows, 0), &receipt);
        if (error == SETPAY_OK)
            error = set_bytes(&receipt->opened[EXPLORER_WALLET], setpay_db_get_view(rows, 1));
    }
    end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

/* ------------------------------------------------------------------ gateway */

static enum setpay_error read_signer(struct explorer *explorer, struct setpay_db *db,
                                     const struct setpay_digest *thumbprint)
{
    struct setpay_buffer der;
    setpay_buffer_init(&der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    enum setpay_error error = setpay_evidence_certificate(db, thumbprint, &der);
    explorer_add_certificate(explorer, EXPLORER_GATEWAY, setpay_buffer_view(&der));
    setpay_buffer_clear(&der);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

static enum setpay_error read_payment(struct explorer *explorer, struct setpay_db *db,
                                      int64_t *payment_id)
{
    struct explorer_record *record = &explorer->records[EXPLORER_GATEWAY];
    struct setpay_db_rows *rows;
    enum setpay_error error =
        setpay_db_one(db, &rows,
                      "SELECT id, pimd, pomd, cardholder, merchant, gateway_sign FROM payment"
                      " WHERE xid = $1 ORDER BY id LIMIT 1",
                      SETPAY_DB_ID(&explorer->xid));
    *payment_id = 0;
    if (error != SETPAY_OK)
        return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
    struct setpay_digest signers[3];
    *payment_id = setpay_db_get_int(rows, 0);
    setpay_db_get_digest(rows, 1, &record->pimd);
    setpay_db_get_digest(rows, 2, &record->pomd);
    record->there = record->has_pimd = record->has_pomd = true;
    for (int i = 0; i < 3; i++)
        setpay_db_get_digest(rows, 3 + i, &signers[i]);
    SETPAY_TRY(setpay_db_end(rows));
    for (int i = 0; i < 3; i++)
        SETPAY_TRY(read_signer(explorer, db, &signers[i]));
    return SETPAY_OK;
}

static enum setpay_error read_made(struct explorer *explorer, struct setpay_db *db,
                                   int64_t payment_id)
{
    struct explorer_receipt *receipt;
    struct setpay_db_rows *rows;
    enum setpay_error error = SETPAY_OK;
    SETPAY_TRY(setpay_db_select(db, &rows,
                                "SELECT number, signed, sealed FROM receipt WHERE payment_id = $1",
                                SETPAY_DB_INT(payment_id)));
    while (error == SETPAY_OK && setpay_db_next(rows)) {
        error = add_receipt(explorer, setpay_db_get_int(rows, 0) - 1, &receipt);
        if (error == SETPAY_OK)
            error = set_bytes(&receipt->opened[EXPLORER_GATEWAY], setpay_db_get_view(rows, 1));
        if (error == SETPAY_OK)
            error = set_bytes(&receipt->sealed[EXPLORER_GATEWAY], setpay_db_get_view(rows, 2));
    }
    enum setpay_error end = setpay_db_end(rows);
    return error != SETPAY_OK ? error : end;
}

static enum setpay_error read_gateway(struct setpay_db *db, void *arg)
{
    struct explorer *explorer = ((const struct reading *)arg)->explorer;
    int64_t payment_id;
    SETPAY_TRY(
        read_certificates(explorer, db, EXPLORER_GATEWAY, "SELECT der FROM evidence_certificate"));
    SETPAY_TRY(read_lists(explorer, db, EXPLORER_GATEWAY));
    SETPAY_TRY(read_payment(explorer, db, &payment_id));
    SETPAY_TRY(read_answers(explorer, db, EXPLORER_GATEWAY));
    SETPAY_TRY(read_evidence(explorer, db, EXPLORER_GATEWAY, payment_id));
    return read_made(explorer, db, payment_id);
}

/* ------------------------------------------------------------------ all three */

enum setpay_error explorer_read(struct explorer *explorer, struct setpay_problem *problem)
{
    static const struct {
        enum explorer_party party;
        setpay_store_read_fn *read;
    } parties[] = {{EXPLORER_MERCHANT, read_merchant}, /* the first: it finds the purchase */
                   {EXPLORER_WALLET, read_wallet},
                   {EXPLORER_GATEWAY, read_gateway}};
    struct reading reading = {explorer, problem};
    for (size_t i = 0; i < sizeof parties / sizeof *parties; i++) {
        char path[EXPLORER_PATH];
        if (!explorer_path(path, explorer, "db", explorer_party_name(parties[i].party), ".db"))
            return setpay_problem_set(problem, SETPAY_E_USAGE, "the folder's name is too long");
        SETPAY_TRY(read_database(path, parties[i].read, &reading, problem));
    }
    return explorer_read_keys(explorer, problem);
}

/* ------------------------------------------------------------------ looking for bytes */

static bool file_has(const char *path, struct setpay_view bytes)
{
    bool found = false;
    FILE *file = fopen(path, "re");
    uint8_t *content = NULL;
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size > 0 && (size_t)size <= DATABASE_MAX && fseek(file, 0, SEEK_SET) == 0)
        content = malloc((size_t)size);
    if (content != NULL && fread(content, 1, (size_t)size, file) == (size_t)size)
        found = memmem(content, (size_t)size, bytes.data, bytes.size) != NULL;
    free(content);
    if (file != NULL)
        (void)fclose(file);
    return found;
}

bool explorer_database_has(const struct explorer *explorer, enum explorer_party party,
                           struct setpay_view bytes)
{
    static const char *const files[] = {".db", ".db-wal"};
    for (size_t i = 0; bytes.size > 0 && i < sizeof files / sizeof *files; i++) {
        char path[EXPLORER_PATH];
        if (explorer_path(path, explorer, "db", explorer_party_name(party), files[i]) &&
            file_has(path, bytes))
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------ clearing */

void explorer_clear(struct explorer *explorer)
{
    for (size_t i = 0; i < explorer->held_count; i++) {
        setpay_buffer_clear(&explorer->held[i].content);
        setpay_buffer_clear(&explorer->held[i].signature);
    }
    for (size_t i = 0; i < explorer->receipt_count; i++)
        for (int party = 0; party < EXPLORER_PARTIES; party++) {
            setpay_buffer_clear(&explorer->receipts[i].opened[party]);
            setpay_buffer_clear(&explorer->receipts[i].sealed[party]);
        }
    for (int party = 0; party < EXPLORER_PARTIES; party++)
        for (size_t i = 0; i < explorer->certificates[party].count; i++)
            setpay_certificate_unref(explorer->certificates[party].list[i]);
    for (size_t i = 0; i < explorer->authorities.count; i++)
        setpay_certificate_unref(explorer->authorities.list[i]);
    for (int party = 0; party < EXPLORER_PARTIES; party++)
        for (size_t i = 0; i < explorer->lists[party].count; i++)
            setpay_crl_unref(explorer->lists[party].list[i]);
    setpay_buffer_clear(&explorer->envelope);
    setpay_envelope_key_free(explorer->gateway_key);
    setpay_instruction_clear(&explorer->instruction);
    setpay_trust_free(explorer->trust);
}
