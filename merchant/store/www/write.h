/*
 * What a form of a shopper changes, as one operation of the store, and the answer after its commit.
 */
#ifndef SETPAY_MERCHANT_WWW_WRITE_H
#define SETPAY_MERCHANT_WWW_WRITE_H

#include "merchant/store/www/visit.h"

struct setpay_write {
    struct setpay_www *www;
    struct setpay_http_request *request;
    struct setpay_visit visit;
    struct setpay_form form; /* cleared with it */
    /* Inside the operation. */
    enum setpay_error (*run)(struct setpay_db *db, struct setpay_write *write);
    /* After the commit, or with the error: ends the request. */
    void (*answer)(struct setpay_write *write, enum setpay_error error);
    void (*free_cb)(void *data); /* NULL: data is not freed */
    void *data;
};

/* Reads the form of a request; NULL: the request is answered. */
struct setpay_write *setpay_write_begin(struct setpay_www *www,
                                        struct setpay_http_request *request);
/* Runs it; answer is called, or a busy page sent, and it is freed. */
void setpay_write_submit(struct setpay_write *write);
void setpay_write_free(struct setpay_write *write);

#endif
