/*
 * All that can be computed again is: each signature over the bytes that its party holds, with the
 * chain of its signer at that date; the answers to their requests; the chain of receipts; and the
 * dual signature at each party, by the very functions that this party goes by.
 *
 * What does not hold is no error here but what the page has to say.
 */
#include "tests/sandbox/explorer/explorer.h"

#include "common/crypto/dual.h"
#include "common/crypto/hash.h"
#include "common/wire/layouts.h"
#include "common/wire/receipt.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void explorer_note(struct explorer *explorer, enum explorer_party party, bool holds,
                   const char *words, const char *format, ...)
{
    if (!holds)
        explorer->failed_count++;
    if (explorer->check_count == EXPLORER_CHECKS && holds)
        return;
    /* What does not hold is never left out, whatever has to make room. */
    explorer->check_count -= explorer->check_count == EXPLORER_CHECKS;
    struct explorer_check *check = &explorer->checks[explorer->check_count++];
    check->party = party;
    check->holds = holds;
    (void)snprintf(check->words, sizeof check->words, "%s", holds ? "" : words);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(check->what, sizeof check->what, format, args);
    va_end(args);
}

static void note_error(struct explorer *explorer, enum explorer_party party,
                       enum setpay_error error, const char *what)
{
    explorer_note(explorer, party, error == SETPAY_OK, setpay_error_text(error), "%s", what);
}

/* ------------------------------------------------------------------ signatures and chains */

static enum setpay_profile profile_of(enum explorer_party party)
{
    static const enum setpay_profile profiles[EXPLORER_PARTIES] = {
        SETPAY_PROFILE_CARDHOLDER_SIGN, SETPAY_PROFILE_MERCHANT_SIGN, SETPAY_PROFILE_GATEWAY_SIGN};
    return profiles[party];
}

/* Rule A3 at that date; whether it was revoked by then is asked apart, of all of them (revoked.c).
 */
static enum setpay_error check_chain(struct explorer *explorer,
                                     const struct setpay_certificate *certificate,
                                     enum explorer_party signer, setpay_time_ms date_ms)
{
    struct setpay_certificate *verified = NULL;
    explorer_add_signer(explorer, certificate, date_ms);
    enum setpay_error error =
        setpay_trust_verify_unlisted(explorer->trust, setpay_certificate_der(certificate), NULL, 0,
                                     profile_of(signer), explorer->brand, date_ms, &verified);
    setpay_certificate_unref(verified);
    return error;
}

/* Rules A2 and A3. */
static enum setpay_error check_signature(struct explorer *explorer,
                                         const struct explorer_held *held,
                                         const struct explorer_kind *kind)
{
    setpay_time_ms date_ms;
    const struct setpay_certificate *certificate =
        explorer_certificate(explorer, held->party, &held->signer);
    if (certificate == NULL)
        return SETPAY_E_CERT_MISSING;
    SETPAY_TRY(setpay_verify(
        setpay_certificate_key(certificate), setpay_message_type_name(held->type), SETPAY_SUITE,
        &held->signer, setpay_buffer_view(&held->content), setpay_buffer_view(&held->signature)));
    if (!explorer_find_number(kind->layout, setpay_buffer_view(&held->content), "date_ms",
                              &date_ms))
        return SETPAY_E_FIELD;
    return check_chain(explorer, certificate, kind->from, date_ms);
}

static void check_held(struct explorer *explorer, struct explorer_held *held)
{
    const struct explorer_kind *kind = explorer_kind(held->type);
    char what[EXPLORER_WORDS];
    if (held->signature.size > 0) {
        (void)snprintf(what, sizeof what,
                       "%s is signed by the %s, whose certificate leads to the root",
                       setpay_message_type_name(held->type), explorer_party_name(kind->from));
        held->error = check_signature(explorer, held, kind);
        note_error(explorer, held->party, held->error, what);
    } else if (held->type == SETPAY_MESSAGE_PINIT_RES) {
        explorer_note(
            explorer, held->party, true, "",
            "PInitRes is kept without its signature, whose time of being repeated is over");
    }
}

/* ------------------------------------------------------------------ answers to requests */

static bool hash_of(const struct explorer_held *held, struct setpay_digest *hash)
{
    return setpay_request_hash(held->type, held->signature.size > 0 ? &held->signer : NULL,
                               setpay_buffer_view(&held->content), hash) == SETPAY_OK;
}

