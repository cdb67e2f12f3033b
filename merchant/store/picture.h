/*
 * Pictures of products. They are kept in the database, each once by the digest of its bytes: so
 * they are in every backup, change together with their product, and never change under an address.
 *
 * A picture comes from the shop's owner and is shown to strangers. Whoever serves one sends
 * SETPAY_PICTURE_POLICY with it, under which nothing in it runs or is fetched, and what claims to
 * be a picture and is none, or is an SVG with a script in it, is not taken in the first place.
 */
#ifndef SETPAY_MERCHANT_STORE_PICTURE_H
#define SETPAY_MERCHANT_STORE_PICTURE_H

#include "common/base/bytes.h"
#include "merchant/store/product.h"

#define SETPAY_PICTURE_BYTES_MAX (512 * 1024)
#define SETPAY_PICTURES_MAX 12 /* of one product */
#define SETPAY_PICTURE_ALT_BYTES 256

/* Content-Security-Policy of a picture, also when it is opened by itself. */
#define SETPAY_PICTURE_POLICY                                                                      \
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; "       \
    "sandbox"

/* Stored. */
enum setpay_picture_type {
    SETPAY_PICTURE_SVG = 1,
    SETPAY_PICTURE_PNG = 2,
    SETPAY_PICTURE_JPEG = 3,
    SETPAY_PICTURE_WEBP = 4,
};
/* "image/svg+xml"; NULL for a number that is none. */
const char *setpay_picture_type_name(enum setpay_picture_type type);
/* SETPAY_E_INVALID for another one. */
enum setpay_error setpay_picture_type_parse(const char *name,
                                            enum setpay_picture_type *type) SETPAY_MUST_CHECK;
/* Pure: SETPAY_E_INVALID, with *expected in words, where the bytes are not such a picture. */
enum setpay_error setpay_picture_check(enum setpay_picture_type type, struct setpay_view bytes,
                                       const char **expected) SETPAY_MUST_CHECK;

/* Pure: which kind of PNG, JPEG or WebP it is, by its bytes. SETPAY_E_INVALID: none of these. */
enum setpay_error setpay_picture_guess(struct setpay_view bytes,
                                       enum setpay_picture_type *type) SETPAY_MUST_CHECK;

/* {"type","alt","data"} as setpay_picture_add takes it; NULL where memory is out. */
json_t *setpay_picture_body(const char *type, const char *alt, struct setpay_view bytes);

/* The bytes into *bytes (max SETPAY_PICTURE_BYTES_MAX). digest: 64 hexadecimal digits, or whatever
 * a stranger has written. SETPAY_E_NOT_FOUND. */
enum setpay_error setpay_picture_find(struct setpay_db *db, const char *digest,
                                      enum setpay_picture_type *type,
                                      struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

/* The same as a read of the store. */
struct setpay_picture_show {
    const char *digest;
    enum setpay_picture_type type;
    struct setpay_buffer bytes;
};
enum setpay_error setpay_picture_read_show(struct setpay_db *db, void *show) SETPAY_MUST_CHECK;

enum setpay_error setpay_picture_list_json(struct setpay_db *db,
                                           const struct setpay_product *product,
                                           json_t **list) SETPAY_MUST_CHECK;
enum setpay_error setpay_picture_remove_all(struct setpay_db *db,
                                            int64_t product_seq) SETPAY_MUST_CHECK;

/* Acts; id: the product, sub: the picture's digest. */
setpay_shop_fn setpay_picture_list;
setpay_shop_fn setpay_picture_add; /* the same one once more changes its alt */
setpay_shop_fn setpay_picture_set; /* {"alt","position"}: its words, and where it stands */
setpay_shop_fn setpay_picture_remove;

#endif
