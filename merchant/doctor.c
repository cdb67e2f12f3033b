/*
 * The merchant's peers: its gateway, with the handshake on both sides that a payment needs, for
 * every brand; the authority, whose clock ours is compared with; and where the store's own programs
 * are to call.
 */
#include "merchant/doctor.h"

#include "merchant/check.h"
#include "merchant/payment/merchant.h"

#include <stdio.h>

#define PROBE_MS 3000

struct brand_probe {
    struct setpay_identity identity;
    struct setpay_tls *tls;
    char who[SETPAY_DOCTOR_NAME_SIZE];
};

/* Everything but the revocation lists, which have a check of their own. */
static enum setpay_error make_tls(struct setpay_doctor *doctor, const char *brand,
                                  struct brand_probe *made)
{
    enum setpay_error error = setpay_doctor_identity(
        doctor, brand, "tls_key", "tls_cert", SETPAY_PROFILE_MERCHANT_TLS_CLIENT, &made->identity);
    if (error != SETPAY_OK)
        return error;
    const struct setpay_tls_identity identity = setpay_identity_tls(&made->identity, NULL);
    const struct setpay_tls_config config = {
        .identities = &identity,
        .identity_count = 1,
        .trust = doctor->trust,
        .peer_profiles = SETPAY_TLS_PROFILE(SETPAY_PROFILE_GATEWAY_TLS_SERVER),
        .unlisted = true,
    };
    return setpay_tls_new_client(&config, &made->tls, NULL);
}

static bool prepare_gateway(struct setpay_doctor *doctor, const char *brand,
                            struct brand_probe *made, struct setpay_probe *probe)
{
    const char *id = setpay_config_text(doctor->config, "", "gateway_id");
    /* What is wrong with its own certificate is said of the certificate. */
    if (make_tls(doctor, brand, made) != SETPAY_OK)
        return false;
    (void)snprintf(made->who, sizeof made->who, "the gateway %.64s (%.64s)", id, brand);
    *probe = (struct setpay_probe){
        .tls = made->tls,
        .expect = {.sni = brand, .brand = brand, .id = id},
        .wants_accepted = true,
    };
    (void)snprintf(probe->address, sizeof probe->address, "%s",
                   setpay_config_text(doctor->config, "", "gateway"));
    return true;
}

static void look_at_api(struct setpay_doctor *doctor)
{
    if (setpay_merchant_api_is_exposed(doctor->config))
        setpay_doctor_say(doctor, SETPAY_FINDING_WARN, SETPAY_CHECK_PORTS,
                          setpay_config_text(doctor->config, "", "api_listen"),
                          "give api_listen an address on loopback or in a private network, and put "
                          "a TLS proxy before it where stores call from elsewhere",
                          "the API is plain HTTP, and neither on loopback nor in a private "
                          "network: tokens and delivery addresses can be read on the way");
}

void setpay_merchant_doctor_peers(struct setpay_doctor *doctor, const char *url)
{
    static const char gateway_todo[] =
        "start the gateway, or see the key gateway and the network between; payments wait and are "
        "asked for again by themselves";
    const char *brands[SETPAY_DOCTOR_BRANDS_MAX];
    struct brand_probe made[SETPAY_MERCHANT_BRANDS_MAX] = {0};
    struct setpay_probe probes[SETPAY_MERCHANT_BRANDS_MAX + 1];
    struct setpay_doctor_authority authority = {0};
    size_t count = 0, brand_count = setpay_doctor_brands(doctor->config, brands);
    look_at_api(doctor);
    for (size_t i = 0; i < brand_count && count < SETPAY_MERCHANT_BRANDS_MAX; i++) {
        if (prepare_gateway(doctor, brands[i], &made[count], &probes[count]))
            count++;
    }
    bool has_authority = setpay_doctor_authority_open(doctor, url, &authority, &probes[count]);
    setpay_probes_run(probes, count + (has_authority ? 1 : 0), PROBE_MS);
    for (size_t i = 0; i < count; i++)
        setpay_doctor_peer(doctor, made[i].who, &probes[i], gateway_todo);
    if (has_authority)
        setpay_doctor_peer(doctor, "the authority", &probes[count], SETPAY_DOCTOR_AUTHORITY_TODO);
    setpay_doctor_authority_close(&authority);
    for (size_t i = 0; i < SETPAY_MERCHANT_BRANDS_MAX; i++) {
        setpay_tls_free(made[i].tls);
        setpay_identity_clear(&made[i].identity);
    }
}
