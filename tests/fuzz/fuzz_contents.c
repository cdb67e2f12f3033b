/*
 * Every content by its layout (rule A1): what parses packs to the same bytes again, what does not
 * leaves the output untouched, and clearing leaves nothing. Input: the number of the layout, then
 * the packed content.
 */
#include "common/base/limits.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/layouts.h"
#include "tests/fuzz/mutate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check_packing(const struct setpay_wire_layout *layout, const void *message,
                          struct setpay_view bytes)
{
    if (layout->secret) {
        struct setpay_secret again = {0};
        FUZZ_CHECK(setpay_wire_build_secret(layout, message, &again) == SETPAY_OK);
        FUZZ_CHECK(setpay_view_equal(setpay_secret_view(&again), bytes));
        setpay_secret_clear(&again);
        return;
    }
    struct setpay_buffer again;
    setpay_buffer_init(&again, SETPAY_LIMIT_CONTENT_BYTES);
    FUZZ_CHECK(setpay_wire_build(layout, message, &again) == SETPAY_OK);
    FUZZ_CHECK(setpay_view_equal(setpay_buffer_view(&again), bytes));
    setpay_buffer_clear(&again);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    return fuzz_mutate_message(data, size, max_size, seed, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view bytes = {data, size};
    const struct setpay_wire_layout *layout = fuzz_layouts[fuzz_take(&bytes) % FUZZ_LAYOUT_COUNT];
    uint8_t *message = malloc(layout->size);
    FUZZ_CHECK(message != NULL);
    fuzz_stain(message, layout->size);
    if (setpay_wire_parse(layout, bytes, message) == SETPAY_OK) {
        FUZZ_CHECK(bytes.size <= layout->maximum);
        check_packing(layout, message, bytes);
        setpay_wire_clear(layout, message);
        for (size_t i = 0; i < layout->size; i++)
            FUZZ_CHECK(message[i] == 0);
    } else {
        FUZZ_CHECK(fuzz_is_stained(message, layout->size));
    }
    free(message);
    return 0;
}
