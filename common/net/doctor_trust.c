/*
 * Root, certificates and revocation lists, judged as the daemon would judge them at its start, but
 * each for itself: a stale list does not make every certificate look wrong.
 *
 * A wrong root is told from a wrong certificate by the brand's CA, which comes with every
 * certificate: where the root did not issue that, nothing below it can be judged, and only the root
 * is spoken of.
 */
#include "common/base/limits.h"
#include "common/base/noun.h"
#include "common/crypto/file.h"
#include "common/net/doctor.h"
#include "common/net/identity.h"

#include <dirent.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHAIN_MAX 4
#define PEM_FILE_MAX (256 * 1024)
#define NAMES_SIZE 300
#define SECTION_SIZE (SETPAY_BRAND_MAX + 8)
/* A certificate that ends sooner than this should have a successor, unless it is short-lived. */
#define SOON_MS (7 * SETPAY_DAY_MS)
#define ROOT_TODO                                                                                  \
    "name the root of the authority that issued the certificates in the key root; compare it "     \
    "with "                                                                                        \
    "its operator: openssl x509 -noout -fingerprint -sha256 -in ROOT"
#define RENEW_TODO                                                                                 \
    "get a new one: `enrol --renew` of this program while the old one is good, else with a new "   \
    "token of the authority; then start the daemon again"

/* ------------------------------------------------------------------ brands and files */

size_t setpay_doctor_brands(const struct setpay_config *config,
                            const char *brands[SETPAY_DOCTOR_BRANDS_MAX])
{
    size_t count = setpay_config_instance_count(config, "brand *");
    if (count > SETPAY_DOCTOR_BRANDS_MAX)
        count = SETPAY_DOCTOR_BRANDS_MAX;
    for (size_t i = 0; i < count; i++)
        brands[i] = setpay_config_instance(config, "brand *", i);
    return count;
}

/* One pair that the configuration names. */
struct pair {
    const struct setpay_party_certificate *row;
    const char *brand; /* NULL: of any */
    char section[SECTION_SIZE];
    const char *key, *certificate;
};
typedef void pair_fn(struct setpay_doctor *doctor, const struct pair *pair);

static void visit_pair(struct setpay_doctor *doctor, const struct setpay_party_certificate *row,
                       const char *brand, pair_fn *each)
{
    struct pair pair = {.row = row, .brand = brand};
    if (brand != NULL &&
        snprintf(pair.section, sizeof pair.section, "brand %s", brand) >= (int)sizeof pair.section)
        return; /* the daemon refuses such a name */
    pair.key = setpay_config_text(doctor->config, pair.section, row->key_name);
    pair.certificate = setpay_config_text(doctor->config, pair.section, row->certificate_name);
    if (pair.key != NULL && pair.certificate != NULL)
        each(doctor, &pair);
}

static void visit_pairs(struct setpay_doctor *doctor,
                        const struct setpay_party_certificate *certificates, pair_fn *each)
{
    const char *brands[SETPAY_DOCTOR_BRANDS_MAX];
    size_t count = setpay_doctor_brands(doctor->config, brands);
    for (; certificates != NULL && certificates->profile != SETPAY_PROFILE_NONE; certificates++) {
        if (certificates->top)
            visit_pair(doctor, certificates, NULL, each);
        for (size_t i = 0; i < count && !certificates->top; i++)
            visit_pair(doctor, certificates, brands[i], each);
    }
}

/* The certificates of a PEM file; 0 where it can't be read, which is told elsewhere. */
static size_t read_chain(const char *path, struct setpay_buffer ders[CHAIN_MAX])
{
    struct setpay_buffer pem;
    size_t count = 0;
    setpay_buffer_init(&pem, PEM_FILE_MAX);
    if (setpay_file_read(path, &pem, NULL) != SETPAY_OK ||
        setpay_pem_certificates(setpay_buffer_view(&pem), ders, CHAIN_MAX, &count) != SETPAY_OK)
        count = 0;
    setpay_buffer_clear(&pem);
    return count;
}

static void clear_chain(struct setpay_buffer *ders, size_t count)
{
    for (size_t i = 0; i < count; i++)
        setpay_buffer_clear(&ders[i]);
}

/* ------------------------------------------------------------------ dates */

