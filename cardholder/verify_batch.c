/*
 * What a merchant's exported batches prove, to whoever has the root alone: each item by the answer
 * in which the gateway has signed it, each batch that is closed by the answer with the gateway's
 * own totals, which its items must come to. The first thing that does not hold ends the check.
 *
 * A merchant may leave a whole batch out, and what is open may grow: no signature speaks about
 * that.
 */
#include "cardholder/verify.h"

#include "common/base/noun.h"
#include "common/net/batch_file.h"
#include "common/net/batch_said.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_ROUNDS 2 /* an issuing CA may stand before its brand's */

struct checking {
    struct setpay_wallet_verifying v; /* its file, verdict, problem and trust */
    struct setpay_batch_file file;
    struct setpay_secret ders[SETPAY_BATCH_FILE_CERTIFICATES];
    struct setpay_digest thumbprints[SETPAY_BATCH_FILE_CERTIFICATES];
    size_t der_count;
    char gateway_id[SETPAY_WIRE_PARTY_MAX + 1]; /* who has signed; "": nothing yet */
    char what[64];                              /* "batches[0].items[3]" */
};

#define FAIL(checking, error, ...)                                                                 \
    setpay_wallet_verify_fail(&(checking)->v, error, (checking)->what, __VA_ARGS__)

/* ------------------------------------------------------------------ who signs */

static enum setpay_error take_certificates(struct checking *c)
{
    for (size_t i = 0; i < SETPAY_BATCH_FILE_CERTIFICATES; i++) {
        struct setpay_certificate *certificate = NULL;
        enum setpay_error error = setpay_batch_file_certificate(&c->file, i, &c->ders[i]);
        if (error == SETPAY_E_NOT_FOUND)
            break;
        (void)snprintf(c->what, sizeof c->what, "certificates[%zu]", i);
        if (error == SETPAY_OK)
            error = setpay_certificate_parse(setpay_secret_view(&c->ders[i]), &certificate);
        if (error != SETPAY_OK)
            return FAIL(c, error, "%s", setpay_error_text(error));
        c->thumbprints[i] = *setpay_certificate_thumbprint(certificate);
        c->der_count = i + 1;
        setpay_certificate_unref(certificate);
    }
    /* One that does not lead to the root is missed where it is needed. */
    for (int round = 0; round < CHAIN_ROUNDS; round++)
        for (size_t i = 0; i < c->der_count; i++)
            if (setpay_trust_add_ca(c->v.trust, setpay_secret_view(&c->ders[i])) != SETPAY_OK)
                continue;
    return SETPAY_OK;
}

/* Rules A2, A3: signed at that date by a gateway of the brand, and all by the same. */
static enum setpay_error check_signed(struct checking *c, const struct setpay_message *message,
                                      const char *brand, setpay_time_ms date_ms)
{
    struct setpay_certificate *signer = NULL;
    struct setpay_view der = {0};
    for (size_t i = 0; i < c->der_count; i++)
        if (setpay_digest_equal(&c->thumbprints[i], &message->signer))
            der = setpay_secret_view(&c->ders[i]);
    SETPAY_TRY(setpay_wallet_verify_leaf(&c->v, der, SETPAY_PROFILE_GATEWAY_SIGN, brand, date_ms,
                                         c->what, &signer));
    enum setpay_error error = setpay_message_verify(message, signer);
    if (error == SETPAY_OK && c->gateway_id[0] == '\0')
        (void)snprintf(c->gateway_id, sizeof c->gateway_id, "%s", setpay_certificate_id(signer));
    bool same = strcmp(c->gateway_id, setpay_certificate_id(signer)) == 0;
    setpay_certificate_unref(signer);
    if (error != SETPAY_OK)
        return FAIL(c, error, "the gateway has not signed it as it is");
    return same ? SETPAY_OK
                : FAIL(c, SETPAY_E_AUTH_MISMATCH, "another gateway has signed it than %s",
                       c->gateway_id);
}

/* ------------------------------------------------------------------ an item */

static enum setpay_error compare(struct checking *c, const struct setpay_batch_part *part,
                                 const struct setpay_batch_line *line,
                                 const struct setpay_batch_said *said)
{
    if (strcmp(said->merchant_id, c->file.merchant_id) != 0 ||
        strcmp(said->brand, part->brand) != 0)
        return FAIL(c, SETPAY_E_AUTH_MISMATCH, "the gateway has signed it to %s of %s",
                    said->merchant_id, said->brand);
    if (said->batch != part->number)
        return FAIL(c, SETPAY_E_AUTH_MISMATCH, "the gateway has signed it into batch %lu",
                    (unsigned long)said->batch);
    if (!setpay_id_equal(&said->xid, &line->xid) ||
        !setpay_money_equal(&said->amount, &line->amount))
        return FAIL(c, SETPAY_E_AUTH_MISMATCH, "the gateway has signed another purchase or amount");
    return SETPAY_OK;
}

