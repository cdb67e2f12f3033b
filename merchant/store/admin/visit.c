/*
 * Who asks, by the cookie; and whether a form has come from a page of ours.
 *
 * A form is taken where the cookie was sent (SameSite=Strict: with nothing that another site has
 * begun), the browser does not say that it comes from elsewhere, and it carries the token, which is
 * derived from the cookie's id and stands only in pages that were given to its holder.
 */
#include "merchant/store/admin/admin_internal.h"

#include "common/base/log.h"
#include "common/crypto/hash.h"
#include "merchant/store/admin/multipart.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

/* __Host-: a browser takes it only over TLS, and for this host alone. */
static const char *cookie_name(bool secure)
{
    return secure ? "__Host-setpay_owner" : "setpay_owner";
}

bool setpay_admin_is_secure(const struct setpay_admin *admin,
                            const struct setpay_http_request *request)
{
    return admin->options.tls != NULL ||
           setpay_guard_says_https(&admin->options.proxies, setpay_http_request_remote(request),
                                   setpay_http_request_header_last(request, "X-Forwarded-Proto"));
}

/* Of a proxy that does not say whom it asks for, its own. */
static void find_address(const struct setpay_admin *admin,
                         const struct setpay_http_request *request,
                         char address[SETPAY_GUARD_ADDRESS_SIZE])
{
    const char *remote = setpay_http_request_remote(request);
    if (setpay_guard_address(&admin->options.proxies, remote,
                             setpay_http_request_header_last(request, "X-Forwarded-For"),
                             address) != SETPAY_OK)
        (void)snprintf(address, SETPAY_GUARD_ADDRESS_SIZE, "%s", remote);
}

static enum setpay_error derive(struct setpay_admin_visit *visit)
{
    struct setpay_digest token;
    SETPAY_TRY(setpay_sha256(setpay_view_string(visit->id), &visit->session));
    SETPAY_TRY(setpay_hash_one("owner form", setpay_view_string(visit->id), &token));
    setpay_base64url_encode(SETPAY_VIEW_ARRAY(token.bytes), visit->csrf);
    return SETPAY_OK;
}

enum setpay_error setpay_admin_visit_renew(struct setpay_admin_visit *visit)
{
    struct setpay_secret random = {0};
    SETPAY_TRY(setpay_secret_random(&random, 32));
    setpay_base64url_encode(setpay_secret_view(&random), visit->id);
    setpay_secret_clear(&random);
    return derive(visit);
}

/* The cookie's value, where there is one of this name and length. */
static bool find_cookie(const char *header, const char *name, char id[SETPAY_ADMIN_ID_SIZE])
{
    size_t length = strlen(name);
    for (const char *at = header; at != NULL && *at != '\0';) {
        at += strspn(at, "; ");
        size_t size = strcspn(at, ";");
        if (size == length + SETPAY_ADMIN_ID_SIZE && strncmp(at, name, length) == 0 &&
            at[length] == '=') {
            (void)snprintf(id, SETPAY_ADMIN_ID_SIZE, "%.*s", SETPAY_ADMIN_ID_SIZE - 1,
                           at + length + 1);
            return true;
        }
        at += size;
    }
    return false;
}

enum setpay_error setpay_admin_visit_read(const struct setpay_http_request *request,
                                          const struct setpay_admin *admin,
                                          struct setpay_admin_visit *visit, bool *is_new)
{
    uint8_t bytes[32];
    memset(visit, 0, sizeof *visit);
    visit->secure = setpay_admin_is_secure(admin, request);
    find_address(admin, request, visit->address);
    *is_new = !find_cookie(setpay_http_request_header(request, "Cookie"),
                           cookie_name(visit->secure), visit->id) ||
              setpay_base64url_decode(visit->id, bytes, sizeof bytes) != SETPAY_OK;
    return *is_new ? setpay_admin_visit_renew(visit) : derive(visit);
}

const char *setpay_admin_cookie(const struct setpay_admin_visit *visit, bool end, char *out)
{
    (void)snprintf(out, SETPAY_ADMIN_COOKIE_SIZE, "%s=%s; Path=/; HttpOnly; SameSite=Strict%s%s",
                   cookie_name(visit->secure), end ? "" : visit->id, end ? "; Max-Age=0" : "",
                   visit->secure ? "; Secure" : "");
    return out;
}

/* ------------------------------------------------------------------ sessions */

static enum setpay_error read_session(struct setpay_db *db, void *arg)
{
    struct setpay_admin_visit *visit = arg;
    return setpay_owner_session_find(db, &visit->session, setpay_clock_now_ms(), visit->name,
                                     &visit->stale);
}