void setpay_doctor_dates(struct setpay_doctor *doctor, const char *called,
                         const struct setpay_certificate *certificate, const char *todo)
{
    char span[SETPAY_SPAN_TEXT_SIZE], text[SETPAY_TIME_TEXT_SIZE];
    setpay_time_ms from_ms = setpay_certificate_not_before_ms(certificate);
    setpay_time_ms until_ms = setpay_certificate_not_after_ms(certificate);
    int64_t life_ms = until_ms - from_ms, left_ms = until_ms - doctor->now_ms;
    setpay_doctor_add_date(doctor, called, from_ms);
    if (left_ms < 0)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CERTIFICATES, called, todo,
                          "%s has expired %s ago, at %s", called, setpay_doctor_span(left_ms, span),
                          setpay_time_format(until_ms, text));
    else if (doctor->now_ms < from_ms)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CERTIFICATES, called,
                          "see the clock: it is the likelier fault", "%s is not good before %s",
                          called, setpay_time_format(from_ms, text));
    else if (left_ms < SOON_MS && left_ms < life_ms / 4)
        setpay_doctor_say(doctor, SETPAY_FINDING_WARN, SETPAY_CHECK_CERTIFICATES, called, todo,
                          "%s ends in %s, at %s", called, setpay_doctor_span(left_ms, span),
                          setpay_time_format(until_ms, text));
}

/* ------------------------------------------------------------------ the root */

/* The brand's CA came with a certificate: it is the root's, or the root is another's. */
static void check_above(struct setpay_doctor *doctor, const struct pair *pair)
{
    struct setpay_buffer ders[CHAIN_MAX];
    size_t count = read_chain(pair->certificate, ders);
    for (size_t i = 1; i < count && !doctor->root_is_wrong; i++) {
        struct setpay_certificate *ca = NULL;
        if (setpay_certificate_parse(setpay_buffer_view(&ders[i]), &ca) != SETPAY_OK)
            continue;
        bool is_brands = setpay_certificate_ca_kind(ca) == SETPAY_CA_BRAND;
        enum setpay_error error =
            is_brands ? setpay_trust_add_ca(doctor->trust, setpay_buffer_view(&ders[i]))
                      : SETPAY_OK;
        setpay_certificate_unref(ca);
        if (error != SETPAY_E_CERT_CHAIN && error != SETPAY_E_CERT_MISSING)
            continue;
        doctor->root_is_wrong = true;
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_ROOT, doctor->root, ROOT_TODO,
                          "wrong root: %s is not the one under which %s was issued", doctor->root,
                          pair->certificate);
    }
    clear_chain(ders, count);
}

/* What does not hold shows when a certificate below it is judged. */
static void offer_ca(struct setpay_doctor *doctor, struct setpay_view der)
{
    enum setpay_error ignored = setpay_trust_add_ca(doctor->trust, der);
    (void)ignored;
}

static void learn_chain(struct setpay_doctor *doctor, const struct pair *pair)
{
    struct setpay_buffer ders[CHAIN_MAX];
    size_t count = read_chain(pair->certificate, ders);
    for (size_t i = count; i > 1; i--) /* the brand's CA stands last */
        offer_ca(doctor, setpay_buffer_view(&ders[i - 1]));
    clear_chain(ders, count);
}

/* ------------------------------------------------------------------ the folder of lists */

static setpay_time_ms time_of(const ASN1_TIME *time)
{
    struct tm utc = {0};
    return time != NULL && ASN1_TIME_to_tm(time, &utc) == 1
               ? (setpay_time_ms)timegm(&utc) * SETPAY_SECOND_MS
               : 0;
}

/* Held also where it is stale or of the future: find_list judges dates, and says them. */
static void learn_list(struct setpay_doctor *doctor, X509_CRL *list)
{
    unsigned char *der = NULL;
    setpay_time_ms from_ms = time_of(X509_CRL_get0_lastUpdate(list));
    enum setpay_error ignored = SETPAY_OK; /* of another root, or not to be read: as if absent */
    int size = i2d_X509_CRL(list, &der);
    if (size > 0)
        ignored = setpay_trust_add_crl(doctor->trust, setpay_view_of(der, (size_t)size),
                                       from_ms + SETPAY_SECOND_MS);
    (void)ignored;
    OPENSSL_free(der);
    ERR_clear_error();
}

