/*
 * What came of probes, in words; and the authority, which every party has.
 */
#include "common/net/doctor.h"

#include <string.h>

void setpay_doctor_peer(struct setpay_doctor *doctor, const char *who,
                        const struct setpay_probe *probe, const char *todo)
{
    char called[SETPAY_DOCTOR_NAME_SIZE];
    (void)snprintf(called, sizeof called, "%s at %.200s", who, probe->address);
    if (probe->date_ms != 0)
        setpay_doctor_add_clock(doctor, called, probe->date_ms, probe->at_ms);
    if (probe->error == SETPAY_E_CERT_TIME)
        (void)snprintf(doctor->doubt, sizeof doctor->doubt, "%s", called);
    if (probe->error == SETPAY_OK)
        setpay_doctor_say(
            doctor, SETPAY_FINDING_OK, SETPAY_CHECK_PEERS, called, "", "%s answers%s", called,
            probe->tls != NULL || probe->context != NULL ? ", and is who it should be" : "");
    else if (setpay_error_kind(probe->error) == SETPAY_KIND_AGAIN)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PEERS, called, todo,
                          "peer down: %s can't be reached: %s", called, probe->words);
    else
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_PEERS, called,
                          probe->error == SETPAY_E_CERT_TIME
                              ? "see the clock; else its operator has to renew the certificate"
                          : probe->error == SETPAY_E_CERT_CHAIN ||
                                  probe->error == SETPAY_E_CERT_MISSING
                              ? "see the root, and that this is the right address"
                              : "see that this is the right address, and ask its operator",
                          "%s is not usable: %s", called, probe->words);
}

void setpay_doctor_probe_server(struct setpay_probe *probe, const struct setpay_est_place *place,
                                struct setpay_tls *tls)
{
    *probe = (struct setpay_probe){
        .tls = tls, .expect = {.sni = place->host, .host = place->host}, .get = "/"};
    probe->host = place->host;
    (void)snprintf(probe->address, sizeof probe->address, "%s:%u", place->host, place->port);
}

enum setpay_error setpay_doctor_server_tls(struct setpay_doctor *doctor,
                                           enum setpay_profile profile, struct setpay_tls **tls)
{
    const struct setpay_tls_config config = {
        .trust = doctor->trust,
        .peer_profiles = SETPAY_TLS_PROFILE(profile),
        .unlisted = true, /* nothing is told; who it is is enough to compare clocks */
    };
    return setpay_tls_new_client(&config, tls, NULL);
}

/* At the top, or the first brand's; NULL where the table has no such key, or nobody is named. */
static const char *configured_url(const struct setpay_config *config)
{
    char section[SETPAY_BRAND_MAX + 8];
    const char *brands[SETPAY_DOCTOR_BRANDS_MAX];
    const char *url = setpay_config_has_key(config, "", "ca_url")
                          ? setpay_config_text(config, "", "ca_url")
                          : NULL;
    size_t count = setpay_doctor_brands(config, brands);
    for (size_t i = 0; i < count && url == NULL; i++) {
        if (snprintf(section, sizeof section, "brand %s", brands[i]) < (int)sizeof section &&
            setpay_config_has_key(config, section, "ca_url"))
            url = setpay_config_text(config, section, "ca_url");
    }
    return url;
}

static bool find_place(struct setpay_doctor *doctor, const char *url,
                       struct setpay_est_place *place)
{
    struct setpay_problem problem = {{0}};
    const char *key = "--url";
    if (url == NULL) {
        key = "ca_url";
        url = configured_url(doctor->config);
    }
    if (url == NULL)
        return false;
    if (setpay_est_place_parse(url, place, &problem) == SETPAY_OK)
        return true;
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CONFIGURATION, url,
                      "write https://HOST or https://HOST:PORT", "%s: %s", key, problem.text);
    return false;
}

bool setpay_doctor_authority_open(struct setpay_doctor *doctor, const char *url,
                                  struct setpay_doctor_authority *authority,
                                  struct setpay_probe *probe)
{
    if (!find_place(doctor, url, &authority->place) ||
        setpay_doctor_server_tls(doctor, SETPAY_PROFILE_CA_TLS_SERVER, &authority->tls) !=
            SETPAY_OK)
        return false;
    setpay_doctor_probe_server(probe, &authority->place, authority->tls);
    return true;
}

void setpay_doctor_authority_close(struct setpay_doctor_authority *authority)
{
    setpay_tls_free(authority->tls);
    authority->tls = NULL;
}
