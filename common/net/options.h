/*
 * The configuration keys that every daemon has, as rows for its option table
 * (common/base/config.h): of a process; of one with a database; of one that trusts a root; of one
 * that renews.
 */
#ifndef SETPAY_NET_OPTIONS_H
#define SETPAY_NET_OPTIONS_H

#include "common/base/config.h"
#include "common/base/limits.h"

/* clang-format off */
#define SETPAY_PROCESS_OPTIONS                                                                     \
    {"", "testing", SETPAY_OPTION_BOOL, "no", 0, 0, false, false, NULL,                            \
     "let the administration socket move the clock and arm crash points; loopback listeners only"},\
    {"", "workers", SETPAY_OPTION_INT, "0", 0, SETPAY_LIMIT_WORKERS, false, false, NULL,           \
     "event loops; 0: one for each core"},                                                         \
    {"", "log", SETPAY_OPTION_PATH, NULL, 0, 0, false, false, NULL,                                \
     "log file; standard error where unset; opened again on SIGHUP"},                              \
    {"", "log_level", SETPAY_OPTION_CHOICE, "info", 0, 0, false, true,                             \
     "debug|info|warn|error", "the least level that is logged"},                                   \
    {"", "log_format", SETPAY_OPTION_CHOICE, "logfmt", 0, 0, false, false,                         \
     "logfmt|json", "the form of a log line"},                                                     \
    {"", "admin_socket", SETPAY_OPTION_PATH, NULL, 0, 0, true, false, NULL,                        \
     "UNIX socket for the operator's commands"},                                                   \
    {"", "admin_address", SETPAY_OPTION_ADDRESS, NULL, 0, 0, false, false, NULL,                   \
     "HTTP address of /healthz, /readyz and /metrics"},                                            \
    {"", "drain_timeout", SETPAY_OPTION_DURATION, "30s", 0, 600000, false, false, NULL,            \
     "how long SIGTERM waits for what is under way"}
#define SETPAY_DAEMON_OPTIONS                                                                      \
    SETPAY_PROCESS_OPTIONS,                                                                        \
    {"", "database", SETPAY_OPTION_TEXT, NULL, 0, 0, true, false, NULL,                            \
     "sqlite:PATH"},                                                                               \
    {"", "root", SETPAY_OPTION_FILE, NULL, 0, 0, true, false, NULL,                                \
     "the root certificate, PEM"},                                                                 \
    {"", "crls", SETPAY_OPTION_FOLDER, NULL, 0, 0, false, false, NULL,                               \
     "folder of revocation lists (*.crl) and of the CAs that signed them (*.pem); read again every "\
     "minute and on SIGHUP"}
/* Of a party that keeps its certificates and lists current by itself (common/net/upkeep.h). */
#define SETPAY_UPKEEP_OPTIONS                                                                      \
    {"", "ca_url", SETPAY_OPTION_TEXT, NULL, 0, 0, false, false, NULL,                             \
     "https://HOST[:PORT] of the authority: certificates are renewed and revocation lists fetched "\
     "there, without being asked; unset: both are yours to do"},                                   \
    {"", "renew_before", SETPAY_OPTION_DURATION, "35d", 60000, 34300800000, false, false, NULL,    \
     "how long before its end a certificate is renewed; at most a third of its life"},             \
    {"brand *", "ca_url", SETPAY_OPTION_TEXT, NULL, 0, 0, false, false, NULL,                      \
     "the brand's own authority, where it is not the one at the top"}
/* clang-format on */

#endif
