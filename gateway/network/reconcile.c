/*
 * Reconciliations: the totals of one issuer, currency and period go out as 0500, and its own come
 * back in the 0510. They are repeated like reversals; whether both sides' are the same is judged
 * here, whatever the issuer says of it.
 */
#include "gateway/network/pending.h"

#include "common/base/log.h"

#include <string.h>

bool setpay_reconcile_read(struct setpay_pending *request, const struct setpay_iso_message *message)
{
    const struct setpay_currency *currency = setpay_currency_by_code(request->asked.currency);
    struct setpay_network_totals totals;
    uint64_t number;
    char code[3];
    if (setpay_iso_get_text(message, SETPAY_ISO_RESPONSE_CODE, code, sizeof code) != SETPAY_OK)
        return false;
    if (strcmp(code, "00") != 0 && strcmp(code, "95") != 0)
        return true; /* no totals: what the code means is the caller's to say */
    if (currency == NULL ||
        setpay_iso_get_number(message, SETPAY_ISO_SETTLEMENT_CURRENCY, &number) != SETPAY_OK ||
        number != currency->numeric ||
        setpay_iso_get_number(message, SETPAY_ISO_SETTLEMENT_CODE, &number) != SETPAY_OK ||
        setpay_totals_get(message, &totals) != SETPAY_OK)
        return false;
    request->ack.has_totals = true;
    request->ack.totals = totals;
    request->ack.in_balance = strcmp(code, "00") == 0 && number == SETPAY_ISO_IN_BALANCE &&
                              setpay_network_totals_equal(&totals, &request->totals);
    return true;
}

enum setpay_error setpay_network_reconcile(
    struct setpay_network *network, const struct setpay_network_reconciliation *reconciliation,
    const struct setpay_executor *reply, setpay_network_acknowledged_cb *done, void *arg)
{
    struct setpay_route *route = setpay_pending_find_named(network, reconciliation->issuer);
    if (route == NULL)
        return SETPAY_E_NOT_FOUND;
    struct setpay_pending *made =
        setpay_reverse_new(network, route, "0510", reconciliation->repeated);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->reconciles = true;
    made->totals = reconciliation->totals;
    memcpy(made->asked.currency, reconciliation->currency, sizeof made->asked.currency);
    enum setpay_error built = setpay_request_build_reconciliation(&network->sender, &made->trace,
                                                                  reconciliation, &made->frame);
    return setpay_reverse_hand_over(made, built, reply, done, arg);
}
