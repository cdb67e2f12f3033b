/* Mutations of protobuf messages that keep tags and lengths whole. */
#ifndef SETPAY_TESTS_FUZZ_MUTATE_H
#define SETPAY_TESTS_FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's own. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* Changes one field, at some depth, of the message behind the first skip bytes; every second time,
 * and where there is no message, as libFuzzer does it. Returns the new size. */
size_t fuzz_mutate_message(uint8_t *data, size_t size, size_t max_size, unsigned seed, size_t skip);

#endif
