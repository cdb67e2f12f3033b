/*
 * Issuing: from a request (PKCS#10) to a certificate of one profile.
 *
 * What always holds: the role is the profile's and never the request's; nothing of the request but
 * its proven key reaches the certificate unless the operator named it too; the key was never
 * certified before (rule C2); PAN, expiry and PANSecret live in secrets only, become the blinded
 * account id, and are gone when the function returns (rule C1). What is kept of a request is its
 * subject and key, built anew.
 */
#include "ca/state.h"

#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"
#include "common/pki/certificate.h"
#include "common/pki/csr.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void setpay_ca_issued_init(struct setpay_ca_issued *issued)
{
    memset(issued, 0, sizeof *issued);
    setpay_buffer_init(&issued->chain, SETPAY_CA_PEM_MAX);
}

void setpay_ca_issued_clear(struct setpay_ca_issued *issued)
{
    setpay_buffer_clear(&issued->chain);
}

/* ---- requests ---- */

/* PEM becomes DER in secret memory: a cardholder's request holds the PAN. */
static enum setpay_error request_der(struct setpay_view request, struct setpay_secret *der)
{
    unsigned char *data = NULL;
    long size = 0;
    BIO *bio;
    enum setpay_error error = SETPAY_E_CSR;

    if (request.size > 0 && request.data[0] == 0x30)
        return request.size <= SETPAY_LIMIT_CSR_BYTES ? setpay_secret_copy(der, request)
                                                      : SETPAY_E_CSR;
    if (request.size == 0 || request.size > 2 * SETPAY_LIMIT_CSR_BYTES)
        return SETPAY_E_CSR;
    bio = BIO_new_mem_buf(request.data, (int)request.size);
    if (bio == NULL)
        return SETPAY_E_NOMEM;
    if (PEM_bytes_read_bio_secmem(&data, &size, NULL, PEM_STRING_X509_REQ, bio, NULL, NULL) == 1) {
        if (size > 0 && size <= SETPAY_LIMIT_CSR_BYTES)
            error = setpay_secret_copy(der, setpay_view_of(data, (size_t)size));
        OPENSSL_secure_clear_free(data, (size_t)size);
    }
    ERR_clear_error();
    BIO_free(bio);
    return error;
}

static enum setpay_error parse_request(struct setpay_view request, struct setpay_csr *csr,
                                       struct setpay_problem *problem)
{
    struct setpay_secret der = {0};
    enum setpay_error error = request_der(request, &der);

    if (error == SETPAY_OK)
        error = setpay_csr_parse(setpay_secret_view(&der), csr);
    setpay_secret_clear(&der);
    if (error == SETPAY_E_CSR)
        return setpay_problem_set(problem, error,
                                  "the request is not a PKCS#10 request for a P-256 key, signed by "
                                  "that key, with the permitted attributes only");
    return error;
}

/* rule C1: what may be kept of a request: subject and key, no attribute, no signature over one. */
static enum setpay_error kept_request(X509 *certificate, EVP_PKEY *key, struct setpay_buffer *kept)
{
    X509_REQ *request = X509_REQ_new();
    enum setpay_error error = SETPAY_E_CRYPTO;
    unsigned char *der = NULL;
    int size;

    if (request != NULL && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_subject_name(request, X509_get_subject_name(certificate)) == 1 &&
        X509_REQ_set_pubkey(request, key) == 1 && (size = i2d_re_X509_REQ_tbs(request, &der)) > 0)
        error = setpay_buffer_set(kept, setpay_view_of(der, (size_t)size));
    OPENSSL_free(der);
    X509_REQ_free(request);
    return error;
}

/* ---- into the change ---- */

static void describe(X509 *certificate, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    long length = 0;

    text[0] = '\0';
    if (bio != NULL &&
        X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0,
                           XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB & ~XN_FLAG_SPC_EQ) > 0)
        length = BIO_get_mem_data(bio, &data);
    if (length > 0)
        (void)snprintf(text, size, "%.*s", (int)length, data);
    BIO_free(bio);
}

static setpay_time_ms time_of(const ASN1_TIME *time)
{
    struct tm parts = {0};

    return ASN1_TIME_to_tm(time, &parts) == 1 ? (setpay_time_ms)timegm(&parts) * SETPAY_SECOND_MS
                                              : 0;
}

