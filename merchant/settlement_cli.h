/*
 * settlement: the gateway's file from the command line to the daemon, and what came of it to the
 * terminal.
 */
#ifndef SETPAY_MERCHANT_SETTLEMENT_CLI_H
#define SETPAY_MERCHANT_SETTLEMENT_CLI_H

#include "common/net/operator.h"

extern const struct setpay_flag setpay_merchant_settlement_list_flags[];
extern const struct setpay_flag setpay_merchant_settlement_difference_flags[];
extern const struct setpay_flag setpay_merchant_settlement_accept_flags[];
extern const struct setpay_flag setpay_merchant_settlement_forget_flags[];

void setpay_merchant_words_imported_settlements(const json_t *result);
void setpay_merchant_words_forgotten_settlement(const json_t *result);
void setpay_merchant_words_accepted_settlement(const json_t *result);
void setpay_merchant_words_settlements(const json_t *result);
void setpay_merchant_words_settlement(const json_t *result);
void setpay_merchant_words_settlement_rows(const json_t *result);
void setpay_merchant_words_differences(const json_t *result);

/* Before a command is sent: the file's content in place of its name. SETPAY_E_USAGE. */
enum setpay_error
setpay_merchant_settlement_shape(const char *name, json_t *args,
                                 struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* clang-format off */
#define SETPAY_MERCHANT_SETTLEMENT_OPERATOR_COMMANDS                                               \
    {{"settlement", "import"}, "settlement.import", "file", NULL,                                  \
     setpay_merchant_words_imported_settlements, "FILE|-",                                         \
     "read in what the gateway has paid out, and compare it with what was captured"},              \
    {{"settlement", "list"}, "settlement.list", NULL, setpay_merchant_settlement_list_flags,       \
     setpay_merchant_words_settlements, "[--limit N] [--cursor C]",                                \
     "what was paid out, the newest day first"},                                                   \
    {{"settlement", "show"}, "settlement.show", "settlement_id", NULL,                             \
     setpay_merchant_words_settlement, "SETTLEMENT",                                               \
     "one settlement: its sums, and what is not as it is known here"},                             \
    {{"settlement", "rows"}, "settlement.rows", "settlement_id",                                   \
     setpay_merchant_settlement_list_flags, setpay_merchant_words_settlement_rows,                 \
     "SETTLEMENT [--limit N] [--cursor C]", "what it pays, row by row"},                           \
    {{"settlement", "differences"}, "settlement.differences", NULL,                                \
     setpay_merchant_settlement_difference_flags, setpay_merchant_words_differences,               \
     "[--days N] [--since DATE] [--limit N] [--cursor C]",                                         \
     "what is not as it is known here, of all; and what no settlement has brought"},               \
    {{"settlement", "accept"}, "settlement.accept", "settlement_id",                               \
     setpay_merchant_settlement_accept_flags, setpay_merchant_words_accepted_settlement,           \
     "SETTLEMENT --line N --reason TEXT",                                                          \
     "somebody has looked at what differs in a row: it is listed no more, and the reason kept"},   \
    {{"settlement", "forget"}, "settlement.forget", "settlement_id",                               \
     setpay_merchant_settlement_forget_flags, setpay_merchant_words_forgotten_settlement,          \
     "SETTLEMENT --reason TEXT", "take one back, as if it had never been read in"}
/* clang-format on */

#endif
