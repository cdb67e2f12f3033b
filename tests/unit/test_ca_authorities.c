/*
 * The authorities of a CA and their lists: that one can't stop the others, and what the log knows
 * of the tables that lists and renewals act on.
 */
#include "ca/ca.h"
#include "ca/state.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"
#include "common/pki/csr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW INT64_C(1795435200000) /* 2026-11-23T12:00:00Z */

static char folder[64];
static struct setpay_ca *ca;
static struct setpay_problem problem;

static void ok(enum setpay_error error)
{
    if (error != SETPAY_OK)
        fail_msg("%s: %s", setpay_error_name(error), problem.text);
}

static int remove_entry(const char *path, const struct stat *state, int type, struct FTW *ftw)
{
    (void)state;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int set_up(void **state)
{
    struct setpay_secret passphrase = {0};

    (void)state;
    ok(setpay_secret_copy(&passphrase, setpay_view_string("a long passphrase")));
    (void)snprintf(folder, sizeof folder, "/tmp/setpay-test-cas-XXXXXX");
    assert_non_null(mkdtemp(folder));
    ok(setpay_ca_init(folder, "test root", &passphrase, NOW, &problem));
    ok(setpay_ca_open(folder, false, &ca, &problem));
    ok(setpay_ca_unlock(ca, &passphrase, &problem));
    ok(setpay_ca_brand_add(ca, "visa", false, NOW, &problem));
    setpay_secret_clear(&passphrase);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    setpay_ca_close(ca);
    ca = NULL;
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void verify_log(void)
{
    struct setpay_ca_log_head head;

    ok(setpay_ca_log_verify(ca, NULL, &head, &problem));
}

/* ---- lists ---- */

struct failures {
    size_t count;
    char authority[SETPAY_CA_AUTHORITY_SIZE];
};

static void see_failure(void *arg, const char *authority, enum setpay_error error, const char *why)
{
    struct failures *failures = arg;

    assert_int_not_equal(error, SETPAY_OK);
    assert_true(why[0] != '\0');
    failures->count++;
    (void)snprintf(failures->authority, sizeof failures->authority, "%s", authority);
}

static uint64_t list_number(const char *authority)
{
    struct setpay_ca_authority_row row;

    ok(setpay_ca_registry_authority(ca->registry, authority, &row));
    return row.crl_number;
}

/* An authority whose key is gone keeps nobody else from a new list: neither its brand nor another.
 */
static void test_one_bad_authority_stops_no_other_list(void **state)
{
    struct failures failures = {0};
    const struct setpay_ca_lists_wish all = {
        .now = NOW + SETPAY_HOUR_MS, .failed_cb = see_failure, .arg = &failures};
    const struct setpay_ca_lists_wish due = {
        .due = true, .now = NOW + 20 * SETPAY_HOUR_MS, .failed_cb = see_failure, .arg = &failures};
    char path[128];
    size_t made = 0;

    (void)state;
    ok(setpay_ca_brand_add(ca, "amex", false, NOW, &problem));
    (void)snprintf(path, sizeof path, "%s/keys/visa.brand.key", folder);
    assert_int_equal(unlink(path), 0);
    const uint64_t root = list_number("root"), bad = list_number("visa.brand"),
                   below = list_number("visa.cca"), other = list_number("amex.pca");

    assert_int_equal(setpay_ca_make_crls(ca, &all, &made, &problem), SETPAY_E_NOT_FOUND);
    assert_non_null(strstr(problem.text, "visa.brand"));
    assert_int_equal(made, 8);
    assert_int_equal(failures.count, 1);
    assert_string_equal(failures.authority, "visa.brand");
    assert_int_equal(list_number("root"), root + 1);
    assert_int_equal(list_number("visa.brand"), bad);
    assert_int_equal(list_number("visa.cca"), below + 1);
    assert_int_equal(list_number("amex.pca"), other + 1);
    verify_log();

    /* Half of a day's list is over, of a month's and of a year's not: those stay as they are. */
    ok(setpay_ca_make_crls(ca, &due, &made, &problem));
    assert_int_equal(made, 6);
    assert_int_equal(list_number("root"), root + 1);
    assert_int_equal(list_number("visa.cca"), below + 2);
}

/* ---- what the log knows of the tables ---- */

static enum setpay_error run_statement(struct setpay_db *db, void *arg)
{
    const char *const *sql = arg;

    return setpay_db_run(db, *sql);
}

static void change_by_hand(const char *sql)
{
    ok(setpay_store_submit_wait(setpay_ca_registry_store(ca->registry), run_statement, &sql));
}

/* SQL runs behind the back of the CA; then the log must not hold. The database is as before after.
 */
static void assert_found(const char *edit, const char *undo)
{
    struct setpay_ca_log_head head;
    change_by_hand(edit);
    assert_int_equal(setpay_ca_log_verify(ca, NULL, &head, &problem), SETPAY_E_CA_LOG);
    change_by_hand(undo);
    verify_log();
}

static struct setpay_secret secret_of(const char *text)
{
    struct setpay_secret made = {0};

    ok(setpay_secret_copy(&made, setpay_view_string(text)));
    return made;
}

/* A card's certificate of 30 days, which may be renewed until the card ends. */
static void issue_card(struct setpay_ca_issued *issued)
{
    struct setpay_secret pan = secret_of("4929000000006"), expiry = secret_of("2812"),
                         pan_secret = secret_of("01234567890123456789012345678901");
    const struct setpay_csr_wish wish = {.pan = &pan, .expiry = &expiry, .pan_secret = &pan_secret};
    struct setpay_secret csr = {0};
    EVP_PKEY *key = NULL;

    ok(setpay_key_generate(&key));
    ok(setpay_csr_build(key, &wish, &csr));
    const struct setpay_ca_request request = {
        .profile = "cardholder", .csr = setpay_secret_view(&csr), .brand = "visa", .days = 30};
    setpay_ca_issued_init(issued);
    ok(setpay_ca_issue(ca, &request, NOW, issued, &problem));
    EVP_PKEY_free(key);
    setpay_secret_clear(&csr);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
    setpay_secret_clear(&pan_secret);
}

/* How long a card's certificate may be renewed stands in no certificate: the entry says it. */
static void test_until_when_a_card_may_be_renewed(void **state)
{
    struct setpay_ca_issued issued;

    (void)state;
    issue_card(&issued);
    verify_log();
    assert_found("UPDATE certificates SET latest = latest + 1000 WHERE latest <> 0",
                 "UPDATE certificates SET latest = latest - 1000 WHERE latest <> 0");
    setpay_ca_issued_clear(&issued);
}

/* A merchant's certificate, with an entry of the log as said, and a row as said. */
static void add_by_hand(const char *said, const char *parent, setpay_time_ms latest)
{
    const struct setpay_profile_info *profile = setpay_profile_info(SETPAY_PROFILE_MERCHANT_SIGN);
    struct setpay_ca_authority issuer = {0};
    struct setpay_ca_change change;
    struct setpay_buffer der = {0};
    struct setpay_digest thumbprint, spki;
    char serial[SETPAY_CA_SERIAL_SIZE];
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;

    ok(setpay_key_generate(&key));
    const struct setpay_ca_template template = {.organisation = "visa",
                                                .role = profile->role,
                                                .id = "shop-1",
                                                .key = key,
                                                .not_before = NOW,
                                                .not_after = NOW + SETPAY_DAY_MS,
                                                .type = profile->type,
                                                .key_usage = profile->key_usage,
                                                .ekus = profile->ekus,
                                                .eku_critical = profile->eku_critical};
    setpay_buffer_init(&der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    ok(setpay_ca_authority_load(ca, "visa.mca", true, &issuer, &problem));
    ok(setpay_ca_certificate_make(&template, issuer.certificate, issuer.key, &certificate));
    ok(setpay_ca_serial_text(certificate, serial));
    ok(setpay_ca_certificate_der(certificate, &der));
    ok(setpay_sha256(setpay_buffer_view(&der), &thumbprint));
    ok(setpay_key_digest(key, &spki));
    const struct setpay_ca_record record = {.serial = serial,
                                            .authority = "visa.mca",
                                            .profile = profile->name,
                                            .subject = "O=visa, OU=merchant, CN=shop-1",
                                            .not_before = NOW,
                                            .not_after = NOW + SETPAY_DAY_MS,
                                            .parent = parent,
                                            .latest = latest,
                                            .der = setpay_buffer_view(&der)};
    ok(setpay_ca_change_begin(ca->registry, &change));
    ok(setpay_ca_log_append(&change, &issuer, "renew", serial, said, record.der, NOW));
    ok(setpay_ca_change_add_certificate(&change, "visa", &record, &thumbprint, &spki,
                                        setpay_view_string("-")));
    ok(setpay_ca_log_commit(ca, &change, &issuer));
    setpay_ca_change_clear(&change);
    setpay_ca_authority_clear(&issuer);
    setpay_buffer_clear(&der);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* Entries of before say less, and hold; what they do say is compared. */
static void test_a_log_of_before(void **state)
{
    (void)state;
    add_by_hand("O=visa, OU=merchant, CN=shop-1", "", 0);
    add_by_hand("O=visa, OU=merchant, CN=shop-1", "4000000000000000000000000000000000000001",
                NOW + 2 * SETPAY_DAY_MS);
    add_by_hand("O=visa, OU=merchant, CN=shop-1; renews=4000000000000000000000000000000000000002",
                "4000000000000000000000000000000000000002", 0);
    verify_log();
    assert_found("UPDATE certificates SET parent = '' WHERE parent LIKE '%2'",
                 "UPDATE certificates SET parent = '4000000000000000000000000000000000000002'"
                 " WHERE place = (SELECT max(place) FROM certificates)");
}

/* ---- who comes after an authority ---- */

static struct setpay_ca_successor renew_authority(const char *name, setpay_time_ms now)
{
    struct setpay_ca_successor made;

    ok(setpay_ca_authority_renew(ca, name, now, &made, &problem));
    return made;
}

static void issue_merchant(const char *id, setpay_time_ms now, struct setpay_ca_issued *issued)
{
    const struct setpay_csr_wish wish = {0};
    struct setpay_secret csr = {0};
    EVP_PKEY *key = NULL;

    ok(setpay_key_generate(&key));
    ok(setpay_csr_build(key, &wish, &csr));
    const struct setpay_ca_request request = {
        .profile = "merchant-sign", .csr = setpay_secret_view(&csr), .brand = "visa", .id = id};
    setpay_ca_issued_init(issued);
    ok(setpay_ca_issue(ca, &request, now, issued, &problem));
    EVP_PKEY_free(key);
    setpay_secret_clear(&csr);
}

static enum setpay_error renew_merchant(const struct setpay_ca_issued *old, setpay_time_ms now,
                                        struct setpay_ca_issued *issued)
{
    const struct setpay_csr_wish wish = {0};
    struct setpay_secret csr = {0};
    EVP_PKEY *key = NULL;

    ok(setpay_key_generate(&key));
    ok(setpay_csr_build(key, &wish, &csr));
    setpay_ca_issued_init(issued);
    enum setpay_error error = setpay_ca_renew(ca, setpay_buffer_view(&old->chain),
                                              setpay_secret_view(&csr), 0, now, issued, &problem);
    EVP_PKEY_free(key);
    setpay_secret_clear(&csr);
    return error;
}

static enum setpay_error revoke_it(const char *serial, const char *reason, bool descendants,
                                   size_t *count)
{
    const struct setpay_ca_revoking revoking = {
        .serial = serial, .reason = reason, .descendants = descendants};

    return setpay_ca_revoke(ca, &revoking, NOW + SETPAY_HOUR_MS, count, &problem);
}

/* The next one issues and renews; a line of renewals across both is revoked on the lists of both.
 */
static void test_a_successor_issues(void **state)
{
    struct setpay_ca_issued first, second, third;
    size_t count = 0;

    (void)state;
    issue_merchant("shop-1", NOW, &first);
    assert_string_equal(first.authority, "visa.mca");
    struct setpay_ca_successor made = renew_authority("visa.mca", NOW + 1000);
    assert_string_equal(made.name, "visa.mca-2");
    assert_string_equal(made.former, "visa.mca");
    issue_merchant("shop-2", NOW + 2000, &second);
    assert_string_equal(second.authority, "visa.mca-2");
    ok(renew_merchant(&first, NOW + 2000, &third));
    assert_string_equal(third.authority, "visa.mca-2");
    const uint64_t old_list = list_number("visa.mca"), new_list = list_number("visa.mca-2");
    ok(revoke_it(first.serial, "keyCompromise", true, &count));
    assert_int_equal(count, 2);
    assert_int_equal(list_number("visa.mca"), old_list + 1);
    assert_int_equal(list_number("visa.mca-2"), new_list + 1);
    made = renew_authority("visa.mca", NOW + 3000);
    assert_string_equal(made.name, "visa.mca-3");
    assert_string_equal(made.former, "visa.mca-2");
    verify_log();
    setpay_ca_issued_clear(&first);
    setpay_ca_issued_clear(&second);
    setpay_ca_issued_clear(&third);
}

/* Of one that is revoked nothing is renewed; the next one goes on. A brand's CA that is revoked
 * must be replaced itself first. */
static void test_after_a_revocation(void **state)
{
    struct setpay_ca_issued old, next;

    (void)state;
    issue_merchant("shop-1", NOW, &old);
    const struct setpay_ca_successor made = renew_authority("visa.mca", NOW + 1000);
    ok(revoke_it(made.former_serial, "cACompromise", false, NULL));
    assert_int_equal(renew_merchant(&old, NOW + SETPAY_HOUR_MS, &next), SETPAY_E_CERT_REVOKED);
    setpay_ca_issued_clear(&next);
    issue_merchant("shop-1", NOW + SETPAY_HOUR_MS, &next);
    assert_string_equal(next.authority, "visa.mca-2");
    setpay_ca_issued_clear(&old);
    setpay_ca_issued_clear(&next);

    struct setpay_ca_authority brand = {0};
    struct setpay_ca_successor other;
    ok(setpay_ca_authority_load(ca, "visa.brand", false, &brand, &problem));
    ok(revoke_it(brand.row.serial, "cACompromise", false, NULL));
    setpay_ca_authority_clear(&brand);
    assert_int_equal(
        setpay_ca_authority_renew(ca, "visa.pca", NOW + SETPAY_HOUR_MS, &other, &problem),
        SETPAY_E_CERT_REVOKED);
    assert_non_null(strstr(problem.text, "authority renew visa.brand"));
    (void)renew_authority("visa.brand", NOW + SETPAY_HOUR_MS);
    other = renew_authority("visa.pca", NOW + SETPAY_HOUR_MS);
    ok(setpay_ca_authority_load(ca, other.name, false, &brand, &problem));
    assert_string_equal(brand.row.issuer, "visa.brand-2");
    setpay_ca_authority_clear(&brand);
    verify_log();
}

static void test_names_that_are_none(void **state)
{
    static const struct {
        const char *name;
        enum setpay_error error;
    } rows[] = {
        {"root", SETPAY_E_STATE},
        {"visa", SETPAY_E_INVALID},
        {"visa.", SETPAY_E_INVALID},
        {".cca", SETPAY_E_INVALID},
        {"visa.root", SETPAY_E_INVALID},
        {"visa.cca-2", SETPAY_E_INVALID},
        {"visa.cca.x", SETPAY_E_INVALID},
        {"amex.cca", SETPAY_E_NOT_FOUND},
        {"0123456789012345678901234567890123.cca", SETPAY_E_INVALID},
    };
    struct setpay_ca_successor made;

    (void)state;
    for (size_t at = 0; at < sizeof rows / sizeof *rows; at++)
        assert_int_equal(setpay_ca_authority_renew(ca, rows[at].name, NOW, &made, &problem),
                         rows[at].error);
    verify_log();
}

/* Nobody outlives who is above him. */
static void test_ends_with_its_issuer(void **state)
{
    struct setpay_ca_authority brand = {0};
    const setpay_time_ms late = NOW + 10 * 366 * SETPAY_DAY_MS;

    (void)state;
    ok(setpay_ca_registry_authority(ca->registry, "visa.brand", &brand.row));
    assert_int_equal(renew_authority("visa.cca", late).not_after, brand.row.not_after);
    struct setpay_ca_successor made;
    assert_int_equal(
        setpay_ca_authority_renew(ca, "visa.cca", brand.row.not_after, &made, &problem),
        SETPAY_E_CERT_TIME);
}

/* ---- a list that is full ---- */

#define FULL_ROWS "9600"

/* So many revoked certificates as the database would hold, behind the log's back. */
static void fill_list(void)
{
    static const char certificates[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " FULL_ROWS ")"
        " INSERT INTO certificates(place, serial, authority, brand, profile, subject, not_before,"
        " not_after, der, thumbprint, request) SELECT 1000000 + i, printf('4%039x', i),"
        " 'visa.mca', 'visa', 'merchant-sign', 'O=visa', 1000, 4102444800000, x'00',"
        " randomblob(32), x'00' FROM n";
    static const char revocations[] = "INSERT INTO revocations(place, serial, revoked_at, reason)"
                                      " SELECT place, serial, 1795435200000, 'keyCompromise' FROM"
                                      " certificates WHERE place > 1000000";
    change_by_hand(certificates);
    change_by_hand(revocations);
}

/* Parties take the largest list that is made, and what would not fit is refused before it is done,
 * with words on what to do; the next authority begins a list of its own. */
static void test_a_full_list(void **state)
{
    struct setpay_ca_issued issued[2], next;
    struct setpay_ca_authority_row row;
    size_t revoked = 0;

    (void)state;
    issue_merchant("shop-1", NOW, &issued[0]);
    issue_merchant("shop-2", NOW, &issued[1]);
    fill_list();
    ok(revoke_it(issued[0].serial, "keyCompromise", false, &revoked));
    assert_int_equal(revoked, 1);
    ok(setpay_ca_registry_authority(ca->registry, "visa.mca", &row));
    assert_in_range(row.crl_size, SETPAY_CA_LIST_WARN_BYTES, SETPAY_LIMIT_CRL_BYTES);
    /* as many again as are sure to be too many */
    static const char more[] =
        "INSERT INTO revocations(place, serial, revoked_at, reason)"
        " SELECT place, serial, 1795435200000, 'keyCompromise' FROM certificates"
        " WHERE place > 2000000";
    static const char rows[] =
        "INSERT INTO certificates(place, serial, authority, brand, profile, subject, not_before,"
        " not_after, der, thumbprint, request) SELECT place + 1000000, '5' || substr(serial, 2),"
        " authority, brand, profile, subject, not_before, not_after, der, randomblob(32), request"
        " FROM certificates WHERE place > 1000000 AND place <= 1000400";
    change_by_hand(rows);
    change_by_hand(more);
    const uint64_t number = list_number("visa.mca");
    assert_int_equal(revoke_it(issued[1].serial, "keyCompromise", false, NULL), SETPAY_E_TOO_BIG);
    assert_non_null(strstr(problem.text, "authority renew visa.mca"));
    assert_int_equal(list_number("visa.mca"), number);

    (void)renew_authority("visa.mca", NOW + 1000);
    issue_merchant("shop-3", NOW + 2000, &next);
    ok(revoke_it(next.serial, "keyCompromise", false, NULL));
    ok(setpay_ca_registry_authority(ca->registry, "visa.mca-2", &row));
    assert_in_range(row.crl_size, 1, 1024);
    setpay_ca_issued_clear(&issued[0]);
    setpay_ca_issued_clear(&issued[1]);
    setpay_ca_issued_clear(&next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_until_when_a_card_may_be_renewed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_log_of_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_successor_issues, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_after_a_revocation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_that_are_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ends_with_its_issuer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_bad_authority_stops_no_other_list, set_up,
                                        tear_down),
    };

    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
