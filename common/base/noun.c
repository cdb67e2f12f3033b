/*
 * One and many.
 */
#include "common/base/noun.h"

const char *setpay_noun(int64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}
