/* Every content by the number that stands first in an input of the target contents. Numbers stay:
 * the corpus holds them. */
#ifndef SETPAY_TESTS_FUZZ_LAYOUTS_H
#define SETPAY_TESTS_FUZZ_LAYOUTS_H

#include "common/wire/layouts.h"
#include "common/wire/parts_layout.h"

static const struct setpay_wire_layout *const fuzz_layouts[] = {
    &setpay_layout_pinit_req,
    &setpay_layout_pinit_res,
    &setpay_layout_oi,
    &setpay_layout_pi,
    &setpay_layout_sealed_instruction,
    &setpay_layout_preq,
    &setpay_layout_pres,
    &setpay_layout_inq_req,
    &setpay_layout_auth_req,
    &setpay_layout_auth_res,
    &setpay_layout_auth_rev_req,
    &setpay_layout_auth_rev_res,
    &setpay_layout_pcert_req,
    &setpay_layout_pcert_res,
    &setpay_layout_receipt,
    &setpay_layout_error_report,
    &setpay_layout_sealed_receipt,
    &setpay_layout_step_req,
    &setpay_layout_step_res,
    &setpay_layout_batch_admin_req,
    &setpay_layout_batch_admin_res,
    &setpay_layout_cancellation,
    &setpay_layout_can_req,
    &setpay_layout_auth_can_req,
    &setpay_layout_auth_can_res,
};
#define FUZZ_LAYOUT_COUNT (sizeof(fuzz_layouts) / sizeof(fuzz_layouts[0]))

#endif