/* What the log says of it: the subject, and what is kept beside the certificate of a party. */
#define TOLD_SIZE 320

static void tell(const struct setpay_ca_issued *issued, const char *profile,
                 const struct setpay_ca_lineage *lineage, char told[TOLD_SIZE])
{
    setpay_time_ms latest =
        lineage->latest > issued->not_after ? lineage->latest : issued->not_after;
    bool is_party = setpay_ca_kind_by_name(profile) == SETPAY_CA_NONE;
    char until[SETPAY_TIME_TEXT_SIZE];

    (void)snprintf(told, TOLD_SIZE, "%s%s%s%s%s", issued->subject,
                   lineage->parent[0] == '\0' ? "" : SETPAY_CA_LOG_RENEWS, lineage->parent,
                   is_party ? SETPAY_CA_LOG_LATEST : "",
                   is_party ? setpay_time_format(latest, until) : "");
}

enum setpay_error setpay_ca_change_issue(struct setpay_ca_change *change,
                                         const struct setpay_ca_authority *signer,
                                         const char *action, const char *profile, const char *brand,
                                         X509 *certificate, const struct setpay_ca_lineage *lineage,
                                         struct setpay_view request, setpay_time_ms now,
                                         struct setpay_ca_issued *issued)
{
    char told[TOLD_SIZE];
    struct setpay_buffer der = {0};
    struct setpay_digest spki;
    struct setpay_ca_record record = {.profile = profile,
                                      .authority = signer->row.name,
                                      .parent = lineage->parent,
                                      .latest = lineage->latest};
    enum setpay_error error;

    setpay_buffer_init(&der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    memcpy(issued->authority, signer->row.name, sizeof issued->authority);
    describe(certificate, issued->subject, sizeof issued->subject);
    issued->not_before = time_of(X509_get0_notBefore(certificate));
    issued->not_after = time_of(X509_get0_notAfter(certificate));
    error = setpay_ca_serial_text(certificate, issued->serial);
    if (error == SETPAY_OK)
        error = setpay_ca_certificate_der(certificate, &der);
    if (error == SETPAY_OK)
        error = setpay_sha256(setpay_buffer_view(&der), &issued->thumbprint);
    if (error == SETPAY_OK)
        error = setpay_key_digest(X509_get0_pubkey(certificate), &spki);
    tell(issued, profile, lineage, told);
    if (error == SETPAY_OK) /* rule C3 */
        error = setpay_ca_log_append(change, signer, action, issued->serial, told,
                                     setpay_buffer_view(&der), now);
    record.serial = issued->serial;
    record.subject = issued->subject;
    record.not_before = issued->not_before;
    record.not_after = issued->not_after;
    record.der = setpay_buffer_view(&der);
    if (error == SETPAY_OK)
        error = setpay_ca_change_add_certificate(change, brand, &record, &issued->thumbprint, &spki,
                                                 request);
    setpay_buffer_clear(&der);
    return error;
}

/* ---- deciding ---- */

/* One issue under way: what setpay_ca_issue and setpay_ca_renew have in common. */
struct issue {
    const struct setpay_profile_info *profile;
    const char *action; /* "issue", "renew" */
    const char *brand;
    char id[SETPAY_PARTY_ID_MAX + 1];
    const char *hosts[SETPAY_CA_DNS_NAMES];
    size_t host_count;
    int days;
    setpay_time_ms latest; /* 0, or the end that the card sets */
    const char *parent;    /* "", or the serial of whose holder asks */
};

/* The validity of a leaf: as asked, at most the profile's, and within its issuer's. */
static enum setpay_error set_validity(const struct issue *issue,
                                      const struct setpay_ca_authority *issuer, setpay_time_ms now,
                                      struct setpay_ca_template *template,
                                      struct setpay_problem *problem)
{
    setpay_time_ms issuer_from = time_of(X509_get0_notBefore(issuer->certificate));
    setpay_time_ms issuer_until = time_of(X509_get0_notAfter(issuer->certificate));
    int days = issue->days == 0 ? issue->profile->max_days : issue->days;

