/*
 * A product's pictures: looked at, added by a form with a file, described and put in order, and
 * taken away.
 *
 * What a picture is, its bytes say: never the name or the type that came with them. An SVG is not
 * taken here; by the API it is, after a look into it.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/picture.h"
#include "merchant/store/shop_acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void setpay_admin_on_picture(struct setpay_http_request *request, void *arg)
{
    static const struct setpay_http_header headers[] = {
        {"Cache-Control", "private, max-age=31536000, immutable"},
        {"Content-Security-Policy", SETPAY_PICTURE_POLICY},
        {NULL, NULL}};
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    struct setpay_picture_show show = {.digest = setpay_http_request_param(request, "picture")};
    if (!setpay_admin_visit_begin(admin, request, &visit))
        return;
    setpay_buffer_init(&show.bytes, SETPAY_PICTURE_BYTES_MAX);
    enum setpay_error error = setpay_store_read(admin->reader, setpay_picture_read_show, &show);
    if (error == SETPAY_OK)
        setpay_http_reply(request, 200, setpay_picture_type_name(show.type), headers,
                          setpay_buffer_view(&show.bytes));
    else if (error == SETPAY_E_NOT_FOUND)
        setpay_admin_reply_error(admin, request, 404, NULL);
    else
        setpay_admin_reply_failed(admin, request, error);
    setpay_buffer_clear(&show.bytes);
}

/* ------------------------------------------------------------------ changing */

static enum setpay_error run(struct setpay_db *db, struct setpay_admin_task *task)
{
    struct setpay_shop_answer answer = {.json = NULL};
    const struct setpay_shop_ask ask = {.id = task->id,
                                        .sub = setpay_form_get(&task->form, "picture"),
                                        .body = task->body,
                                        .version = SETPAY_SHOP_ANY_VERSION,
                                        .now_ms = task->now_ms,
                                        .settings = &task->admin->options.settings};
    enum setpay_error error = setpay_shop_act_find(task->act)->run(db, &ask, &answer);
    task->fault = answer.fault;
    setpay_shop_answer_clear(&answer);
    return error;
}

static void changed(struct setpay_admin_task *task, enum setpay_error error)
{
    char path[SETPAY_SHOP_MADE_SIZE + 40];
    if (error == SETPAY_OK) {
        (void)snprintf(path, sizeof path, "/products/%s?done=1", task->id);
        setpay_admin_go_to(task->request, path, NULL);
    } else if (setpay_admin_is_refusal(error)) {
        setpay_admin_reply_product(task->admin, task->request, &task->visit, task->id, 409,
                                   task->fault.words[0] != '\0' ? task->fault.words
                                                                : "there is no such thing");
    } else {
        setpay_admin_reply_failed(task->admin, task->request, error);
    }
}

static enum setpay_error read_alt(struct setpay_admin_task *task, char *alt)
{
    if (setpay_form_copy(&task->form, "alt", alt, SETPAY_PICTURE_ALT_BYTES + 1) != SETPAY_OK ||
        alt[0] == '\0')
        return setpay_json_fault_set(&task->fault, "alt",
                                     "what the picture shows: expected 1 to %d bytes of text, for"
                                     " those who do not see it",
                                     SETPAY_PICTURE_ALT_BYTES);
    return SETPAY_OK;
}

static enum setpay_error read_picture(struct setpay_admin_task *task)
{
    enum setpay_picture_type type = SETPAY_PICTURE_PNG;
    char alt[SETPAY_PICTURE_ALT_BYTES + 1];
    if (task->file.size == 0)
        return setpay_json_fault_set(&task->fault, "picture", "there is no picture; choose a file");
    if (setpay_picture_guess(setpay_buffer_view(&task->file), &type) != SETPAY_OK)
        return setpay_json_fault_set(&task->fault, "picture",
                                     "this is not a picture that is taken here; expected a PNG,"
                                     " a JPEG or a WebP");
    SETPAY_TRY(read_alt(task, alt));
    task->body =
        setpay_picture_body(setpay_picture_type_name(type), alt, setpay_buffer_view(&task->file));
    return task->body == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

/* Its words, and where it is to stand, if one of the buttons that move it was pressed. */
static enum setpay_error read_change(struct setpay_admin_task *task)
{
    char alt[SETPAY_PICTURE_ALT_BYTES + 1];
    char *end = NULL;
    const char *text = setpay_form_get(&task->form, "position");
    long long position = strtoll(text, &end, 10);
    SETPAY_TRY(read_alt(task, alt));
    if (*end != '\0')
        return setpay_json_fault_set(&task->fault, "position",
                                     "found '%.20s'; expected a whole number", text);
    task->body = text[0] == '\0'
                     ? json_pack("{s:s}", "alt", alt)
                     : json_pack("{s:s, s:I}", "alt", alt, "position", (json_int_t)position);
    return task->body == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}

static enum setpay_error read_nothing(struct setpay_admin_task *task)
{
    (void)task;
    return SETPAY_OK;
}

static void start(struct setpay_admin_task *task, const char *id, const char *act,
                  enum setpay_error (*read)(struct setpay_admin_task *task))
{
    task->run = run;
    task->done = changed;
    task->act = act;
    (void)snprintf(task->id, sizeof task->id, "%.*s", (int)sizeof task->id - 1, id);
    enum setpay_error error = read(task);
    if (error != SETPAY_OK)
        setpay_admin_task_refuse(task, error);
    else
        setpay_admin_task_submit(task);
}

void setpay_admin_on_picture_add(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_task *task =
        setpay_admin_task_new_upload(arg, request, SETPAY_PICTURE_BYTES_MAX);
    if (task != NULL)
        start(task, setpay_http_request_param(request, "id"), "picture.add", read_picture);
}

void setpay_admin_on_picture_remove(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_task *task = setpay_admin_task_new(arg, request);
    if (task != NULL)
        start(task, setpay_http_request_param(request, "id"), "picture.remove", read_nothing);
}

void setpay_admin_on_picture_edit(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_task *task = setpay_admin_task_new(arg, request);
    if (task != NULL)
        start(task, setpay_http_request_param(request, "id"), "picture.set", read_change);
}