/* Rule A4, of a party that holds both. */
static void check_answer(struct explorer *explorer, const struct explorer_held *answer)
{
    const struct explorer_kind *kind = explorer_kind(answer->type);
    struct setpay_id rrpid, asked;
    struct setpay_digest hash, named;
    if (!explorer_is_answer(answer->type) ||
        !explorer_find_id(kind->layout, setpay_buffer_view(&answer->content), "rrpid", &rrpid) ||
        !explorer_find_digest(kind->layout, setpay_buffer_view(&answer->content), "request_hash",
                              &named))
        return;
    for (size_t i = 0; i < explorer->held_count; i++) {
        const struct explorer_held *request = &explorer->held[i];
        const struct explorer_kind *of = explorer_kind(request->type);
        if (request->party != answer->party || request->type != answer->type - 1 ||
            !explorer_find_id(of->layout, setpay_buffer_view(&request->content), "rrpid", &asked) ||
            !setpay_id_equal(&asked, &rrpid))
            continue;
        explorer_note(
            explorer, answer->party, hash_of(request, &hash) && setpay_digest_equal(&hash, &named),
            "the hash in it is another one", "%s answers exactly this %s",
            setpay_message_type_name(answer->type), setpay_message_type_name(request->type));
    }
}

/* ------------------------------------------------------------------ the dual signature */

static const struct explorer_held *
find_held(const struct explorer *explorer, enum explorer_party party, enum setpay_message_type type)
{
    for (size_t i = 0; i < explorer->held_count; i++)
        if (explorer->held[i].party == party && explorer->held[i].type == type)
            return &explorer->held[i];
    return NULL;
}

/* Rule M2, as wallet and merchant hold it: OI and its salt, PIMD, DS. */
static enum setpay_error check_order(struct explorer *explorer, enum explorer_party party,
                                     const struct setpay_preq *preq, const struct setpay_oi *oi,
                                     struct explorer_dual *dual)
{
    SETPAY_TRY(setpay_dual_oimd(setpay_digest_view(&preq->oi_salt), setpay_buffer_view(&preq->oi),
                                &dual->oimd));
    dual->pimd = preq->pimd;
    SETPAY_TRY(setpay_dual_pomd(SETPAY_SUITE, &dual->pimd, &dual->oimd, &dual->pomd));
    dual->has_digests = true;
    const struct setpay_certificate *cardholder =
        explorer_certificate(explorer, party, &oi->cardholder);
    if (cardholder == NULL)
        return SETPAY_E_CERT_MISSING;
    struct setpay_digest oimd, pomd;
    SETPAY_TRY(setpay_preq_check_order(preq, oi, cardholder, &oimd, &pomd));
    return check_chain(explorer, cardholder, EXPLORER_WALLET, oi->date_ms);
}

static enum setpay_error check_preq(struct explorer *explorer, enum explorer_party party,
                                    struct setpay_view content, struct explorer_dual *dual)
{
    struct setpay_preq preq;
    struct setpay_oi oi;
    SETPAY_TRY(setpay_preq_parse(content, &preq));
    enum setpay_error error = setpay_oi_parse(setpay_buffer_view(&preq.oi), &oi);
    if (error == SETPAY_OK)
        error = check_order(explorer, party, &preq, &oi, dual);
    setpay_preq_clear(&preq);
    return error;
}

/* Rule M1's half of it: OI names this very offer. */
static void check_offer(struct explorer *explorer, enum explorer_party party,
                        const struct explorer_held *preq)
{
    const struct explorer_held *offer = find_held(explorer, party, SETPAY_MESSAGE_PINIT_RES);
    struct setpay_digest named, is;
    if (offer == NULL || !explorer_find_digest(&setpay_layout_preq,
                                               setpay_buffer_view(&preq->content), "offer", &named))
        return;
    explorer_note(explorer, party,
                  setpay_offer_digest(setpay_buffer_view(&offer->content), &is) == SETPAY_OK &&
                      setpay_digest_equal(&is, &named),
                  "the offer is another one", "the order names exactly the offer that was made");
}

static void check_at(struct explorer *explorer, enum explorer_party party)
{
    struct explorer_dual *dual = &explorer->dual[party];
    const struct explorer_held *preq = find_held(explorer, party, SETPAY_MESSAGE_P_REQ);
    if (preq == NULL)
        return;
    dual->there = dual->oi_is_open = true;
    dual->error = check_preq(explorer, party, setpay_buffer_view(&preq->content), dual);
    (void)snprintf(
        dual->words, sizeof dual->words, "%s",
        dual->error == SETPAY_OK
            ? "OIMD computed from the order and its salt; DS verified over the joint digest"
            : setpay_error_text(dual->error));
    check_offer(explorer, party, preq);
}