    if (days < 1 || days > issue->profile->max_days)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "%d days is outside 1 to %d, which %s may live", days,
                                  issue->profile->max_days, issue->profile->name);
    if (now < issuer_from || now >= issuer_until)
        return setpay_problem_set(problem, SETPAY_E_CERT_TIME,
                                  "the certificate of %s is not valid at this time",
                                  issuer->row.name);
    template->not_before = now - SETPAY_CA_BACKDATE_MS;
    if (template->not_before < issuer_from)
        template->not_before = issuer_from;
    template->not_after = template->not_before + days *SETPAY_DAY_MS - SETPAY_SECOND_MS;
    if (issue->latest != 0 && template->not_after > issue->latest)
        template->not_after = issue->latest;
    if (template->not_after > issuer_until)
        template->not_after = issuer_until;
    return SETPAY_OK;
}

static enum setpay_error make_leaf(struct setpay_ca *ca, struct setpay_ca_change *change,
                                   const struct issue *issue, const struct setpay_csr *csr,
                                   const struct setpay_ca_authority *issuer, setpay_time_ms now,
                                   struct setpay_ca_issued *issued, struct setpay_problem *problem)
{
    const struct setpay_ca_template base = {
        .organisation = issue->brand,
        .role = issue->profile->role,
        .id = issue->id,
        .key = csr->key,
        .type = issue->profile->type,
        .key_usage = issue->profile->key_usage,
        .ekus = issue->profile->ekus,
        .eku_critical = issue->profile->eku_critical,
        .hosts = issue->hosts,
        .host_count = issue->host_count,
    };
    struct setpay_ca_template template = base;
    struct setpay_ca_lineage lineage = {.parent = issue->parent == NULL ? "" : issue->parent};
    struct setpay_buffer kept = {0};
    struct setpay_buffer der = {0};
    X509 *certificate = NULL;
    enum setpay_error error;

    SETPAY_TRY(set_validity(issue, issuer, now, &template, problem));
    /* rule C1: of the card no more is kept than a certificate that ends with it would say */
    if (issue->latest > template.not_after)
        lineage.latest = issue->latest;
    setpay_buffer_init(&kept, SETPAY_LIMIT_CSR_BYTES);
    setpay_buffer_init(&der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    error = setpay_ca_certificate_make(&template, issuer->certificate, issuer->key, &certificate);
    if (error == SETPAY_OK)
        error = kept_request(certificate, csr->key, &kept);
    if (error == SETPAY_OK)
        error = setpay_ca_change_issue(change, issuer, issue->action, issue->profile->name,
                                       issue->brand, certificate, &lineage,
                                       setpay_buffer_view(&kept), now, issued);
    if (error == SETPAY_OK)
        error = setpay_ca_certificate_der(certificate, &der);
    if (error == SETPAY_OK)
        error =
            setpay_ca_append_chain(ca, setpay_buffer_view(&der), issuer->row.name, &issued->chain);
    X509_free(certificate);
    setpay_buffer_clear(&kept);
    setpay_buffer_clear(&der);
    return error;
}

/* rule C2 */
static enum setpay_error check_key(struct setpay_ca *ca, const struct setpay_csr *csr,
                                   struct setpay_problem *problem)
{
    struct setpay_digest spki;
    bool seen = true;

    SETPAY_TRY(setpay_key_digest(csr->key, &spki));
    SETPAY_TRY(setpay_ca_registry_key_seen(ca->registry, &spki, &seen));
    if (seen)
        return setpay_problem_set(
            problem, SETPAY_E_KEY_CERTIFIED,
            "this key was certified before; make a new key and a new request");
    return SETPAY_OK;
}

/* The last second of the month on a card, from "YYMM". */
static enum setpay_error card_end(const struct setpay_secret *expiry, setpay_time_ms *end)
{
    struct tm month = {0};
    int digits[4];

