/*
 * The gateway's signed answers in a merchant's file: whether this gateway has signed them, and
 * whether they say what the merchant says. Certificates have ended or been renewed since; it is
 * asked whether the right authority has issued them, and to this gateway.
 */
#include "gateway/audit_files.h"

#include "common/net/batch_said.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct signer {
    struct setpay_digest thumbprint;
    struct setpay_certificate *certificate; /* owned */
    bool is_ours;
};

struct setpay_audit_signers {
    struct signer list[SETPAY_BATCH_FILE_CERTIFICATES];
    size_t count;
};

/* ------------------------------------------------------------------ who signs */

void setpay_audit_signers_free(struct setpay_audit_signers *signers)
{
    if (signers == NULL)
        return;
    for (size_t i = 0; i < signers->count; i++)
        setpay_certificate_unref(signers->list[i].certificate);
    free(signers);
}

/* Under the root, for its own brand, and with our id. */
static bool is_ours(struct setpay_audit_files *files, struct setpay_audit_file *file,
                    const struct setpay_certificate *certificate, size_t number)
{
    struct setpay_audit *audit = files->audit;
    struct setpay_certificate *verified = NULL;
    const char *id = setpay_config_text(audit->config, "", "id");
    enum setpay_error error = setpay_trust_verify_issued(
        audit->trust, setpay_certificate_der(certificate), NULL, 0, SETPAY_PROFILE_GATEWAY_SIGN,
        setpay_certificate_brand(certificate), audit->now_ms, &verified);
    setpay_certificate_unref(verified);
    if (error != SETPAY_OK)
        setpay_audit_files_find(files, file, NULL, "certificate", "certificate %zu is not good: %s",
                                number, setpay_error_text(error));
    else if (strcmp(setpay_certificate_id(certificate), id) != 0)
        setpay_audit_files_find(files, file, NULL, "certificate",
                                "certificate %zu is of the gateway %.40s, expected %.40s", number,
                                setpay_certificate_id(certificate), id);
    else
        return true;
    return false;
}

/* CAs prove themselves under the root. */
static void learn(struct setpay_audit_files *files, const struct setpay_audit_file *file)
{
    for (int pass = 0; pass < 2; pass++) { /* an issuing CA may stand before its brand's */
        for (size_t i = 0; i < SETPAY_BATCH_FILE_CERTIFICATES; i++) {
            struct setpay_secret der = {0};
            if (setpay_batch_file_certificate(&file->batches, i, &der) == SETPAY_OK) {
                struct setpay_view view = setpay_secret_view(&der);
                (void)setpay_trust_learn(files->audit->trust, &view, 1, NULL, 0,
                                         files->audit->now_ms);
            }
            setpay_secret_clear(&der);
        }
    }
}

enum setpay_error setpay_audit_signers_new(struct setpay_audit_files *files,
                                           struct setpay_audit_file *file,
                                           struct setpay_audit_signers **signers)
{
    struct setpay_audit_signers *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    learn(files, file);
    for (size_t i = 0; i < SETPAY_BATCH_FILE_CERTIFICATES; i++) {
        struct setpay_secret der = {0};
        struct setpay_certificate *certificate = NULL;
        enum setpay_error error = setpay_batch_file_certificate(&file->batches, i, &der);
        if (error == SETPAY_E_NOT_FOUND)
            break;
        if (error == SETPAY_OK)
            error = setpay_certificate_parse(setpay_secret_view(&der), &certificate);
        setpay_secret_clear(&der);
        if (error != SETPAY_OK)
            setpay_audit_files_find(files, file, NULL, "certificate",
                                    "certificate %zu can't be read: %s", i + 1,
                                    setpay_error_text(error));
        else if (setpay_certificate_ca_kind(certificate) == SETPAY_CA_NONE)
            made->list[made->count++] = (struct signer){*setpay_certificate_thumbprint(certificate),
                                                        setpay_certificate_ref(certificate),
                                                        is_ours(files, file, certificate, i + 1)};
        setpay_certificate_unref(certificate);
    }
    *signers = made;
    return SETPAY_OK;
}

static const struct signer *find_signer(const struct setpay_audit_signers *signers,
                                        const struct setpay_digest *thumbprint)
{
    for (size_t i = 0; i < signers->count; i++)
        if (setpay_digest_equal(&signers->list[i].thumbprint, thumbprint))
            return &signers->list[i];
    return NULL;
}

bool setpay_audit_is_signed(struct setpay_audit_files *files, struct setpay_audit_file *file,
                            const struct setpay_audit_signers *signers, const char *brand,
                            const char *where, const struct setpay_message *message,
                            const char *what)
{
    const struct signer *signer = find_signer(signers, &message->signer);
    const char *kind = "signature";
    if (signer == NULL)
        setpay_audit_files_find(files, file, where, kind,
                                "the certificate by which %s is signed is not in the file", what);
    else if (!signer->is_ours || strcmp(setpay_certificate_brand(signer->certificate), brand) != 0)
        setpay_audit_files_find(files, file, where, kind,
                                "%s is signed by another than this gateway for %s", what, brand);
    else if (setpay_message_verify(message, signer->certificate) != SETPAY_OK)
        setpay_audit_files_find(files, file, where, kind,
                                "%s is not signed by the gateway as it is", what);
    else
        return true;
    return false;
}

