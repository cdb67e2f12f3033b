/*
 * What the shop says of itself: whom it can be asked, what may be sent back, its terms, what it
 * keeps of people. Its owner's words, plain text, each a page at /about/NAME; what there is no text
 * for has no page, and nothing leads there.
 *
 * One for all workers; its functions may be called by any thread.
 */
#ifndef SETPAY_MERCHANT_WWW_TEXTS_H
#define SETPAY_MERCHANT_WWW_TEXTS_H

#include "common/base/error.h"

#include <jansson.h>

#define SETPAY_TEXT_BYTES_MAX 65536

enum setpay_text {
    SETPAY_TEXT_CONTACT,
    SETPAY_TEXT_RETURNS,
    SETPAY_TEXT_TERMS,
    SETPAY_TEXT_PRIVACY,
    SETPAY_TEXTS
};

struct setpay_texts;

enum setpay_error setpay_texts_new(struct setpay_texts **texts) SETPAY_MUST_CHECK;
/* NULL-safe. */
void setpay_texts_free(struct setpay_texts *texts);
/* All of them, from now on. Takes each (malloc()); NULL: there is none. */
void setpay_texts_set(struct setpay_texts *texts, char *const words[SETPAY_TEXTS]);

/* "contact"; the title of its page. */
const char *setpay_text_name(enum setpay_text text);
const char *setpay_text_title(enum setpay_text text);

/* Those that there are: [{"slug","name"}]. Owned; NULL without memory. texts NULL: none. */
json_t *setpay_texts_list(struct setpay_texts *texts);
/* The words of one by its name, and which it is. Owned (free()). SETPAY_E_NOT_FOUND,
 * SETPAY_E_NOMEM. */
enum setpay_error setpay_texts_find(struct setpay_texts *texts, const char *name,
                                    enum setpay_text *text, char **words) SETPAY_MUST_CHECK;

#endif
