/*
 * The gateway's peers: each issuer's line as far as it can be tried without signing on, which is
 * the daemon's alone (a second sign-on of the same acquirer could take its line away); and the
 * authority, whose clock ours is compared with. Whether a line is signed on the daemon says.
 */
#include "gateway/doctor.h"

#include "common/base/noun.h"
#include "common/crypto/file.h"
#include "common/net/control_client.h"
#include "gateway/clearing/fees.h"
#include "gateway/clearing/payout.h"
#include "gateway/network/network.h"
#include "gateway/payment/payment.h"
#include "gateway/settlement_json.h"
#include "gateway/setup.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_MS 3000
#define ASK_MS 5000
#define WAITING_SAID 20 /* merchants without an account that are named one by one */

struct issuer {
    SSL_CTX *tls;
    char who[SETPAY_DOCTOR_NAME_SIZE];
};

static bool prepare(struct setpay_doctor *doctor, const struct setpay_secret *passphrase,
                    const char *name, struct issuer *issuer, struct setpay_probe *probe)
{
    char section[SETPAY_GATEWAY_SECTION_SIZE];
    struct setpay_problem problem = {{0}};
    struct setpay_stand_in stand_in;
    if (snprintf(section, sizeof section, "issuer %s", name) >= (int)sizeof section)
        return false;
    if (setpay_gateway_issuer_tls(doctor->config, section, passphrase, &issuer->tls, &problem) !=
        SETPAY_OK) {
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CONFIGURATION, section,
                          "mend that key of the configuration", "%s", problem.text);
        return false;
    }
    if (setpay_gateway_issuer_stand_in(doctor->config, section, &stand_in, &problem) != SETPAY_OK)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CONFIGURATION, section,
                          "mend that key of the configuration", "%s", problem.text);
    (void)snprintf(issuer->who, sizeof issuer->who, "the issuer %s", name);
    *probe = (struct setpay_probe){.context = issuer->tls};
    if (issuer->tls != NULL)
        probe->context_name = setpay_config_text(doctor->config, section, "tls_name");
    (void)snprintf(probe->address, sizeof probe->address, "%s",
                   setpay_config_text(doctor->config, section, "address"));
    return true;
}

/* Of any brand (NULL) or this one, in any currency (NULL) or this one, up to row end. */
static bool has_row(const struct setpay_fees *fees, size_t end, const char *brand,
                    const char *currency)
{
    for (size_t i = 0; i < end; i++) {
        const struct setpay_fee_row *row = &fees->rows[i];
        if ((brand == NULL || strcmp(row->brand, brand) == 0) &&
            (currency == NULL || strcmp(row->currency, currency) == 0))
            return true;
    }
    return false;
}

static void say_free(struct setpay_doctor *doctor, const char *brand, const char *currency)
{
    char section[SETPAY_GATEWAY_SECTION_SIZE];
    (void)snprintf(section, sizeof section, "fees %s.%s", brand, currency);
    setpay_doctor_say(doctor, SETPAY_FINDING_WARN, SETPAY_CHECK_CONFIGURATION, section,
                      "add that section, with interchange and merchant (0 where nothing is due), "
                      "and start the gateway again",
                      "there is no section [%s]: captures of that kind cost nothing", section);
}

/* Captures of a brand and currency without a row cost nothing, which is seldom meant. The
 * currencies are those that the table has for any brand. */
static void look_at_fees(struct setpay_doctor *doctor)
{
    const char *brands[SETPAY_DOCTOR_BRANDS_MAX];
    size_t brand_count = setpay_doctor_brands(doctor->config, brands);
    struct setpay_fees *fees = calloc(1, sizeof *fees);
    struct setpay_problem said = {{0}}; /* of the configuration */
    bool loaded = fees != NULL && setpay_fees_load(doctor->config, fees, &said) == SETPAY_OK;
    for (size_t b = 0; loaded && b < brand_count; b++) {
        if (!has_row(fees, fees->count, brands[b], NULL)) {
            say_free(doctor, brands[b], "CURRENCY");
            continue;
        }
        for (size_t i = 0; i < fees->count; i++) {
            const char *currency = fees->rows[i].currency;
            if (!has_row(fees, i, NULL, currency) && /* the first of that currency */
                !has_row(fees, fees->count, brands[b], currency))
                say_free(doctor, brands[b], currency);
        }
    }
    free(fees);
}

/* ------------------------------------------------------------------ payouts */

