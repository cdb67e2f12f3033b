/*
 * The twelve bytes before each payload. What is refused here is refused before a byte of the
 * payload is kept: the length is the only word of a peer that costs memory.
 */
#include "common/net/frame.h"

void setpay_frame_header_build(const struct setpay_frame_header *header,
                               uint8_t out[SETPAY_FRAME_HEADER_BYTES])
{
    setpay_write_u32be(out, (uint32_t)(header->payload_size + SETPAY_FRAME_ID_BYTES));
    setpay_write_u64be(out + SETPAY_FRAME_LENGTH_BYTES, header->request_id);
}

enum setpay_error setpay_frame_header_parse(const uint8_t in[SETPAY_FRAME_HEADER_BYTES],
                                            size_t payload_max, struct setpay_frame_header *header)
{
    uint32_t length = setpay_read_u32be(in);
    if (length <= SETPAY_FRAME_ID_BYTES)
        return SETPAY_E_MALFORMED;
    if (length - SETPAY_FRAME_ID_BYTES > payload_max)
        return SETPAY_E_TOO_BIG; /* rule A1 */
    header->payload_size = length - SETPAY_FRAME_ID_BYTES;
    header->request_id = setpay_read_u64be(in + SETPAY_FRAME_LENGTH_BYTES);
    return SETPAY_OK;
}
