/*
 * When a card's certificate is to be renewed, and what the person is told of it. Pure: from a
 * card's record and the time; renew.c does it.
 *
 * A certificate that ends with its card can't be renewed for longer (rule C1). For the others there
 * is a lead before their end: as configured, but at most a third of the certificate's life, so that
 * no authority that gives short lives is asked for ever.
 */
#include "cardholder/card.h"
#include "common/base/noun.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LIFE_PARTS 3   /* the lead is one of them at most */
#define SPREAD_PARTS 8 /* of the lead, over which the wallets' moments are spread */
#define DATE_SIZE 11   /* "2029-12-31" and a NUL */

enum setpay_error setpay_wallet_card_end(const struct setpay_secret *expiry, setpay_time_ms *end_ms)
{
    int digits[4] = {0};
    bool valid = expiry->size == 4;
    for (size_t i = 0; i < 4 && valid; i++) {
        digits[i] = expiry->data[i] - '0';
        valid = digits[i] >= 0 && digits[i] <= 9;
    }
    /* The first day of the month after the card's, whose number counts from 0. */
    struct tm month = {.tm_year = 100 + digits[0] * 10 + digits[1],
                       .tm_mon = digits[2] * 10 + digits[3],
                       .tm_mday = 1};
    setpay_cleanse(digits, sizeof digits);
    if (!valid || month.tm_mon < 1 || month.tm_mon > 12)
        return SETPAY_E_INVALID;
    *end_ms = (setpay_time_ms)timegm(&month) * SETPAY_SECOND_MS - 1;
    return SETPAY_OK;
}

static int64_t effective_lead_ms(const struct setpay_wallet_card *card, int64_t lead_ms)
{
    int64_t part_ms = (card->expires_ms - card->begins_ms) / LIFE_PARTS;
    return lead_ms < part_ms ? lead_ms : part_ms;
}

/* Who never renews is told all the same. */
#define TOLD_BEFORE_MS (30 * SETPAY_DAY_MS)

static bool ends_soon(const struct setpay_wallet_card *card, int64_t lead_ms, setpay_time_ms now_ms)
{
    int64_t told_ms = effective_lead_ms(card, lead_ms > 0 ? lead_ms : TOLD_BEFORE_MS);
    return now_ms >= card->expires_ms - told_ms;
}

enum setpay_wallet_renewal_state setpay_wallet_renewal_state(const struct setpay_wallet_card *card,
                                                             int64_t lead_ms, setpay_time_ms now_ms)
{
    if (card->status != SETPAY_WALLET_CARD_ACTIVE)
        return SETPAY_WALLET_RENEWAL_NONE;
    if (now_ms > card->expires_ms)
        return SETPAY_WALLET_RENEWAL_ENDED;
    if (!ends_soon(card, lead_ms, now_ms))
        return SETPAY_WALLET_RENEWAL_NONE;
    if (card->ends_with_card)
        return SETPAY_WALLET_RENEWAL_CARD_ENDS;
    if (card->renewal.failures > 0)
        return SETPAY_WALLET_RENEWAL_FAILED;
    return lead_ms == 0 || card->authority.host[0] == '\0' ? SETPAY_WALLET_RENEWAL_BY_HAND
                                                           : SETPAY_WALLET_RENEWAL_DUE;
}

const char *setpay_wallet_renewal_name(enum setpay_wallet_renewal_state state)
{
    static const char *const names[] = {
        [SETPAY_WALLET_RENEWAL_NONE] = "none",
        [SETPAY_WALLET_RENEWAL_DUE] = "due",
        [SETPAY_WALLET_RENEWAL_FAILED] = "failed",
        [SETPAY_WALLET_RENEWAL_BY_HAND] = "by_hand",
        [SETPAY_WALLET_RENEWAL_CARD_ENDS] = "card_ends",
        [SETPAY_WALLET_RENEWAL_ENDED] = "ended",
    };
    return names[state];
}