struct touch {
    struct setpay_admin *admin;
    struct setpay_digest session;
    setpay_time_ms now_ms;
};

static enum setpay_error touch(struct setpay_db *db, void *arg)
{
    const struct touch *touch = arg;
    return setpay_owner_session_touch(db, &touch->session, touch->now_ms);
}

static void on_touched(void *arg, enum setpay_error error)
{
    struct touch *touch = arg;
    if (error != SETPAY_OK)
        setpay_log_error(error, "owner.session", setpay_field_text("area", "store"));
    setpay_admin_end_pending(touch->admin);
    free(touch);
}

/* Nobody waits for it: where it can't be, the session only ends sooner. */
static void submit_touch(struct setpay_admin *admin, const struct setpay_admin_visit *visit)
{
    struct touch *made = calloc(1, sizeof *made);
    if (made == NULL)
        return;
    *made = (struct touch){admin, visit->session, setpay_clock_now_ms()};
    setpay_admin_begin_pending(admin);
    if (setpay_store_submit(admin->options.store, touch, on_touched, made, &admin->executor) !=
        SETPAY_OK) {
        setpay_admin_end_pending(admin);
        free(made);
    }
}

bool setpay_admin_visit_begin(struct setpay_admin *admin, struct setpay_http_request *request,
                              struct setpay_admin_visit *visit)
{
    bool is_new = false;
    enum setpay_error error = setpay_admin_visit_read(request, admin, visit, &is_new);
    if (error == SETPAY_OK)
        error = is_new ? SETPAY_E_NOT_FOUND : setpay_store_read(admin->reader, read_session, visit);
    if (error == SETPAY_OK && visit->stale)
        submit_touch(admin, visit);
    if (error == SETPAY_E_NOT_FOUND)
        setpay_admin_go_to(request, "/signin", NULL);
    else if (error != SETPAY_OK)
        setpay_admin_reply_failed(admin, request, error);
    return error == SETPAY_OK;
}

/* ------------------------------------------------------------------ forms */

/* Browsers of today say where a form comes from; others say nothing. Who has come over TLS comes by
 * it again; otherwise there may be a proxy before us that does not say how it was asked. */
static bool is_from_here(const struct setpay_admin_visit *visit,
                         const struct setpay_http_request *request)
{
    const char *site = setpay_http_request_header(request, "Sec-Fetch-Site");
    const char *origin = setpay_http_request_header(request, "Origin");
    const char *host = setpay_http_request_header(request, "Host");
    if (site != NULL && strcmp(site, "same-origin") != 0)
        return false;
    if (origin == NULL)
        return true;
    size_t length = strncmp(origin, "https://", 8) == 0                    ? 8
                    : strncmp(origin, "http://", 7) == 0 && !visit->secure ? 7
                                                                           : 0;
    return host != NULL && length > 0 && strcmp(origin + length, host) == 0;
}

static bool has_token(const struct setpay_form *form, const struct setpay_admin_visit *visit)
{
    const char *token = setpay_form_get(form, "csrf");
    return strlen(token) == sizeof visit->csrf - 1 &&
           CRYPTO_memcmp(token, visit->csrf, sizeof visit->csrf - 1) == 0;
}

bool setpay_admin_form_read(struct setpay_admin *admin, struct setpay_http_request *request,
                            const struct setpay_admin_visit *visit, struct setpay_form *form,
                            struct setpay_buffer *file)
{
    if (!setpay_http_request_has_type(
            request, file != NULL ? "multipart/form-data" : "application/x-www-form-urlencoded")) {
        setpay_admin_reply_error(admin, request, 415, NULL);
        return false;
    }
    enum setpay_error error =
        file != NULL ? setpay_multipart_parse(setpay_http_request_header(request, "Content-Type"),
                                              setpay_http_request_body(request), form, file)
                     : setpay_form_parse(setpay_http_request_body(request), form);
    if (error != SETPAY_OK) {
        setpay_admin_reply_error(admin, request, error == SETPAY_E_TOO_BIG ? 413 : 400, NULL);
        return false;
    }
    if (is_from_here(visit, request) && has_token(form, visit))
        return true;
    setpay_form_clear(form);
    setpay_log(SETPAY_LOG_WARN, "owner.form", setpay_field_text("remote", visit->address));
    setpay_admin_reply_error(admin, request, 403,
                             "This form is not from a page that you were given since you signed in;"
                             " nothing was changed. Go back, load the page anew, and try again.");
    return false;
}
