/*
 * AuthReq and AuthRes at the gateway, without I/O: checks of a request against certificates, the
 * opened instruction and the time; what is booked; what an answer of the network means; and the
 * answer to the merchant with the receipt for the cardholder.
 */
#ifndef SETPAY_GATEWAY_PAYMENT_AUTH_H
#define SETPAY_GATEWAY_PAYMENT_AUTH_H

#include "common/net/tls.h"
#include "common/pki/certificate.h"
#include "common/wire/messages.h"
#include "common/wire/purchase.h"
#include "common/wire/signed.h"
#include "gateway/network/network.h"
#include "gateway/payment/gateway.h"
#include "gateway/payment/payment.h"

/* Rule G1, first half: the TLS client and the signer are the same merchant, and the one that the
 * content names. SETPAY_E_MERCHANT_CHANNEL. */
enum setpay_error setpay_merchant_channel_check(const struct setpay_peer *peer,
                                                const struct setpay_certificate *signer,
                                                const char *brand,
                                                const char *merchant_id) SETPAY_MUST_CHECK;

/* Rules G3, G4, G5, G8 and A5 (the instruction's expiry; not held against a void), in this order.
 * sign and encrypt are our own pairs: to the one the request is directed, with the other the
 * instruction was opened. Gives POMD. SETPAY_E_DS_PAYMENT, SETPAY_E_PI_MISMATCH,
 * SETPAY_E_ACCOUNT, SETPAY_E_AMOUNT_LIMIT, SETPAY_E_EXPIRED. */
enum setpay_error setpay_auth_check(const struct setpay_auth_req *request,
                                    const struct setpay_instruction *instruction,
                                    const struct setpay_certificate *merchant,
                                    const struct setpay_certificate *cardholder,
                                    const struct setpay_gateway_brand *brand,
                                    const struct setpay_held *sign,
                                    const struct setpay_held *encrypt, setpay_time_ms now_ms,
                                    struct setpay_digest *pomd) SETPAY_MUST_CHECK;

/* Rule G12, for an AuthReq that would authorise. restored_ms: when this gateway was restored from a
 * backup and may have forgotten something; 0: never. Pure. SETPAY_E_SET_BACK. */
enum setpay_error setpay_auth_check_restored(const struct setpay_auth_req *request,
                                             const struct setpay_certificate *encrypt,
                                             setpay_time_ms restored_ms) SETPAY_MUST_CHECK;

/* What a checked request books. state is the row's, from the table; request_hash is the message's.
 */
struct setpay_payment setpay_auth_book(const struct setpay_auth_req *request,
                                       const struct setpay_digest *merchant,
                                       const struct setpay_digest *gateway_sign,
                                       const struct setpay_digest *request_hash,
                                       const struct setpay_digest *pomd,
                                       enum setpay_payment_state state, setpay_time_ms now_ms);

/* What the network's answer means for a payment that was being asked for: the event for the table,
 * and what the row then says. A whole reversal follows the event FAIL. cap_token is fresh and
 * random, and used where approved. Rules G7, G11. */
struct setpay_auth_decision {
    enum setpay_payment_event event;
    const char *rule; /* by which it is reversed; "" where it is not */
    int64_t approved_minor;
    char action_code[3];
    char approval_code[7];
    char avs_result[2];
    char security_code_result[2];
};
void setpay_auth_decide(const struct setpay_payment *payment,
                        const struct setpay_network_answer *answer,
                        struct setpay_auth_decision *decision);
/* Takes a decision over into the row. SETPAY_E_STATE where the table has no such step. */
enum setpay_error setpay_auth_apply(struct setpay_payment *payment,
                                    const struct setpay_auth_decision *decision, int64_t hold_ms,
                                    const struct setpay_id *cap_token,
                                    setpay_time_ms now_ms) SETPAY_MUST_CHECK;

/* The pair that the payment names, for what the gateway signs by itself. Where that has ended
 * meanwhile nobody believes it any more; what is to be done is done all the same, under the one in
 * use. NULL where the brand is no longer served. */
const struct setpay_held *setpay_payment_signer(const struct setpay_keyring *keys,
                                                const struct setpay_payment *payment);

/* Signs the receipt of what the row now says (kind, amount of the step), seals it, and moves the
 * chain on in payment->last_receipt. */
struct setpay_made_receipt {
    struct setpay_sealed_receipt sealed;
    struct setpay_buffer signed_bytes;
};
void setpay_made_receipt_init(struct setpay_made_receipt *receipt);
void setpay_made_receipt_clear(struct setpay_made_receipt *receipt);
enum setpay_error
setpay_payment_make_receipt(const struct setpay_held *sign, struct setpay_payment *payment,
                            enum setpay_receipt_kind kind, int64_t amount_minor,
                            const struct setpay_secret *back_key, setpay_time_ms now_ms,
                            struct setpay_made_receipt *receipt) SETPAY_MUST_CHECK;

/* The whole AuthRes to the row's own request, signed and packed; payment is what the row will be,
 * and sign the pair that it names.
 * known: the thumbprints that the merchant listed, NULL where they are not known any more;
 * capture: what a sale captured, else NULL. */
enum setpay_error setpay_auth_answer(const struct setpay_gateway *gateway,
                                     const struct setpay_held *sign,
                                     const struct setpay_payment *payment,
                                     const struct setpay_thumbs *known,
                                     const struct setpay_sealed_receipt *receipt,
                                     const struct setpay_step_done *capture, setpay_time_ms now_ms,
                                     struct setpay_buffer *bytes) SETPAY_MUST_CHECK;

#endif
