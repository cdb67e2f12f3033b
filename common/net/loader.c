/*
 * From the sections of a configuration to identities.
 */
#include "common/net/loader.h"

#include "common/crypto/keyfile.h"

#include <stdio.h>
#include <string.h>

enum setpay_error setpay_loader_init(struct setpay_loader *loader, struct setpay_service *service,
                                     struct setpay_problem *problem)
{
    *loader = (struct setpay_loader){
        .config = service->config, .trust = service->trust, .problem = problem};
    const char *path = setpay_config_text(service->config, "", "key_passphrase_file");
    if (path == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_file_read_secret(path, &loader->passphrase_bytes, problem));
    loader->passphrase = &loader->passphrase_bytes;
    return SETPAY_OK;
}

void setpay_loader_clear(struct setpay_loader *loader)
{
    setpay_secret_clear(&loader->passphrase_bytes);
    loader->passphrase = NULL;
}

enum setpay_error setpay_loader_identity(const struct setpay_loader *loader, const char *key_name,
                                         const char *certificate_name, enum setpay_profile profile,
                                         struct setpay_identity *identity)
{
    return setpay_identity_load(
        loader->trust, setpay_config_text(loader->config, loader->section, key_name),
        setpay_config_text(loader->config, loader->section, certificate_name), loader->passphrase,
        profile, loader->brand, setpay_clock_now_ms(), identity, loader->problem);
}

static enum setpay_error enter_brand(struct setpay_loader *loader, size_t index)
{
    loader->brand = setpay_config_instance(loader->config, "brand *", index);
    if (snprintf(loader->section, sizeof loader->section, "brand %s", loader->brand) >=
            (int)sizeof loader->section ||
        strlen(loader->brand) > SETPAY_BRAND_MAX)
        return setpay_problem_set(loader->problem, SETPAY_E_CONFIG,
                                  "[brand %s]: the name has more than %d characters", loader->brand,
                                  SETPAY_BRAND_MAX);
    return SETPAY_OK;
}

enum setpay_error setpay_loader_brands(struct setpay_loader *loader, size_t max, size_t *count,
                                       setpay_loader_brand_fn *load, void *arg)
{
    size_t found = setpay_config_instance_count(loader->config, "brand *");
    enum setpay_error error = SETPAY_OK;
    if (found == 0 || found > max)
        return setpay_problem_set(loader->problem, SETPAY_E_CONFIG,
                                  "found %zu [brand NAME] sections, expected 1 to %zu", found, max);
    for (size_t i = 0; i < found && error == SETPAY_OK; i++) {
        error = enter_brand(loader, i);
        if (error == SETPAY_OK) {
            *count = i + 1;
            error = load(loader, i, arg);
        }
    }
    loader->section[0] = '\0';
    loader->brand = NULL;
    return error;
}
