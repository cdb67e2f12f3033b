/*
 * Every key of the gateway's configuration.
 */
#include "common/net/options.h"

#include "gateway/setup.h"

/* clang-format off */
const struct setpay_option setpay_gateway_options[] = {
    SETPAY_DAEMON_OPTIONS,
    {"", "id", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL,
     "the gateway's id, as its certificates name it"},
    {"", "listen", SETPAY_OPTION_ADDRESS, NULL, 0, 0, true, false, NULL,
     "where merchants connect (TLS 1.3, certificates on both sides)"},
    {"", "vault_key", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "file of 64 hex digits under which card data is kept; not in the database's backup"},
    {"", "key_passphrase_file", SETPAY_OPTION_PATH, NULL, 0, 0, false, false, NULL,
     "passphrase of all private keys; unset: they are not encrypted"},
    {"", "keep_card_days", SETPAY_OPTION_INT, "180", 1, 3650, false, false, NULL,
     "how long card number and back key are kept (encrypted)"},
    {"", "hold_days", SETPAY_OPTION_INT, "7", 1, 31, false, false, NULL,
     "how long an authorisation is good for capture"},
    {"", "acquirer_id", SETPAY_OPTION_TEXT, "100001", 0, 0, false, false, NULL,
     "ISO 8583 field 32: 1 to 11 digits"},
    {"", "terminal_id", SETPAY_OPTION_TEXT, "SETPAY01", 0, 0, false, false, NULL,
     "ISO 8583 field 41: 1 to 8 characters"},
    {"", "auth_timeout", SETPAY_OPTION_DURATION, "15s", 100, 120000, false, false, NULL,
     "how long an issuer may take; then the authorisation is declined and reversed"},
    {"", "echo_interval", SETPAY_OPTION_DURATION, "60s", 100, 3600000, false, false, NULL,
     "echo test on an idle line"},
    {"", "reconnect_min", SETPAY_OPTION_DURATION, "250ms", 10, 60000, false, false, NULL,
     "first wait before a lost line is opened again"},
    {"", "reconnect_max", SETPAY_OPTION_DURATION, "10s", 10, 600000, false, false, NULL,
     "longest such wait"},
    {"", "repeat_min", SETPAY_OPTION_DURATION, "1s", 50, 600000, false, false, NULL,
     "first wait before a reversal is repeated"},
    {"", "repeat_max", SETPAY_OPTION_DURATION, "60s", 50, 3600000, false, false, NULL,
     "longest such wait"},
    {"brand *", "sign_key", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "signing key"},
    {"brand *", "sign_cert", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "its certificate with the CAs above it (PEM)"},
    {"brand *", "encrypt_key", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "key to which wallets seal payment instructions"},
    {"brand *", "encrypt_cert", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "its certificate"},
    {"brand *", "tls_key", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "TLS server key"},
    {"brand *", "tls_cert", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,
     "its certificate"},
    {"brand *", "pan_prefixes", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL,
     "leading digits of the brand's card numbers: 51-55,2221-2720"},
    {"issuer *", "address", SETPAY_OPTION_ADDRESS, NULL, 0, 0, true, false, NULL,
     "HOST:PORT of an issuer, or of a network of issuers (loopback only without TLS)"},
    {"issuer *", "pan_prefixes", SETPAY_OPTION_TEXT, "*", 0, 0, false, false, NULL,
     "leading digits of the card numbers that go there; the longest match wins"},
    {NULL, NULL, SETPAY_OPTION_TEXT, NULL, 0, 0, false, false, NULL, NULL},
};
/* clang-format on */
