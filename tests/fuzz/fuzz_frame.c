/*
 * The header of a frame: within the limit or refused, and the same bytes again when it is built.
 * Input: 12 bytes; the limit in three more.
 */
#include "common/net/frame.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check_header(const uint8_t in[SETPAY_FRAME_HEADER_BYTES], size_t max)
{
    struct setpay_frame_header header;
    uint8_t out[SETPAY_FRAME_HEADER_BYTES];
    uint32_t length = setpay_read_u32be(in);
    fuzz_stain(&header, sizeof(header));
    enum setpay_error error = setpay_frame_header_parse(in, max, &header);
    if (error != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&header, sizeof(header)));
        FUZZ_CHECK(error ==
                   (length <= SETPAY_FRAME_ID_BYTES ? SETPAY_E_MALFORMED : SETPAY_E_TOO_BIG));
        return;
    }
    FUZZ_CHECK(header.payload_size >= 1 && header.payload_size <= max);
    setpay_frame_header_build(&header, out);
    FUZZ_CHECK(memcmp(in, out, sizeof(out)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = {data, size};
    struct setpay_view header = fuzz_take_bytes(&input, SETPAY_FRAME_HEADER_BYTES);
    if (header.size < SETPAY_FRAME_HEADER_BYTES)
        return 0;
    size_t max = (size_t)fuzz_take(&input) << 16;
    max |= (size_t)fuzz_take(&input) << 8;
    max |= fuzz_take(&input);
    check_header(header.data, SETPAY_LIMIT_MESSAGE_BYTES);
    check_header(header.data, max);
    return 0;
}
