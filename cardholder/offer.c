/*
 * An offer before anything is signed: the link that leads to it, and rules W1 to W3. Nothing here
 * asks, stores or reads a clock.
 *
 * Who the merchant is comes from the signed offer. Its signing certificate has no host name, by its
 * profile; the certificate of the connection has, and both must be of the same merchant id, the one
 * that the offer shows to the person (rule W1).
 */
#include "cardholder/agreement.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MIN 16
#define DEFAULT_PORT 443

/* ------------------------------------------------------------------ links */

static bool is_base64url(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
            return false;
    }
    return true;
}

/* "HOST" or "HOST:PORT", size bytes. */
static bool parse_authority(const char *text, size_t size, struct setpay_wallet_link *link)
{
    const char *colon = memchr(text, ':', size);
    size_t host_size = colon == NULL ? size : (size_t)(colon - text);
    if (host_size >= sizeof link->host)
        return false;
    for (size_t i = 0; i < host_size; i++)
        link->host[i] = (char)tolower((unsigned char)text[i]);
    link->host[host_size] = '\0';
    link->port = DEFAULT_PORT;
    if (colon != NULL) {
        size_t digits = size - host_size - 1;
        unsigned port = 0;
        if (digits == 0 || digits > 5 || colon[1] == '0')
            return false;
        for (size_t i = 1; i <= digits; i++) {
            if (colon[i] < '0' || colon[i] > '9')
                return false;
            port = port * 10 + (unsigned)(colon[i] - '0');
        }
        if (port > UINT16_MAX)
            return false;
        link->port = (uint16_t)port;
    }
    return setpay_host_is_valid(link->host);
}

enum setpay_error setpay_wallet_link_parse(const char *uri, struct setpay_wallet_link *link,
                                           struct setpay_problem *problem)
{
    static const char scheme[] = "setpay://", path[] = "/pay/";
    struct setpay_wallet_link parsed = {{0}, 0, {0}};
    const char *authority = uri + sizeof scheme - 1;
    const char *slash;
    size_t token_size;
    if (strncmp(uri, scheme, sizeof scheme - 1) != 0)
        goto refused;
    slash = strchr(authority, '/');
    if (slash == NULL || strncmp(slash, path, sizeof path - 1) != 0 ||
        !parse_authority(authority, (size_t)(slash - authority), &parsed))
        goto refused;
    /* Rule W4: a token and no parameters. */
    token_size = strlen(slash + sizeof path - 1);
    if (token_size < TOKEN_MIN || token_size >= sizeof parsed.token ||
        !is_base64url(slash + sizeof path - 1, token_size))
        goto refused;
    memcpy(parsed.token, slash + sizeof path - 1, token_size + 1);
    *link = parsed;
    return SETPAY_OK;
refused:
    return setpay_problem_set(problem, SETPAY_E_INVALID,
                              "the payment link is not of the form setpay://HOST[:PORT]/pay/TOKEN; "
                              "take it from the store again");
}

bool setpay_wallet_link_equal(const struct setpay_wallet_link *a,
                              const struct setpay_wallet_link *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && strcmp(a->token, b->token) == 0;
}

const char *setpay_wallet_link_format(const struct setpay_wallet_link *link, char *out)
{
    if (link->port == DEFAULT_PORT)
        snprintf(out, SETPAY_WALLET_LINK_TEXT_SIZE, "setpay://%s/pay/%s", link->host, link->token);
    else
        snprintf(out, SETPAY_WALLET_LINK_TEXT_SIZE, "setpay://%s:%u/pay/%s", link->host,
                 (unsigned)link->port, link->token);
    return out;
}

/* ------------------------------------------------------------------ rules */

/* Rule A4: the echo of what was asked. The signer is not known before (PInitReq asks a host). */
static enum setpay_error check_echo(const struct setpay_wallet_question *question,
                                    const struct setpay_wallet_offer *offer)
{
    const struct setpay_pinit_res *content = offer->content;
    if (!setpay_digest_equal(setpay_certificate_thumbprint(offer->merchant),
                             &offer->message->signer))
        return SETPAY_E_ANSWER_SIGNER;
    SETPAY_TRY(setpay_answer_check(offer->message, &content->header, &question->asked));
    if (!setpay_id_equal(&content->lid_c, &question->lid_c))
        return SETPAY_E_ANSWER_IDS;
    if (!setpay_digest_equal(&content->chall_c, &question->chall_c))
        return SETPAY_E_ANSWER_CHALLENGE;
    if (strcmp(content->brand, question->brand) != 0)
        return SETPAY_E_ANSWER_PARTIES;
    return SETPAY_OK;
}

