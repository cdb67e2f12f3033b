/*
 * A batch for the gateway's operator, setpay-batch(5): the rows of it with the gateway's signed
 * answers (batch_export.c), which the operator's program makes a file of (batch_export_cli.c).
 * Nothing of an order goes into it: the gateway is not to learn what was bought.
 */
#ifndef SETPAY_MERCHANT_BATCH_EXPORT_H
#define SETPAY_MERCHANT_BATCH_EXPORT_H

#include "common/net/operator.h"
#include "merchant/commands.h"

/* {"items","next_after"}, and with the last of them "totals","certificates" */
setpay_merchant_command_fn setpay_merchant_command_batch_items;
/* What the gateway has signed when it was to be closed, page by page: {"answers","next_after",
 * "kept_since"}; an answer is a proof with "agreed" beside it. Batches that were closed before
 * kept_since have none. */
setpay_merchant_command_fn setpay_merchant_command_batch_evidence;

/* batch.export, from batch.list, batch.show, batch.items and batch.evidence. */
enum setpay_error setpay_merchant_batch_export(struct setpay_operator_asker *asker,
                                               const struct setpay_config *config,
                                               const json_t *args, json_t **result,
                                               struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_merchant_batch_print_export(const json_t *result);

#endif
