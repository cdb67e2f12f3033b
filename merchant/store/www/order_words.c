/*
 * Words about orders.
 */
#include "merchant/store/www/order_words.h"

#include "merchant/store/part.h"
#include "merchant/store/shop.h"
#include "merchant/store/www/www_internal.h"

#include <stdio.h>
#include <string.h>

const char *setpay_order_words(enum setpay_order_status status)
{
    switch (status) {
    case SETPAY_ORDER_STATUS_OPEN:
        return "Not paid yet.";
    case SETPAY_ORDER_STATUS_PAYING:
        return "The payment is being decided. This takes a moment.";
    case SETPAY_ORDER_STATUS_AUTHORISED:
        return "Paid: the amount is held on your card for the shop.";
    case SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED:
        return "Paid: a part of the amount has been taken, the rest is held on your card.";
    case SETPAY_ORDER_STATUS_CAPTURED:
        return "Paid.";
    case SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED:
        return "Paid, and given back in part.";
    case SETPAY_ORDER_STATUS_REFUNDED:
        return "Given back.";
    case SETPAY_ORDER_STATUS_DECLINED:
        return "Your bank has refused. You may try again, with another card too.";
    case SETPAY_ORDER_STATUS_VOIDED:
        return "The shop has given the amount free again.";
    case SETPAY_ORDER_STATUS_CANCELLED:
        return "Cancelled by the shop. Nothing was taken.";
    default:
        return "No longer to be paid: its time is over. Nothing was taken.";
    }
}

const char *setpay_order_tone(enum setpay_order_status status)
{
    switch (status) {
    case SETPAY_ORDER_STATUS_AUTHORISED:
    case SETPAY_ORDER_STATUS_PARTIALLY_CAPTURED:
    case SETPAY_ORDER_STATUS_CAPTURED:
    case SETPAY_ORDER_STATUS_PARTIALLY_REFUNDED:
    case SETPAY_ORDER_STATUS_REFUNDED:
        return "good";
    case SETPAY_ORDER_STATUS_OPEN:
    case SETPAY_ORDER_STATUS_PAYING:
        return "wait";
    default:
        return "bad";
    }
}

bool setpay_order_is_moving(enum setpay_order_status status)
{
    return status == SETPAY_ORDER_STATUS_OPEN || status == SETPAY_ORDER_STATUS_PAYING ||
           status == SETPAY_ORDER_STATUS_DECLINED;
}

bool setpay_order_is_over(enum setpay_order_status status)
{
    return status == SETPAY_ORDER_STATUS_REFUNDED || status == SETPAY_ORDER_STATUS_VOIDED ||
           status == SETPAY_ORDER_STATUS_CANCELLED || status == SETPAY_ORDER_STATUS_EXPIRED;
}

static const struct {
    char code[3];
    const char *words;
} reasons[] = {
    {"01", "Your bank asks you to call it first."},
    {"02", "Your bank asks you to call it first."},
    {"05", "Your bank gave no reason. It can tell you, this shop can't."},
    {"12", "Your card can't be used for this kind of payment."},
    {"13", "Your bank does not take this amount."},
    {"14", "Your bank does not know this card."},
    {"41", "The card is reported as lost."},
    {"43", "The card is reported as stolen."},
    {"51", "There is not enough money for it in the account."},
    {"54", "The card has expired."},
    {"57", "Your card can't be used for this kind of payment."},
    {"59", "Your bank suspects that somebody else is paying. Call it, if it is you."},
    {"61", "It is more than your card may pay at once or in a day."},
    {"62", "The card is restricted."},
    {"65", "The card has been used as often as it may be for now."},
    {"78", "The card is not in use yet."},
    {"82", "The security code is not right."},
    {"91", "Your bank could not be reached. Try again in a few minutes."},
    {"96", "Your bank has a fault. Try again in a few minutes."},
};

const char *setpay_decline_words(const char *action_code)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (strcmp(reasons[i].code, action_code) == 0)
            return reasons[i].words;
    }
    return "";
}

/* ------------------------------------------------------------------ parts */

/* "2 × Cup, 1 × Spoon" */
static json_t *pieces_json(const struct setpay_order *order, const struct setpay_part *part,
                           const char *prefix)
{
    json_t *words = json_string(prefix);
    for (size_t i = 0; i < part->count && words != NULL; i++) {
        const struct setpay_part_count *count = &part->counts[i];
        if (count->position >= order->item_count)
            continue;
        json_t *longer =
            json_sprintf("%s%s%lld × %s", json_string_value(words), i > 0 ? ", " : "",
                         (long long)count->quantity, order->items[count->position].name);
        json_decref(words);
        words = longer;
    }
    return words;
}

