/*
 * Looking through the days that were settled: in their order, but for what a person has stepped
 * over.
 */
#include "gateway/clearing/look.h"

enum setpay_error setpay_look_ahead(struct setpay_look *look)
{
    SETPAY_TRY(setpay_look_each_row(
        look,
        "SELECT 'settlement ' || later.id || ' (' || later.brand || ' ' || later.merchant_id ||"
        " ', ' || later.currency || ', ' || later.day || ')' FROM settlement AS later WHERE EXISTS"
        " (SELECT 1 FROM settlement AS earlier WHERE earlier.brand = later.brand"
        " AND earlier.merchant_id = later.merchant_id AND earlier.currency = later.currency"
        " AND earlier.day > later.day AND earlier.id < later.id AND NOT EXISTS"
        " (SELECT 1 FROM settlement_stepped_over AS over WHERE over.settlement_id = earlier.id"
        " AND over.created_ms <= later.created_ms)) ORDER BY later.id",
        "settled though a day behind it was, which nobody had stepped over:"));
    return setpay_look_each_row(
        look,
        "SELECT 'settlement ' || settlement_id FROM settlement_stepped_over AS over WHERE NOT "
        "EXISTS"
        " (SELECT 1 FROM settlement WHERE settlement.id = over.settlement_id"
        " AND settlement.cut_off_ms > over.created_ms) ORDER BY settlement_id",
        "stepped over, and there is no such settlement of a day to come:");
}