static void learn_file(struct setpay_doctor *doctor, const char *path)
{
    struct setpay_buffer bytes;
    X509_CRL *list = NULL;
    setpay_buffer_init(&bytes, 2 * SETPAY_LIMIT_CRL_BYTES);
    if (setpay_file_read(path, &bytes, NULL) == SETPAY_OK && bytes.size > 0) {
        const unsigned char *at = bytes.data;
        BIO *bio = BIO_new_mem_buf(bytes.data, (int)bytes.size);
        if (bytes.data[0] == 0x30) { /* DER: a SEQUENCE */
            list = d2i_X509_CRL(NULL, &at, (long)bytes.size);
            if (list != NULL)
                learn_list(doctor, list);
            X509_CRL_free(list);
        } else {
            while (bio != NULL && (list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
                learn_list(doctor, list);
                X509_CRL_free(list);
            }
        }
        BIO_free(bio);
    }
    ERR_clear_error();
    setpay_buffer_clear(&bytes);
}

static void learn_lists(struct setpay_doctor *doctor, const char *folder)
{
    char path[PATH_MAX];
    const struct dirent *entry;
    DIR *entries = opendir(folder);
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        const char *dot = strrchr(entry->d_name, '.');
        if (dot != NULL && strcmp(dot, ".crl") == 0 &&
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path)
            learn_file(doctor, path);
    }
    if (entries != NULL)
        (void)closedir(entries);
}

/* A folder of CAs none of which is the root's. */
static void check_folder(struct setpay_doctor *doctor, const char *folder)
{
    struct setpay_digest thumbs[SETPAY_LIMIT_TRUST_CAS];
    struct setpay_crl_load load = {0};
    if (folder == NULL ||
        setpay_trust_load_folder(doctor->trust, folder, doctor->now_ms, &load) != SETPAY_OK)
        return;
    learn_lists(doctor, folder);
    size_t held = setpay_trust_thumbs(doctor->trust, false, thumbs, SETPAY_LIMIT_TRUST_CAS);
    if (held > 1 || load.refused == 0 || doctor->root_is_wrong)
        return;
    doctor->root_is_wrong = true;
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_ROOT, doctor->root, ROOT_TODO,
                      "wrong root: %s has issued none of the CAs in %s", doctor->root, folder);
}

static void check_root_dates(struct setpay_doctor *doctor, const struct setpay_certificate *root)
{
    char text[SETPAY_TIME_TEXT_SIZE];
    setpay_time_ms until_ms = setpay_certificate_not_after_ms(root);
    bool good =
        doctor->now_ms <= until_ms && doctor->now_ms >= setpay_certificate_not_before_ms(root);
    setpay_doctor_add_date(doctor, "the root certificate", setpay_certificate_not_before_ms(root));
    setpay_doctor_say(
        doctor, good ? SETPAY_FINDING_OK : SETPAY_FINDING_FAIL, SETPAY_CHECK_ROOT, "",
        "see the clock; else get the new root certificate, and name it in the key root",
        "the root certificate is good until %s%s", setpay_time_format(until_ms, text),
        good ? "" : ", which is not now");
}

void setpay_doctor_root(struct setpay_doctor *doctor, const char *root, const char *folder,
                        const struct setpay_party_certificate *certificates)
{
    struct setpay_problem problem = {{0}};
    doctor->root = root;
    if (setpay_trust_load(root, &doctor->trust, &problem) != SETPAY_OK) {
        doctor->root_is_wrong = true;
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_ROOT, root, ROOT_TODO, "%s",
                          problem.text);
        return;
    }
    visit_pairs(doctor, certificates, check_above);
    visit_pairs(doctor, certificates, learn_chain);
    check_folder(doctor, folder);
    if (!doctor->root_is_wrong)
        check_root_dates(doctor, setpay_trust_root(doctor->trust));
}

/* ------------------------------------------------------------------ keys and certificates */

static void name_pair(const struct pair *pair, char *name, size_t size)
{
    (void)snprintf(name, size, "the certificate %s%s%s (%s)",
                   setpay_profile_info(pair->row->profile)->name, pair->brand != NULL ? " of " : "",
                   pair->brand != NULL ? pair->brand : "", pair->certificate);
}

