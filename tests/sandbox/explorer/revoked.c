/*
 * Revocation: whether a list that a party holds names a certificate by which something here was
 * signed, or one that stands above such a one.
 *
 * A list is taken as what its authority knew when it made it: the newest that a party holds, proven
 * by its authority's signature, whether or not it is still current. What was revoked after all that
 * it has signed here is told, and no fault; what was revoked before is one.
 */
#include "tests/sandbox/explorer/explorer.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LEAF_ABOVE 2 /* its issuing authority, and the brand's; the root is on no list */

/* ------------------------------------------------------------------ what is to be looked at */

void explorer_add_list(struct explorer *explorer, enum explorer_party party, struct setpay_view der)
{
    struct explorer_lists *of = &explorer->lists[party];
    struct setpay_crl *list = NULL;
    enum setpay_error error =
        of->count == EXPLORER_LISTS ? SETPAY_E_TOO_BIG : setpay_crl_parse(der, &list);
    if (error == SETPAY_OK)
        of->list[of->count++] = list;
    else
        explorer_note(explorer, party, false, setpay_error_text(error),
                      "each revocation list in its table trust can be read");
}

static struct explorer_signer *find_signer(struct explorer *explorer,
                                           const struct setpay_certificate *certificate)
{
    for (size_t i = 0; i < explorer->signer_count; i++)
        if (setpay_digest_equal(setpay_certificate_thumbprint(explorer->signers[i].certificate),
                                setpay_certificate_thumbprint(certificate)))
            return &explorer->signers[i];
    return NULL;
}

void explorer_add_signer(struct explorer *explorer, const struct setpay_certificate *certificate,
                         setpay_time_ms date_ms)
{
    struct explorer_signer *signer = find_signer(explorer, certificate);
    if (signer == NULL && explorer->signer_count == EXPLORER_SIGNERS) {
        explorer_note(explorer, EXPLORER_MERCHANT, false, "there are more",
                      "all certificates that have signed were looked for on revocation lists");
        return;
    }
    if (signer == NULL) {
        signer = &explorer->signers[explorer->signer_count++];
        *signer = (struct explorer_signer){.certificate = certificate, .last_ms = date_ms};
    }
    if (signer->last_ms < date_ms)
        signer->last_ms = date_ms;
}

/* Every certificate of an authority that the sandbox or one of the parties has, until one fits.
 * NULL: none does. */
typedef bool fits_fn(const struct setpay_certificate *authority, const void *what);
static const struct setpay_certificate *find_authority(const struct explorer *explorer,
                                                       fits_fn *fits, const void *what)
{
    for (int party = 0; party <= EXPLORER_PARTIES; party++) {
        const struct explorer_certificates *of =
            party < EXPLORER_PARTIES ? &explorer->certificates[party] : &explorer->authorities;
        for (size_t i = 0; i < of->count; i++)
            if (setpay_certificate_ca_kind(of->list[i]) != SETPAY_CA_NONE &&
                fits(of->list[i], what))
                return of->list[i];
    }
    const struct setpay_certificate *root = setpay_trust_root(explorer->trust);
    return fits(root, what) ? root : NULL;
}

static bool has_issued(const struct setpay_certificate *authority, const void *certificate)
{
    return X509_check_issued(setpay_certificate_x509(authority),
                             setpay_certificate_x509(certificate)) == X509_V_OK;
}

static bool has_listed(const struct setpay_certificate *authority, const void *list)
{
    return setpay_crl_names(list, authority);
}

/* What stands above each that has signed is looked for as long as that one has. */
static void add_authorities(struct explorer *explorer)
{
    size_t leaves = explorer->signer_count;
    for (size_t i = 0; i < leaves; i++) {
        const struct setpay_certificate *above = explorer->signers[i].certificate;
        for (int step = 0; above != NULL && step < LEAF_ABOVE; step++) {
            above = find_authority(explorer, has_issued, above);
            if (above != NULL && setpay_certificate_ca_kind(above) != SETPAY_CA_ROOT)
                explorer_add_signer(explorer, above, explorer->signers[i].last_ms);
        }
    }
}

/* ------------------------------------------------------------------ looking */

static bool time_of(const ASN1_TIME *from, setpay_time_ms *to)
{
    struct tm parts;
    if (from == NULL || ASN1_TIME_to_tm(from, &parts) != 1)
        return false;
    *to = (setpay_time_ms)timegm(&parts) * SETPAY_SECOND_MS;
    return true;
}

/* Lists that their authorities have signed stay; another is told, and asked nothing. Each is proven
 * at its own date: whether it is still current is another question. */
