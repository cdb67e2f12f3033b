/*
 * Certificates that a party has, its own files among them; the gateway's key, which opens
 * envelopes; the merchant's, which must not; and the root that all of them lead to.
 */
#include "tests/sandbox/explorer/explorer.h"

#include "common/crypto/keyfile.h"
#include "common/net/identity.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* FOLDER/BETWEEN/NAME END of the sandbox; false where that is too long. */
bool explorer_path(char *path, const struct explorer *explorer, const char *between,
                   const char *name, const char *end)
{
    return snprintf(path, EXPLORER_PATH, "%s/%s/%s%s", explorer->folder, between, name, end) <
           EXPLORER_PATH;
}

/* The same of a party's own folder for the brand. */
static bool path_of(char *path, const struct explorer *explorer, enum explorer_party party,
                    const char *name)
{
    return snprintf(path, EXPLORER_PATH, "%s/%s/%s%s%s", explorer->folder,
                    explorer_party_name(party), explorer->brand, *name != '\0' ? "/" : "",
                    name) < EXPLORER_PATH;
}

struct setpay_certificate *explorer_certificate(const struct explorer *explorer,
                                                enum explorer_party party,
                                                const struct setpay_digest *thumbprint)
{
    const struct explorer_certificates *of = &explorer->certificates[party];
    for (size_t i = 0; i < of->count; i++)
        if (setpay_digest_equal(setpay_certificate_thumbprint(of->list[i]), thumbprint))
            return of->list[i];
    return NULL;
}

/* What is no certificate of this PKI, or one too many, is passed over: its message says so then. */
void explorer_add_certificate(struct explorer *explorer, enum explorer_party party,
                              struct setpay_view der)
{
    struct explorer_certificates *of = &explorer->certificates[party];
    struct setpay_certificate *certificate = NULL;
    if (der.size == 0 || of->count == EXPLORER_CERTIFICATES ||
        setpay_certificate_parse(der, &certificate) != SETPAY_OK)
        return;
    if (explorer_certificate(explorer, party, setpay_certificate_thumbprint(certificate)) != NULL)
        setpay_certificate_unref(certificate);
    else
        of->list[of->count++] = certificate;
}

/* ------------------------------------------------------------------ keys and certificates */

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), tail = strlen(end);
    return size > tail && strcmp(name + size - tail, end) == 0;
}

/* The certificates of a party's own files for the brand. */
static void read_own(struct explorer *explorer, enum explorer_party party)
{
    char folder[EXPLORER_PATH], path[2 * EXPLORER_PATH];
    if (!path_of(folder, explorer, party, ""))
        return;
    DIR *open = opendir(folder);
    if (open == NULL)
        return;
    for (const struct dirent *entry; (entry = readdir(open)) != NULL;) {
        struct setpay_certificate *certificate = NULL;
        struct setpay_problem ignored;
        if (!ends_with(entry->d_name, ".pem"))
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (setpay_identity_read_certificate(path, &certificate, &ignored) == SETPAY_OK)
            explorer_add_certificate(explorer, party, setpay_certificate_der(certificate));
        setpay_certificate_unref(certificate);
    }
    closedir(open);
}

static enum setpay_error load_envelope_key(const char *key_path, const char *certificate_path,
                                           struct setpay_envelope_key **key,
                                           struct setpay_digest *of, struct setpay_problem *problem)
{
    struct setpay_certificate *certificate = NULL;
    EVP_PKEY *pkey = NULL;
    enum setpay_error error = setpay_key_load(key_path, NULL, &pkey, problem);
    if (error == SETPAY_OK)
        error = setpay_identity_read_certificate(certificate_path, &certificate, problem);
    if (error == SETPAY_OK)
        error = setpay_envelope_key_new(pkey, setpay_certificate_x509(certificate), key);
    if (error == SETPAY_OK)
        *of = *setpay_certificate_thumbprint(certificate);
    setpay_certificate_unref(certificate);
    EVP_PKEY_free(pkey);
    return error;
}

/* The merchant has no key for envelopes; it is tried with the one that it has. */
static void try_merchant(struct explorer *explorer)
{
    char key_path[EXPLORER_PATH], certificate_path[EXPLORER_PATH];
    struct setpay_problem ignored;
    struct setpay_secret plaintext = {0};
    struct setpay_envelope_key *key = NULL;
    struct setpay_digest of;
    if (explorer->envelope.size == 0 ||
        !path_of(key_path, explorer, EXPLORER_MERCHANT, "sign.key") ||
        !path_of(certificate_path, explorer, EXPLORER_MERCHANT, "sign.pem") ||
        load_envelope_key(key_path, certificate_path, &key, &of, &ignored) != SETPAY_OK)
        return;
    explorer->merchant_tried = true;
    explorer->merchant_opens =
        setpay_envelope_open(key, setpay_buffer_view(&explorer->envelope), &plaintext);
    setpay_secret_clear(&plaintext);
    setpay_envelope_key_free(key);
}

/* The brand's authorities, each below one that is known by then. */
static enum setpay_error read_trust(struct explorer *explorer, struct setpay_problem *problem)
{
    static const char *const kinds[] = {".brand.pem", ".cca.pem", ".mca.pem", ".pca.pem"};
    char path[EXPLORER_PATH];
    if (!explorer_path(path, explorer, "ca", "root", ".pem"))
        return setpay_problem_set(problem, SETPAY_E_USAGE, "the folder's name is too long");
    SETPAY_TRY(setpay_trust_load(path, &explorer->trust, problem));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct setpay_certificate *authority = NULL;
        if (!explorer_path(path, explorer, "crls", explorer->brand, kinds[i]))
            return setpay_problem_set(problem, SETPAY_E_USAGE, "the folder's name is too long");
        SETPAY_TRY(setpay_identity_read_certificate(path, &authority, problem));
        /* What does not lead to the root is not among the known: each check of a chain says so. */
        enum setpay_error error =
            setpay_trust_add_ca(explorer->trust, setpay_certificate_der(authority));
        explorer->authorities.list[explorer->authorities.count++] = authority;
        if (error == SETPAY_E_NOMEM)
            return error;
    }
    return SETPAY_OK;
}

enum setpay_error explorer_read_keys(struct explorer *explorer, struct setpay_problem *problem)
{
    char key_path[EXPLORER_PATH], certificate_path[EXPLORER_PATH];
    struct setpay_problem ignored;
    SETPAY_TRY(read_trust(explorer, problem));
    read_own(explorer, EXPLORER_MERCHANT);
    read_own(explorer, EXPLORER_GATEWAY);
    /* A gateway that has destroyed its key opens nothing any more, and then nor does the page. */
    if (path_of(key_path, explorer, EXPLORER_GATEWAY, "encrypt.key") &&
        path_of(certificate_path, explorer, EXPLORER_GATEWAY, "encrypt.pem") &&
        load_envelope_key(key_path, certificate_path, &explorer->gateway_key,
                          &explorer->gateway_key_of, &ignored) != SETPAY_OK)
        explorer->gateway_key = NULL;
    try_merchant(explorer);
    return SETPAY_OK;
}