static bool is_type(const struct setpay_batch_line *line, enum setpay_message_type type,
                    bool undoes)
{
    if (line->kind == SETPAY_BATCH_CREDIT)
        return type == (undoes ? SETPAY_MESSAGE_CRED_REV_RES : SETPAY_MESSAGE_CRED_RES);
    return type == (undoes ? SETPAY_MESSAGE_CAP_REV_RES : SETPAY_MESSAGE_CAP_RES) ||
           (!undoes && type == SETPAY_MESSAGE_AUTH_RES);
}

static enum setpay_error check_answer(struct checking *c, const struct setpay_batch_part *part,
                                      const struct setpay_batch_line *line, const json_t *json,
                                      bool undoes)
{
    struct setpay_batch_proof proof = {.message = {.is_signed = false}};
    struct setpay_batch_said said = {.batch = 0};
    char date[SETPAY_TIME_TEXT_SIZE];
    bool found = false;
    if (json == NULL || setpay_batch_proof_read(json, &proof) != SETPAY_OK ||
        !is_type(line, proof.message.type, undoes) ||
        setpay_batch_said_read(&proof.message, &line->id, undoes, &said, &found) != SETPAY_OK ||
        !found) {
        setpay_batch_proof_clear(&proof);
        return FAIL(c, SETPAY_E_AUTH_MISMATCH, "no answer of the gateway's %s it",
                    undoes ? "undoes" : "is of");
    }
    enum setpay_error error = check_signed(c, &proof.message, part->brand, said.date_ms);
    setpay_batch_proof_clear(&proof);
    if (error == SETPAY_OK)
        error = compare(c, part, line, &said);
    if (error == SETPAY_OK && !undoes &&
        strcmp(setpay_time_format(said.date_ms, date), line->date) != 0)
        error = FAIL(c, SETPAY_E_AUTH_MISMATCH, "the gateway has signed it at %s", date);
    return error;
}

/* In the order of their ids, so that none stands twice. */
static enum setpay_error check_line(struct checking *c, const struct setpay_batch_part *part,
                                    size_t at)
{
    const struct setpay_batch_line *line = &part->lines[at];
    if (at > 0 && memcmp(part->lines[at - 1].id.bytes, line->id.bytes, sizeof line->id.bytes) >= 0)
        return FAIL(c, SETPAY_E_AUTH_MISMATCH,
                    "it does not stand in the order of ids, or stands twice");
    SETPAY_TRY(check_answer(c, part, line, line->proof, false));
    if (line->undone)
        return check_answer(c, part, line, line->undone_proof, true);
    return line->undone_proof == NULL
               ? SETPAY_OK
               : FAIL(c, SETPAY_E_AUTH_MISMATCH, "it is done, beside an answer that undoes it");
}

/* ------------------------------------------------------------------ a batch */

static bool same_total(const struct setpay_batch_total *a, const struct setpay_batch_total *b)
{
    return strcmp(a->currency, b->currency) == 0 && a->capture_count == b->capture_count &&
           a->capture_minor == b->capture_minor && a->credit_count == b->credit_count &&
           a->credit_minor == b->credit_minor;
}

/* What its items come to in that currency. */
static struct setpay_batch_total sum_of(const struct setpay_batch_part *part, const char *currency)
{
    struct setpay_batch_total sum = {.capture_count = 0};
    (void)snprintf(sum.currency, sizeof sum.currency, "%.3s", currency);
    for (size_t i = 0; i < part->line_count; i++) {
        const struct setpay_batch_line *line = &part->lines[i];
        bool credits = line->kind == SETPAY_BATCH_CREDIT;
        if (line->undone || strcmp(line->amount.currency, currency) != 0)
            continue;
        *(credits ? &sum.credit_count : &sum.capture_count) += 1;
        *(credits ? &sum.credit_minor : &sum.capture_minor) += line->amount.minor;
    }
    return sum;
}

static enum setpay_error check_sums(struct checking *c, const struct setpay_batch_part *part)
{
    size_t counted = 0, items = 0;
    for (size_t i = 0; i < part->total_count; i++) {
        const struct setpay_batch_total sum = sum_of(part, part->totals[i].currency);
        if (!same_total(&sum, &part->totals[i]) ||
            (i > 0 && strcmp(part->totals[i - 1].currency, sum.currency) >= 0))
            return FAIL(c, SETPAY_E_AUTH_MISMATCH, "its items do not come to its totals in %s",
                        sum.currency);
        counted += sum.capture_count + sum.credit_count;
    }
    for (size_t i = 0; i < part->line_count; i++)
        items += !part->lines[i].undone;
    return counted == items
               ? SETPAY_OK
               : FAIL(c, SETPAY_E_AUTH_MISMATCH, "there are items of which is no total");
}

