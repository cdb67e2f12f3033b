/*
 * The table of CAs and lists. It is written whole: it is small, and seldom changes.
 */
#include "common/net/saved_trust.h"

#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "common/store/db.h"

#include <stdlib.h>
#include <string.h>

struct copy {
    struct setpay_saved_trust *saved;
    struct setpay_digest sum;
    size_t ca_count, crl_count;
    struct setpay_certificate *cas[SETPAY_LIMIT_TRUST_CAS];
    struct setpay_buffer crls[SETPAY_LIMIT_TRUST_CAS];
};

static void copy_free(struct copy *copy)
{
    for (size_t i = 0; i < copy->ca_count; i++)
        setpay_certificate_unref(copy->cas[i]);
    for (size_t i = 0; i < copy->crl_count; i++)
        setpay_buffer_clear(&copy->crls[i]);
    free(copy);
}

static enum setpay_error insert(struct setpay_db *db, bool is_crl, struct setpay_view der)
{
    struct setpay_digest thumbprint;
    SETPAY_TRY(setpay_sha256(der, &thumbprint));
    return setpay_db_run(db,
                         "INSERT INTO trust (thumbprint, is_crl, der) VALUES ($1, $2, $3)"
                         " ON CONFLICT (thumbprint) DO NOTHING",
                         SETPAY_DB_DIGEST(&thumbprint), SETPAY_DB_BOOL(is_crl),
                         SETPAY_DB_VIEW(der));
}

static enum setpay_error write_copy(struct setpay_db *db, void *arg)
{
    struct copy *copy = arg;
    SETPAY_TRY(setpay_db_run(db, "DELETE FROM trust"));
    for (size_t i = 0; i < copy->ca_count; i++)
        SETPAY_TRY(insert(db, false, setpay_certificate_der(copy->cas[i])));
    for (size_t i = 0; i < copy->crl_count; i++)
        SETPAY_TRY(insert(db, true, setpay_buffer_view(&copy->crls[i])));
    return SETPAY_OK;
}

static void on_written(void *arg, enum setpay_error error)
{
    struct copy *copy = arg;
    if (error != SETPAY_OK) {
        setpay_log_error(error, "trust.store", setpay_field_text("area", "store"));
        memset(&copy->saved->saved, 0, sizeof copy->saved->saved);
    }
    copy_free(copy);
}

/* Over all that is held, in whatever order. */
static void mix(struct setpay_digest *sum, const struct setpay_digest *thumbprint)
{
    for (size_t i = 0; i < sizeof sum->bytes; i++)
        sum->bytes[i] ^= thumbprint->bytes[i];
}

static enum setpay_error fill(struct copy *copy, struct setpay_trust *trust,
                              struct setpay_digest *thumbs, struct setpay_crl_info *infos)
{
    size_t cas = setpay_trust_thumbs(trust, false, thumbs, SETPAY_LIMIT_TRUST_CAS);
    size_t crls = setpay_trust_crls(trust, infos, SETPAY_LIMIT_TRUST_CAS);
    for (size_t i = 1; i < cas; i++) { /* the root stands first */
        SETPAY_TRY(setpay_trust_find_ca(trust, &thumbs[i], &copy->cas[copy->ca_count]));
        copy->ca_count++;
        mix(&copy->sum, &thumbs[i]);
    }
    for (size_t i = 0; i < crls && i < SETPAY_LIMIT_TRUST_CAS; i++) {
        setpay_buffer_init(&copy->crls[i], SETPAY_LIMIT_CRL_BYTES);
        copy->crl_count = i + 1;
        SETPAY_TRY(setpay_trust_crl_der(trust, &infos[i].thumbprint, &copy->crls[i]));
        mix(&copy->sum, &infos[i].thumbprint);
    }
    return SETPAY_OK;
}

void setpay_saved_trust_save(struct setpay_saved_trust *saved)
{
    struct copy *copy = calloc(1, sizeof *copy);
    struct setpay_digest *thumbs = calloc(SETPAY_LIMIT_TRUST_CAS, sizeof *thumbs);
    struct setpay_crl_info *infos = calloc(SETPAY_LIMIT_TRUST_CAS, sizeof *infos);
    enum setpay_error error =
        copy == NULL || thumbs == NULL || infos == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    bool submitted = false;
    if (error == SETPAY_OK) {
        copy->saved = saved;
        error = fill(copy, saved->trust, thumbs, infos);
    }
    /* A list may be replaced while it is copied: then the next look saves. */
    if (error == SETPAY_E_NOT_FOUND) {
        error = SETPAY_OK;
    } else if (error == SETPAY_OK && !setpay_digest_equal(&copy->sum, &saved->saved)) {
        error = setpay_store_submit(saved->store, write_copy, on_written, copy, saved->executor);
        submitted = error == SETPAY_OK;
    }
    if (submitted)
        saved->saved = copy->sum;
    else if (copy != NULL)
        copy_free(copy);
    free(thumbs);
    free(infos);
    if (error != SETPAY_OK)
        setpay_log_error(error, "trust.store", setpay_field_text("area", "store"));
}

/* ------------------------------------------------------------------ loading */

struct loading {
    struct setpay_trust *trust;
    setpay_time_ms now_ms;
};

/* One kind. What is refused is so quietly: that a list has ended meanwhile is how things go. */
static enum setpay_error learn(struct setpay_db *db, struct loading *loading, bool is_crl)
{
    struct setpay_db_rows *rows;
    SETPAY_TRY(setpay_db_select(db, &rows, "SELECT der FROM trust WHERE is_crl = $1",
                                SETPAY_DB_BOOL(is_crl)));
    enum setpay_error error = SETPAY_OK;
    while (error != SETPAY_E_NOMEM && setpay_db_next(rows)) {
        struct setpay_view der = setpay_db_get_view(rows, 0);
        error = is_crl ? setpay_trust_add_crl(loading->trust, der, loading->now_ms)
                       : setpay_trust_add_ca(loading->trust, der);
    }
    enum setpay_error ended = setpay_db_end(rows);
    return error == SETPAY_E_NOMEM ? error : ended;
}

enum setpay_error setpay_saved_trust_read(struct setpay_db *db, struct setpay_trust *trust,
                                          setpay_time_ms now_ms)
{
    struct loading loading = {.trust = trust, .now_ms = now_ms};
    SETPAY_TRY(learn(db, &loading, false)); /* brands, then the CAs below them */
    SETPAY_TRY(learn(db, &loading, false));
    return learn(db, &loading, true);
}

static enum setpay_error read_all(struct setpay_db *db, void *arg)
{
    const struct loading *loading = arg;
    return setpay_saved_trust_read(db, loading->trust, loading->now_ms);
}

enum setpay_error setpay_saved_trust_load(struct setpay_store *store, struct setpay_trust *trust,
                                          setpay_time_ms now_ms)
{
    struct loading loading = {.trust = trust, .now_ms = now_ms};
    struct setpay_reader *reader = NULL;
    SETPAY_TRY(setpay_reader_new(store, &reader));
    enum setpay_error error = setpay_store_read(reader, read_all, &loading);
    setpay_reader_free(reader);
    return error;
}
