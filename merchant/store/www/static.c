/*
 * Files that pages link to: a table inside the program, so that no path leads into a file system.
 * Each is served under a name that holds the start of its SHA-256, and may be kept for a year;
 * under another hash there is nothing.
 */
#include "merchant/store/www/www_internal.h"

#include "common/crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define HASH_DIGITS 16
#define NAME_SIZE 64

static const uint8_t shop_css[] = {
#include "merchant/store/www/static/shop.css.inc"
};

static const uint8_t shop_js[] = {
#include "merchant/store/www/static/shop.js.inc"
};

static const uint8_t icon_svg[] = {
#include "merchant/store/www/static/icon.svg.inc"
};

static struct file {
    const char *stem; /* "shop", with a dot behind it */
    const char *ending;
    const char *type;
    struct setpay_view bytes;
    char name[NAME_SIZE]; /* with the hash; set once */
    char etag[HASH_DIGITS + 3];
} files[] = {
    {"shop.", "css", "text/css; charset=utf-8", {shop_css, sizeof shop_css}, "", ""},
    {"icon.", "svg", "image/svg+xml", {icon_svg, sizeof icon_svg}, "", ""},
    {"shop.", "js", "text/javascript; charset=utf-8", {shop_js, sizeof shop_js}, "", ""},
};
#define FILES (sizeof files / sizeof *files)

enum setpay_error setpay_www_static_init(void)
{
    for (size_t i = 0; i < FILES; i++) {
        struct setpay_digest digest;
        char text[SETPAY_DIGEST_TEXT_SIZE];
        SETPAY_TRY(setpay_sha256(files[i].bytes, &digest));
        setpay_digest_format(&digest, text);
        (void)snprintf(files[i].name, sizeof files[i].name, "%s%.*s.%s", files[i].stem, HASH_DIGITS,
                       text, files[i].ending);
        (void)snprintf(files[i].etag, sizeof files[i].etag, "\"%.*s\"", HASH_DIGITS, text);
    }
    return SETPAY_OK;
}

const char *setpay_www_static_name(const char *file)
{
    for (size_t i = 0; i < FILES; i++) {
        size_t stem = strlen(files[i].stem);
        if (strncmp(file, files[i].stem, stem) == 0 && strcmp(file + stem, files[i].ending) == 0)
            return files[i].name;
    }
    return NULL;
}

void setpay_www_on_static(struct setpay_http_request *request, void *arg)
{
    const char *wanted = setpay_http_request_param(request, "file");
    const char *known = setpay_http_request_header(request, "If-None-Match");
    for (size_t i = 0; i < FILES; i++) {
        const struct file *file = &files[i];
        const struct setpay_http_header headers[] = {
            {"Cache-Control", "public, max-age=31536000, immutable"},
            {"ETag", file->etag},
            {NULL, NULL}};
        if (strcmp(wanted, file->name) != 0)
            continue;
        if (known != NULL && strstr(known, file->etag) != NULL)
            setpay_http_reply(request, 304, NULL, headers, SETPAY_VIEW_EMPTY);
        else
            setpay_http_reply(request, 200, file->type, headers, file->bytes);
        return;
    }
    setpay_www_reply_error(arg, request, 404, NULL);
}

/* What is one shopper's own. The pages say so themselves, too (layout_head.html). */
void setpay_www_on_robots(struct setpay_http_request *request, void *arg)
{
    static const char words[] = "User-agent: *\n"
                                "Disallow: /cart\n"
                                "Disallow: /checkout\n"
                                "Disallow: /orders/\n";
    static const struct setpay_http_header headers[] = {{"Cache-Control", "public, max-age=3600"},
                                                        {NULL, NULL}};
    (void)arg;
    setpay_http_reply(request, 200, "text/plain; charset=utf-8", headers,
                      setpay_view_string(words));
}
