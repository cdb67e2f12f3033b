/*
 * Looking things up: certificates by serial or by themselves, and their chains. Nothing here
 * changes anything or needs the passphrase.
 */
#include "ca/state.h"

#include "common/crypto/hash.h"

#include <ctype.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum setpay_error setpay_ca_list(struct setpay_ca *ca, const char *brand, setpay_ca_record_cb *each,
                                 void *arg)
{
    return setpay_ca_registry_certificates(ca->registry, brand, each, arg);
}

/* Either case of hex, with or without colons, becomes the registry's form. */
static bool tidy_serial(const char *text, char serial[SETPAY_CA_SERIAL_SIZE])
{
    size_t used = 0;

    for (; *text != '\0'; text++) {
        if (*text == ':')
            continue;
        if (!isxdigit((unsigned char)*text) || used == SETPAY_CA_SERIAL_SIZE - 1)
            return false;
        serial[used++] = (char)tolower((unsigned char)*text);
    }
    serial[used] = '\0';
    return used == SETPAY_CA_SERIAL_SIZE - 1;
}

enum setpay_error setpay_ca_show(struct setpay_ca *ca, const char *serial,
                                 setpay_ca_record_cb *each, void *arg,
                                 struct setpay_problem *problem)
{
    char tidy[SETPAY_CA_SERIAL_SIZE];
    enum setpay_error error;

    if (!tidy_serial(serial, tidy))
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "'%.64s' is not a serial (40 hex digits)", serial);
    error = setpay_ca_registry_by_serial(ca->registry, tidy, each, arg);
    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "this CA issued no certificate %s", tidy);
    return error;
}

enum setpay_error setpay_ca_descendants(struct setpay_ca *ca, const char *serial,
                                        setpay_time_ms since, setpay_ca_record_cb *each, void *arg)
{
    char tidy[SETPAY_CA_SERIAL_SIZE];

    if (!tidy_serial(serial, tidy))
        return SETPAY_E_INVALID;
    return setpay_ca_registry_descendants(ca->registry, tidy, since, each, arg);
}

static void take_serial(void *arg, const struct setpay_ca_record *record)
{
    (void)snprintf(arg, SETPAY_CA_SERIAL_SIZE, "%s", record->serial);
}

enum setpay_error setpay_ca_serial_of(struct setpay_ca *ca, struct setpay_view certificate,
                                      char serial[SETPAY_CA_SERIAL_SIZE],
                                      struct setpay_problem *problem)
{
    struct setpay_buffer der = {0};
    struct setpay_digest thumbprint;
    X509 *parsed = NULL;
    enum setpay_error error = setpay_ca_certificate_parse(certificate, &parsed, problem);

    setpay_buffer_init(&der, SETPAY_CA_PEM_MAX);
    if (error == SETPAY_OK)
        error = setpay_ca_certificate_der(parsed, &der);
    if (error == SETPAY_OK)
        error = setpay_sha256(setpay_buffer_view(&der), &thumbprint);
    if (error == SETPAY_OK)
        error = setpay_ca_registry_by_thumbprint(ca->registry, &thumbprint, take_serial, serial);
    if (error == SETPAY_E_NOT_FOUND)
        error = setpay_problem_set(problem, error, "this CA did not issue that certificate");
    X509_free(parsed);
    setpay_buffer_clear(&der);
    return error;
}

/* A record that outlives its callback. */
struct found {
    char authority[SETPAY_CA_AUTHORITY_SIZE];
    struct setpay_buffer der;
    enum setpay_error error;
};

static void take_found(void *arg, const struct setpay_ca_record *record)
{
    struct found *found = arg;

    (void)snprintf(found->authority, sizeof found->authority, "%s", record->authority);
    found->error = setpay_buffer_set(&found->der, record->der);
}

enum setpay_error setpay_ca_chain(struct setpay_ca *ca, const char *serial,
                                  struct setpay_buffer *pem, struct setpay_problem *problem)
{
    struct found found = {.error = SETPAY_OK};
    enum setpay_error error;

    setpay_buffer_init(&found.der, SETPAY_LIMIT_CERTIFICATE_BYTES);
    error = setpay_ca_show(ca, serial, take_found, &found, problem);
    if (error == SETPAY_OK)
        error = found.error;
    if (error == SETPAY_OK)
        error = setpay_ca_append_chain(ca, setpay_buffer_view(&found.der), found.authority, pem);
    setpay_buffer_clear(&found.der);
    return error;
}

enum setpay_error setpay_ca_by_thumbprint(struct setpay_ca *ca,
                                          const struct setpay_digest *thumbprint,
                                          setpay_ca_record_cb *each, void *arg)
{
    return setpay_ca_registry_by_thumbprint(ca->registry, thumbprint, each, arg);
}

static void take_issuer(void *arg, const struct setpay_ca_record *record)
{
    (void)snprintf(arg, SETPAY_CA_AUTHORITY_SIZE, "%s", record->authority);
}

enum setpay_error setpay_ca_is_succeeded(struct setpay_ca *ca,
                                         const struct setpay_digest *thumbprint, bool *succeeded)
{
    char name[SETPAY_CA_AUTHORITY_SIZE];
    struct setpay_ca_authority_row issuer, newest;

    SETPAY_TRY(setpay_ca_registry_by_thumbprint(ca->registry, thumbprint, take_issuer, name));
    SETPAY_TRY(setpay_ca_registry_authority(ca->registry, name, &issuer));
    SETPAY_TRY(setpay_ca_registry_newest(ca->registry, issuer.brand, issuer.kind, &newest));
    *succeeded = strcmp(issuer.name, newest.name) != 0;
    return SETPAY_OK;
}

struct setpay_store *setpay_ca_store(struct setpay_ca *ca)
{
    return setpay_ca_registry_store(ca->registry);
}
