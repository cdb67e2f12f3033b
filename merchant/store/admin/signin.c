/*
 * Signing in and out.
 *
 * A try is counted in one operation, then the password is looked at on a thread of its own, then
 * the session is made in another operation. Whether there is such an account can't be told from the
 * answer, nor from how long it takes.
 */
#include "merchant/store/admin/admin_internal.h"

#include "common/base/log.h"

#include <stdlib.h>
#include <string.h>

#define WRONG "There is no such account with this password."
#define TOO_OFTEN                                                                                  \
    "There were too many tries. Wait a quarter of an hour; or, on the shop's own machine, give "   \
    "the"                                                                                          \
    " account another password: setpay-merchant owner passwd."

struct signin {
    struct setpay_admin *admin;
    struct setpay_http_request *request;
    struct setpay_admin_visit visit; /* as it came; then the new one */
    struct setpay_digest old;
    setpay_time_ms now_ms;
    char name[SETPAY_OWNER_NAME_BYTES + 1];
    struct setpay_secret password;
    char text[SETPAY_PASSWORD_TEXT_SIZE]; /* "": no such account */
};

static void signin_free(struct signin *signin)
{
    struct setpay_admin *admin = signin->admin;
    setpay_secret_clear(&signin->password);
    setpay_cleanse(signin, sizeof *signin);
    free(signin);
    setpay_admin_end_pending(admin);
}

static void reply_form(struct setpay_admin *admin, struct setpay_http_request *request,
                       const struct setpay_admin_visit *visit, int status, const char *cookie,
                       const char *wrong)
{
    setpay_admin_reply(
        admin, request, NULL, status, SETPAY_ADMIN_SIGNIN, "Sign in", cookie,
        json_pack("{s:s, s:s}", "csrf", visit->csrf, "wrong", wrong != NULL ? wrong : ""));
}

static void refuse(struct signin *signin, int status, const char *words)
{
    setpay_log(SETPAY_LOG_WARN, "owner.refused",
               setpay_field_text("remote", signin->visit.address));
    reply_form(signin->admin, signin->request, &signin->visit, status, NULL, words);
    signin_free(signin);
}

static void fail(struct signin *signin, enum setpay_error error)
{
    setpay_admin_reply_failed(signin->admin, signin->request, error);
    signin_free(signin);
}

/* ------------------------------------------------------------------ the session */

static enum setpay_error make_session(struct setpay_db *db, void *arg)
{
    const struct signin *signin = arg;
    return setpay_owner_sign_in(db, signin->name, signin->text, signin->visit.address,
                                &signin->visit.session, &signin->old, signin->now_ms);
}

static void on_session(void *arg, enum setpay_error error)
{
    struct signin *signin = arg;
    char cookie[SETPAY_ADMIN_COOKIE_SIZE];
    if (error == SETPAY_E_NOT_FOUND) {
        refuse(signin, 403, WRONG);
    } else if (error != SETPAY_OK) {
        fail(signin, error);
    } else {
        setpay_log(SETPAY_LOG_INFO, "owner.signed_in", setpay_field_text("owner", signin->name),
                   setpay_field_text("remote", signin->visit.address));
        setpay_admin_go_to(signin->request, "/",
                           setpay_admin_cookie(&signin->visit, false, cookie));
        setpay_cleanse(cookie, sizeof cookie);
        signin_free(signin);
    }
}

static void on_password(void *arg, enum setpay_error error)
{
    struct signin *signin = arg;
    signin->old = signin->visit.session;
    if (error == SETPAY_E_PERMISSION) {
        refuse(signin, 403, WRONG);
        return;
    }
    if (error == SETPAY_OK)
        error = setpay_admin_visit_renew(&signin->visit);
    if (error == SETPAY_OK)
        error = setpay_store_submit(signin->admin->options.store, make_session, on_session, signin,
                                    &signin->admin->executor);
    if (error != SETPAY_OK)
        fail(signin, error);
}

/* ------------------------------------------------------------------ the try */

static enum setpay_error count_try(struct setpay_db *db, void *arg)
{
    struct signin *signin = arg;
    SETPAY_TRY(setpay_owner_try(db, signin->name, signin->visit.address, signin->now_ms));
    enum setpay_error error = setpay_owner_find(db, signin->name, signin->text);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}

