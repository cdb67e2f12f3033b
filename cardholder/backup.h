/*
 * A wallet's backup: one file, sealed under the wallet's own master key, whose box under the
 * passphrase stands in its head. It may lie where others can read it: they can guess passphrases as
 * fast as scrypt permits, and see how big it is. Whoever changes it makes it useless.
 */
#ifndef SETPAY_CARDHOLDER_BACKUP_H
#define SETPAY_CARDHOLDER_BACKUP_H

#include "cardholder/wallet.h"
#include "common/net/restore.h"

/* walletd's configuration. */
extern const struct setpay_option setpay_wallet_options[];
extern const struct setpay_backup_party setpay_wallet_backup;
/* Of walletd, for who works on a stopped one's database. */
extern const struct setpay_service_spec setpay_wallet_stopped_spec;

/* The head of a new backup, and its key (*key must be empty). SETPAY_E_LOCKED. */
enum setpay_error setpay_wallet_backup_seal(const struct setpay_wallet_lock *lock,
                                            const struct setpay_secret *master,
                                            struct setpay_buffer *head,
                                            struct setpay_secret *key) SETPAY_MUST_CHECK;
/* The key of one that is there. About 0.1 s of scrypt. SETPAY_E_PASSPHRASE, SETPAY_E_BACKUP. */
enum setpay_error setpay_wallet_backup_unseal(struct setpay_view head,
                                              const struct setpay_secret *passphrase,
                                              struct setpay_secret *key) SETPAY_MUST_CHECK;

/* The command wallet.backup. */
void setpay_wallet_on_backup(struct setpay_control_call *call, const json_t *args, void *arg);

#endif