bool setpay_wallet_renewal_is_due(const struct setpay_wallet_card *card, int64_t lead_ms,
                                  int64_t pause_max_ms, setpay_time_ms now_ms)
{
    enum setpay_wallet_renewal_state state = setpay_wallet_renewal_state(card, lead_ms, now_ms);
    if (lead_ms == 0 || card->authority.host[0] == '\0' ||
        (state != SETPAY_WALLET_RENEWAL_DUE && state != SETPAY_WALLET_RENEWAL_FAILED))
        return false;
    /* The key's digest is as good as chance, and stays the same over restarts. */
    const uint8_t *chance = card->key_digest.bytes;
    int64_t spread_ms = effective_lead_ms(card, lead_ms) / SPREAD_PARTS;
    int64_t own_ms = spread_ms * (chance[0] * 256 + chance[1]) / 65536;
    if (now_ms < card->expires_ms - effective_lead_ms(card, lead_ms) + own_ms)
        return false;
    /* A pause that is longer than any comes from a clock that was wrong. */
    return now_ms >= card->renewal.again_ms || card->renewal.again_ms - now_ms > 2 * pause_max_ms;
}

int64_t setpay_wallet_renewal_pause_ms(unsigned failures, enum setpay_error error, int64_t min_ms,
                                       int64_t max_ms, uint32_t chance)
{
    enum setpay_error_kind kind = setpay_error_kind(error);
    int64_t pause_ms = min_ms;
    for (unsigned i = 1; i < failures && pause_ms < max_ms; i++)
        pause_ms *= 2;
    if (pause_ms > max_ms ||
        (kind != SETPAY_KIND_AGAIN && kind != SETPAY_KIND_BUSY && kind != SETPAY_KIND_SYSTEM))
        pause_ms = max_ms;
    return pause_ms + (int64_t)((double)pause_ms / 4 * chance / UINT32_MAX);
}

/* ------------------------------------------------------------------ words */

static const char *format_date(setpay_time_ms time_ms, char date[SETPAY_TIME_TEXT_SIZE])
{
    setpay_time_format(time_ms, date);
    date[DATE_SIZE - 1] = '\0';
    return date;
}

static void say_failed(const struct setpay_wallet_card *card, const char *date, char *words)
{
    char again[SETPAY_TIME_TEXT_SIZE];
    (void)snprintf(words, SETPAY_WALLET_NOTICE_SIZE,
                   "its certificate ends on %s, and could not be renewed (%u %s): %s; the wallet "
                   "tries again after %s, or now by: setpay-wallet card renew",
                   date, card->renewal.failures,
                   setpay_noun(card->renewal.failures, "try", "tries"), card->renewal.words,
                   setpay_time_format(card->renewal.again_ms, again));
}

const char *setpay_wallet_renewal_words(const struct setpay_wallet_card *card, int64_t lead_ms,
                                        setpay_time_ms now_ms,
                                        char words[SETPAY_WALLET_NOTICE_SIZE])
{
    char date[SETPAY_TIME_TEXT_SIZE];
    format_date(card->expires_ms, date);
    words[0] = '\0';
    switch (setpay_wallet_renewal_state(card, lead_ms, now_ms)) {
    case SETPAY_WALLET_RENEWAL_NONE:
        break;
    case SETPAY_WALLET_RENEWAL_DUE:
        (void)snprintf(words, SETPAY_WALLET_NOTICE_SIZE,
                       "its certificate ends on %s; while it is unlocked the wallet renews it by "
                       "itself",
                       date);
        break;
    case SETPAY_WALLET_RENEWAL_FAILED:
        say_failed(card, date, words);
        break;
    case SETPAY_WALLET_RENEWAL_BY_HAND:
        (void)snprintf(words, SETPAY_WALLET_NOTICE_SIZE,
                       "its certificate ends on %s: setpay-wallet card renew CARD%s", date,
                       card->authority.host[0] == '\0' ? " --url URL, where URL is its authority's"
                                                       : "");
        break;
    case SETPAY_WALLET_RENEWAL_CARD_ENDS:
        (void)snprintf(words, SETPAY_WALLET_NOTICE_SIZE,
                       "its certificate ends on %s and can't be renewed for longer: enrol the new "
                       "card that its issuer sends",
                       date);
        break;
    case SETPAY_WALLET_RENEWAL_ENDED:
        (void)snprintf(words, SETPAY_WALLET_NOTICE_SIZE,
                       "its certificate has ended on %s and can't be renewed any more: enrol the "
                       "card anew under another label, and remove this one",
                       date);
        break;
    }
    return words;
}
