/*
 * One request of a shopper: who it is by the cart's cookie, and whether a form has come from a page
 * of ours.
 *
 * The cookie holds 16 random bytes and nothing else; the database knows the digest of them alone.
 * Over TLS its name begins with __Host-, so that no neighbour's host, and nobody in the clear, can
 * plant one that is theirs too. It stays the same from the first page to the order and behind it:
 * another one at the checkout would make forms of pages that stand open elsewhere void, and lose
 * the cart where the answer that has it is lost; and it would hide nothing, since no address is
 * kept with the cart, and no order is shown for the cookie (checkout_page.c).
 *
 * A form is taken where all of this holds: the cookie was sent (SameSite=Lax: not with a form of
 * another site), the browser does not say that it comes from elsewhere (Sec-Fetch-Site, Origin),
 * and it carries the token, which is derived from the cookie's id and stands only in pages that
 * were given to its holder.
 */
#ifndef SETPAY_MERCHANT_WWW_VISIT_H
#define SETPAY_MERCHANT_WWW_VISIT_H

#include "common/base/ids.h"
#include "merchant/store/cart.h"
#include "merchant/store/www/form.h"
#include "merchant/store/www/www_internal.h"

struct setpay_visit {
    bool is_new;                          /* the browser has no cookie yet */
    char id[SETPAY_BASE64URL_SIZE(16)];   /* secret */
    struct setpay_digest cart_id;         /* of its cart in the database */
    bool has_client;                      /* its address is known */
    struct setpay_digest client;          /* of its address (guard.h) */
    char csrf[SETPAY_BASE64URL_SIZE(32)]; /* of its forms */
    char cookie[160];                     /* Set-Cookie */
};

/* Its cart is kept, within what its address may have. Inside an operation. */
enum setpay_error setpay_visit_keep_cart(struct setpay_db *db, const struct setpay_www *www,
                                         const struct setpay_visit *visit, struct setpay_cart *cart,
                                         setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* SETPAY_E_RANDOM, SETPAY_E_CRYPTO. */
enum setpay_error setpay_visit_begin(const struct setpay_www *www,
                                     const struct setpay_http_request *request,
                                     struct setpay_visit *visit) SETPAY_MUST_CHECK;
/* The form of a POST; false: it was refused, and the request is answered. Clear it after true. */
bool setpay_visit_read_form(struct setpay_www *www, struct setpay_http_request *request,
                            const struct setpay_visit *visit, struct setpay_form *form);

/* Inside a read: what every page shows around its content, into values: categories, how many pieces
 * are in the cart, the currency, those that there are to choose from where there are several, and
 * the token of forms. A page on which one is chosen says in "here" where that leads. cart is
 * filled. */
enum setpay_error setpay_visit_frame(struct setpay_db *db, const struct setpay_www *www,
                                     const struct setpay_visit *visit, struct setpay_cart *cart,
                                     json_t *values) SETPAY_MUST_CHECK;
/* The shop's, with the currency that the shopper has chosen, where the shop sells in it. */
struct setpay_shop_settings setpay_visit_settings(const struct setpay_www *www,
                                                  const struct setpay_cart *cart);
/* The shopper's choice of a currency, into the cart. SETPAY_E_INVALID: the shop does not sell in
 * it; SETPAY_VISIT_NO_CURRENCY are the words for that. */
enum setpay_error setpay_visit_choose(const struct setpay_www *www, const char *code,
                                      struct setpay_cart *cart) SETPAY_MUST_CHECK;
#define SETPAY_VISIT_NO_CURRENCY "The shop does not sell in that currency. Nothing was changed."

/* Ends the request with a page, which sets the cookie where it is new. values is taken. */
void setpay_visit_reply(struct setpay_www *www, struct setpay_http_request *request,
                        const struct setpay_visit *visit, int status, enum setpay_www_page page,
                        const char *title, json_t *values);
/* 303 to a path of ours. */
void setpay_visit_go_to(struct setpay_www *www, struct setpay_http_request *request,
                        const struct setpay_visit *visit, const char *path);
/* Ends the request with the page of the form's product ("product"), where it can't be put into the
 * cart as it was sent; with what was typed, and why. */
void setpay_www_reply_product(struct setpay_www *www, struct setpay_http_request *request,
                              const struct setpay_visit *visit, const struct setpay_form *form);
/* Ends the request with the page of an error of store or memory, logged. */
void setpay_visit_fail(struct setpay_www *www, struct setpay_http_request *request,
                       enum setpay_error error);

#endif