static void on_counted(void *arg, enum setpay_error error)
{
    struct signin *signin = arg;
    if (error == SETPAY_E_BUSY) {
        refuse(signin, 429, TOO_OFTEN);
        return;
    }
    if (error == SETPAY_OK)
        error = setpay_kdf_check(signin->admin->kdf, &signin->password, signin->text, on_password,
                                 signin);
    if (error != SETPAY_OK)
        fail(signin, error);
}

static enum setpay_error read_form(struct signin *signin, const struct setpay_form *form)
{
    struct setpay_view password = setpay_view_string(setpay_form_get(form, "password"));
    if (setpay_form_copy(form, "name", signin->name, sizeof signin->name) != SETPAY_OK ||
        !setpay_owner_name_is(signin->name) || password.size < 1 ||
        password.size > SETPAY_PASSWORD_BYTES_MAX)
        return SETPAY_E_PERMISSION;
    return setpay_secret_copy(&signin->password, password);
}

static void start(struct setpay_admin *admin, struct setpay_http_request *request,
                  const struct setpay_admin_visit *visit, const struct setpay_form *form)
{
    struct signin *signin = calloc(1, sizeof *signin);
    if (signin == NULL) {
        setpay_admin_reply_failed(admin, request, SETPAY_E_NOMEM);
        return;
    }
    signin->admin = admin;
    signin->request = request;
    signin->visit = *visit;
    signin->now_ms = setpay_clock_now_ms();
    setpay_admin_begin_pending(admin);
    enum setpay_error error = read_form(signin, form);
    if (error == SETPAY_OK)
        error = setpay_store_submit(admin->options.store, count_try, on_counted, signin,
                                    &admin->executor);
    if (error == SETPAY_E_PERMISSION)
        refuse(signin, 403, WRONG);
    else if (error != SETPAY_OK)
        fail(signin, error);
}

void setpay_admin_on_signin(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    struct setpay_form form = {.count = 0};
    bool is_new = false;
    enum setpay_error error = setpay_admin_visit_read(request, admin, &visit, &is_new);
    if (error != SETPAY_OK) {
        setpay_admin_reply_failed(admin, request, error);
        return;
    }
    /* Without the cookie of the page with the form, no token is right. */
    if (!setpay_admin_form_read(admin, request, &visit, &form, NULL))
        return;
    start(admin, request, &visit, &form);
    setpay_cleanse(form.text, strlen(form.text));
    setpay_form_clear(&form);
}

void setpay_admin_on_signin_page(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin *admin = arg;
    struct setpay_admin_visit visit;
    char cookie[SETPAY_ADMIN_COOKIE_SIZE];
    bool is_new = false;
    enum setpay_error error = setpay_admin_visit_read(request, admin, &visit, &is_new);
    if (error != SETPAY_OK)
        setpay_admin_reply_failed(admin, request, error);
    else
        reply_form(admin, request, &visit, 200,
                   is_new ? setpay_admin_cookie(&visit, false, cookie) : NULL, NULL);
}

/* ------------------------------------------------------------------ out */

static enum setpay_error sign_out(struct setpay_db *db, struct setpay_admin_task *task)
{
    return setpay_owner_session_end(db, &task->visit.session);
}

static enum setpay_error sign_out_everywhere(struct setpay_db *db, struct setpay_admin_task *task)
{
    return setpay_owner_session_end_all(db, task->visit.name);
}

static void signed_out(struct setpay_admin_task *task, enum setpay_error error)
{
    char cookie[SETPAY_ADMIN_COOKIE_SIZE];
    if (error != SETPAY_OK)
        setpay_admin_reply_failed(task->admin, task->request, error);
    else
        setpay_admin_go_to(task->request, "/signin",
                           setpay_admin_cookie(&task->visit, true, cookie));
}

static void leave(struct setpay_http_request *request, void *arg,
                  enum setpay_error (*run)(struct setpay_db *db, struct setpay_admin_task *task))
{
    struct setpay_admin_task *task = setpay_admin_task_new(arg, request);
    if (task == NULL)
        return;
    task->run = run;
    task->done = signed_out;
    setpay_admin_task_submit(task);
}

void setpay_admin_on_signout(struct setpay_http_request *request, void *arg)
{
    leave(request, arg, sign_out);
}

void setpay_admin_on_signout_everywhere(struct setpay_http_request *request, void *arg)
{
    leave(request, arg, sign_out_everywhere);
}
