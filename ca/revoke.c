/*
 * Revocation. A certificate is revoked alone, or with what came of it: who has stolen a key can
 * renew its certificate for a key of his own, and would keep that.
 *
 * What always holds: all of it, the entries of the log and the new CRL are one change (rule C3).
 */
#include "ca/state.h"

#include "common/crypto/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In one change; a line of renewals that is longer is an attack on its own. */
#define TARGETS_MAX 4096

/* What is revoked: copied, since a record lives only during its callback. */
struct target {
    char serial[SETPAY_CA_SERIAL_SIZE];
    char authority[SETPAY_CA_AUTHORITY_SIZE];
    char subject[192];
    struct setpay_digest object; /* of its DER */
};

struct targets {
    struct target *list;
    size_t count;
    size_t room;
    bool is_root;
    enum setpay_error error;
};

static enum setpay_error grow(struct targets *targets)
{
    if (targets->count < targets->room)
        return SETPAY_OK;
    if (targets->count == TARGETS_MAX)
        return SETPAY_E_TOO_BIG;
    size_t room = targets->room == 0 ? 8 : 2 * targets->room;
    struct target *grown = realloc(targets->list, room * sizeof *grown);
    if (grown == NULL)
        return SETPAY_E_NOMEM;
    targets->list = grown;
    targets->room = room;
    return SETPAY_OK;
}

static void take_target(void *arg, const struct setpay_ca_record *record)
{
    struct targets *targets = arg;

    targets->is_root = targets->is_root || strcmp(record->profile, "root") == 0;
    if (record->revoked != 0 || targets->error != SETPAY_OK)
        return;
    targets->error = grow(targets);
    if (targets->error != SETPAY_OK)
        return;
    struct target *target = &targets->list[targets->count++];
    (void)snprintf(target->serial, sizeof target->serial, "%s", record->serial);
    (void)snprintf(target->authority, sizeof target->authority, "%s", record->authority);
    (void)snprintf(target->subject, sizeof target->subject, "%s", record->subject);
    targets->error = setpay_sha256(record->der, &target->object);
}

static enum setpay_error find_targets(struct setpay_ca *ca,
                                      const struct setpay_ca_revoking *revoking,
                                      struct targets *targets, struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_ca_show(ca, revoking->serial, take_target, targets, problem));
    if (targets->is_root)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "the root can't revoke itself: take root.pem out of every "
                                  "party's configuration instead");
    if (revoking->descendants)
        SETPAY_TRY(
            setpay_ca_descendants(ca, revoking->serial, revoking->since, take_target, targets));
    if (targets->error == SETPAY_E_TOO_BIG)
        return setpay_problem_set(problem, targets->error,
                                  "more than %d certificates came of %s: give a later --since, "
                                  "then revoke the rest",
                                  TARGETS_MAX, revoking->serial);
    SETPAY_TRY(targets->error);
    if (targets->count == 0)
        return setpay_problem_set(problem, SETPAY_E_EXISTS, "%s is revoked already%s",
                                  revoking->serial,
                                  revoking->descendants ? ", and so is what came of it" : "");
    return SETPAY_OK;
}

static enum setpay_error revoke_one(struct setpay_ca_change *change,
                                    const struct setpay_ca_authority *issuer,
                                    const struct target *target,
                                    const struct setpay_ca_revocation *revocation)
{
    char subject[256];

    (void)snprintf(subject, sizeof subject, "%s" SETPAY_CA_LOG_REASON "%s", target->subject,
                   revocation->reason);
    /* rule C3 */
    SETPAY_TRY(setpay_ca_log_append_of(change, issuer, "revoke", target->serial, subject,
                                       &target->object, revocation->time));
    return setpay_ca_change_add_revocation(change, target->serial, revocation->time,
                                           revocation->reason);
}

/* What one authority has issued of them, and its new CRL. first: the first of these; those of
 * others are passed over. also has room for all. */
static enum setpay_error apply_to(struct setpay_ca *ca, struct setpay_ca_change *change,
                                  const struct setpay_ca_authority *issuer,
                                  const struct targets *targets, size_t first,
                                  struct setpay_ca_revocation *also, const char *reason,
                                  setpay_time_ms now, struct setpay_problem *problem)
{
    size_t count = 0;

    for (size_t at = first; at < targets->count; at++) {
        if (strcmp(targets->list[at].authority, issuer->row.name) != 0)
            continue;
        also[count] = (struct setpay_ca_revocation){.time = now, .reason = reason};
        memcpy(also[count].serial, targets->list[at].serial, sizeof also[count].serial);
        SETPAY_TRY(revoke_one(change, issuer, &targets->list[at], &also[count]));
        count++;
    }
    enum setpay_error error = setpay_ca_crl_decide(ca, change, issuer, also, count, now);
    if (error == SETPAY_E_TOO_BIG)
        error = setpay_problem_set(problem, error,
                                   "the CRL of %s would grow above %d bytes: revoke %s itself, and "
                                   "have another in its place (authority renew %s.%s)",
                                   issuer->row.name, SETPAY_LIMIT_CRL_BYTES, issuer->row.name,
                                   issuer->row.brand, issuer->row.kind);
    return error;
}

static bool is_first_of_its_issuer(const struct targets *targets, size_t at)
{
    for (size_t before = 0; before < at; before++)
        if (strcmp(targets->list[before].authority, targets->list[at].authority) == 0)
            return false;
    return true;
}

/* A line of renewals may go on under the authority that came after: one change for all of it. */
static enum setpay_error apply(struct setpay_ca *ca, const struct targets *targets,
                               const char *reason, setpay_time_ms now,
                               struct setpay_problem *problem)
{
    struct setpay_ca_revocation *also = calloc(targets->count, sizeof *also);
    struct setpay_ca_authority issuer = {0}; /* the last that acted signs the head */
    struct setpay_ca_change change = {0};
    enum setpay_error error = also == NULL ? SETPAY_E_NOMEM : SETPAY_OK;

    if (error == SETPAY_OK)
        error = setpay_ca_change_begin(ca->registry, &change);
    for (size_t at = 0; at < targets->count && error == SETPAY_OK; at++) {
        if (!is_first_of_its_issuer(targets, at))
            continue;
        setpay_ca_authority_clear(&issuer);
        error = setpay_ca_authority_load(ca, targets->list[at].authority, true, &issuer, problem);
        if (error == SETPAY_OK)
            error = apply_to(ca, &change, &issuer, targets, at, also, reason, now, problem);
    }
    if (error == SETPAY_OK)
        error = setpay_ca_log_commit(ca, &change, &issuer);
    if (error == SETPAY_OK)
        error = setpay_ca_crl_publish(ca, problem);
    setpay_ca_change_clear(&change);
    setpay_ca_authority_clear(&issuer);
    free(also);
    return error;
}

enum setpay_error setpay_ca_revoke(struct setpay_ca *ca, const struct setpay_ca_revoking *revoking,
                                   setpay_time_ms now, size_t *revoked,
                                   struct setpay_problem *problem)
{
    struct targets targets = {.error = SETPAY_OK};

    if (revoking->reason == NULL || setpay_ca_reason_code(revoking->reason) < 0)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "the reason must be one of: %s",
                                  setpay_ca_reasons());
    enum setpay_error error = find_targets(ca, revoking, &targets, problem);
    if (error == SETPAY_OK)
        error = apply(ca, &targets, revoking->reason, now, problem);
    if (error == SETPAY_OK && revoked != NULL)
        *revoked = targets.count;
    free(targets.list);
    return error;
}
