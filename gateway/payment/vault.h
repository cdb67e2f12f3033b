/*
 * What the gateway keeps of a card (rule G10): PAN, expiry and back key, each in a box under a key
 * that is not in the database, bound to its payment and column; and the digest by which a PAN can
 * be searched for.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_VAULT_H
#define SETPAY_GATEWAY_PAYMENT_VAULT_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

struct setpay_vault;

/* The key file: 64 hex digits, readable by its owner only. problem says what is wrong with it. */
enum setpay_error setpay_vault_open(const char *key_path, struct setpay_vault **vault,
                                    struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_vault_free(struct setpay_vault *vault); /* NULL-safe; cleanses */

enum setpay_vault_column { SETPAY_VAULT_PAN, SETPAY_VAULT_EXPIRY, SETPAY_VAULT_BACK_KEY };

/* xid names the payment. A box opens only under the payment and column it was sealed for:
 * otherwise SETPAY_E_CRYPTO. plain must be empty. */
enum setpay_error setpay_vault_seal(const struct setpay_vault *vault,
                                    enum setpay_vault_column column, const struct setpay_id *xid,
                                    const struct setpay_secret *plain,
                                    struct setpay_buffer *box) SETPAY_MUST_CHECK;
enum setpay_error setpay_vault_open_box(const struct setpay_vault *vault,
                                        enum setpay_vault_column column,
                                        const struct setpay_id *xid, struct setpay_view box,
                                        struct setpay_secret *plain) SETPAY_MUST_CHECK;
enum setpay_error setpay_vault_pan_digest(const struct setpay_vault *vault,
                                          const struct setpay_secret *pan,
                                          struct setpay_digest *digest) SETPAY_MUST_CHECK;

#endif