    if (expiry->size != 4)
        return SETPAY_E_CSR;
    for (size_t at = 0; at < 4; at++) {
        digits[at] = expiry->data[at] - '0';
        if (digits[at] < 0 || digits[at] > 9)
            return SETPAY_E_CSR;
    }
    month.tm_year = 100 + digits[0] * 10 + digits[1];
    month.tm_mon = digits[2] * 10 + digits[3]; /* the month after the card's, counted from 0 */
    month.tm_mday = 1;
    if (month.tm_mon < 1 || month.tm_mon > 12)
        return SETPAY_E_CSR;
    *end = (setpay_time_ms)timegm(&month) * SETPAY_SECOND_MS - SETPAY_SECOND_MS;
    setpay_cleanse(digits, sizeof digits);
    return SETPAY_OK;
}

static enum setpay_error decide_cardholder(struct issue *issue, const struct setpay_csr *csr,
                                           setpay_time_ms now, struct setpay_problem *problem)
{
    struct setpay_digest account;

    if (csr->pan.size == 0)
        return setpay_problem_set(problem, SETPAY_E_CSR,
                                  "a cardholder's request must hold PAN, expiry and PANSecret as "
                                  "attributes; this one has none");
    if (card_end(&csr->expiry, &issue->latest) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_CSR, "the card's expiry is not YYMM");
    if (issue->latest <= now)
        return setpay_problem_set(problem, SETPAY_E_EXPIRED, "the card has expired");
    /* rule C1: the blinded account id is all that is left of the card */
    SETPAY_TRY(setpay_account_id(&csr->pan_secret, &csr->pan, &csr->expiry, &account));
    (void)setpay_digest_format(&account, issue->id);
    return SETPAY_OK;
}

static enum setpay_error decide_party(struct issue *issue, const struct setpay_ca_request *request,
                                      const struct setpay_csr *csr, struct setpay_problem *problem)
{
    if (csr->pan.size != 0)
        return setpay_problem_set(problem, SETPAY_E_CSR,
                                  "the request holds card data, which only a cardholder's may");
    if (request->id == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s needs an id (--id)",
                                  issue->profile->name);
    if (!setpay_party_id_is_valid(request->id))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "the id '%.64s' is not 1 to 32 of A-Z, a-z, 0-9, _ and - (no "
                                  "dots: it must not look like a host name)",
                                  request->id);
    (void)snprintf(issue->id, sizeof issue->id, "%s", request->id);
    for (size_t at = 0; at < request->dns_count; at++) {
        if (!setpay_host_is_valid(request->dns[at]))
            return setpay_problem_set(problem, SETPAY_E_INVALID,
                                      "'%.253s' is not a host name (no wildcards, no addresses)",
                                      request->dns[at]);
        issue->hosts[issue->host_count++] = request->dns[at];
    }
    if (issue->profile->dns_names && issue->host_count == 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "%s needs the host names it will serve (--dns)",
                                  issue->profile->name);
    if (!issue->profile->dns_names && issue->host_count > 0)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s takes no host names (--dns)",
                                  issue->profile->name);
    return SETPAY_OK;
}

static enum setpay_error find_profile(const char *name, const struct setpay_profile_info **profile,
                                      struct setpay_problem *problem)
{
    char names[256] = "";
    size_t used = 0;

    if (strcmp(name, "cardholder") == 0)
        name = "cardholder-sign";
    *profile = setpay_profile_info(setpay_profile_by_name(name));
    if (*profile != NULL)
        return SETPAY_OK;
    for (int each = SETPAY_PROFILE_NONE + 1; each < SETPAY_PROFILES && used < sizeof names; each++)
        used += (size_t)snprintf(names + used, sizeof names - used, " %s",
                                 setpay_profile_info((enum setpay_profile)each)->name);
    return setpay_problem_set(problem, SETPAY_E_NOT_FOUND,
                              "there is no certificate profile '%.40s'; there are:%s", name, names);
}

enum setpay_error setpay_ca_issue_decide(struct setpay_ca *ca, struct setpay_ca_change *change,
                                         const struct setpay_ca_request *request,
                                         setpay_time_ms now, struct setpay_ca_authority *issuer,
                                         struct setpay_ca_issued *issued,
                                         struct setpay_problem *problem)
{
    struct issue issue = {.action = "issue",
                          .brand = request->brand,
                          .days = request->days,
                          .parent = request->parent};
    struct setpay_csr csr = {0};
    enum setpay_error error;

