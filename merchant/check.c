/*
 * The start reads values by the same functions, so that it never refuses one that was let through
 * here: a reload that is approved must not be a restart that fails.
 */
#include "merchant/check.h"

#include "common/base/money.h"
#include "common/net/listen.h"
#include "common/net/loader.h"
#include "common/net/upkeep.h"
#include "merchant/payment/merchant.h"
#include "merchant/setup.h"
#include "merchant/shop_tls.h"
#include "merchant/store/shop.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ the shop */

/* "http://" or "https://" with HOST or HOST:PORT behind it: the shop's pages know no other path. */
static bool is_site(const char *text)
{
    size_t scheme = strncmp(text, "https://", 8) == 0  ? 8
                    : strncmp(text, "http://", 7) == 0 ? 7
                                                       : 0;
    const char *host = text + scheme;
    size_t size = host[0] == '['
                      ? strspn(host + 1, "0123456789abcdefABCDEF:.") + 2
                      : strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-.");
    if (scheme == 0 || size == 0 || size > SETPAY_WIRE_HOST_MAX || strlen(host) < size ||
        (host[0] == '[' && (size < 4 || host[size - 1] != ']')))
        return false;
    const char *port = host + size;
    size_t digits = port[0] == ':' ? strspn(port + 1, "0123456789") : 0;
    return port[0] == '\0' || (digits >= 1 && digits <= 5 && port[1 + digits] == '\0');
}

/* An address where nobody serves the pages would be told to every shopper. */
static enum setpay_error check_shop_url(const struct setpay_config *config,
                                        struct setpay_problem *problem)
{
    const char *url = setpay_config_text(config, "", "shop_url");
    if (url != NULL && !is_site(url))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "shop_url: found '%.80s', expected https://HOST or"
                                  " https://HOST:PORT, with nothing behind it",
                                  url);
    if (url != NULL && setpay_config_text(config, "", "shop_listen") == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "shop_url: found %.80s, but no shop_listen, without which there"
                                  " are no pages; set both or neither",
                                  url);
    return SETPAY_OK;
}

static enum setpay_error check_shop(const struct setpay_config *config,
                                    struct setpay_problem *problem)
{
    const char *country = setpay_config_text(config, "", "country");
    const char *currency = setpay_config_text(config, "", "currency");
    if (country[0] != '\0' && !setpay_shop_is_country(country))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "country: found '%.20s', expected two capital letters, like DE",
                                  country);
    if (setpay_currency_by_code(currency) == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "currency: found '%.20s', expected one of ISO 4217, like EUR",
                                  currency);
    struct setpay_shop_currencies sold;
    SETPAY_TRY(setpay_shop_currencies_parse(setpay_config_text(config, "", "currencies"), currency,
                                            &sold, problem));
    return check_shop_url(config, problem);
}

/* ------------------------------------------------------------------ networks and addresses */

enum setpay_error setpay_merchant_networks(const struct setpay_config *config, const char *key,
                                           struct setpay_networks *networks,
                                           struct setpay_problem *problem)
{
    struct setpay_problem why = {{0}};
    enum setpay_error error =
        setpay_networks_parse(setpay_config_text(config, "", key), networks, &why);
    return error == SETPAY_OK ? SETPAY_OK
                              : setpay_problem_set(problem, error, "%s: %s", key, why.text);
}

/* What the owner types must not cross a network in the clear. */
enum setpay_error setpay_merchant_owner_needs_tls(const struct setpay_config *config, bool *needs,
                                                  struct setpay_problem *problem)
{
    const char *text = setpay_config_text(config, "", "owner_listen");
    struct setpay_address address;
    *needs = false;
    if (text == NULL)
        return SETPAY_OK;
    SETPAY_TRY(setpay_address_parse(text, &address, problem));
    *needs = !setpay_address_is_loopback(&address);
    if (*needs && setpay_config_text(config, "", "shop_tls_key") == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "owner_listen: found %s, which is not on loopback; expected an"
                                  " address on loopback, or shop_tls_key and shop_tls_cert beside"
                                  " it, so that passwords are not sent in the clear",
                                  text);
    return SETPAY_OK;
}

bool setpay_merchant_api_is_exposed(const struct setpay_config *config)
{
    const char *text = setpay_config_text(config, "", "api_listen");
    struct setpay_address address;
    return text != NULL && setpay_address_parse(text, &address, NULL) == SETPAY_OK &&
           setpay_address_is_exposed((const struct sockaddr *)&address.storage);
}

/* ------------------------------------------------------------------ all of it */

static enum setpay_error check_texts(const struct setpay_config *config,
                                     struct setpay_problem *problem)
{
    struct setpay_merchant *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_merchant_load_texts(config, scratch, problem);
    free(scratch);
    return error;
}

static enum setpay_error pass_brand(const struct setpay_loader *loader, size_t index, void *arg)
{
    (void)loader;
    (void)index;
    (void)arg;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_batch_hour(const struct setpay_config *config,
                                             struct setpay_merchant_batch_hour *hour,
                                             struct setpay_problem *problem)
{
    const char *at = setpay_config_text(config, "", "batch_close_at");
    const char *zone = setpay_config_text(config, "", "batch_close_zone");
    struct setpay_merchant_batch_hour made = {.minutes = -1};
    if (setpay_zone_check(zone) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "batch_close_zone: found '%.60s', expected a time zone of this "
                                  "machine, as Europe/Berlin",
                                  zone);
    memcpy(made.zone, zone, strlen(zone) + 1);
    if (at != NULL && setpay_cut_off_parse(at, &made.minutes) != SETPAY_OK)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "batch_close_at: found '%.20s', expected HH:MM, 00:00 to 24:00",
                                  at);
    *hour = made;
    return SETPAY_OK;
}

enum setpay_error setpay_merchant_check(const struct setpay_config *config,
                                        struct setpay_problem *problem)
{
    struct setpay_loader loader = {.config = config, .problem = problem};
    struct setpay_networks networks;
    size_t count;
    struct setpay_merchant_batch_hour hour;
    bool needs_tls;
    SETPAY_TRY(check_texts(config, problem));
    SETPAY_TRY(setpay_merchant_batch_hour(config, &hour, problem));
    SETPAY_TRY(setpay_loader_brands(&loader, SETPAY_MERCHANT_BRANDS_MAX, &count, pass_brand, NULL));
    SETPAY_TRY(setpay_upkeep_check(config, problem));
    SETPAY_TRY(check_shop(config, problem));
    SETPAY_TRY(setpay_shop_tls_check(config, problem));
    SETPAY_TRY(setpay_merchant_networks(config, "webhook_networks", &networks, problem));
    SETPAY_TRY(setpay_merchant_networks(config, "shop_proxies", &networks, problem));
    return setpay_merchant_owner_needs_tls(config, &needs_tls, problem);
}