/* ------------------------------------------------------------------ one item */

struct check {
    struct setpay_audit_files *files;
    struct setpay_audit_file *file;
    const struct setpay_audit_signers *signers;
    const struct setpay_batch_part *part;
    const struct setpay_batch_line *line;
    char where[SETPAY_AUDIT_WHERE_SIZE];
};

#define FIND(check, kind, ...)                                                                     \
    setpay_audit_files_find((check)->files, (check)->file, (check)->where, kind, __VA_ARGS__)

static void compare(const struct check *check, const struct setpay_batch_said *said)
{
    const struct setpay_batch_line *line = check->line;
    char theirs[SETPAY_MONEY_TEXT_SIZE], ours[SETPAY_MONEY_TEXT_SIZE];
    (void)setpay_money_format(&line->amount, theirs);
    (void)setpay_money_format(&said->amount, ours);
    if (strcmp(said->merchant_id, check->file->batches.merchant_id) != 0 ||
        strcmp(said->brand, check->part->brand) != 0)
        FIND(check, "merchant", "the gateway has signed it to %s of %s, the file is of %s",
             said->merchant_id, said->brand, check->file->batches.merchant_id);
    if (!setpay_id_equal(&said->xid, &line->xid))
        FIND(check, "xid", "the gateway has signed it for another payment");
    if (strcmp(said->amount.currency, line->amount.currency) != 0)
        FIND(check, "currency", "the merchant has %s, the gateway has signed %s", theirs, ours);
    else if (said->amount.minor != line->amount.minor)
        FIND(check, "amount", "the merchant has %s, the gateway has signed %s", theirs, ours);
    if (said->batch != check->part->number)
        FIND(check, "batch", "the gateway has signed it into batch %lu",
             (unsigned long)said->batch);
}

/* An answer about the item, or about its undoing. false where it proves nothing. */
static bool open_proof(const struct check *check, const json_t *json, bool undoes,
                       struct setpay_batch_said *said)
{
    const char *what = undoes ? "the answer that undoes it" : "its answer";
    bool credits = check->line->kind == SETPAY_BATCH_CREDIT, found = false;
    struct setpay_batch_proof proof = {.message = {.is_signed = false}};
    enum setpay_message_type type =
        undoes    ? credits ? SETPAY_MESSAGE_CRED_REV_RES : SETPAY_MESSAGE_CAP_REV_RES
        : credits ? SETPAY_MESSAGE_CRED_RES
                  : SETPAY_MESSAGE_CAP_RES;
    bool good = false;
    if (setpay_batch_proof_read(json, &proof) != SETPAY_OK)
        FIND(check, "signature", "%s can't be read", what);
    else if (proof.message.type != type &&
             (undoes || credits || proof.message.type != SETPAY_MESSAGE_AUTH_RES))
        FIND(check, "kind", "%s is a %s, expected %s", what,
             setpay_message_type_name(proof.message.type), setpay_message_type_name(type));
    else if (setpay_audit_is_signed(check->files, check->file, check->signers, check->part->brand,
                                    check->where, &proof.message, what)) {
        good = setpay_batch_said_read(&proof.message, &check->line->id, undoes, said, &found) ==
                   SETPAY_OK &&
               found;
        if (!good)
            FIND(check, "signature", "%s is of another step", what);
    }
    setpay_batch_proof_clear(&proof);
    return good;
}

void setpay_audit_proof_check(struct setpay_audit_files *files, struct setpay_audit_file *file,
                              const struct setpay_audit_signers *signers,
                              const struct setpay_batch_part *part,
                              const struct setpay_batch_line *line)
{
    struct check check = {
        .files = files, .file = file, .signers = signers, .part = part, .line = line};
    struct setpay_batch_said said = {.batch = 0};
    (void)setpay_audit_where(part, line, check.where);
    if (line->proof == NULL)
        FIND(&check, "signature", "there is no answer of the gateway's beside it");
    else if (open_proof(&check, line->proof, false, &said)) {
        compare(&check, &said);
        char date[SETPAY_TIME_TEXT_SIZE];
        if (strcmp(setpay_time_format(said.date_ms, date), line->date) != 0)
            FIND(&check, "date", "the merchant has %s, the gateway has signed it at %s", line->date,
                 date);
    }
    if (line->undone && line->undone_proof == NULL)
        FIND(&check, "undone",
             "the merchant says that it was undone, without an answer of the "
             "gateway's that says so");
    else if (!line->undone && line->undone_proof != NULL)
        FIND(&check, "undone", "the merchant has it as done, beside an answer that undoes it");
    else if (line->undone && open_proof(&check, line->undone_proof, true, &said))
        compare(&check, &said);
}