static enum setpay_error check_names(struct checking *c, const struct setpay_batch_part *part,
                                     const struct setpay_batch_admin_res *answer)
{
    if (strcmp(answer->merchant_id, c->file.merchant_id) == 0 &&
        strcmp(answer->brand, part->brand) == 0 && answer->batch == part->number)
        return SETPAY_OK;
    return FAIL(c, SETPAY_E_AUTH_MISMATCH, "the gateway has signed it for batch %lu of %s, %s",
                (unsigned long)answer->batch, answer->merchant_id, answer->brand);
}

static enum setpay_error check_closing(struct checking *c, const struct setpay_batch_part *part,
                                       const struct setpay_batch_admin_res *answer)
{
    if (!answer->agreed || !part->closed)
        return FAIL(c, SETPAY_E_AUTH_MISMATCH,
                    "the gateway has signed that it is %s, the file says %s",
                    answer->agreed ? "closed" : "not closed", part->closed ? "closed" : "not");
    bool same = answer->total_count == part->total_count;
    for (size_t i = 0; same && i < part->total_count; i++)
        same = same_total(&answer->totals[i], &part->totals[i]);
    return same ? SETPAY_OK
                : FAIL(c, SETPAY_E_AUTH_MISMATCH, "the gateway has signed other totals");
}

/* An answer about the batch: the one that closes it, or one in which the two differed. *closed_ms
 * is when it was closed, 0: not. */
static enum setpay_error check_word(struct checking *c, const struct setpay_batch_part *part,
                                    const json_t *json, bool closes, setpay_time_ms *closed_ms)
{
    struct setpay_batch_proof proof = {.message = {.is_signed = false}};
    struct setpay_batch_admin_res answer;
    if (setpay_batch_proof_read(json, &proof) != SETPAY_OK ||
        proof.message.type != SETPAY_MESSAGE_BATCH_ADMIN_RES ||
        setpay_batch_admin_res_parse(proof.message.content, &answer) != SETPAY_OK) {
        setpay_batch_proof_clear(&proof);
        return FAIL(c, SETPAY_E_AUTH_MISMATCH, "it is no answer of the gateway's about a batch");
    }
    enum setpay_error error = check_signed(c, &proof.message, part->brand, answer.header.date_ms);
    if (error == SETPAY_OK)
        error = check_names(c, part, &answer);
    if (error == SETPAY_OK && closes)
        error = check_closing(c, part, &answer);
    if (error == SETPAY_OK && !closes && answer.agreed)
        error =
            FAIL(c, SETPAY_E_AUTH_MISMATCH, "the gateway has signed that the two count the same");
    *closed_ms = answer.closed_ms;
    setpay_batch_admin_res_clear(&answer);
    setpay_batch_proof_clear(&proof);
    return error;
}

static enum setpay_error check_differed(struct checking *c, const struct setpay_batch_part *part,
                                        const char *place, const char *name)
{
    size_t count = json_array_size(part->differed);
    setpay_time_ms ignored = 0;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(c->what, sizeof c->what, "%s.differed[%zu]", place, i);
        SETPAY_TRY(check_word(c, part, json_array_get(part->differed, i), false, &ignored));
    }
    return count == 0 ? SETPAY_OK
                      : setpay_wallet_verify_proven(
                            &c->v, name, "the two counted differently before: %zu signed %s", count,
                            setpay_noun((int64_t)count, "answer", "answers"));
}

static enum setpay_error say_totals(struct checking *c, const struct setpay_batch_part *part,
                                    const char *what)
{
    for (size_t i = 0; i < part->total_count; i++) {
        const struct setpay_batch_total *total = &part->totals[i];
        struct setpay_money taken = {.minor = total->capture_minor};
        struct setpay_money given = {.minor = total->credit_minor};
        char one[SETPAY_MONEY_TEXT_SIZE], other[SETPAY_MONEY_TEXT_SIZE];
        memcpy(taken.currency, total->currency, sizeof taken.currency);
        memcpy(given.currency, total->currency, sizeof given.currency);
        SETPAY_TRY(setpay_wallet_verify_proven(
            &c->v, what, "%lu %s of %s, %lu %s of %s", (unsigned long)total->capture_count,
            setpay_noun(total->capture_count, "capture", "captures"),
            setpay_money_format(&taken, one), (unsigned long)total->credit_count,
            setpay_noun(total->credit_count, "credit", "credits"),
            setpay_money_format(&given, other)));
    }
    return SETPAY_OK;
}

