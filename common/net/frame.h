/*
 * The frame between merchant and gateway, and who is at the other end.
 *
 *     u32be length of what follows | u64be request id | payload (one packed Message)
 *
 * The id is the client's choice and only pairs an answer with its request on one connection.
 */
#ifndef SETPAY_NET_FRAME_H
#define SETPAY_NET_FRAME_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/limits.h"

#include <stddef.h>
#include <stdint.h>

#define SETPAY_FRAME_LENGTH_BYTES 4
#define SETPAY_FRAME_ID_BYTES 8
#define SETPAY_FRAME_HEADER_BYTES (SETPAY_FRAME_LENGTH_BYTES + SETPAY_FRAME_ID_BYTES)

struct setpay_frame_header {
    size_t payload_size;
    uint64_t request_id;
};

/* Writes the 12 bytes of a header. payload_size fits in 32 bits less the id. */
void setpay_frame_header_build(const struct setpay_frame_header *header,
                               uint8_t out[SETPAY_FRAME_HEADER_BYTES]);
/* Reads the 12 bytes. A payload above payload_max or a length below the id's: SETPAY_E_TOO_BIG,
 * SETPAY_E_MALFORMED; nothing of the payload has then been read (rule A1). An empty payload is
 * SETPAY_E_MALFORMED too: no Message is empty. */
enum setpay_error setpay_frame_header_parse(const uint8_t in[SETPAY_FRAME_HEADER_BYTES],
                                            size_t payload_max,
                                            struct setpay_frame_header *header) SETPAY_MUST_CHECK;

/* Names a connection of one server. Never zero; a connection that has gone is not found again,
 * since the generation of its slot moves on. */
struct setpay_frame_handle {
    uint32_t slot;
    uint32_t generation;
};

#endif
