/*
 * card.request: a key and a certificate request for a card, for an authority that is reached by
 * files; and what card.enrol has in common with it.
 */
#include "cardholder/wallet.h"

#include "common/base/log.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    struct setpay_wallet *wallet;
    struct setpay_control_call *call;
    struct setpay_wallet_card card;
    struct setpay_secret csr;
};

static void request_free(struct request *request)
{
    setpay_wallet_card_clear(&request->card);
    setpay_secret_clear(&request->csr);
    free(request);
}

static enum setpay_error store_request(struct setpay_db *db, void *arg)
{
    struct request *request = arg;
    return setpay_wallet_store_add_card(db, &request->card);
}

/* {"card_id","csr"}; the text holds the card's data, and JSON's memory is cleansed. */
static json_t *request_json(const struct request *request)
{
    char id[SETPAY_ID_TEXT_SIZE];
    unsigned char *text = malloc(EVP_ENCODE_LENGTH(request->csr.size));
    size_t size = EVP_ENCODE_LENGTH(request->csr.size) + 128;
    char *pem = malloc(size);
    json_t *json = NULL;
    EVP_ENCODE_CTX *encode = EVP_ENCODE_CTX_new();
    int part = 0, rest = 0;
    if (text != NULL && pem != NULL && encode != NULL) {
        EVP_EncodeInit(encode);
        if (EVP_EncodeUpdate(encode, text, &part, request->csr.data, (int)request->csr.size) == 1) {
            EVP_EncodeFinal(encode, text + part, &rest);
            snprintf(pem, size,
                     "-----BEGIN CERTIFICATE REQUEST-----\n%.*s"
                     "-----END CERTIFICATE REQUEST-----\n",
                     part + rest, (const char *)text);
            json = json_pack("{s:s, s:s}", "card_id", setpay_id_format(&request->card.id, id),
                             "csr", pem);
        }
    }
    EVP_ENCODE_CTX_free(encode);
    if (text != NULL)
        setpay_cleanse(text, EVP_ENCODE_LENGTH(request->csr.size));
    if (pem != NULL)
        setpay_cleanse(pem, size);
    free(text);
    free(pem);
    return json;
}

static void on_request_stored(void *arg, enum setpay_error error)
{
    struct request *request = arg;
    json_t *json = error == SETPAY_OK ? request_json(request) : NULL;
    if (error == SETPAY_E_EXISTS)
        setpay_control_fail(request->call, error,
                            "there is a card with this label; choose another one");
    else if (json == NULL)
        setpay_control_fail(request->call, error == SETPAY_OK ? SETPAY_E_NOMEM : error, NULL);
    else
        setpay_control_reply(request->call, json);
    if (error == SETPAY_OK)
        setpay_log(SETPAY_LOG_INFO, "card.requested", setpay_field_id("card", &request->card.id),
                   setpay_field_text("brand", request->card.brand));
    request_free(request);
}

enum setpay_error setpay_wallet_card_read_wish(const json_t *args,
                                               struct setpay_wallet_card_wish *wish,
                                               struct setpay_secret secrets[4],
                                               struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_json_arg_text(args, "brand", true, &wish->brand, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "label", true, &wish->label, problem));
    SETPAY_TRY(setpay_json_arg_secret(args, "pan", true, &secrets[0], problem));
    SETPAY_TRY(setpay_json_arg_secret(args, "expiry", true, &secrets[1], problem));
    SETPAY_TRY(setpay_json_arg_secret(args, "postcode", false, &secrets[2], problem));
    SETPAY_TRY(setpay_json_arg_secret(args, "house_digits", false, &secrets[3], problem));
    wish->pan = &secrets[0];
    wish->expiry = &secrets[1];
    wish->postcode = &secrets[2];
    wish->house_digits = &secrets[3];
    return SETPAY_OK;
}

void setpay_wallet_on_card_request(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_wallet *wallet = arg;
    struct setpay_wallet_card_wish wish = {0};
    struct setpay_secret secrets[4] = {{0}};
    struct setpay_problem problem = {{0}};
    static const char *const names[] = {"brand",    "label",        "pan", "expiry",
                                        "postcode", "house_digits", NULL};
    struct request *request = calloc(1, sizeof *request);
    enum setpay_error error = request == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    if (error == SETPAY_OK)
        error = setpay_json_args_check(args, names, &problem);
    if (error == SETPAY_OK)
        error = setpay_wallet_card_read_wish(args, &wish, secrets, &problem);
    if (error == SETPAY_OK) {
        request->wallet = wallet;
        request->call = call;
        error = setpay_wallet_card_make(&wallet->master, &wish, setpay_clock_now_ms(),
                                        &request->card, &request->csr, &problem);
    }
    if (error == SETPAY_OK)
        error = setpay_store_submit(wallet->store, store_request, on_request_stored, request,
                                    &wallet->executor);
    for (size_t i = 0; i < 4; i++)
        setpay_secret_clear(&secrets[i]);
    if (error == SETPAY_OK)
        return;
    setpay_wallet_fail(call, error, &problem);
    if (request != NULL)
        request_free(request);
}