static enum setpay_error load_passphrase(struct setpay_doctor *doctor,
                                         struct setpay_secret *passphrase)
{
    const char *path = setpay_config_text(doctor->config, "", "key_passphrase_file");
    return path == NULL ? SETPAY_OK : setpay_file_read_secret(path, passphrase, NULL);
}

/* Dates first: an expired certificate is refused by everything that looks at it. */
static bool check_dates(struct setpay_doctor *doctor, const struct pair *pair)
{
    char called[SETPAY_DOCTOR_NAME_SIZE + 64];
    struct setpay_buffer ders[CHAIN_MAX];
    struct setpay_certificate *leaf = NULL;
    size_t failed = doctor->failed;
    size_t count = read_chain(pair->certificate, ders);
    name_pair(pair, called, sizeof called);
    if (count > 0 && setpay_certificate_parse(setpay_buffer_view(&ders[0]), &leaf) == SETPAY_OK)
        setpay_doctor_dates(doctor, called, leaf, RENEW_TODO);
    setpay_certificate_unref(leaf);
    clear_chain(ders, count);
    return doctor->failed == failed;
}

static void check_pair(struct setpay_doctor *doctor, const struct pair *pair)
{
    struct setpay_secret passphrase = {0};
    struct setpay_identity identity = {0};
    struct setpay_problem problem = {{0}};
    if (!check_dates(doctor, pair))
        return;
    enum setpay_error error = load_passphrase(doctor, &passphrase);
    if (error == SETPAY_OK)
        error = setpay_identity_load_unlisted(
            doctor->trust, pair->key, pair->certificate, passphrase.size == 0 ? NULL : &passphrase,
            pair->row->profile, pair->brand, doctor->now_ms, &identity, &problem);
    setpay_secret_clear(&passphrase);
    setpay_identity_clear(&identity);
    bool told =
        error == SETPAY_E_PERMISSION || error == SETPAY_E_NOT_FOUND || /* files */
        (doctor->root_is_wrong && (error == SETPAY_E_CERT_CHAIN || error == SETPAY_E_CERT_MISSING));
    doctor->unjudged += told ? 1 : 0;
    if (error != SETPAY_OK && !told)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CERTIFICATES, pair->certificate,
                          error == SETPAY_E_CERT_REVOKED
                              ? "ask the authority why; then enrol anew, with a new key"
                              : "name the key and certificate that belong together, or enrol anew",
                          "%s", problem.text[0] != '\0' ? problem.text : setpay_error_text(error));
}

void setpay_doctor_certificates(struct setpay_doctor *doctor,
                                const struct setpay_party_certificate *certificates)
{
    size_t failed = doctor->failed, warned = doctor->warned;
    if (doctor->trust == NULL)
        return;
    visit_pairs(doctor, certificates, check_pair);
    if (doctor->failed == failed && doctor->warned == warned && !doctor->root_is_wrong &&
        doctor->unjudged == 0)
        setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_CERTIFICATES, "", "",
                          "every key opens and belongs to its certificate; all are current, and "
                          "under the root");
}

enum setpay_error setpay_doctor_identity(struct setpay_doctor *doctor, const char *brand,
                                         const char *key_name, const char *certificate_name,
                                         enum setpay_profile profile,
                                         struct setpay_identity *identity)
{
    char section[SECTION_SIZE];
    struct setpay_problem ignored;
    struct setpay_secret passphrase = {0};
    if (snprintf(section, sizeof section, "brand %s", brand) >= (int)sizeof section)
        return SETPAY_E_CONFIG;
    enum setpay_error error = load_passphrase(doctor, &passphrase);
    if (error == SETPAY_OK)
        error = setpay_identity_load_unlisted(
            doctor->trust, setpay_config_text(doctor->config, section, key_name),
            setpay_config_text(doctor->config, section, certificate_name),
            passphrase.size == 0 ? NULL : &passphrase, profile, brand, setpay_clock_now_ms(),
            identity, &ignored);
    setpay_secret_clear(&passphrase);
    return error;
}

/* ------------------------------------------------------------------ revocation lists */

static const struct setpay_crl_info *find_list(const struct setpay_crl_info *infos, size_t count,
                                               enum setpay_ca_kind kind, const char *brand)
{
    const struct setpay_crl_info *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (infos[i].ca_kind == kind && strcmp(infos[i].brand, brand) == 0 &&
            (best == NULL || infos[i].next_update_ms > best->next_update_ms))
            best = &infos[i];
    }
    return best;
}