json_t *setpay_order_shipments(const struct setpay_order_view *view)
{
    bool whole = true;
    json_t *rows = json_array();
    for (size_t i = 0; i < view->parts->count; i++) {
        const struct setpay_part *part = &view->parts->list[i];
        if (part->kind != SETPAY_PART_SHIPMENT || part->settled != SETPAY_PART_DONE ||
            !setpay_part_stands(view, part))
            continue; /* it is not sent before its capture is answered */
        setpay_shop_append(rows,
                           json_pack("{s:i, s:o, s:o, s:s, s:s, s:s}", "number",
                                     (int)json_array_size(rows) + 1, "when",
                                     setpay_www_time_json(part->settled_ms), "what",
                                     pieces_json(&view->order, part, ""), "carrier", part->carrier,
                                     "tracking", part->tracking, "url", part->tracking_url),
                           &whole);
    }
    if (whole)
        return rows;
    json_decref(rows);
    return NULL;
}

json_t *setpay_order_line_words(const struct setpay_order_view *view, size_t position)
{
    const struct setpay_part_line *line = &view->parts->lines[position];
    char sent[48] = "", back[48] = "";
    if (line->kind == SETPAY_LINE_GOODS && line->shipped > 0)
        (void)snprintf(sent, sizeof sent,
                       line->shipped < line->quantity ? "%lld of %lld sent" : "sent",
                       (long long)line->shipped, (long long)line->quantity);
    if (line->refunded > 0)
        (void)snprintf(back, sizeof back,
                       line->refunded < line->quantity ? "%lld of %lld paid back" : "paid back",
                       (long long)line->refunded, (long long)line->quantity);
    return json_sprintf("%s%s%s", sent, sent[0] != '\0' && back[0] != '\0' ? ", " : "", back);
}

/* ------------------------------------------------------------------ the receipt */

static void add_row(json_t *rows, setpay_time_ms when_ms, const char *what, int64_t minor,
                    const char *currency, json_t *note, bool *whole)
{
    setpay_shop_append(rows,
                       json_pack("{s:o, s:s, s:o, s:o}", "when", setpay_www_time_json(when_ms),
                                 "what", what, "amount", setpay_www_money_json(minor, currency),
                                 "note", note),
                       whole);
}

static void add_payment(json_t *rows, const struct setpay_payment_view *payment, bool *whole)
{
    const char *currency = payment->amount.currency;
    if (payment->decided_ms == 0)
        return;
    if (payment->approved.minor > 0)
        add_row(rows, payment->decided_ms,
                payment->state == SETPAY_PURCHASE_REVERSED ? "Held on your card, and given free"
                                                           : "Paid by card",
                payment->approved.minor, currency,
                json_sprintf("%s, approval %s", payment->brand, payment->approval_code), whole);
    else if (payment->action_code[0] != '\0')
        add_row(rows, payment->decided_ms, "Refused by the bank", payment->amount.minor, currency,
                json_string(setpay_decline_words(payment->action_code)), whole);
}

/* "For 2 × Cup": of a capture or refund that was made for lines. */
static json_t *pieces_of_step(const struct setpay_order_view *view,
                              const struct setpay_step_view *step)
{
    enum setpay_part_kind kind =
        step->kind == SETPAY_MERCHANT_STEP_CAPTURE ? SETPAY_PART_SHIPMENT : SETPAY_PART_REFUND;
    bool has_part =
        step->kind == SETPAY_MERCHANT_STEP_CAPTURE || step->kind == SETPAY_MERCHANT_STEP_CREDIT;
    for (size_t i = 0; has_part && i < view->parts->count; i++) {
        const struct setpay_part *part = &view->parts->list[i];
        if (part->kind == kind && part->first_step != 0 && step->number >= part->first_step &&
            step->number <= part->last_step)
            return pieces_json(&view->order, part, "For ");
    }
    return json_string("");
}

static void add_step(json_t *rows, const struct setpay_order_view *view,
                     const struct setpay_step_view *step, bool *whole)
{
    const char *what = step->kind == SETPAY_MERCHANT_STEP_CAPTURE            ? "Taken by the shop"
                       : step->kind == SETPAY_MERCHANT_STEP_CREDIT           ? "Given back"
                       : step->kind == SETPAY_MERCHANT_STEP_CAPTURE_REVERSAL ? "Not taken after all"
                       : step->kind == SETPAY_MERCHANT_STEP_CREDIT_REVERSAL
                           ? "Not given back after all"
                           : "Given free";
    if (step->asking || step->code != 0)
        return;
    add_row(rows, step->decided_ms, what, step->amount.minor, step->amount.currency,
            pieces_of_step(view, step), whole);
}

json_t *setpay_order_receipt(const struct setpay_order_view *view)
{
    bool whole = true;
    json_t *rows = json_array();
    for (size_t i = 0; i < view->payment_count; i++)
        add_payment(rows, &view->payments[i], &whole);
    for (size_t i = 0; i < view->step_count; i++)
        add_step(rows, view, &view->steps[i].step, &whole);
    if (whole)
        return rows;
    json_decref(rows);
    return NULL;
}
