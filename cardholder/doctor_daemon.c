/*
 * The doctor's part in the daemon, which alone knows what is in its memory. It asks nobody: whom it
 * needs it only names, and setpay-wallet looks whether they answer.
 */
#include "cardholder/doctor.h"

#include <stdlib.h>

static json_t *peers_json(const struct setpay_wallet_records *records)
{
    json_t *list = json_array();
    for (size_t i = 0; i < records->peer_count; i++) {
        const struct setpay_wallet_doctor_peer *peer = &records->peers[i];
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:s, s:i}", "kind",
                                              peer->is_authority ? "authority" : "merchant", "host",
                                              peer->place.host, "port", (int)peer->place.port));
    }
    return list;
}

json_t *setpay_wallet_doctor(struct setpay_wallet *wallet)
{
    struct setpay_doctor doctor;
    struct setpay_wallet_records *records = calloc(1, sizeof *records);
    json_t *told = NULL;
    if (setpay_doctor_init(&doctor, wallet->service->spec) != SETPAY_OK || records == NULL)
        goto out;
    setpay_doctor_store(&doctor, wallet->store);
    records->renew_before_ms = wallet->renew_before_ms;
    if (setpay_store_read(wallet->reader, setpay_wallet_records_read, records) == SETPAY_OK) {
        if (records->initialised && !setpay_wallet_is_locked(wallet))
            setpay_doctor_say(&doctor, SETPAY_FINDING_OK, "locked", "", "",
                              "the wallet is unlocked");
        setpay_wallet_doctor_records(&doctor, wallet->trust, records,
                                     setpay_wallet_is_locked(wallet));
    }
    told = setpay_doctor_tell(&doctor, wallet->service);
    if (told != NULL)
        (void)json_object_set_new(told, "peers", peers_json(records));
out:
    if (records != NULL)
        setpay_wallet_records_clear(records);
    free(records);
    setpay_doctor_clear(&doctor);
    return told;
}
