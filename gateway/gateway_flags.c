/*
 * The flags of setpay-gateway's commands, and the members of the arguments that they become.
 */
#include "gateway/gateway_flags.h"

const struct setpay_flag setpay_gateway_cutoff_flags[] = {
    {"issuer", SETPAY_FLAG_TEXT, "issuer"},
    {"wait", SETPAY_FLAG_NUMBER, "wait"},
    {0},
};
const struct setpay_flag setpay_gateway_batch_list_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},     {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {"open", SETPAY_FLAG_SWITCH, "open"},     {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"before", SETPAY_FLAG_NUMBER, "before"}, {0},
};
const struct setpay_flag setpay_gateway_batch_show_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {"batch", SETPAY_FLAG_NUMBER, "batch"},
    {0},
};
const struct setpay_flag setpay_gateway_batch_evidence_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},   {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {"batch", SETPAY_FLAG_NUMBER, "batch"}, {"o", SETPAY_FLAG_TEXT, "output"},
    {"output", SETPAY_FLAG_TEXT, "output"}, {0},
};
const struct setpay_flag setpay_gateway_advice_list_flags[] = {
    {"stuck", SETPAY_FLAG_SWITCH, "stuck"},
    {"refused", SETPAY_FLAG_SWITCH, "refused"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"after", SETPAY_FLAG_NUMBER, "after"},
    {0},
};
const struct setpay_flag setpay_gateway_advice_off_flags[] = {
    {"advice", SETPAY_FLAG_NUMBER, "advice"},
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {0},
};
const struct setpay_flag setpay_gateway_presentment_list_flags[] = {
    {"stuck", SETPAY_FLAG_SWITCH, "stuck"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"after", SETPAY_FLAG_NUMBER, "after"},
    {0},
};
const struct setpay_flag setpay_gateway_presentment_off_flags[] = {
    {"presentment", SETPAY_FLAG_NUMBER, "presentment"},
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {0},
};
const struct setpay_flag setpay_gateway_reversal_list_flags[] = {
    {"stuck", SETPAY_FLAG_SWITCH, "stuck"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"after", SETPAY_FLAG_NUMBER, "after"},
    {0},
};
const struct setpay_flag setpay_gateway_reversal_off_flags[] = {
    {"reversal", SETPAY_FLAG_NUMBER, "reversal"},
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {0},
};
const struct setpay_flag setpay_gateway_verify_flags[] = {{"from", SETPAY_FLAG_TEXT, "from"}, {0}};
const struct setpay_flag setpay_gateway_merchant_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"id", SETPAY_FLAG_TEXT, "id"},
    {0},
};
const struct setpay_flag setpay_gateway_add_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"id", SETPAY_FLAG_TEXT, "id"},
    {"name", SETPAY_FLAG_TEXT, "name"},
    {"category", SETPAY_FLAG_NUMBER, "category"},
    {"zone", SETPAY_FLAG_TEXT, "zone"},
    {"cut-off", SETPAY_FLAG_TEXT, "cut_off"},
    {"reserve-percent", SETPAY_FLAG_TEXT, "reserve_percent"},
    {"reserve-days", SETPAY_FLAG_NUMBER, "reserve_days"},
    {"if-absent", SETPAY_FLAG_SWITCH, "if_absent"},
    {0},
};
const struct setpay_flag setpay_gateway_set_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"id", SETPAY_FLAG_TEXT, "id"},
    {"name", SETPAY_FLAG_TEXT, "name"},
    {"category", SETPAY_FLAG_NUMBER, "category"},
    {"zone", SETPAY_FLAG_TEXT, "zone"},
    {"cut-off", SETPAY_FLAG_TEXT, "cut_off"},
    {"reserve-percent", SETPAY_FLAG_TEXT, "reserve_percent"},
    {"reserve-days", SETPAY_FLAG_NUMBER, "reserve_days"},
    {0},
};
const struct setpay_flag setpay_gateway_paid_flags[] = {
    {"issuer", SETPAY_FLAG_TEXT, "issuer"},
    {"amount", SETPAY_FLAG_TEXT, "amount"},
    {"currency", SETPAY_FLAG_TEXT, "currency"},
    {"date", SETPAY_FLAG_TEXT, "date"},
    {"reference", SETPAY_FLAG_TEXT, "reference"},
    {"file", SETPAY_FLAG_TEXT, "file"},
    {0},
};
const struct setpay_flag setpay_gateway_paid_to_flags[] = {
    {"issuer", SETPAY_FLAG_TEXT, "issuer"},       {"amount", SETPAY_FLAG_TEXT, "amount"},
    {"currency", SETPAY_FLAG_TEXT, "currency"},   {"date", SETPAY_FLAG_TEXT, "date"},
    {"reference", SETPAY_FLAG_TEXT, "reference"}, {0},
};
const struct setpay_flag setpay_gateway_undo_flags[] = {
    {"issuer", SETPAY_FLAG_TEXT, "issuer"},
    {"reference", SETPAY_FLAG_TEXT, "reference"},
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {0},
};
const struct setpay_flag setpay_gateway_payments_flags[] = {
    {"issuer", SETPAY_FLAG_TEXT, "issuer"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {0},
};
const struct setpay_flag setpay_gateway_payout_list_flags[] = {
    {"state", SETPAY_FLAG_TEXT, "state"},
    {"currency", SETPAY_FLAG_TEXT, "currency"},
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"after", SETPAY_FLAG_NUMBER, "after"},
    {0},
};
const struct setpay_flag setpay_gateway_payout_files_flags[] = {
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {0},
};
const struct setpay_flag setpay_gateway_payout_send_flags[] = {
    {"currency", SETPAY_FLAG_TEXT, "currency"},
    {"date", SETPAY_FLAG_TEXT, "date"},
    {"force", SETPAY_FLAG_SWITCH, "force"},
    {"leave", SETPAY_FLAG_TEXTS, "leave"},
    {"o", SETPAY_FLAG_TEXT, "output"},
    {"output", SETPAY_FLAG_TEXT, "output"},
    {"clock-is-right", SETPAY_FLAG_SWITCH, "clock_is_right"},
    {0},
};
const struct setpay_flag setpay_gateway_payout_paid_flags[] = {
    {"whole-file", SETPAY_FLAG_SWITCH, "whole_file"},
    {"reference", SETPAY_FLAG_TEXT, "reference"},
    {"date", SETPAY_FLAG_TEXT, "date"},
    {0},
};
const struct setpay_flag setpay_gateway_payout_returned_flags[] = {
    {"whole-file", SETPAY_FLAG_SWITCH, "whole_file"},
    {"reference", SETPAY_FLAG_TEXT, "reference"},
    {"date", SETPAY_FLAG_TEXT, "date"},
    {"code", SETPAY_FLAG_TEXT, "code"},
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {0},
};
const struct setpay_flag setpay_gateway_payout_set_aside_flags[] = {
    {"reason", SETPAY_FLAG_TEXT, "reason"}, {0}};
