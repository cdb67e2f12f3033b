/*
 * A stream of any length under a key: a head of one line in the clear, then boxes (seal.h) of a
 * bounded size, each of which says which head, which place and whether it is the last one: none can
 * be changed, moved, left out or cut off unseen.
 */
#ifndef SETPAY_NET_SEALED_H
#define SETPAY_NET_SEALED_H

#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/net/archive.h"

#define SETPAY_SEALED_HEAD_MAX 512
#define SETPAY_SEALED_MAGIC "setpay sealed backup " /* how a head begins */

struct setpay_sealed;

/* Writes the head (its line end is part of it). key (32 bytes, for this use alone) and head are
 * copied, out is kept. */
enum setpay_error setpay_sealed_writer_new(struct setpay_stream out,
                                           const struct setpay_secret *key, struct setpay_view head,
                                           struct setpay_sealed **sealed) SETPAY_MUST_CHECK;
/* The last box. At least one byte must have been put. */
enum setpay_error setpay_sealed_finish(struct setpay_sealed *sealed) SETPAY_MUST_CHECK;

/* in stands behind the head. Its get gives SETPAY_E_CRYPTO where a box does not open, and where the
 * stream ends without its last one. */
enum setpay_error setpay_sealed_reader_new(struct setpay_stream in, const struct setpay_secret *key,
                                           struct setpay_view head,
                                           struct setpay_sealed **sealed) SETPAY_MUST_CHECK;

struct setpay_stream setpay_sealed_stream(struct setpay_sealed *sealed);
/* NULL-safe. */
void setpay_sealed_free(struct setpay_sealed *sealed);

#endif
