/*
 * What a request says of a webhook. The URL is taken apart by the same parser that calls it later
 * (libcurl's), so that nothing is understood in two ways.
 */
#include "merchant/store/event.h"
#include "merchant/store/webhook/webhook.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool has_part(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(parsed, part, &text, 0) == CURLUE_OK && text[0] != '\0';
    curl_free(text);
    return has;
}

static bool scheme_is_fine(CURLU *parsed)
{
    char *scheme = NULL;
    bool fine = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);
    curl_free(scheme);
    return fine;
}

enum setpay_error setpay_webhook_url_check(const char *url, struct setpay_json_fault *fault)
{
    const char *wrong = NULL;
    size_t size = strlen(url);
    for (size_t i = 0; i < size && wrong == NULL; i++) {
        if (url[i] < 0x21 || url[i] > 0x7e)
            wrong = "a blank, a control character or one outside ASCII";
    }
    if (size < 1 || size > SETPAY_WEBHOOK_URL_BYTES)
        wrong = size < 1 ? "nothing" : "more than 1024 characters";
    CURLU *parsed = curl_url();
    if (parsed == NULL)
        return SETPAY_E_NOMEM;
    if (wrong == NULL && curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != 0)
        wrong = "what is no URL";
    else if (wrong == NULL && !scheme_is_fine(parsed))
        wrong = "another scheme";
    else if (wrong == NULL && !has_part(parsed, CURLUPART_HOST))
        wrong = "no host";
    else if (wrong == NULL &&
             (has_part(parsed, CURLUPART_USER) || has_part(parsed, CURLUPART_PASSWORD)))
        wrong = "a user or password";
    else if (wrong == NULL && has_part(parsed, CURLUPART_FRAGMENT))
        wrong = "a fragment";
    curl_url_cleanup(parsed);
    if (wrong == NULL)
        return SETPAY_OK;
    return setpay_json_fault_set(fault, "url",
                                 "found %s; expected https://HOST[:PORT]/PATH (http:// only to a"
                                 " network of webhook_networks)",
                                 wrong);
}

static enum setpay_error read_url(const json_t *value, struct setpay_webhook *webhook,
                                  struct setpay_json_fault *fault)
{
    const char *url = json_string_value(value);
    if (url == NULL)
        return setpay_json_fault_set(fault, "url", "expected a text: https://HOST[:PORT]/PATH");
    SETPAY_TRY(setpay_webhook_url_check(url, fault));
    (void)snprintf(webhook->url, sizeof webhook->url, "%s", url);
    return SETPAY_OK;
}

static enum setpay_error read_description(const json_t *value, struct setpay_webhook *webhook,
                                          struct setpay_json_fault *fault)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (text == NULL || size > SETPAY_WEBHOOK_DESCRIPTION_BYTES ||
        !setpay_order_text_is_plain(setpay_view_of(text, size)))
        return setpay_json_fault_set(fault, "description",
                                     "expected a text of at most %d bytes without control"
                                     " characters",
                                     SETPAY_WEBHOOK_DESCRIPTION_BYTES);
    (void)snprintf(webhook->description, sizeof webhook->description, "%s", text);
    return SETPAY_OK;
}

static enum setpay_error read_types(const json_t *value, struct setpay_webhook *webhook,
                                    struct setpay_json_fault *fault)
{
    size_t used = 0;
    size_t index;
    const json_t *one;
    char types[SETPAY_WEBHOOK_TYPES_BYTES] = "";
    char field[32];
    if (!json_is_array(value))
        return setpay_json_fault_set(fault, "events",
                                     "expected a list of types; an empty one stands for all");
    json_array_foreach(value, index, one)
    {
        const char *type = json_string_value(one);
        (void)snprintf(field, sizeof field, "events[%zu]", index);
        if (type == NULL || !setpay_event_type_is_known(type))
            return setpay_json_fault_set(fault, field,
                                         "found %s%.32s%s; expected a type as order.authorised (see"
                                         " GET /events)",
                                         type == NULL ? "no text" : "\"", type == NULL ? "" : type,
                                         type == NULL ? "" : "\"");
        if (setpay_webhook_wants(types, type) && used > 0)
            return setpay_json_fault_set(fault, field, "\"%s\" is given twice", type);
        used += (size_t)snprintf(types + used, sizeof types - used, "%s%s ", used == 0 ? " " : "",
                                 type);
        if (used >= sizeof types)
            return setpay_json_fault_set(fault, field, "expected fewer types");
    }
    memcpy(webhook->types, types, sizeof types);
    return SETPAY_OK;
}

static enum setpay_error read_enabled(const json_t *value, struct setpay_webhook *webhook,
                                      struct setpay_json_fault *fault)
{
    if (!json_is_boolean(value))
        return setpay_json_fault_set(fault, "enabled", "expected true or false");
    if (json_is_true(value)) {
        webhook->status = SETPAY_WEBHOOK_ENABLED;
        webhook->failing_since_ms = 0; /* it has as long again */
    } else {
        webhook->status = SETPAY_WEBHOOK_DISABLED;
    }
    return SETPAY_OK;
}

enum setpay_error setpay_webhook_request_parse(const json_t *body, bool is_new,
                                               struct setpay_webhook *webhook,
                                               struct setpay_json_fault *fault)
{
    static const char *const names[] = {"url", "description", "events", "enabled", NULL};
    static enum setpay_error (*const readers[])(const json_t *, struct setpay_webhook *,
                                                struct setpay_json_fault *) = {
        read_url, read_description, read_types, read_enabled};
    SETPAY_TRY(setpay_json_members_check(body, names, "", fault));
    if (is_new && json_object_get(body, "url") == NULL)
        return setpay_json_fault_set(fault, "url", "found none; expected https://HOST[:PORT]/PATH");
    for (size_t i = 0; names[i] != NULL; i++) {
        const json_t *value = json_object_get(body, names[i]);
        if (value != NULL)
            SETPAY_TRY(readers[i](value, webhook, fault));
    }
    return SETPAY_OK;
}
