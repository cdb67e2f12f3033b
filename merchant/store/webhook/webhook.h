/*
 * Webhooks: the addresses that events are sent to.
 *
 * Their secrets are symmetric, so the database holds them as they are; it is readable by the daemon
 * alone, as its keys are. They are shown when they are made, and by nothing else.
 */
#ifndef SETPAY_MERCHANT_WEBHOOK_WEBHOOK_H
#define SETPAY_MERCHANT_WEBHOOK_WEBHOOK_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/store/db.h"
#include "merchant/store/name.h"
#include "merchant/store/order_request.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define SETPAY_WEBHOOKS_MAX 16
#define SETPAY_WEBHOOK_ID_SIZE SETPAY_NAME_SIZE /* "whk_…" */
#define SETPAY_WEBHOOK_URL_BYTES 1024
#define SETPAY_WEBHOOK_DESCRIPTION_BYTES 256
#define SETPAY_WEBHOOK_TYPES_BYTES 1024
/* How long the secret before the last one is good beside it. */
#define SETPAY_WEBHOOK_OLD_SECRET_MS SETPAY_DAY_MS

/* SQL for a migration of the merchant's database. types: "" for all, otherwise each between blanks.
 */
#define SETPAY_WEBHOOK_SCHEMA                                                                      \
    "CREATE TABLE webhook ("                                                                       \
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"                                                      \
    " webhook_id TEXT NOT NULL UNIQUE,"                                                            \
    " url TEXT NOT NULL,"                                                                          \
    " description TEXT NOT NULL,"                                                                  \
    " types TEXT NOT NULL,"                                                                        \
    " status INTEGER NOT NULL,"                                                                    \
    " failing_since_ms INTEGER NOT NULL,"                                                          \
    " created_ms INTEGER NOT NULL);"                                                               \
    "CREATE TABLE webhook_secret ("                                                                \
    " seq INTEGER PRIMARY KEY,"                                                                    \
    " webhook_seq INTEGER NOT NULL,"                                                               \
    " secret BLOB NOT NULL,"                                                                       \
    " until_ms INTEGER NOT NULL);"                                                                 \
    "CREATE INDEX webhook_secret_of ON webhook_secret (webhook_seq, seq);"

/* Stored. */
enum setpay_webhook_status {
    SETPAY_WEBHOOK_ENABLED = 0,
    SETPAY_WEBHOOK_DISABLED = 1, /* by its owner */
    SETPAY_WEBHOOK_FAILED = 2,   /* by us: it took nothing for too long, or said 410 Gone */
};

struct setpay_webhook {
    int64_t seq;
    char webhook_id[SETPAY_WEBHOOK_ID_SIZE];
    char url[SETPAY_WEBHOOK_URL_BYTES + 1];
    char description[SETPAY_WEBHOOK_DESCRIPTION_BYTES + 1];
    char types[SETPAY_WEBHOOK_TYPES_BYTES]; /* "" or " order.captured order.refunded " */
    enum setpay_webhook_status status;
    setpay_time_ms failing_since_ms; /* 0: the last attempt succeeded, or there was none */
    setpay_time_ms created_ms;
};

/* Whether it wants events of this type. Pure. */
bool setpay_webhook_wants(const char *types, const char *type);
/* Its members as it is shown; owned. Never a secret. */
json_t *setpay_webhook_json(const struct setpay_webhook *webhook);

/*
 * What a request says, {"url","description"?,"events"?,"enabled"?}, into *webhook: where is_new
 * url is needed and the others have defaults; otherwise what is absent stays. SETPAY_E_INVALID with
 * the fault (webhook is then half changed), SETPAY_E_NOMEM. Pure.
 */
enum setpay_error setpay_webhook_request_parse(const json_t *body, bool is_new,
                                               struct setpay_webhook *webhook,
                                               struct setpay_json_fault *fault) SETPAY_MUST_CHECK;
/* An http or https URL with a host and no user, password or fragment. Pure. SETPAY_E_INVALID. */
enum setpay_error setpay_webhook_url_check(const char *url,
                                           struct setpay_json_fault *fault) SETPAY_MUST_CHECK;

/* Sets seq and webhook_id. SETPAY_E_TOO_BIG where there are SETPAY_WEBHOOKS_MAX. */
enum setpay_error setpay_webhook_insert(struct setpay_db *db, struct setpay_webhook *webhook,
                                        const struct setpay_secret *secret) SETPAY_MUST_CHECK;
/* SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_webhook_find(struct setpay_db *db, const char *webhook_id,
                                      struct setpay_webhook *webhook) SETPAY_MUST_CHECK;
enum setpay_error setpay_webhook_find_by_seq(struct setpay_db *db, int64_t seq,
                                             struct setpay_webhook *webhook) SETPAY_MUST_CHECK;
/* All, the oldest first. Room for SETPAY_WEBHOOKS_MAX. */
enum setpay_error setpay_webhook_all(struct setpay_db *db, struct setpay_webhook *list,
                                     size_t *count) SETPAY_MUST_CHECK;
/* Writes url, description, types, status and failing_since_ms. */
enum setpay_error setpay_webhook_update(struct setpay_db *db,
                                        const struct setpay_webhook *webhook) SETPAY_MUST_CHECK;
/* With its secrets and deliveries. */
enum setpay_error setpay_webhook_delete(struct setpay_db *db, int64_t seq) SETPAY_MUST_CHECK;

/* The new secret signs from now on; the one before it does too until SETPAY_WEBHOOK_OLD_SECRET_MS
 * are over; those before that no longer. */
enum setpay_error setpay_webhook_rotate(struct setpay_db *db, int64_t seq,
                                        const struct setpay_secret *secret,
                                        setpay_time_ms now_ms) SETPAY_MUST_CHECK;
/* Both must be empty; old stays so where there is none that is still good. */
enum setpay_error setpay_webhook_secrets(struct setpay_db *db, int64_t seq, setpay_time_ms now_ms,
                                         struct setpay_secret *secret,
                                         struct setpay_secret *old) SETPAY_MUST_CHECK;

#endif