/* What is missing, and what is stale, each in one finding. */
struct list_faults {
    char missing[NAMES_SIZE], stale[NAMES_SIZE];
    size_t missing_count, stale_count;
    setpay_time_ms due_ms; /* of the one that is stale for longest */
};

static void add_name(char names[NAMES_SIZE], size_t *count, const char *name)
{
    size_t used = strlen(names);
    if (used + strlen(name) + sizeof ", ..." < NAMES_SIZE)
        (void)snprintf(names + used, NAMES_SIZE - used, "%s%s", *count == 0 ? "" : ", ", name);
    else if (strcmp(names + used - 3, "...") != 0)
        (void)snprintf(names + used, NAMES_SIZE - used, ", ...");
    (*count)++;
}

static void check_list(const struct setpay_doctor *doctor, const struct setpay_crl_info *infos,
                       size_t count, enum setpay_ca_kind kind, const char *brand,
                       struct list_faults *faults)
{
    char called[SETPAY_BRAND_MAX + 16];
    const struct setpay_crl_info *info = find_list(infos, count, kind, brand);
    (void)snprintf(called, sizeof called, "%s%s%s", brand, brand[0] != '\0' ? "." : "",
                   setpay_ca_info(kind)->name);
    if (info == NULL) {
        add_name(faults->missing, &faults->missing_count, called);
    } else if (info->next_update_ms < doctor->now_ms) {
        add_name(faults->stale, &faults->stale_count, called);
        if (faults->stale_count == 1 || info->next_update_ms < faults->due_ms)
            faults->due_ms = info->next_update_ms;
    }
}

static void say_lists(struct setpay_doctor *doctor, const struct list_faults *faults,
                      const char *todo)
{
    char span[SETPAY_SPAN_TEXT_SIZE], text[SETPAY_TIME_TEXT_SIZE];
    if (faults->missing_count > 0)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CRLS, faults->missing, todo,
                          "there is no revocation list of %s", faults->missing);
    if (faults->stale_count > 0)
        setpay_doctor_say(
            doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CRLS, faults->stale, todo,
            "stale: the revocation list%s of %s%s due %s ago, at %s",
            setpay_noun((int64_t)faults->stale_count, "", "s"), faults->stale,
            setpay_noun((int64_t)faults->stale_count, " was", " are over; the first was"),
            setpay_doctor_span(doctor->now_ms - faults->due_ms, span),
            setpay_time_format(faults->due_ms, text));
}

void setpay_doctor_lists(struct setpay_doctor *doctor, struct setpay_trust *trust,
                         const char *const *brands, size_t brand_count, const char *todo)
{
    struct setpay_crl_info infos[SETPAY_LIMIT_TRUST_CAS];
    char text[SETPAY_TIME_TEXT_SIZE];
    struct list_faults faults = {.missing_count = 0};
    setpay_time_ms first_ms = INT64_MAX;
    size_t count = setpay_trust_crls(trust, infos, SETPAY_LIMIT_TRUST_CAS);
    if (count > SETPAY_LIMIT_TRUST_CAS)
        count = SETPAY_LIMIT_TRUST_CAS;
    for (size_t i = 0; i < count; i++) {
        setpay_doctor_add_date(doctor, "a revocation list", infos[i].this_update_ms);
        if (infos[i].next_update_ms < first_ms)
            first_ms = infos[i].next_update_ms;
    }
    check_list(doctor, infos, count, SETPAY_CA_ROOT, "", &faults);
    for (size_t i = 0; i < brand_count; i++) {
        for (enum setpay_ca_kind kind = SETPAY_CA_BRAND; kind < SETPAY_CA_KINDS; kind++)
            check_list(doctor, infos, count, kind, brands[i], &faults);
    }
    say_lists(doctor, &faults, todo);
    if (faults.missing_count + faults.stale_count == 0)
        setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_CRLS, "", "",
                          "%zu %s held, one of every CA; the first is due at %s", count,
                          setpay_noun((int64_t)count, "revocation list is", "revocation lists are"),
                          setpay_time_format(first_ms, text));
}
