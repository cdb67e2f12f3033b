/*
 * From files to a ring. The pairs in use are loaded or the whole of it fails; an earlier pair that
 * can't be used any more (ended, revoked, unreadable) is passed over, since nothing new depends on
 * it: what still names it is then refused.
 */
#include "common/net/keyring.h"

#include "common/base/log.h"
#include "common/crypto/file.h"
#include "common/net/party_files.h"

#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTION_SIZE (SETPAY_BRAND_MAX + 8)

/* One certificate of one brand. */
struct place {
    const struct setpay_keyring_wish *wish;
    const struct setpay_party_certificate *certificate;
    const char *brand; /* NULL: of the top */
    char section[SECTION_SIZE];
    struct setpay_party_files files;
};

typedef enum setpay_error place_fn(struct place *place, void *arg, struct setpay_problem *problem);

static enum setpay_error enter(struct place *place, struct setpay_problem *problem)
{
    const struct setpay_config *config = place->wish->config;
    int length = place->brand == NULL
                     ? 0
                     : snprintf(place->section, sizeof place->section, "brand %s", place->brand);
    if (length >= (int)sizeof place->section)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "[brand %.80s]: the name has more than %d characters",
                                  place->brand, SETPAY_BRAND_MAX);
    return setpay_party_files_init(
        &place->files, setpay_config_text(config, place->section, place->certificate->key_name),
        setpay_config_text(config, place->section, place->certificate->certificate_name),
        place->certificate->keep, problem);
}

/* Goes through all certificates of all brands, then through those of the top. */
static enum setpay_error each_place(const struct setpay_keyring_wish *wish, place_fn *each,
                                    void *arg, struct setpay_problem *problem)
{
    size_t brands = setpay_config_instance_count(wish->config, "brand *");
    for (size_t i = 0; i <= brands; i++) {
        const char *brand = i < brands ? setpay_config_instance(wish->config, "brand *", i) : NULL;
        const struct setpay_party_certificate *at = wish->party->certificates;
        for (; at->profile != SETPAY_PROFILE_NONE; at++) {
            struct place place = {.wish = wish, .certificate = at, .brand = brand};
            if (at->top != (brand == NULL))
                continue;
            SETPAY_TRY(enter(&place, problem));
            SETPAY_TRY(each(&place, arg, problem));
        }
    }
    return SETPAY_OK;
}

static enum setpay_error read_passphrase(const struct setpay_keyring_wish *wish,
                                         struct setpay_secret *bytes,
                                         const struct setpay_secret **passphrase,
                                         struct setpay_problem *problem)
{
    const char *path = setpay_config_text(wish->config, "", "key_passphrase_file");
    *passphrase = NULL;
    if (path == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_file_read_secret(path, bytes, problem));
    *passphrase = bytes;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ whether its time is over */

static bool is_over(const struct place *place, const struct setpay_party_earlier *earlier,
                    const struct setpay_certificate *certificate)
{
    setpay_time_ms now_ms = place->wish->now_ms;
    switch (place->certificate->keep) {
    case SETPAY_KEEP_TO_ITS_END:
        return certificate != NULL && setpay_certificate_not_after_ms(certificate) <= now_ms;
    case SETPAY_KEEP_FOR_INSTRUCTIONS:
        return earlier->replaced_ms + place->wish->keep_ms <= now_ms;
    default:
        return true;
    }
}

/* The certificate of a file, as it is; NULL where it can't be read. */
static struct setpay_certificate *read_certificate(const char *path)
{
    struct setpay_certificate *certificate = NULL;
    struct setpay_problem ignored;
    if (setpay_identity_read_certificate(path, &certificate, &ignored) != SETPAY_OK)
        return NULL;
    return certificate;
}

/* ------------------------------------------------------------------ loading */

struct loading {
    struct setpay_keyring *ring;
    const struct setpay_secret *passphrase;
};

static enum setpay_error load_pair(const struct place *place, const struct loading *loading,
                                   const char *key, const char *certificate,
                                   struct setpay_identity *identity, struct setpay_problem *problem)
{
    const struct setpay_keyring_wish *wish = place->wish;
    return (wish->unlisted ? setpay_identity_load_unlisted : setpay_identity_load)(
        wish->trust, key, certificate, loading->passphrase, place->certificate->profile,
        place->brand, wish->now_ms, identity, problem);
}

static enum setpay_error check_id(const struct place *place, const struct setpay_identity *identity,
                                  struct setpay_problem *problem)
{
    const char *id = setpay_config_text(place->wish->config, "", "id");
    const char *found = setpay_certificate_id(identity->certificate);
    if (place->brand == NULL || strcmp(found, id) == 0)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_CONFIG,
                              "%s: found a certificate of %s, expected one of the configuration's "
                              "id, %s",
                              place->files.certificate, found, id);
}

