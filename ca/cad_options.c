/*
 * Every key of the authority's daemon's configuration.
 */
#include "ca/cad_options.h"

#include "common/net/options.h"

/* clang-format off */
const struct setpay_option setpay_cad_options[] = {
    SETPAY_PROCESS_OPTIONS,
    {"", "folder", SETPAY_OPTION_FOLDER, NULL, 0, 0, true, false, NULL,
     "the CA's folder, as setpay-ca --dir"},
    {"", "passphrase_file", SETPAY_OPTION_SECRET_FILE, NULL, 0, 0, true, false, NULL,
     "the passphrase of the CA's keys"},
    {"", "listen", SETPAY_OPTION_ADDRESS, NULL, 0, 0, true, false, NULL,
     "where EST and revocation lists are served (HTTPS, TLS 1.3)"},
    {"", "tls_key", SETPAY_OPTION_SECRET_FILE, NULL, 0, 0, true, false, NULL,
     "TLS server key"},
    {"", "tls_cert", SETPAY_OPTION_FILE, NULL, 0, 0, true, false, NULL,
     "its certificate (profile ca-tls-server) with the CAs above it (PEM)"},
    {"", "key_passphrase_file", SETPAY_OPTION_SECRET_FILE, NULL, 0, 0, false, false, NULL,
     "passphrase of tls_key; unset: it is not encrypted"},
    {"", "renew_before", SETPAY_OPTION_DURATION, "35d", 60000, 34300800000, false, false, NULL,
     "how long before its end that certificate is renewed; at most a third of its life"},
    {"", "card_key", SETPAY_OPTION_SECRET_FILE, NULL, 0, 0, false, false, NULL,
     "key shared with the issuers, under which their files name cards; unset: no cardholder can enrol"},
    {"", "card_days", SETPAY_OPTION_INT, "0", 0, 2196, false, false, NULL,
     "how many days a card's certificate lives at most before it is renewed; 0: as long as the card"},
    {NULL, NULL, SETPAY_OPTION_TEXT, NULL, 0, 0, false, false, NULL, NULL},
};
/* clang-format on */