    SETPAY_TRY(find_profile(request->profile, &issue.profile, problem));
    error = parse_request(request->csr, &csr, problem);
    if (error != SETPAY_OK)
        return error;
    if (issue.profile->profile != SETPAY_PROFILE_CARDHOLDER_SIGN)
        error = decide_party(&issue, request, &csr, problem);
    else if (request->id != NULL || request->dns_count > 0)
        error = setpay_problem_set(problem, SETPAY_E_USAGE,
                                   "a cardholder's id is the blinded account id, made from the "
                                   "request: no --id, no --dns");
    else
        error = decide_cardholder(&issue, &csr, now, problem);
    /* rule C1: nothing below needs the card any more */
    setpay_secret_clear(&csr.pan);
    setpay_secret_clear(&csr.expiry);
    setpay_secret_clear(&csr.pan_secret);
    if (error == SETPAY_OK)
        error = check_key(ca, &csr, problem);
    if (error == SETPAY_OK && issuer->certificate == NULL)
        error = setpay_ca_authority_of(
            ca, request->brand, setpay_ca_info(issue.profile->issuer)->name, true, issuer, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_check_standing(ca, issuer, problem);
    if (error == SETPAY_OK)
        error = make_leaf(ca, change, &issue, &csr, issuer, now, issued, problem);
    setpay_csr_clear(&csr);
    return error;
}

enum setpay_error setpay_ca_issue_noting(struct setpay_ca *ca,
                                         const struct setpay_ca_request *request,
                                         setpay_time_ms now, setpay_ca_note_fn *note, void *arg,
                                         struct setpay_ca_issued *issued,
                                         struct setpay_problem *problem)
{
    struct setpay_ca_change change = {0};
    struct setpay_ca_authority issuer = {0};
    enum setpay_error error = setpay_ca_change_begin(ca->registry, &change);

    if (error == SETPAY_OK)
        error = setpay_ca_issue_decide(ca, &change, request, now, &issuer, issued, problem);
    if (error == SETPAY_OK && note != NULL)
        error = note(&change, issued, arg);
    if (error == SETPAY_OK)
        error = setpay_ca_log_commit(ca, &change, &issuer);
    if (error != SETPAY_OK) /* nothing that is not in the log leaves (rule C3) */
        setpay_buffer_clear(&issued->chain);
    setpay_ca_change_clear(&change);
    setpay_ca_authority_clear(&issuer);
    return error;
}

enum setpay_error setpay_ca_issue(struct setpay_ca *ca, const struct setpay_ca_request *request,
                                  setpay_time_ms now, struct setpay_ca_issued *issued,
                                  struct setpay_problem *problem)
{
    return setpay_ca_issue_noting(ca, request, now, NULL, NULL, issued, problem);
}

/* ---- renewing ---- */

/* The certificate that is renewed: copied out of its record. */
struct old {
    char serial[SETPAY_CA_SERIAL_SIZE];
    char authority[SETPAY_CA_AUTHORITY_SIZE];
    setpay_time_ms not_before;
    setpay_time_ms not_after;
    setpay_time_ms revoked;
    setpay_time_ms latest;
    struct setpay_certificate *certificate;
    enum setpay_error error;
};

static void take_old(void *arg, const struct setpay_ca_record *record)
{
    struct old *old = arg;

    (void)snprintf(old->serial, sizeof old->serial, "%s", record->serial);
    old->latest = record->latest > record->not_after ? record->latest : record->not_after;
    (void)snprintf(old->authority, sizeof old->authority, "%s", record->authority);
    old->not_before = record->not_before;
    old->not_after = record->not_after;
    old->revoked = record->revoked;
    old->error = setpay_certificate_parse(record->der, &old->certificate);
}

static enum setpay_error find_old(struct setpay_ca *ca, struct setpay_view bytes,
                                  setpay_time_ms now, struct old *old,
                                  struct setpay_problem *problem)
{
    char serial[SETPAY_CA_SERIAL_SIZE];

    SETPAY_TRY(setpay_ca_serial_of(ca, bytes, serial, problem));
    SETPAY_TRY(setpay_ca_registry_by_serial(ca->registry, serial, take_old, old));
    SETPAY_TRY(old->error);
    if (setpay_certificate_profile(old->certificate) == SETPAY_PROFILE_NONE)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "that is the certificate of a CA; only parties' are renewed");
    if (old->revoked != 0)
        return setpay_problem_set(problem, SETPAY_E_CERT_REVOKED,
                                  "the certificate %s is revoked and can't be renewed", serial);
    if (now < old->not_before || now > old->not_after)
        return setpay_problem_set(problem, SETPAY_E_CERT_TIME,
                                  "the certificate %s has ended; issue a new one instead", serial);
    return SETPAY_OK;
}

/* The host names of the old certificate; borrowed from names. */
static enum setpay_error old_hosts(const GENERAL_NAMES *names, struct issue *issue)
{
    for (int at = 0; at < sk_GENERAL_NAME_num(names); at++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, at);