static enum setpay_error check_part(struct checking *c, size_t number)
{
    const struct setpay_batch_part *part = &c->file.parts[number];
    char name[sizeof part->brand + 24], place[32], closed[SETPAY_TIME_TEXT_SIZE];
    setpay_time_ms closed_ms = 0;
    (void)snprintf(name, sizeof name, "%s batch %lu", part->brand, (unsigned long)part->number);
    (void)snprintf(place, sizeof place, "batches[%zu]", number);
    for (size_t i = 0; i < part->line_count; i++) {
        (void)snprintf(c->what, sizeof c->what, "%s.items[%zu]", place, i);
        SETPAY_TRY(check_line(c, part, i));
    }
    (void)snprintf(c->what, sizeof c->what, "%s.totals", place);
    SETPAY_TRY(check_sums(c, part));
    (void)snprintf(c->what, sizeof c->what, "%s", place);
    for (size_t i = 0; i < number; i++)
        if (c->file.parts[i].number == part->number &&
            strcmp(c->file.parts[i].brand, part->brand) == 0)
            return FAIL(c, SETPAY_E_AUTH_MISMATCH, "the batch stands in the file before");
    (void)snprintf(c->what, sizeof c->what, "%s.proof", place);
    if (part->proof != NULL)
        SETPAY_TRY(check_word(c, part, part->proof, true, &closed_ms));
    SETPAY_TRY(say_totals(c, part, name));
    SETPAY_TRY(check_differed(c, part, place, name));
    if (part->proof == NULL)
        return setpay_wallet_verify_not_proven(&c->v, place);
    return setpay_wallet_verify_proven(&c->v, name, "closed at %s, with these totals",
                                       setpay_time_format(closed_ms, closed));
}

/* ------------------------------------------------------------------ the whole of it */

bool setpay_wallet_is_batches(struct setpay_view text)
{
    /* In a string of JSON its quotes would stand behind backslashes. */
    static const char member[] = "\"setpay_batch\"";
    const uint8_t *at = text.data, *end = text.data + text.size;
    while (at != NULL && (size_t)(end - at) >= sizeof member - 1) {
        if (memcmp(at, member, sizeof member - 1) == 0)
            return true;
        at = memchr(at + 1, '"', (size_t)(end - at) - 1);
    }
    return false;
}

static enum setpay_error check_all(struct checking *c, struct setpay_view root_der)
{
    SETPAY_TRY(setpay_trust_new(root_der, &c->v.trust));
    setpay_wallet_verify_set_root(&c->v, setpay_trust_root(c->v.trust), true);
    (void)snprintf(c->v.verdict->merchant_id, sizeof c->v.verdict->merchant_id, "%s",
                   c->file.merchant_id);
    SETPAY_TRY(take_certificates(c));
    for (size_t i = 0; i < c->file.part_count; i++)
        SETPAY_TRY(check_part(c, i));
    SETPAY_TRY(setpay_wallet_verify_proven(
        &c->v, "certificates", "gateway %s, at the date of what it signed, under the root %s",
        c->gateway_id, c->v.verdict->root_name));
    SETPAY_TRY(setpay_wallet_verify_not_proven(&c->v, "complete"));
    return setpay_wallet_verify_not_proven(&c->v, "revocation");
}

enum setpay_error setpay_wallet_verify_batches(struct setpay_view text, struct setpay_view root_der,
                                               struct setpay_wallet_verdict *verdict,
                                               struct setpay_problem *problem)
{
    if (root_der.size == 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "verify: a file of batches holds no root: give --root ROOT.pem");
    struct checking *c = calloc(1, sizeof *c);
    verdict->proven = json_array();
    verdict->not_proven = json_array();
    if (c == NULL || verdict->proven == NULL || verdict->not_proven == NULL) {
        free(c);
        return SETPAY_E_NOMEM;
    }
    c->v.verdict = verdict;
    c->v.problem = problem;
    enum setpay_error error = setpay_batch_file_parse(text, &c->file, problem);
    if (error == SETPAY_E_INVALID)
        error = SETPAY_E_EVIDENCE;
    if (error == SETPAY_OK)
        error = check_all(c, root_der);
    for (size_t i = 0; i < SETPAY_BATCH_FILE_CERTIFICATES; i++)
        setpay_secret_clear(&c->ders[i]);
    setpay_trust_free(c->v.trust);
    setpay_batch_file_clear(&c->file);
    free(c);
    return error;
}