/* Rules G2 and G3. The gateway keeps no envelope: the wallet's copy is opened, if its digest is the
 * one that the merchant has signed to the gateway. */
static enum setpay_error open_instruction(struct explorer *explorer,
                                          const struct setpay_auth_req *request)
{
    struct setpay_digest is;
    if (explorer->envelope.size == 0 || explorer->gateway_key == NULL ||
        !setpay_digest_equal(&request->gateway_encrypt, &explorer->gateway_key_of))
        return SETPAY_E_NOT_FOUND;
    SETPAY_TRY(setpay_envelope_digest(setpay_buffer_view(&explorer->envelope), &is));
    if (!setpay_digest_equal(&is, &request->envelope))
        return SETPAY_E_NOT_FOUND; /* the wallet's fault, and told as such */
    SETPAY_TRY(setpay_instruction_open(explorer->gateway_key,
                                       setpay_buffer_view(&explorer->envelope), &request->envelope,
                                       &explorer->instruction));
    explorer->is_opened = true;
    return SETPAY_OK;
}

static enum setpay_error check_instruction(struct explorer *explorer,
                                           const struct setpay_auth_req *request,
                                           const struct setpay_digest *signer,
                                           const struct setpay_certificate *cardholder)
{
    struct setpay_digest pomd;
    SETPAY_TRY(
        setpay_instruction_check_signature(&explorer->instruction, request, cardholder, &pomd));
    return setpay_instruction_check_request(&explorer->instruction, request, signer,
                                            &request->header.receiver, &request->gateway_encrypt);
}

static enum setpay_error check_payment(struct explorer *explorer,
                                       const struct setpay_auth_req *request,
                                       const struct setpay_digest *signer,
                                       struct explorer_dual *dual)
{
    const struct setpay_certificate *sealed_for =
        explorer_certificate(explorer, EXPLORER_GATEWAY, &request->gateway_encrypt);
    if (sealed_for != NULL)
        explorer_add_signer(explorer, sealed_for, request->header.date_ms);
    enum setpay_error opened = open_instruction(explorer, request);
    dual->pi_is_open = opened == SETPAY_OK;
    dual->oimd = request->oimd;
    dual->pimd = dual->pi_is_open ? explorer->instruction.pimd : request->pimd;
    SETPAY_TRY(setpay_dual_pomd(SETPAY_SUITE, &dual->pimd, &dual->oimd, &dual->pomd));
    dual->has_digests = true;
    if (opened != SETPAY_OK && opened != SETPAY_E_NOT_FOUND)
        return opened;
    const struct setpay_certificate *cardholder =
        explorer_certificate(explorer, EXPLORER_GATEWAY, &request->cardholder);
    if (cardholder == NULL)
        return SETPAY_E_CERT_MISSING;
    SETPAY_TRY(check_chain(explorer, cardholder, EXPLORER_WALLET, request->header.date_ms));
    if (dual->pi_is_open)
        return check_instruction(explorer, request, signer, cardholder);
    return setpay_dual_verify(setpay_certificate_key(cardholder), SETPAY_SUITE,
                              &request->cardholder, &dual->pomd,
                              setpay_signature_view(&request->dual_signature));
}

static void check_gateway(struct explorer *explorer)
{
    struct explorer_dual *dual = &explorer->dual[EXPLORER_GATEWAY];
    const struct explorer_held *held =
        find_held(explorer, EXPLORER_GATEWAY, SETPAY_MESSAGE_AUTH_REQ);
    struct setpay_auth_req request;
    if (held == NULL)
        return;
    dual->there = true;
    dual->error = setpay_auth_req_parse(setpay_buffer_view(&held->content), &request);
    if (dual->error == SETPAY_OK)
        dual->error = check_payment(explorer, &request, &held->signer, dual);
    (void)snprintf(
        dual->words, sizeof dual->words, "%s",
        dual->error != SETPAY_OK ? setpay_error_text(dual->error)
        : dual->pi_is_open
            ? "PIMD computed from the opened instruction; DS verified over the joint digest"
            : "the instruction is not kept; DS verified over the joint digest");
}

