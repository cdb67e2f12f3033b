/*
 * The layouts of all contents: for the codec's own files, and for tests that go through every
 * message by its table.
 */
#ifndef SETPAY_WIRE_LAYOUTS_H
#define SETPAY_WIRE_LAYOUTS_H

#include "common/wire/layout.h"

extern const struct setpay_wire_layout setpay_layout_pinit_req;
extern const struct setpay_wire_layout setpay_layout_pinit_res;
extern const struct setpay_wire_layout setpay_layout_oi;
extern const struct setpay_wire_layout setpay_layout_pi;
extern const struct setpay_wire_layout setpay_layout_sealed_instruction;
extern const struct setpay_wire_layout setpay_layout_preq;
extern const struct setpay_wire_layout setpay_layout_pres;
extern const struct setpay_wire_layout setpay_layout_inq_req;
extern const struct setpay_wire_layout setpay_layout_auth_req;
extern const struct setpay_wire_layout setpay_layout_auth_res;
extern const struct setpay_wire_layout setpay_layout_auth_rev_req;
extern const struct setpay_wire_layout setpay_layout_auth_rev_res;
extern const struct setpay_wire_layout setpay_layout_step_req;
extern const struct setpay_wire_layout setpay_layout_step_res;
extern const struct setpay_wire_layout setpay_layout_batch_admin_req;
extern const struct setpay_wire_layout setpay_layout_batch_admin_res;
extern const struct setpay_wire_layout setpay_layout_cancellation;
extern const struct setpay_wire_layout setpay_layout_can_req;
extern const struct setpay_wire_layout setpay_layout_auth_can_req;
extern const struct setpay_wire_layout setpay_layout_auth_can_res;
extern const struct setpay_wire_layout setpay_layout_pcert_req;
extern const struct setpay_wire_layout setpay_layout_pcert_res;
extern const struct setpay_wire_layout setpay_layout_receipt;
extern const struct setpay_wire_layout setpay_layout_error_report;

#endif
