/*
 * Sealed streams: u32be size || box, again and again.
 */
#include "common/net/sealed.h"

#include "common/crypto/hash.h"
#include "common/crypto/seal.h"

#include <stdlib.h>
#include <string.h>

#define PIECE (32 * 1024)

struct setpay_sealed {
    struct setpay_stream under;
    struct setpay_secret key;
    struct setpay_buffer head;
    struct setpay_buffer plain; /* gathered, or not yet taken */
    size_t taken;               /* of plain */
    struct setpay_buffer box;
    uint64_t number;
    bool ended; /* the last box was read */
};

static enum setpay_error aad_of(const struct setpay_sealed *sealed, bool last,
                                struct setpay_digest *aad)
{
    struct setpay_hash hash;
    setpay_hash_init(&hash, "sealed stream");
    setpay_hash_add(&hash, setpay_buffer_view(&sealed->head));
    setpay_hash_add_u64(&hash, sealed->number);
    setpay_hash_add_u64(&hash, last ? 1 : 0);
    return setpay_hash_final(&hash, aad);
}

static enum setpay_error sealed_new(struct setpay_stream under, const struct setpay_secret *key,
                                    struct setpay_view head, struct setpay_sealed **out)
{
    struct setpay_sealed *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->under = under;
    setpay_buffer_init(&made->head, SETPAY_SEALED_HEAD_MAX);
    setpay_buffer_init(&made->plain, PIECE);
    setpay_buffer_init(&made->box, PIECE + SETPAY_BOX_OVERHEAD);
    enum setpay_error error = setpay_secret_copy(&made->key, setpay_secret_view(key));
    if (error == SETPAY_OK)
        error = setpay_buffer_set(&made->head, head);
    if (error != SETPAY_OK) {
        setpay_sealed_free(made);
        return error;
    }
    *out = made;
    return SETPAY_OK;
}

void setpay_sealed_free(struct setpay_sealed *sealed)
{
    if (sealed == NULL)
        return;
    setpay_secret_clear(&sealed->key);
    setpay_buffer_clear(&sealed->head);
    setpay_buffer_clear(&sealed->plain);
    setpay_buffer_clear(&sealed->box);
    free(sealed);
}

/* ------------------------------------------------------------------ writing */

static enum setpay_error put_box(struct setpay_sealed *sealed, bool last)
{
    struct setpay_digest aad;
    uint8_t size[4];
    SETPAY_TRY(aad_of(sealed, last, &aad));
    SETPAY_TRY(setpay_box_seal(&sealed->key, setpay_digest_view(&aad),
                               setpay_buffer_view(&sealed->plain), &sealed->box));
    setpay_write_u32be(size, (uint32_t)sealed->box.size);
    SETPAY_TRY(sealed->under.put(sealed->under.self, setpay_view_of(size, sizeof size)));
    SETPAY_TRY(sealed->under.put(sealed->under.self, setpay_buffer_view(&sealed->box)));
    sealed->number++;
    setpay_buffer_reset(&sealed->plain);
    return SETPAY_OK;
}

/* A full piece waits until more comes: it may be the last. */
static enum setpay_error put_plain(void *self, struct setpay_view bytes)
{
    struct setpay_sealed *sealed = self;
    while (bytes.size > 0) {
        if (sealed->plain.size == PIECE)
            SETPAY_TRY(put_box(sealed, false));
        size_t room = PIECE - sealed->plain.size;
        size_t size = bytes.size < room ? bytes.size : room;
        SETPAY_TRY(setpay_buffer_append(&sealed->plain, setpay_view_of(bytes.data, size)));
        bytes = setpay_view_of(bytes.data + size, bytes.size - size);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_sealed_writer_new(struct setpay_stream out,
                                           const struct setpay_secret *key, struct setpay_view head,
                                           struct setpay_sealed **sealed)
{
    struct setpay_sealed *made = NULL;
    SETPAY_TRY(sealed_new(out, key, head, &made));
    enum setpay_error error = out.put(out.self, head);
    if (error != SETPAY_OK) {
        setpay_sealed_free(made);
        return error;
    }
    *sealed = made;
    return SETPAY_OK;
}

enum setpay_error setpay_sealed_finish(struct setpay_sealed *sealed)
{
    return put_box(sealed, true);
}

/* ------------------------------------------------------------------ reading */

/* Exactly size bytes. SETPAY_E_CRYPTO at the end of the stream: it was cut off. */
static enum setpay_error get_all(struct setpay_sealed *sealed, uint8_t *room, size_t size)
{
    size_t held = 0;
    while (held < size) {
        size_t got = 0;
        SETPAY_TRY(sealed->under.get(sealed->under.self, room + held, size - held, &got));
        if (got == 0)
            return SETPAY_E_CRYPTO;
        held += got;
    }
    return SETPAY_OK;
}

static enum setpay_error open_box(struct setpay_sealed *sealed, bool last)
{
    struct setpay_digest aad;
    struct setpay_secret plain = {0};
    SETPAY_TRY(aad_of(sealed, last, &aad));
    SETPAY_TRY(setpay_box_open(&sealed->key, setpay_digest_view(&aad),
                               setpay_buffer_view(&sealed->box), &plain));
    enum setpay_error error = setpay_buffer_set(&sealed->plain, setpay_secret_view(&plain));
    setpay_secret_clear(&plain);
    return error;
}

static enum setpay_error get_box(struct setpay_sealed *sealed)
{
    uint8_t size_bytes[4];
    uint8_t *room = NULL;
    SETPAY_TRY(get_all(sealed, size_bytes, sizeof size_bytes));
    size_t size = setpay_read_u32be(size_bytes);
    if (size <= SETPAY_BOX_OVERHEAD || size > PIECE + SETPAY_BOX_OVERHEAD)
        return SETPAY_E_CRYPTO;
    setpay_buffer_reset(&sealed->box);
    SETPAY_TRY(setpay_buffer_extend(&sealed->box, size, &room));
    SETPAY_TRY(get_all(sealed, room, size));
    enum setpay_error error = open_box(sealed, false);
    if (error == SETPAY_E_CRYPTO) {
        error = open_box(sealed, true);
        sealed->ended = error == SETPAY_OK;
    }
    sealed->number++;
    sealed->taken = 0;
    return error;
}

static enum setpay_error get_plain(void *self, uint8_t *room, size_t size, size_t *got)
{
    struct setpay_sealed *sealed = self;
    *got = 0;
    if (sealed->taken == sealed->plain.size && !sealed->ended)
        SETPAY_TRY(get_box(sealed));
    size_t left = sealed->plain.size - sealed->taken;
    *got = left < size ? left : size;
    if (*got > 0)
        memcpy(room, sealed->plain.data + sealed->taken, *got);
    sealed->taken += *got;
    return SETPAY_OK;
}

enum setpay_error setpay_sealed_reader_new(struct setpay_stream in, const struct setpay_secret *key,
                                           struct setpay_view head, struct setpay_sealed **sealed)
{
    return sealed_new(in, key, head, sealed);
}

struct setpay_stream setpay_sealed_stream(struct setpay_sealed *sealed)
{
    return (struct setpay_stream){put_plain, get_plain, sealed};
}
