/*
 * Every key of the merchant's configuration.
 */
#include "merchant/options.h"

#include "common/net/options.h"

/* clang-format off */
const struct setpay_option setpay_merchant_options[] = {
    SETPAY_DAEMON_OPTIONS,
    {"", "id", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL,
     "the merchant's id, as its certificates name it"},
    {"", "name", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL,
     "the name that shoppers are shown"},
    {"", "listen", SETPAY_OPTION_ADDRESS, NULL, 0, 0, true, false, NULL,
     "where wallets connect (HTTPS, TLS 1.3)"},
    {"", "public_host", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL,
     "HOST[:PORT] in payment links; the TLS certificate names HOST"},
    {"", "country", SETPAY_OPTION_TEXT, "", 0, 0, false, false, NULL,
     "two capital letters (ISO 3166): whose taxes count where an order names no country"},
    {"", "currency", SETPAY_OPTION_TEXT, "EUR", 0, 0, false, false, NULL,
     "of orders of the catalogue that name none (ISO 4217)"},
    {"", "api_listen", SETPAY_OPTION_ADDRESS, NULL, 0, 0, false, false, NULL,
     "where the store's own programs call the JSON API (plain HTTP: a private address)"},
    {"", "tls_key", SETPAY_OPTION_SECRET_FILE, NULL, 0, 0, true, false, NULL,
     "TLS server key, for wallets"},
    {"", "tls_cert", SETPAY_OPTION_FILE, NULL, 0, 0, true, false, NULL,
     "its certificate with the CAs above it (PEM)"},
    {"", "key_passphrase_file", SETPAY_OPTION_SECRET_FILE, NULL, 0, 0, false, false, NULL,
     "passphrase of all private keys; unset: they are not encrypted"},
    SETPAY_UPKEEP_OPTIONS,
    {"", "gateway", SETPAY_OPTION_ADDRESS, NULL, 0, 0, true, false, NULL,
     "HOST:PORT of the payment gateway"},
    {"", "gateway_id", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL,
     "the gateway's id, as its certificates name it"},
    {"", "offer_life", SETPAY_OPTION_DURATION, "15m", 1000, 86400000, false, false, NULL,
     "how long an offer may be taken up"},
    {"", "answer_wait", SETPAY_OPTION_DURATION, "25s", 100, 300000, false, false, NULL,
     "how long a purchase's request waits for its outcome; the wallet inquires then"},
    {"", "gateway_timeout", SETPAY_OPTION_DURATION, "20s", 100, 300000, false, false, NULL,
     "how long one try at the gateway may take"},
    {"", "repeat_min", SETPAY_OPTION_DURATION, "100ms", 10, 600000, false, false, NULL,
     "first wait before the gateway is asked again"},
    {"", "repeat_max", SETPAY_OPTION_DURATION, "2s", 10, 3600000, false, false, NULL,
     "longest such wait"},
    {"", "refresh_interval", SETPAY_OPTION_DURATION, "5m", 100, 86400000, false, false, NULL,
     "how often the gateway's current certificates are asked for"},
    {"brand *", "sign_key", SETPAY_OPTION_SECRET_FILE, NULL, 0, 0, true, false, NULL,
     "signing key"},
    {"brand *", "sign_cert", SETPAY_OPTION_FILE, NULL, 0, 0, true, false, NULL,
     "its certificate with the CAs above it (PEM)"},
    {"brand *", "tls_key", SETPAY_OPTION_SECRET_FILE, NULL, 0, 0, true, false, NULL,
     "TLS client key, for the gateway"},
    {"brand *", "tls_cert", SETPAY_OPTION_FILE, NULL, 0, 0, true, false, NULL,
     "its certificate"},
    {NULL, NULL, SETPAY_OPTION_TEXT, NULL, 0, 0, false, false, NULL, NULL},
};
/* clang-format on */
