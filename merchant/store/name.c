/*
 * Random names: 20 times 5 bits out of 128, in an alphabet that nobody misreads.
 */
#include "merchant/store/name.h"

#include "common/base/ids.h"

#include <stddef.h>
#include <string.h>

enum setpay_error setpay_name_make(const char prefix[5], char *out)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    struct setpay_id random;
    unsigned held = 0;
    unsigned bits = 0;
    size_t at = 0;
    SETPAY_TRY(setpay_id_random(&random));
    memcpy(out, prefix, 4);
    for (size_t i = 4; i < SETPAY_NAME_SIZE - 1; i++) {
        if (held < 5) {
            bits = (bits << 8 | random.bytes[at++]) & 0xffff;
            held += 8;
        }
        held -= 5;
        out[i] = digits[bits >> held & 31];
    }
    out[SETPAY_NAME_SIZE - 1] = '\0';
    return SETPAY_OK;
}
