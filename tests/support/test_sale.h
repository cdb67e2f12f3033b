/*
 * One sale of the test's merchant (test_shop.h): from requests to what is said and signed. Used by
 * the server; tests see test_shop.h.
 */
#ifndef SETPAY_TEST_SALE_H
#define SETPAY_TEST_SALE_H

#include "tests/support/test_shop.h"

/* A sale for a PInitReq, kept by the shop. */
struct test_sale *test_sale_new(struct test_shop *shop, const struct setpay_message *request,
                                const struct test_cast *cast);
void test_sale_free(struct test_sale *sale);
/* The honest offer; it is the caller's to clear. */
void test_sale_offer(struct test_shop *shop, struct test_sale *sale,
                     struct setpay_pinit_res *offer);
/* The sale of a PReq, checked (rules M2, G3 hold, or the test ends here), opened, and booked by the
 * gateway; of an InqReq. */
struct test_sale *test_sale_take_preq(struct test_shop *shop, const struct setpay_message *request);
struct test_sale *test_sale_inquired(struct test_shop *shop, const struct setpay_message *request);
/* What an honest merchant says to either. The caller's to clear. */
void test_sale_word(struct test_shop *shop, struct test_sale *sale,
                    const struct setpay_message *request, const struct test_cast *cast,
                    struct setpay_pres *word);
/* Signs and packs, with certificates beside. */
void test_sale_message(const struct test_cast *cast, enum setpay_message_type type,
                       struct setpay_view content, bool with_gateway,
                       struct setpay_buffer *message);

#endif