static enum setpay_error add_waiting(void *arg, const struct setpay_payout_waiting *w)
{
    json_t *one = json_pack("{s:s, s:s, s:s, s:I, s:I}", "brand", w->brand, "merchant_id",
                            w->merchant_id, "currency", w->currency, "payouts",
                            (json_int_t)w->count, "amount", (json_int_t)w->amount_minor);
    return json_array_append_new(arg, one) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_waiting(struct setpay_db *db, void *list)
{
    return setpay_payout_each_waiting(db, add_waiting, list);
}

/* What is made and not sent, from the daemon, or from the database of one that does not run. What
 * keeps it from being read is said elsewhere. A new array. */
static json_t *waiting_payouts(const struct setpay_doctor *doctor)
{
    struct setpay_problem ignored = {{0}};
    struct setpay_control_client *client = NULL;
    json_t *list = json_array(), *result = NULL;
    const struct setpay_store_options options = {
        .url = setpay_config_text(doctor->config, "", "database"),
        .schema = &setpay_gateway_schema};
    if (!doctor->runs) {
        if (setpay_store_peek(&options, read_waiting, list, &ignored) != SETPAY_OK)
            json_array_clear(list);
        return list;
    }
    if (setpay_control_client_open(setpay_config_text(doctor->config, "", "admin_socket"),
                                   doctor->daemon->name, NULL, &client, &ignored) == SETPAY_OK &&
        setpay_control_client_call(client, "payout.waiting", NULL, ASK_MS, NULL, NULL, &result,
                                   &ignored) == SETPAY_OK)
        json_array_extend(list, json_object_get(result, "waiting"));
    setpay_control_client_close(client);
    json_decref(result);
    return list;
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}

/* An account that nobody has configured keeps what waits from being paid. */
static void say_missing(struct setpay_doctor *doctor, const json_t *one, const char *who,
                        const char *section)
{
    char text[SETPAY_MONEY_TEXT_SIZE];
    json_int_t count = json_integer_value(json_object_get(one, "payouts"));
    setpay_doctor_say(
        doctor, SETPAY_FINDING_WARN, SETPAY_CHECK_CONFIGURATION, section,
        "add that section, with holder and iban, and have the payouts sent: payout send",
        "%s missing: there is no section [%s], and %lld %s of %s to %s %s", who, section,
        (long long)count, setpay_noun(count, "payout", "payouts"),
        setpay_amount_text(json_integer_value(json_object_get(one, "amount")),
                           text_of(one, "currency"), text),
        text_of(one, "merchant_id"), setpay_noun(count, "waits", "wait"));
}

static void look_at_payout(struct setpay_doctor *doctor, const json_t *one)
{
    char section[SETPAY_GATEWAY_SECTION_SIZE];
    struct setpay_bank_account account;
    struct setpay_problem problem = {{0}}; /* what is wrong with a section is said of all */
    const char *currency = text_of(one, "currency");
    (void)snprintf(section, sizeof section, "payee %s.%s", text_of(one, "brand"),
                   text_of(one, "merchant_id"));
    if (setpay_payee_find(doctor->config, text_of(one, "brand"), text_of(one, "merchant_id"),
                          &account, &problem) == SETPAY_E_NOT_FOUND)
        say_missing(doctor, one, "payee", section);
    (void)snprintf(section, sizeof section, "payer %s", currency);
    if (setpay_payer_find(doctor->config, currency, &account, &problem) == SETPAY_E_NOT_FOUND)
        say_missing(doctor, one, "payer", section);
}

static void look_at_payouts(struct setpay_doctor *doctor)
{
    struct setpay_problem problem = {{0}};
    json_t *list = waiting_payouts(doctor);
    if (setpay_payees_check(doctor->config, &problem) != SETPAY_OK)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CONFIGURATION, "payee",
                          "mend that key of the configuration", "%s", problem.text);
    for (size_t i = 0; i < json_array_size(list) && i < WAITING_SAID; i++)
        look_at_payout(doctor, json_array_get(list, i));
    json_decref(list);
}

/* ------------------------------------------------------------------ all of it */

void setpay_gateway_doctor_peers(struct setpay_doctor *doctor, const char *url)
{
    static const char issuer_todo[] =
        "see the issuer's address and the network between, and ask its operator; authorisations "
        "are answered busy until the line is back (small ones not, where stand_in is set), "
        "reversals "
        "are kept";
    struct issuer issuers[SETPAY_NETWORK_ROUTES_MAX] = {0};
    struct setpay_probe probes[SETPAY_NETWORK_ROUTES_MAX + 1];
    struct setpay_doctor_authority authority = {0};
    struct setpay_secret passphrase = {0};
    size_t count = 0, named = setpay_config_instance_count(doctor->config, "issuer *");
    const char *path = setpay_config_text(doctor->config, "", "key_passphrase_file");
    look_at_fees(doctor);
    look_at_payouts(doctor);
    /* Without it keys don't open, which is said of them. */
    enum setpay_error error =
        path == NULL ? SETPAY_OK : setpay_file_read_secret(path, &passphrase, NULL);
    for (size_t i = 0; error == SETPAY_OK && i < named && count < SETPAY_NETWORK_ROUTES_MAX; i++) {
        const char *name = setpay_config_instance(doctor->config, "issuer *", i);
        if (prepare(doctor, path == NULL ? NULL : &passphrase, name, &issuers[count],
                    &probes[count]))
            count++;
    }
    setpay_secret_clear(&passphrase);
    bool has_authority = setpay_doctor_authority_open(doctor, url, &authority, &probes[count]);
    setpay_probes_run(probes, count + (has_authority ? 1 : 0), PROBE_MS);
    for (size_t i = 0; i < count; i++)
        setpay_doctor_peer(doctor, issuers[i].who, &probes[i], issuer_todo);
    if (has_authority)
        setpay_doctor_peer(doctor, "the authority", &probes[count], SETPAY_DOCTOR_AUTHORITY_TODO);
    setpay_doctor_authority_close(&authority);
    for (size_t i = 0; i < SETPAY_NETWORK_ROUTES_MAX; i++)
        SSL_CTX_free(issuers[i].tls);
}
