/*
 * CA certificates and revocation lists that came beside a merchant's messages, kept in the store so
 * that they survive a restart. What is kept proves itself again under the root when it is loaded.
 */
#include "cardholder/wallet.h"

#include "common/base/log.h"
#include "common/net/identity.h"

#include <stdlib.h>
#include <string.h>

#define TRUST_COPIES_MAX 256
#define TRUST_LISTS_MAX 64

struct trust_copy {
    size_t ca_count, crl_count;
    struct setpay_certificate *cas[TRUST_COPIES_MAX];
    struct setpay_buffer crls[TRUST_LISTS_MAX];
};

static void trust_copy_free(struct trust_copy *copy)
{
    for (size_t i = 0; i < copy->ca_count; i++)
        setpay_certificate_unref(copy->cas[i]);
    for (size_t i = 0; i < copy->crl_count; i++)
        setpay_buffer_clear(&copy->crls[i]);
    free(copy);
}

static enum setpay_error store_trust(struct setpay_db *db, void *arg)
{
    struct trust_copy *copy = arg;
    SETPAY_TRY(setpay_wallet_store_clear_trust(db));
    for (size_t i = 0; i < copy->ca_count; i++)
        SETPAY_TRY(setpay_wallet_store_add_trust(db, false, setpay_certificate_der(copy->cas[i])));
    for (size_t i = 0; i < copy->crl_count; i++)
        SETPAY_TRY(setpay_wallet_store_add_trust(db, true, setpay_buffer_view(&copy->crls[i])));
    return SETPAY_OK;
}

static void on_trust_stored(void *arg, enum setpay_error error)
{
    if (error != SETPAY_OK)
        setpay_log_error(error, "trust.store", setpay_field_text("of", "wallet"));
    trust_copy_free(arg);
}

/* A digest over all that is held, in whatever order. */
static void mix(struct setpay_digest *sum, const struct setpay_digest *thumbprint)
{
    for (size_t i = 0; i < sizeof sum->bytes; i++)
        sum->bytes[i] ^= thumbprint->bytes[i];
}

static enum setpay_error copy_crls(struct setpay_trust *trust, const struct setpay_crl_info *infos,
                                   size_t count, struct trust_copy *copy)
{
    for (size_t i = 0; i < count; i++) {
        setpay_buffer_init(&copy->crls[i], SETPAY_LIMIT_CRL_BYTES);
        copy->crl_count = i + 1;
        SETPAY_TRY(setpay_trust_crl_der(trust, &infos[i].thumbprint, &copy->crls[i]));
    }
    return SETPAY_OK;
}

void setpay_wallet_save_trust(struct setpay_wallet *wallet)
{
    struct setpay_digest thumbs[TRUST_COPIES_MAX], sum = {{0}};
    struct setpay_crl_info infos[TRUST_LISTS_MAX];
    size_t cas = setpay_trust_thumbs(wallet->trust, false, thumbs, TRUST_COPIES_MAX);
    size_t crls = setpay_trust_crls(wallet->trust, infos, TRUST_LISTS_MAX);
    if (crls > TRUST_LISTS_MAX)
        crls = TRUST_LISTS_MAX;
    for (size_t i = 0; i < cas; i++)
        mix(&sum, &thumbs[i]);
    for (size_t i = 0; i < crls; i++)
        mix(&sum, &infos[i].thumbprint);
    if (setpay_digest_equal(&sum, &wallet->saved_trust))
        return;
    struct trust_copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        return;
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 1; i < cas && error == SETPAY_OK; i++) { /* the root stands first */
        error = setpay_trust_find_ca(wallet->trust, &thumbs[i], &copy->cas[copy->ca_count]);
        if (error == SETPAY_OK)
            copy->ca_count++;
    }
    if (error == SETPAY_OK)
        error = copy_crls(wallet->trust, infos, crls, copy);
    if (error == SETPAY_OK)
        error = setpay_store_submit(wallet->store, store_trust, on_trust_stored, copy,
                                    &wallet->executor);
    if (error == SETPAY_OK) {
        wallet->saved_trust = sum;
    } else {
        setpay_log_error(error, "trust.store", setpay_field_text("of", "wallet"));
        trust_copy_free(copy);
    }
}

void setpay_wallet_load_crls(struct setpay_wallet *wallet)
{
    const char *folder = setpay_config_text(wallet->service->config, "", "crls");
    struct setpay_crl_load load;
    if (folder == NULL)
        return;
    enum setpay_error error =
        setpay_trust_load_folder(wallet->trust, folder, setpay_clock_now_ms(), &load);
    if (error != SETPAY_OK)
        setpay_log_error(error, "trust.folder", setpay_field_text("path", folder));
}