static enum setpay_error load_earlier(const struct place *place, const struct loading *loading,
                                      const struct setpay_party_earlier *earlier)
{
    struct setpay_identity identity = {0};
    struct setpay_problem problem = {{0}};
    struct setpay_certificate *certificate = read_certificate(earlier->certificate);
    bool held = certificate != NULL &&
                setpay_keyring_find(loading->ring, place->certificate->profile, place->brand,
                                    setpay_certificate_thumbprint(certificate)) != NULL;
    bool over = is_over(place, earlier, certificate);
    setpay_certificate_unref(certificate);
    if (held || over) /* a second name of the one in use; or to be destroyed */
        return SETPAY_OK;
    enum setpay_error error =
        load_pair(place, loading, earlier->key, earlier->certificate, &identity, &problem);
    if (error == SETPAY_OK)
        error = check_id(place, &identity, &problem);
    if (error == SETPAY_OK)
        return setpay_keyring_add(loading->ring, place->certificate->profile, place->brand, false,
                                  &identity);
    setpay_identity_clear(&identity);
    setpay_log(SETPAY_LOG_WARN, "keys.earlier_refused", setpay_field_error(error),
               setpay_field_text("path", earlier->certificate),
               setpay_field_text("text", problem.text));
    return SETPAY_OK;
}

static enum setpay_error load_place(struct place *place, void *arg, struct setpay_problem *problem)
{
    struct loading *loading = arg;
    struct setpay_identity identity = {0};
    struct setpay_party_earlier *earlier;
    SETPAY_TRY(setpay_party_files_mend(&place->files, problem));
    SETPAY_TRY(
        load_pair(place, loading, place->files.key, place->files.certificate, &identity, problem));
    enum setpay_error error = check_id(place, &identity, problem);
    if (error != SETPAY_OK) {
        setpay_identity_clear(&identity);
        return error;
    }
    SETPAY_TRY(setpay_keyring_add(loading->ring, place->certificate->profile, place->brand, true,
                                  &identity));
    if (place->certificate->keep == SETPAY_KEEP_NOT)
        return SETPAY_OK;
    earlier = calloc(SETPAY_LIMIT_KEYRING_EARLIER, sizeof *earlier);
    if (earlier == NULL)
        return SETPAY_E_NOMEM;
    size_t count = setpay_party_files_earlier(&place->files, earlier, SETPAY_LIMIT_KEYRING_EARLIER);
    for (size_t i = 0; i < count && error == SETPAY_OK; i++)
        error = load_earlier(place, loading, &earlier[i]);
    free(earlier);
    return error;
}

enum setpay_error setpay_keyring_load(const struct setpay_keyring_wish *wish,
                                      struct setpay_keyring **ring, struct setpay_problem *problem)
{
    struct loading loading = {0};
    struct setpay_secret passphrase = {0};
    SETPAY_TRY(setpay_keyring_new(&loading.ring));
    enum setpay_error error = read_passphrase(wish, &passphrase, &loading.passphrase, problem);
    if (error == SETPAY_OK)
        error = each_place(wish, load_place, &loading, problem);
    setpay_secret_clear(&passphrase);
    if (error != SETPAY_OK) {
        setpay_keyring_unref(loading.ring);
        return error;
    }
    *ring = loading.ring;
    return SETPAY_OK;
}

/* ------------------------------------------------------------------ the end of earlier pairs */

static bool destroy(const struct place *place, const struct setpay_party_earlier *earlier)
{
    struct setpay_problem problem = {{0}};
    struct setpay_digest unknown = {{0}};
    struct setpay_certificate *certificate = read_certificate(earlier->certificate);
    bool over = is_over(place, earlier, certificate);
    enum setpay_error error =
        over ? setpay_party_files_destroy(&place->files, earlier, &problem) : SETPAY_OK;
    if (over && error == SETPAY_OK)
        setpay_log(
            SETPAY_LOG_INFO, "keys.destroyed",
            setpay_field_text("certificate",
                              setpay_profile_info(place->certificate->profile)->name),
            setpay_field_text("brand", place->brand == NULL ? "" : place->brand),
            setpay_field_digest("thumbprint", certificate == NULL
                                                  ? &unknown
                                                  : setpay_certificate_thumbprint(certificate)));
    else if (over)
        setpay_log_error(error, "keys.not_destroyed", setpay_field_text("text", problem.text));
    setpay_certificate_unref(certificate);
    return over && error == SETPAY_OK;
}

