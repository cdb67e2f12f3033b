/*
 * The steps of a merchant under audit, found by their id and by their batch: pure, and without a
 * walk through all of them.
 */
#include "gateway/audit_merchant.h"

#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
    const struct setpay_audit_step *one = a, *other = b;
    return memcmp(one->id.bytes, other->id.bytes, sizeof one->id.bytes);
}

static int to_batch(const struct setpay_audit_step *step, const char *brand, uint32_t batch)
{
    int order = strcmp(step->brand, brand);
    return order != 0 ? order : step->batch < batch ? -1 : step->batch > batch;
}

static int by_batch(const void *a, const void *b)
{
    const struct setpay_audit_step *one = *(struct setpay_audit_step *const *)a;
    const struct setpay_audit_step *other = *(struct setpay_audit_step *const *)b;
    int order = to_batch(one, other->brand, other->batch);
    return order != 0 ? order : by_id(one, other);
}

enum setpay_error setpay_audit_sort_steps(struct setpay_audit_run *run)
{
    run->by_batch = calloc(run->count + 1, sizeof *run->by_batch);
    if (run->by_batch == NULL)
        return SETPAY_E_NOMEM;
    if (run->count == 0)
        return SETPAY_OK;
    qsort(run->steps, run->count, sizeof *run->steps, by_id);
    for (size_t i = 0; i < run->count; i++)
        run->by_batch[i] = &run->steps[i];
    qsort(run->by_batch, run->count, sizeof *run->by_batch, by_batch);
    return SETPAY_OK;
}

struct setpay_audit_step *const *setpay_audit_batch_steps(const struct setpay_audit_run *run,
                                                          const char *brand, uint32_t batch,
                                                          size_t *count)
{
    size_t from = 0, to = run->count;
    while (from < to) { /* the first that is not before it */
        size_t middle = from + (to - from) / 2;
        bool is_before = to_batch(run->by_batch[middle], brand, batch) < 0;
        *(is_before ? &from : &to) = is_before ? middle + 1 : middle;
    }
    for (to = from; to < run->count && to_batch(run->by_batch[to], brand, batch) == 0;)
        to++;
    *count = to - from;
    return *count > 0 ? &run->by_batch[from] : NULL;
}

struct setpay_audit_step *setpay_audit_find_step(const struct setpay_audit_run *run,
                                                 const char *brand, const struct setpay_id *id)
{
    const struct setpay_audit_step key = {.id = *id};
    struct setpay_audit_step *step =
        bsearch(&key, run->steps, run->count, sizeof *run->steps, by_id);
    return step != NULL && strcmp(step->brand, brand) == 0 ? step : NULL;
}
