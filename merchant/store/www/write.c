/*
 * Forms that change something.
 */
#include "merchant/store/www/write.h"

#include <stdlib.h>

struct setpay_write *setpay_write_begin(struct setpay_www *www, struct setpay_http_request *request)
{
    struct setpay_write *write = calloc(1, sizeof *write);
    if (write == NULL) {
        setpay_visit_fail(www, request, SETPAY_E_NOMEM);
        return NULL;
    }
    write->www = www;
    write->request = request;
    enum setpay_error error = setpay_visit_begin(www, request, &write->visit);
    if (error != SETPAY_OK)
        setpay_visit_fail(www, request, error);
    else if (setpay_visit_read_form(www, request, &write->visit, &write->form))
        return write;
    setpay_write_free(write);
    return NULL;
}

void setpay_write_free(struct setpay_write *write)
{
    if (write->free_cb != NULL)
        write->free_cb(write->data);
    setpay_form_clear(&write->form);
    free(write);
}

static enum setpay_error run(struct setpay_db *db, void *arg)
{
    struct setpay_write *write = arg;
    return write->run(db, write);
}

static void on_done(void *arg, enum setpay_error error)
{
    struct setpay_write *write = arg;
    struct setpay_www *www = write->www;
    write->answer(write, error);
    setpay_write_free(write);
    setpay_www_wrote(www);
}

void setpay_write_submit(struct setpay_write *write)
{
    struct setpay_www *www = write->www;
    enum setpay_error error =
        setpay_store_submit(www->options.store, run, on_done, write, &www->executor);
    if (error == SETPAY_OK) {
        www->writes++;
        return;
    }
    setpay_visit_fail(www, write->request, error);
    setpay_write_free(write);
}