static void prove_lists(struct explorer *explorer, enum explorer_party party)
{
    struct explorer_lists *of = &explorer->lists[party];
    size_t kept = 0;
    for (size_t i = 0; i < of->count; i++) {
        struct setpay_crl *list = of->list[i];
        const struct setpay_certificate *authority = find_authority(explorer, has_listed, list);
        bool holds = authority != NULL &&
                     setpay_crl_prove(list, authority, list->info.this_update_ms) == SETPAY_OK;
        if (!holds)
            explorer_note(explorer, party, false,
                          authority == NULL ? "nobody here is that authority"
                                            : "its signature is not",
                          "revocation list %llu in its table trust is its authority's",
                          (unsigned long long)list->info.number);
        if (holds)
            of->list[kept++] = list;
        else
            setpay_crl_unref(list);
    }
    of->count = kept;
}

/* The newest list of who issued the certificate, of those that the party holds. */
static const struct setpay_crl *newest_list(const struct explorer *explorer,
                                            enum explorer_party party,
                                            const struct setpay_certificate *certificate)
{
    const struct explorer_lists *of = &explorer->lists[party];
    const struct setpay_crl *newest = NULL;
    const struct setpay_certificate *issuer = find_authority(explorer, has_issued, certificate);
    for (size_t i = 0; issuer != NULL && i < of->count; i++)
        if (setpay_crl_names(of->list[i], issuer) &&
            (newest == NULL || of->list[i]->info.number > newest->info.number))
            newest = of->list[i];
    return newest;
}

static void look_up(struct explorer *explorer, struct explorer_signer *signer,
                    enum explorer_party party)
{
    struct explorer_listing *listing = &signer->listings[party];
    X509_REVOKED *entry = NULL;
    char title[EXPLORER_WORDS];
    listing->list = newest_list(explorer, party, signer->certificate);
    if (listing->list == NULL)
        return;
    /* 2: an entry that takes a revocation back */
    listing->is_revoked =
        X509_CRL_get0_by_serial(
            listing->list->list, &entry,
            X509_get0_serialNumber(setpay_certificate_x509(signer->certificate))) == 1;
    if (listing->is_revoked &&
        !time_of(X509_REVOKED_get0_revocationDate(entry), &listing->revoked_ms))
        listing->revoked_ms = 0;
    explorer_signer_title(signer, title);
    explorer_note(explorer, party, !listing->is_revoked || listing->revoked_ms > signer->last_ms,
                  "the list that it holds says that it was revoked before",
                  listing->is_revoked ? "%s was revoked after all that it has signed here"
                                      : "%s is not revoked by the list that it holds",
                  title);
}

void explorer_check_revocation(struct explorer *explorer)
{
    add_authorities(explorer);
    for (int party = 0; party < EXPLORER_PARTIES; party++)
        prove_lists(explorer, (enum explorer_party)party);
    for (size_t i = 0; i < explorer->signer_count; i++)
        for (int party = 0; party < EXPLORER_PARTIES; party++)
            look_up(explorer, &explorer->signers[i], (enum explorer_party)party);
}

/* ------------------------------------------------------------------ in words */

void explorer_signer_title(const struct explorer_signer *signer, char *title)
{
    static const char *const leaves[SETPAY_PROFILES] = {
        [SETPAY_PROFILE_CARDHOLDER_SIGN] = "the card's certificate",
        [SETPAY_PROFILE_MERCHANT_SIGN] = "the merchant's certificate",
        [SETPAY_PROFILE_GATEWAY_SIGN] = "the gateway's certificate",
        [SETPAY_PROFILE_GATEWAY_ENCRYPT] = "the gateway's sealing certificate"};
    static const char *const authorities[SETPAY_CA_KINDS] = {
        [SETPAY_CA_BRAND] = "the brand's authority",
        [SETPAY_CA_CARDHOLDER] = "the cardholders' authority",
        [SETPAY_CA_MERCHANT] = "the merchants' authority",
        [SETPAY_CA_GATEWAY] = "the gateways' authority"};
    char hex[SETPAY_DIGEST_TEXT_SIZE];
    enum setpay_ca_kind kind = setpay_certificate_ca_kind(signer->certificate);
    enum setpay_profile profile = setpay_certificate_profile(signer->certificate);
    const char *name = kind == SETPAY_CA_NONE ? leaves[profile] : authorities[kind];
    (void)snprintf(title, EXPLORER_WORDS, "%s (%.8s…)", name != NULL ? name : "the certificate",
                   setpay_digest_format(setpay_certificate_thumbprint(signer->certificate), hex));
}