/* Rule W1: host, connection, signer and the id that is shown are one merchant. */
static enum setpay_error check_merchant(const struct setpay_wallet_question *question,
                                        const struct setpay_wallet_offer *offer)
{
    const char *id = offer->content->merchant_id;
    if (setpay_certificate_profile(offer->merchant) != SETPAY_PROFILE_MERCHANT_SIGN ||
        setpay_certificate_profile(offer->channel) != SETPAY_PROFILE_MERCHANT_TLS_SERVER)
        return SETPAY_E_CERT_USAGE;
    if (strcmp(setpay_certificate_brand(offer->merchant), question->brand) != 0)
        return SETPAY_E_BRANDS_MIXED; /* rule A3 */
    if (!setpay_certificate_names_host(offer->channel, question->link.host) ||
        strcmp(setpay_certificate_id(offer->channel), id) != 0 ||
        strcmp(setpay_certificate_id(offer->merchant), id) != 0)
        return SETPAY_E_HOST;
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_offer_check_sum(const struct setpay_pinit_res *content)
{
    struct setpay_money sum = {.minor = 0};
    memcpy(sum.currency, content->amount.currency, sizeof sum.currency);
    for (size_t i = 0; i < content->item_count; i++) {
        const struct setpay_item *item = &content->items[i];
        struct setpay_money unit, total;
        /* rule W2; a sum that overflows is no sum */
        if (setpay_money_make(item->unit_minor, sum.currency, &unit) != SETPAY_OK ||
            setpay_money_multiply(&unit, item->quantity, &total) != SETPAY_OK ||
            total.minor != item->total_minor || setpay_money_add(&sum, &total, &sum) != SETPAY_OK)
            return SETPAY_E_OFFER_SUM;
    }
    return content->item_count > 0 && sum.minor > 0 && setpay_money_equal(&sum, &content->amount)
               ? SETPAY_OK
               : SETPAY_E_OFFER_SUM;
}

/* Rule W3: one certificate for signing, one for encryption, of one gateway of the brand. */
static enum setpay_error check_gateway(const struct setpay_wallet_question *question,
                                       const struct setpay_wallet_offer *offer)
{
    const struct setpay_certificate *sign = offer->gateway_sign;
    const struct setpay_certificate *encrypt = offer->gateway_encrypt;
    if (setpay_certificate_profile(sign) != SETPAY_PROFILE_GATEWAY_SIGN ||
        setpay_certificate_profile(encrypt) != SETPAY_PROFILE_GATEWAY_ENCRYPT ||
        !setpay_digest_equal(setpay_certificate_thumbprint(sign), &offer->content->gateway_sign) ||
        !setpay_digest_equal(setpay_certificate_thumbprint(encrypt),
                             &offer->content->gateway_encrypt) ||
        strcmp(setpay_certificate_brand(sign), question->brand) != 0 ||
        !setpay_certificate_same_party(sign, encrypt))
        return SETPAY_E_GATEWAY_CERTS;
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_offer_check(const struct setpay_wallet_question *question,
                                            const struct setpay_wallet_offer *offer,
                                            setpay_time_ms now_ms)
{
    SETPAY_TRY(check_echo(question, offer));
    SETPAY_TRY(check_merchant(question, offer));
    SETPAY_TRY(setpay_wallet_offer_check_sum(offer->content));
    SETPAY_TRY(setpay_expiry_check(offer->content->expiry_ms, now_ms)); /* rules W2, A5 */
    SETPAY_TRY(check_gateway(question, offer));
    /* rule W4: terms that make sense; whether they are agreed to, the person says */
    if (!setpay_terms_are_sound(&offer->content->terms, &offer->content->amount, now_ms))
        return SETPAY_E_NOT_AGREED;
    return SETPAY_OK;
}

enum setpay_error setpay_wallet_offer_check_agreed(const struct setpay_pinit_res *content,
                                                   const struct setpay_money *amount,
                                                   const char *merchant_id, setpay_time_ms now_ms)
{
    /* rules W2, W4 */
    if (!setpay_money_equal(&content->amount, amount) ||
        strcmp(content->merchant_id, merchant_id) != 0)
        return SETPAY_E_OFFER_CHANGED;
    return setpay_expiry_check(content->expiry_ms, now_ms);
}