static enum setpay_error sweep_place(struct place *place, void *arg, struct setpay_problem *problem)
{
    size_t *destroyed = arg;
    struct setpay_party_earlier *earlier;
    int lock = -1;
    if (place->certificate->keep == SETPAY_KEEP_NOT)
        return SETPAY_OK;
    earlier = calloc(SETPAY_LIMIT_KEYRING_EARLIER, sizeof *earlier);
    if (earlier == NULL)
        return SETPAY_E_NOMEM;
    size_t count = setpay_party_files_earlier(&place->files, earlier, SETPAY_LIMIT_KEYRING_EARLIER);
    /* Not while files are being exchanged. */
    if (count > 0 && setpay_party_files_lock(&place->files, &lock, problem) == SETPAY_OK) {
        for (size_t i = 0; i < count; i++)
            *destroyed += destroy(place, &earlier[i]) ? 1 : 0;
        setpay_party_files_unlock(lock);
    }
    free(earlier);
    return SETPAY_OK;
}

void setpay_keyring_sweep(const struct setpay_keyring_wish *wish, size_t *destroyed)
{
    struct setpay_problem problem = {{0}};
    *destroyed = 0;
    enum setpay_error error = each_place(wish, sweep_place, destroyed, &problem);
    if (error != SETPAY_OK)
        setpay_log_error(error, "keys.not_destroyed", setpay_field_text("text", problem.text));
}

/* ------------------------------------------------------------------ a pair is replaced */

struct keeping {
    const struct setpay_keyring *former, *next;
    const struct setpay_secret *passphrase;
};

static enum setpay_error keep_one(const struct place *place, const struct keeping *keeping,
                                  const struct setpay_identity *identity,
                                  struct setpay_problem *problem)
{
    struct setpay_view views[SETPAY_CHAIN_CAS + 1] = {
        setpay_certificate_der(identity->certificate)};
    uint8_t *ders[SETPAY_CHAIN_CAS + 1] = {NULL};
    size_t count = 1;
    for (int i = 0; i < sk_X509_num(identity->chain) && count <= SETPAY_CHAIN_CAS; i++) {
        int size = i2d_X509(sk_X509_value(identity->chain, i), &ders[count]);
        if (size > 0) {
            views[count] = setpay_view_of(ders[count], (size_t)size);
            count++;
        }
    }
    enum setpay_error error =
        setpay_party_files_replaced(&place->files, identity->pkey, keeping->passphrase, views,
                                    count, place->wish->now_ms, problem);
    for (size_t i = 1; i < count; i++)
        OPENSSL_free(ders[i]);
    return error;
}

static enum setpay_error keep_place(struct place *place, void *arg, struct setpay_problem *problem)
{
    const struct keeping *keeping = arg;
    enum setpay_profile profile = place->certificate->profile;
    const struct setpay_held *was = setpay_keyring_in_use(keeping->former, profile, place->brand);
    const struct setpay_held *is = setpay_keyring_in_use(keeping->next, profile, place->brand);
    if (place->certificate->keep == SETPAY_KEEP_NOT || was == NULL ||
        (is != NULL &&
         setpay_digest_equal(setpay_held_thumbprint(was), setpay_held_thumbprint(is))))
        return SETPAY_OK;
    return keep_one(place, keeping, &was->identity, problem);
}

enum setpay_error setpay_keyring_keep(const struct setpay_keyring_wish *wish,
                                      const struct setpay_keyring *former,
                                      const struct setpay_keyring *next,
                                      struct setpay_problem *problem)
{
    struct keeping keeping = {.former = former, .next = next};
    struct setpay_secret passphrase = {0};
    enum setpay_error error = read_passphrase(wish, &passphrase, &keeping.passphrase, problem);
    if (error == SETPAY_OK)
        error = each_place(wish, keep_place, &keeping, problem);
    setpay_secret_clear(&passphrase);
    return error;
}