/* A party's own record, and the digests that it has just computed. */
static void check_record(struct explorer *explorer, enum explorer_party party)
{
    const struct explorer_record *record = &explorer->records[party];
    const struct explorer_dual *dual = &explorer->dual[party];
    if (!record->there)
        return;
    explorer_note(explorer, party, dual->there && dual->error == SETPAY_OK,
                  dual->there ? dual->words : "it holds no copy of what was signed",
                  "the dual signature verifies at the %s", explorer_party_name(party));
    if (!dual->has_digests)
        return;
    bool same = (!record->has_oimd || setpay_digest_equal(&record->oimd, &dual->oimd)) &&
                (!record->has_pimd || setpay_digest_equal(&record->pimd, &dual->pimd)) &&
                (!record->has_pomd || setpay_digest_equal(&record->pomd, &dual->pomd));
    explorer_note(explorer, party, same, "the record has others",
                  "the %s's record has the digests that were computed again",
                  explorer_party_name(party));
}

static void check_same(struct explorer *explorer)
{
    for (int party = EXPLORER_MERCHANT; party < EXPLORER_PARTIES; party++) {
        const struct explorer_dual *one = &explorer->dual[EXPLORER_MERCHANT];
        const struct explorer_dual *other =
            &explorer->dual[party == EXPLORER_MERCHANT ? EXPLORER_WALLET : EXPLORER_GATEWAY];
        if (!one->has_digests || !other->has_digests)
            continue;
        explorer_note(explorer, (enum explorer_party)party,
                      setpay_digest_equal(&one->oimd, &other->oimd) &&
                          setpay_digest_equal(&one->pimd, &other->pimd) &&
                          setpay_digest_equal(&one->pomd, &other->pomd),
                      "they differ", "the three digests at the merchant are those at the %s",
                      party == EXPLORER_MERCHANT ? "wallet" : "gateway");
    }
}

/* Whether the envelope as the wallet keeps it is the one that a party's PReq names. */
static bool names_envelope(const struct explorer *explorer, enum explorer_party party)
{
    const struct explorer_held *preq = find_held(explorer, party, SETPAY_MESSAGE_P_REQ);
    struct setpay_digest named, is;
    return preq != NULL &&
           explorer_find_digest(&setpay_layout_preq, setpay_buffer_view(&preq->content), "envelope",
                                &named) &&
           setpay_envelope_digest(setpay_buffer_view(&explorer->envelope), &is) == SETPAY_OK &&
           setpay_digest_equal(&named, &is);
}

static void check_envelope(struct explorer *explorer)
{
    if (explorer->envelope.size > 0)
        explorer_note(explorer, EXPLORER_WALLET, names_envelope(explorer, EXPLORER_WALLET),
                      "it is another one",
                      "the envelope that it keeps is the one that it has signed");
    explorer->passed_size =
        names_envelope(explorer, EXPLORER_MERCHANT) ? explorer->envelope.size : 0;
    const struct explorer_held *preq = find_held(explorer, EXPLORER_MERCHANT, SETPAY_MESSAGE_P_REQ);
    const struct explorer_held *request =
        find_held(explorer, EXPLORER_MERCHANT, SETPAY_MESSAGE_AUTH_REQ);
    struct setpay_digest came, left;
    if (preq != NULL && request != NULL)
        explorer_note(explorer, EXPLORER_MERCHANT,
                      explorer_find_digest(&setpay_layout_preq, setpay_buffer_view(&preq->content),
                                           "envelope", &came) &&
                          explorer_find_digest(&setpay_layout_auth_req,
                                               setpay_buffer_view(&request->content), "envelope",
                                               &left) &&
                          setpay_digest_equal(&came, &left),
                      "the envelope that left is not the one that came",
                      "the merchant passed on exactly the envelope that it got");
    if (explorer->merchant_tried)
        explorer_note(explorer, EXPLORER_MERCHANT, explorer->merchant_opens == SETPAY_E_ENVELOPE,
                      "it opens",
                      "the merchant's own key was tried on the envelope: it stays sealed");
    if (explorer->is_opened)
        explorer_note(explorer, EXPLORER_MERCHANT,
                      !explorer_database_has(explorer, EXPLORER_MERCHANT,
                                             setpay_secret_view(&explorer->instruction.pi.pan)),
                      "it is there",
                      "the card's number was looked for in the merchant's database: not there");
}

/* ------------------------------------------------------------------ receipts */

