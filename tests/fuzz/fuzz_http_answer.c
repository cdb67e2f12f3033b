/*
 * The answer of a merchant's HTTP server, as the wallet reads it while it comes: what is found
 * complete is found so with more bytes behind it, and never with fewer; limits hold.
 */
#include "common/base/limits.h"
#include "common/net/http_answer.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define BODY_MAX 4096

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static enum setpay_error parse(struct setpay_view bytes, bool *complete,
                               struct setpay_http_message *message)
{
    fuzz_stain(message, sizeof(*message));
    *complete = false;
    enum setpay_error error = setpay_http_answer_parse(bytes, BODY_MAX, complete, message);
    if (error != SETPAY_OK || !*complete)
        FUZZ_CHECK(fuzz_is_stained(message, sizeof(*message)));
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_http_message whole, part;
    bool complete, earlier;
    enum setpay_error error = parse(setpay_view_of(data, size), &complete, &whole);
    /* As it comes, in some steps: an error or an end that shows early stays the same. */
    for (size_t at = 0; at < size; at += 1 + size / 16) {
        enum setpay_error then = parse(setpay_view_of(data, at), &earlier, &part);
        if (then != SETPAY_OK)
            FUZZ_CHECK(error != SETPAY_OK);
        if (then != SETPAY_OK || !earlier)
            continue;
        FUZZ_CHECK(error == SETPAY_OK && complete);
        FUZZ_CHECK(
            part.status == whole.status &&
            setpay_view_equal(setpay_buffer_view(&part.body), setpay_buffer_view(&whole.body)));
        setpay_buffer_clear(&part.body);
    }
    if (error != SETPAY_OK || !complete)
        return 0;
    FUZZ_CHECK(whole.status >= 200 && whole.status <= 999);
    FUZZ_CHECK(whole.body.size <= BODY_MAX && whole.body.size < size);
    FUZZ_CHECK(memchr(whole.content_type, '\0', sizeof(whole.content_type)) != NULL);
    setpay_buffer_clear(&whole.body);
    return 0;
}
