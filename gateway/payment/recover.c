/*
 * After a crash (rule G7): a payment that is still being asked for may or may not have reached the
 * issuer. It is declined for good, a reversal is booked that takes back whatever was held, and the
 * answer is signed and kept, so that the merchant's repeat gets it.
 */
#include "common/base/log.h"
#include "common/store/answers.h"
#include "gateway/payment/auth.h"
#include "gateway/payment/reversal.h"

#include <stdlib.h>

struct recovery {
    struct setpay_gateway *gateway;
    struct setpay_problem *problem;
    struct setpay_payment payment;
    struct setpay_kept_card card;
    struct setpay_made_receipt receipt;
    struct setpay_buffer answer;
};

static enum setpay_error take_first(void *arg, const struct setpay_payment *payment)
{
    struct recovery *recovery = arg;
    if (recovery->payment.id == 0)
        recovery->payment = *payment;
    return SETPAY_OK;
}

static enum setpay_error read_first(struct setpay_db *db, void *arg)
{
    struct recovery *recovery = arg;
    SETPAY_TRY(setpay_payment_each_in_state(db, SETPAY_PAYMENT_ASKING, take_first, recovery));
    if (recovery->payment.id == 0)
        return SETPAY_E_NOT_FOUND;
    enum setpay_error error = setpay_kept_card_find(db, recovery->payment.id, &recovery->card);
    /* Not to be taken for "none left": the rows behind it would be passed over. */
    return error == SETPAY_E_NOT_FOUND ? SETPAY_E_STORE : error;
}

static enum setpay_error write_recovery(struct setpay_db *db, void *arg)
{
    struct recovery *recovery = arg;
    struct setpay_payment payment = recovery->payment;
    struct setpay_gateway_reversal reversal = {
        .payment_id = payment.id,
        .amount_minor = payment.amount.minor,
        .period = payment.period,
        .created_ms = payment.updated_ms,
    };
    SETPAY_TRY(setpay_payment_update(db, &payment));
    SETPAY_TRY(setpay_gateway_reversal_insert(db, &reversal));
    SETPAY_TRY(setpay_payment_add_receipt(db, payment.id, &recovery->receipt.sealed,
                                          setpay_buffer_view(&recovery->receipt.signed_bytes),
                                          payment.updated_ms));
    return setpay_answers_keep_for_good(db, &payment.asked_by, &payment.rrpid,
                                        &payment.request_hash,
                                        setpay_buffer_view(&recovery->answer));
}

const struct setpay_held *setpay_payment_signer(const struct setpay_keyring *keys,
                                                const struct setpay_payment *payment)
{
    const struct setpay_held *named = setpay_keyring_find(keys, SETPAY_PROFILE_GATEWAY_SIGN,
                                                          payment->brand, &payment->gateway_sign);
    return named != NULL ? named
                         : setpay_keyring_in_use(keys, SETPAY_PROFILE_GATEWAY_SIGN, payment->brand);
}

static enum setpay_error recover_one(struct recovery *recovery, const struct setpay_keyring *keys)
{
    struct setpay_gateway *gateway = recovery->gateway;
    struct setpay_payment *payment = &recovery->payment;
    const struct setpay_network_answer lost = {.outcome = SETPAY_NETWORK_UNKNOWN,
                                               .reason = SETPAY_E_CLOSED};
    struct setpay_auth_decision decision;
    struct setpay_secret back_key = {0};
    struct setpay_id unused = {{0}};
    setpay_time_ms now_ms = setpay_clock_now_ms();
    if (setpay_gateway_find_brand(gateway, payment->brand) == NULL)
        return setpay_problem_set(recovery->problem, SETPAY_E_CONFIG,
                                  "a payment of the brand %s was under way when the gateway ended: "
                                  "it needs [brand %s] to answer for it",
                                  payment->brand, payment->brand);
    setpay_auth_decide(payment, &lost, &decision);
    const struct setpay_held *sign = setpay_payment_signer(keys, payment);
    SETPAY_TRY(setpay_auth_apply(payment, &decision, 0, &unused, now_ms));
    SETPAY_TRY(setpay_vault_open_box(gateway->vault, SETPAY_VAULT_BACK_KEY, &payment->xid,
                                     setpay_buffer_view(&recovery->card.back_key), &back_key));
    enum setpay_error error =
        setpay_payment_make_receipt(sign, payment, SETPAY_RECEIPT_DECLINE, payment->amount.minor,
                                    &back_key, now_ms, &recovery->receipt);
    setpay_secret_clear(&back_key);
    SETPAY_TRY(error);
    SETPAY_TRY(setpay_auth_answer(gateway, sign, payment, NULL, &recovery->receipt.sealed, NULL,
                                  now_ms, &recovery->answer));
    SETPAY_TRY(setpay_store_submit_wait(gateway->store, write_recovery, recovery));
    setpay_log(SETPAY_LOG_WARN, "auth.recovered", setpay_field_id("xid", &payment->xid),
               setpay_field_id("rrpid", &payment->rrpid),
               setpay_field_text("state", setpay_payment_state_name(payment->state)));
    return SETPAY_OK;
}

enum setpay_error setpay_gateway_recover(struct setpay_gateway *gateway, size_t *recovered,
                                         struct setpay_problem *problem)
{
    struct setpay_reader *reader = NULL;
    SETPAY_TRY(setpay_reader_new(gateway->store, &reader));
    struct setpay_keyring *keys = setpay_keys_take(gateway->keys);
    enum setpay_error error = SETPAY_OK;
    *recovered = 0;
    while (error == SETPAY_OK) {
        struct recovery recovery = {.gateway = gateway, .problem = problem};
        setpay_kept_card_init(&recovery.card);
        setpay_made_receipt_init(&recovery.receipt);
        setpay_buffer_init(&recovery.answer, SETPAY_LIMIT_MESSAGE_BYTES);
        error = setpay_store_read(reader, read_first, &recovery);
        if (error == SETPAY_OK)
            error = recover_one(&recovery, keys);
        if (error == SETPAY_OK)
            (*recovered)++;
        setpay_kept_card_clear(&recovery.card);
        setpay_made_receipt_clear(&recovery.receipt);
        setpay_buffer_clear(&recovery.answer);
    }
    setpay_keyring_unref(keys);
    setpay_reader_free(reader);
    return error == SETPAY_E_NOT_FOUND ? SETPAY_OK : error;
}