enum setpay_error explorer_receipt_read(const struct explorer *explorer, enum explorer_party party,
                                        size_t number, struct setpay_receipt *receipt)
{
    struct setpay_view bytes = setpay_buffer_view(&explorer->receipts[number].opened[party]);
    struct setpay_digest signer;
    SETPAY_TRY(setpay_receipt_signer(bytes, &signer));
    const struct setpay_certificate *gateway = explorer_certificate(explorer, party, &signer);
    if (gateway == NULL)
        return SETPAY_E_CERT_MISSING;
    return setpay_receipt_verify(bytes, gateway, receipt);
}

static enum setpay_error check_receipt(struct explorer *explorer, enum explorer_party party,
                                       size_t number, struct setpay_digest *previous)
{
    struct setpay_receipt receipt;
    SETPAY_TRY(explorer_receipt_read(explorer, party, number, &receipt));
    SETPAY_TRY(check_chain(explorer, explorer_certificate(explorer, party, &receipt.gateway_sign),
                           EXPLORER_GATEWAY, receipt.date_ms));
    const struct explorer_dual *dual = &explorer->dual[party];
    if (!setpay_id_equal(&receipt.xid, &explorer->xid) ||
        (dual->has_digests && !setpay_digest_equal(&receipt.pomd, &dual->pomd)) ||
        !setpay_digest_equal(&receipt.previous, previous))
        return SETPAY_E_RECEIPT;
    return setpay_receipt_hash(setpay_buffer_view(&explorer->receipts[number].opened[party]),
                               previous);
}

static void check_receipts(struct explorer *explorer, enum explorer_party party)
{
    struct setpay_digest previous = {{0}};
    bool is_gap = false;
    for (size_t i = 0; i < explorer->receipt_count; i++) {
        struct explorer_receipt *receipt = &explorer->receipts[i];
        char what[EXPLORER_WORDS];
        if (receipt->opened[party].size == 0) {
            is_gap = true; /* and no fault, unless there is one behind it */
            continue;
        }
        receipt->error[party] =
            is_gap ? SETPAY_E_RECEIPT : check_receipt(explorer, party, i, &previous);
        (void)snprintf(what, sizeof what,
                       "receipt %zu is the gateway's, of this purchase, and follows the one before",
                       i + 1);
        explorer_note(explorer, party, receipt->error[party] == SETPAY_OK,
                      is_gap ? "the one before is missing"
                             : setpay_error_text(receipt->error[party]),
                      "%s", what);
    }
}

/* A receipt's ways through the three hands. */
static void check_carried(struct explorer *explorer, size_t number)
{
    const struct explorer_receipt *receipt = &explorer->receipts[number];
    struct setpay_view made = setpay_buffer_view(&receipt->opened[EXPLORER_GATEWAY]);
    struct setpay_view came = setpay_buffer_view(&receipt->opened[EXPLORER_WALLET]);
    struct setpay_view left = setpay_buffer_view(&receipt->sealed[EXPLORER_GATEWAY]);
    struct setpay_view carried = setpay_buffer_view(&receipt->sealed[EXPLORER_MERCHANT]);
    if (left.size > 0 && carried.size > 0)
        explorer_note(explorer, EXPLORER_MERCHANT, setpay_view_equal(left, carried), "they differ",
                      "receipt %zu is carried sealed, as the gateway sealed it", number + 1);
    if (made.size > 0 && came.size > 0)
        explorer_note(explorer, EXPLORER_WALLET, setpay_view_equal(made, came), "they differ",
                      "receipt %zu was opened into the very bytes that the gateway signed",
                      number + 1);
}

void explorer_check(struct explorer *explorer)
{
    for (size_t i = 0; i < explorer->held_count; i++) {
        check_held(explorer, &explorer->held[i]);
        check_answer(explorer, &explorer->held[i]);
    }
    check_at(explorer, EXPLORER_WALLET);
    check_at(explorer, EXPLORER_MERCHANT);
    check_gateway(explorer);
    for (int party = 0; party < EXPLORER_PARTIES; party++)
        check_record(explorer, (enum explorer_party)party);
    check_same(explorer);
    check_envelope(explorer);
    check_receipts(explorer, EXPLORER_WALLET);
    check_receipts(explorer, EXPLORER_GATEWAY);
    for (size_t i = 0; i < explorer->receipt_count; i++)
        check_carried(explorer, i);
    explorer_check_revocation(explorer);
}
