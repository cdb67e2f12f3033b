/* What the envelope holds: the very bytes of PI that were hashed, and their salt. Inside
 * common/wire only; purchase.h seals and opens. */
#ifndef SETPAY_WIRE_SEALED_INSTRUCTION_H
#define SETPAY_WIRE_SEALED_INSTRUCTION_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

struct setpay_sealed_instruction {
    struct setpay_secret pi;
    struct setpay_digest pi_salt;
};

/* As in messages.h; in secret memory both ways. */
enum setpay_error setpay_sealed_instruction_build(const struct setpay_sealed_instruction *message,
                                                  struct setpay_secret *bytes) SETPAY_MUST_CHECK;
enum setpay_error
setpay_sealed_instruction_parse(struct setpay_view bytes,
                                struct setpay_sealed_instruction *message) SETPAY_MUST_CHECK;
void setpay_sealed_instruction_clear(struct setpay_sealed_instruction *message);

#endif
