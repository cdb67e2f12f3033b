/*
 * The table of a purchase's life at the wallet.
 *
 * Only the gateway's receipts move a purchase to an end at once. The merchant's word makes it
 * REFUSED, and LAPSED when no receipt can follow any more; a receipt overrides both, and where it
 * shows an authorisation, the merchant has broken its word.
 *
 * Cells that are not written out refuse: signing with SETPAY_E_PAYMENT_OPEN, a receipt with
 * SETPAY_E_RECEIPT; the others change nothing.
 */
#include "cardholder/purchase_state.h"

/* NONE stands for: not written out. */
static const enum setpay_wallet_state table[SETPAY_WALLET_STATES][SETPAY_WALLET_EVENTS] = {
    [SETPAY_WALLET_NONE] = {[SETPAY_WALLET_SIGN] = SETPAY_WALLET_PENDING},
    [SETPAY_WALLET_PENDING] =
        {
            [SETPAY_WALLET_MERCHANT_REFUSES] = SETPAY_WALLET_REFUSED,
            [SETPAY_WALLET_RECEIPT_AUTHORISATION] = SETPAY_WALLET_AUTHORISED,
            [SETPAY_WALLET_RECEIPT_DECLINE] = SETPAY_WALLET_DECLINED,
            [SETPAY_WALLET_RECEIPT_VOID] = SETPAY_WALLET_VOIDED,
        },
    [SETPAY_WALLET_REFUSED] =
        {
            [SETPAY_WALLET_MERCHANT_REFUSES] = SETPAY_WALLET_REFUSED,
            [SETPAY_WALLET_TIME_OVER] = SETPAY_WALLET_LAPSED, /* rule W7 */
            [SETPAY_WALLET_RECEIPT_AUTHORISATION] = SETPAY_WALLET_AUTHORISED,
            [SETPAY_WALLET_RECEIPT_DECLINE] = SETPAY_WALLET_DECLINED,
            [SETPAY_WALLET_RECEIPT_VOID] = SETPAY_WALLET_VOIDED,
        },
    [SETPAY_WALLET_AUTHORISED] =
        {
            [SETPAY_WALLET_RECEIPT_REVERSAL_PART] = SETPAY_WALLET_AUTHORISED,
            [SETPAY_WALLET_RECEIPT_REVERSAL] = SETPAY_WALLET_REVERSED,
        },
    [SETPAY_WALLET_LAPSED] =
        {
            [SETPAY_WALLET_RECEIPT_AUTHORISATION] = SETPAY_WALLET_AUTHORISED,
            [SETPAY_WALLET_RECEIPT_DECLINE] = SETPAY_WALLET_DECLINED,
            [SETPAY_WALLET_RECEIPT_VOID] = SETPAY_WALLET_VOIDED,
        },
};

static bool is_receipt(enum setpay_wallet_event event)
{
    return event >= SETPAY_WALLET_RECEIPT_AUTHORISATION && event < SETPAY_WALLET_EVENTS;
}

enum setpay_error setpay_wallet_state_next(enum setpay_wallet_state state,
                                           enum setpay_wallet_event event,
                                           enum setpay_wallet_state *next, bool *breach)
{
    if ((unsigned)state >= SETPAY_WALLET_STATES || (unsigned)event >= SETPAY_WALLET_EVENTS)
        return SETPAY_E_INTERNAL;
    enum setpay_wallet_state found = table[state][event];
    if (found == SETPAY_WALLET_NONE) {
        if (event == SETPAY_WALLET_SIGN)
            return SETPAY_E_PAYMENT_OPEN; /* rule W5 */
        if (is_receipt(event))
            return SETPAY_E_RECEIPT; /* rule W6 */
        if (state == SETPAY_WALLET_NONE)
            return SETPAY_E_INTERNAL;
        found = state; /* rule W7: words that count for nothing here */
    }
    *breach = event == SETPAY_WALLET_RECEIPT_AUTHORISATION &&
              (state == SETPAY_WALLET_REFUSED || state == SETPAY_WALLET_LAPSED);
    *next = found;
    return SETPAY_OK;
}

bool setpay_wallet_state_is_settled(enum setpay_wallet_state state)
{
    return state != SETPAY_WALLET_PENDING && state != SETPAY_WALLET_REFUSED;
}

bool setpay_wallet_state_may_sign_again(enum setpay_wallet_state state)
{
    return state == SETPAY_WALLET_NONE || state == SETPAY_WALLET_DECLINED ||
           state == SETPAY_WALLET_VOIDED || state == SETPAY_WALLET_REVERSED ||
           state == SETPAY_WALLET_LAPSED;
}

bool setpay_wallet_state_may_insist(enum setpay_wallet_state state)
{
    return state == SETPAY_WALLET_REFUSED;
}

bool setpay_wallet_may_have_forgotten(const struct setpay_store_restore *restore,
                                      setpay_time_ms now_ms)
{
    return restore->restored_ms != 0 && now_ms < restore->restored_ms + SETPAY_WALLET_FORGOTTEN_MS;
}

const char *setpay_wallet_state_status(enum setpay_wallet_state state, bool captured)
{
    switch (state) {
    case SETPAY_WALLET_AUTHORISED:
        return captured ? "captured" : "authorised";
    case SETPAY_WALLET_DECLINED:
        return "declined";
    case SETPAY_WALLET_PENDING:
    case SETPAY_WALLET_REFUSED:
        return "pending";
    default:
        return "failed";
    }
}

const char *setpay_wallet_state_name(enum setpay_wallet_state state)
{
    static const char *const names[SETPAY_WALLET_STATES] = {
        [SETPAY_WALLET_NONE] = "none",
        [SETPAY_WALLET_PENDING] = "pending",
        [SETPAY_WALLET_REFUSED] = "refused by the merchant, not confirmed",
        [SETPAY_WALLET_AUTHORISED] = "authorised",
        [SETPAY_WALLET_DECLINED] = "declined",
        [SETPAY_WALLET_VOIDED] = "voided",
        [SETPAY_WALLET_REVERSED] = "reversed",
        [SETPAY_WALLET_LAPSED] = "never authorised",
    };
    return (unsigned)state < SETPAY_WALLET_STATES ? names[state] : "unknown";
}