const struct setpay_flag setpay_gateway_payout_undo_flags[] = {
    {"whole-file", SETPAY_FLAG_SWITCH, "whole_file"},
    {"reference", SETPAY_FLAG_TEXT, "reference"},
    {"word", SETPAY_FLAG_TEXT, "word"},
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {0},
};
const struct setpay_flag setpay_gateway_clear_flags[] = {
    {"to", SETPAY_FLAG_TEXT, "to"},
    {"reason", SETPAY_FLAG_TEXT, "reason"},
    {"amount", SETPAY_FLAG_MONEY, NULL},
    {0},
};
const struct setpay_flag setpay_gateway_suspense_flags[] = {
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"after", SETPAY_FLAG_TEXT, "after"},
    {0},
};
const struct setpay_flag setpay_gateway_import_flags[] = {
    {"issuer", SETPAY_FLAG_TEXT, "issuer"},
    {"skip", SETPAY_FLAG_TEXTS, "skip"},
    {0},
};
const struct setpay_flag setpay_gateway_dispute_flags[] = {
    {"outcome", SETPAY_FLAG_TEXT, "outcome"},
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {0},
};
const struct setpay_flag setpay_gateway_evidence_flags[] = {
    {"o", SETPAY_FLAG_TEXT, "output"},
    {"output", SETPAY_FLAG_TEXT, "output"},
    {0},
};
const struct setpay_flag setpay_gateway_settle_flags[] = {
    {"date", SETPAY_FLAG_TEXT, "date"}, {"force", SETPAY_FLAG_SWITCH, "force"}, {0}};
const struct setpay_flag setpay_gateway_step_over_flags[] = {
    {"date", SETPAY_FLAG_TEXT, "day"}, {"reason", SETPAY_FLAG_TEXT, "reason"}, {0}};
const struct setpay_flag setpay_gateway_report_flags[] = {
    {"date", SETPAY_FLAG_TEXT, "day"},
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {"format", SETPAY_FLAG_TEXT, "format"},
    {0},
};
const struct setpay_flag setpay_gateway_clearing_flags[] = {
    {"date", SETPAY_FLAG_TEXT, "day"},
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {0},
};
const struct setpay_flag setpay_gateway_reconcile_flags[] = {
    {"issuer", SETPAY_FLAG_TEXT, "issuer"},
    {"late-hours", SETPAY_FLAG_NUMBER, "late_hours"},
    {"from", SETPAY_FLAG_TEXT, "from"},
    {"to", SETPAY_FLAG_TEXT, "to"},
    {0},
};
const struct setpay_flag setpay_gateway_audit_flags[] = {
    {"clearing", SETPAY_FLAG_TEXTS, "clearing_files"},
    {"merchant", SETPAY_FLAG_TEXTS, "merchant_files"},
    {0},
};
const struct setpay_flag setpay_gateway_list_flags[] = {
    {"state", SETPAY_FLAG_TEXT, "state"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"before", SETPAY_FLAG_NUMBER, "before"},
    {0},
};
const struct setpay_flag setpay_gateway_show_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"merchant-id", SETPAY_FLAG_TEXT, "merchant_id"},
    {0},
};