        if (name->type != GEN_DNS || issue->host_count == SETPAY_CA_DNS_NAMES)
            return SETPAY_E_CERT_NAME;
        issue->hosts[issue->host_count++] = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
    }
    return SETPAY_OK;
}

static enum setpay_error check_issuer_of(struct setpay_ca *ca, const char *name,
                                         struct setpay_problem *problem)
{
    struct setpay_ca_authority authority = {0};
    enum setpay_error error = setpay_ca_authority_load(ca, name, false, &authority, problem);

    if (error == SETPAY_OK)
        error = setpay_ca_check_standing(ca, &authority, problem);
    setpay_ca_authority_clear(&authority);
    return error;
}

static enum setpay_error decide_renewal(struct setpay_ca *ca, struct setpay_ca_change *change,
                                        const struct old *old, const struct setpay_csr *csr,
                                        int days, setpay_time_ms now,
                                        struct setpay_ca_authority *issuer,
                                        struct setpay_ca_issued *issued,
                                        struct setpay_problem *problem)
{
    struct issue issue = {
        .profile = setpay_profile_info(setpay_certificate_profile(old->certificate)),
        .action = "renew",
        .brand = setpay_certificate_brand(old->certificate),
        .days = days,
        .parent = old->serial,
    };
    GENERAL_NAMES *names = X509_get_ext_d2i(setpay_certificate_x509(old->certificate),
                                            NID_subject_alt_name, NULL, NULL);
    enum setpay_error error = SETPAY_OK;

    (void)snprintf(issue.id, sizeof issue.id, "%s", setpay_certificate_id(old->certificate));
    if (issue.profile->profile == SETPAY_PROFILE_CARDHOLDER_SIGN)
        issue.latest = old->latest; /* rule C1: it ends with the card */
    if (csr->pan.size != 0)
        error = setpay_problem_set(problem, SETPAY_E_CSR,
                                   "a renewal takes no card data: the blinded account id stays");
    if (error == SETPAY_OK && names != NULL)
        error = old_hosts(names, &issue);
    if (error == SETPAY_OK)
        error = check_key(ca, csr, problem);
    if (error ==
        SETPAY_OK) /* what its issuer's key has made may be anybody's, once it is revoked */
        error = check_issuer_of(ca, old->authority, problem);
    if (error == SETPAY_OK) /* by who issues now */
        error = setpay_ca_authority_of(ca, issue.brand, setpay_ca_info(issue.profile->issuer)->name,
                                       true, issuer, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_check_standing(ca, issuer, problem);
    if (error == SETPAY_OK)
        error = make_leaf(ca, change, &issue, csr, issuer, now, issued, problem);
    GENERAL_NAMES_free(names);
    return error;
}

enum setpay_error setpay_ca_renew_noting(struct setpay_ca *ca, struct setpay_view old_bytes,
                                         struct setpay_view request, int days, setpay_time_ms now,
                                         setpay_ca_note_fn *note, void *arg,
                                         struct setpay_ca_issued *issued,
                                         struct setpay_problem *problem)
{
    struct setpay_ca_change change = {0};
    struct setpay_ca_authority issuer = {0};
    struct setpay_csr csr = {0};
    struct old old = {.error = SETPAY_OK};
    enum setpay_error error = find_old(ca, old_bytes, now, &old, problem);

    if (error == SETPAY_OK)
        error = parse_request(request, &csr, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_change_begin(ca->registry, &change);
    if (error == SETPAY_OK)
        error = decide_renewal(ca, &change, &old, &csr, days, now, &issuer, issued, problem);
    if (error == SETPAY_OK && note != NULL)
        error = note(&change, issued, arg);
    if (error == SETPAY_OK)
        error = setpay_ca_log_commit(ca, &change, &issuer);
    if (error != SETPAY_OK)
        setpay_buffer_clear(&issued->chain);
    setpay_ca_change_clear(&change);
    setpay_csr_clear(&csr);
    setpay_certificate_unref(old.certificate);
    setpay_ca_authority_clear(&issuer);
    return error;
}

enum setpay_error setpay_ca_renew(struct setpay_ca *ca, struct setpay_view old,
                                  struct setpay_view request, int days, setpay_time_ms now,
                                  struct setpay_ca_issued *issued, struct setpay_problem *problem)
{
    return setpay_ca_renew_noting(ca, old, request, days, now, NULL, NULL, issued, problem);
}
