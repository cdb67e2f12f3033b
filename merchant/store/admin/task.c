/*
 * A form, from its arrival over the operation to the answer.
 */
#include "merchant/store/admin/admin_internal.h"

#include <stdlib.h>

static void task_free(struct setpay_admin_task *task)
{
    setpay_form_clear(&task->form);
    setpay_buffer_clear(&task->file);
    json_decref(task->body);
    free(task->data);
    setpay_cleanse(task->visit.id, sizeof task->visit.id);
    free(task);
}

/* max 0: without a file. */
static struct setpay_admin_task *begin(struct setpay_admin *admin,
                                       struct setpay_http_request *request, size_t max)
{
    struct setpay_admin_visit visit;
    if (!setpay_admin_visit_begin(admin, request, &visit))
        return NULL;
    struct setpay_admin_task *task = calloc(1, sizeof *task);
    if (task == NULL) {
        setpay_admin_reply_failed(admin, request, SETPAY_E_NOMEM);
        return NULL;
    }
    task->admin = admin;
    task->request = request;
    task->visit = visit;
    task->now_ms = setpay_clock_now_ms();
    setpay_buffer_init(&task->file, max);
    if (!setpay_admin_form_read(admin, request, &visit, &task->form,
                                max > 0 ? &task->file : NULL)) {
        task_free(task);
        return NULL;
    }
    return task;
}

struct setpay_admin_task *setpay_admin_task_new(struct setpay_admin *admin,
                                                struct setpay_http_request *request)
{
    return begin(admin, request, 0);
}

struct setpay_admin_task *setpay_admin_task_new_upload(struct setpay_admin *admin,
                                                       struct setpay_http_request *request,
                                                       size_t max)
{
    return begin(admin, request, max);
}

void setpay_admin_task_refuse(struct setpay_admin_task *task, enum setpay_error error)
{
    task->done(task, error);
    task_free(task);
}

static enum setpay_error run(struct setpay_db *db, void *arg)
{
    struct setpay_admin_task *task = arg;
    return task->run(db, task);
}

static void on_done(void *arg, enum setpay_error error)
{
    struct setpay_admin_task *task = arg;
    struct setpay_admin *admin = task->admin;
    setpay_admin_task_refuse(task, error);
    setpay_admin_end_pending(admin);
}

void setpay_admin_task_submit(struct setpay_admin_task *task)
{
    struct setpay_admin *admin = task->admin;
    setpay_admin_begin_pending(admin);
    enum setpay_error error =
        setpay_store_submit(admin->options.store, run, on_done, task, &admin->executor);
    if (error != SETPAY_OK)
        on_done(task, error);
}

bool setpay_admin_is_refusal(enum setpay_error error)
{
    switch (error) {
    case SETPAY_E_INVALID:
    case SETPAY_E_NOT_FOUND:
    case SETPAY_E_EXISTS:
    case SETPAY_E_CONFLICT:
    case SETPAY_E_STATE:
    case SETPAY_E_AMOUNT_LIMIT:
    case SETPAY_E_MONEY_CURRENCY:
    case SETPAY_E_HOLD_OVER:
    case SETPAY_E_TOO_BIG:
    case SETPAY_E_DUPLICATE:
        return true;
    default:
        return false;
    }
}
