/*
 * Asking the gateway, until it has answered: AuthReq, its void (rule M9), AuthRevReq.
 *
 * What always holds: a purchase is driven by one worker, chosen by its xid; a request is stored
 * before it leaves (rule M5) and every try sends the same signed bytes (rule A6), so that it does
 * not matter whether an earlier try was heard; an Error never ends a purchase; and what is to be
 * asked comes from the purchase's state alone, read anew before each try, so that a wish of the
 * store or a crash in between needs no case of its own.
 */
#include "common/base/log.h"
#include "common/base/testing.h"
#include "common/net/metrics.h"
#include "merchant/payment/ask.h"
#include "merchant/payment/drive.h"
#include "merchant/payment/rules.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"authorise", "void", "reverse", NULL};
static struct setpay_metric gateway_seconds = {
    .name = "setpay_merchant_gateway_seconds",
    .help = "Time from a request to the gateway to its answer.",
    .type = SETPAY_METRIC_HISTOGRAM,
    .labels = {{"request", kinds}},
};
static struct setpay_metric gateway_repeats = {
    .name = "setpay_merchant_gateway_repeats_total",
    .help = "Tries at the gateway that ended without its decision.",
    .type = SETPAY_METRIC_COUNTER,
    .labels = {{"request", kinds}},
};

/* ------------------------------------------------------------------ a drive's life */

bool setpay_merchant_drives(const struct setpay_merchant_worker *worker,
                            const struct setpay_id *xid)
{
    return setpay_read_u32be(xid->bytes) % worker->merchant->worker_count == worker->index;
}

static void forget_answer(struct setpay_merchant_drive *drive)
{
    setpay_message_clear(&drive->answer);
    setpay_certificate_unref(drive->signer);
    drive->signer = NULL;
}

static void free_drive(struct setpay_merchant_drive *drive)
{
    struct setpay_merchant_drive **at = &drive->worker->drives;
    while (*at != NULL && *at != drive)
        at = &(*at)->next;
    if (*at != NULL)
        *at = drive->next;
    setpay_timer_free(drive->timer);
    if (drive->asks)
        setpay_frame_client_cancel(setpay_merchant_client(drive->worker, drive->brand),
                                   drive->ticket);
    setpay_merchant_ask_clear(&drive->ask);
    setpay_cleanse(drive->envelope.data, drive->envelope.size); /* rule M7 */
    setpay_buffer_clear(&drive->envelope);
    setpay_buffer_clear(&drive->certificate);
    setpay_buffer_clear(&drive->pres);
    forget_answer(drive);
    free(drive);
}

static void on_wait_over(void *arg)
{
    setpay_merchant_drive_step(arg);
}

static struct setpay_merchant_drive *find_drive(const struct setpay_merchant_worker *worker,
                                                const struct setpay_id *xid)
{
    struct setpay_merchant_drive *drive = worker->drives;
    while (drive != NULL && !setpay_id_equal(&drive->xid, xid))
        drive = drive->next;
    return drive;
}

static struct setpay_merchant_drive *new_drive(struct setpay_merchant_worker *worker,
                                               const struct setpay_id *xid)
{
    struct setpay_merchant_drive *drive = calloc(1, sizeof *drive);
    if (drive == NULL)
        return NULL;
    drive->worker = worker;
    drive->xid = *xid;
    setpay_merchant_ask_init(&drive->ask);
    setpay_buffer_init(&drive->envelope, SETPAY_LIMIT_ENVELOPE_BYTES);
    setpay_buffer_init(&drive->certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    setpay_buffer_init(&drive->pres, SETPAY_LIMIT_MESSAGE_BYTES);
    if (setpay_timer_new(worker->loop, on_wait_over, drive, &drive->timer) != SETPAY_OK ||
        setpay_metric_register(&gateway_seconds) != SETPAY_OK ||
        setpay_metric_register(&gateway_repeats) != SETPAY_OK) {
        free_drive(drive);
        return NULL;
    }
    drive->next = worker->drives;
    worker->drives = drive;
    return drive;
}

void setpay_merchant_drives_free(struct setpay_merchant_worker *worker)
{
    while (worker->drives != NULL)
        free_drive(worker->drives);
}

void setpay_merchant_drive_later(struct setpay_merchant_drive *drive)
{
    const struct setpay_merchant *merchant = drive->worker->merchant;
    int64_t delay_ms = merchant->repeat_min_ms;
    for (unsigned i = 0; i < drive->tries && delay_ms < merchant->repeat_max_ms; i++)
        delay_ms *= 2;
    if (delay_ms > merchant->repeat_max_ms)
        delay_ms = merchant->repeat_max_ms;
    /* Purchases that lost the gateway together should not all come back together. */
    delay_ms += delay_ms * drive->xid.bytes[15] / 512;
    drive->tries++;
    setpay_timer_start(drive->timer, delay_ms);
}

/* ------------------------------------------------------------------ reading */

static enum setpay_error read_ask(struct setpay_db *db, struct setpay_merchant_drive *drive)
{
    struct setpay_merchant_purchase *purchase = &drive->purchase;
    enum setpay_ask_kind kind;
    if (purchase->state == SETPAY_PURCHASE_LEARNING)
        return setpay_merchant_ask_find_any(db, purchase->id, drive->learn_index, &drive->ask);
    SETPAY_TRY(setpay_merchant_ask_kind(purchase->state, &kind));
    enum setpay_error error = setpay_merchant_ask_find(db, purchase->id, kind, &drive->ask);
    if (error == SETPAY_E_NOT_FOUND) {
        drive->ask.id = 0; /* to be made */
        drive->ask.kind = kind;
        return SETPAY_OK;
    }
    return error;
}

static enum setpay_error read_drive(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    struct setpay_merchant_purchase *purchase = &drive->purchase;
    SETPAY_TRY(setpay_merchant_purchase_find(db, &drive->xid, purchase));
    if (!setpay_purchase_state_is_waiting(purchase->state))
        return SETPAY_OK;
    setpay_cleanse(drive->envelope.data, drive->envelope.size); /* rule M7 */
    setpay_buffer_reset(&drive->envelope);
    setpay_buffer_reset(&drive->certificate);
    if (purchase->state != SETPAY_PURCHASE_REVERSING) {
        /* Backups are made without it (rule M7). A gateway that has decided on it answers all the
         * same; one that has not can't, and the purchase lapses when its time is over (rule M9). */
        enum setpay_error found =
            setpay_merchant_instruction_find(db, purchase->id, &drive->envelope);
        if (found != SETPAY_OK && found != SETPAY_E_NOT_FOUND)
            return found;
        SETPAY_TRY(setpay_merchant_purchase_certificate(db, purchase->id, &drive->certificate));
    }
    return read_ask(db, drive);
}

/* ------------------------------------------------------------------ what came back */

static void report_nothing(struct setpay_merchant_drive *drive, enum setpay_error error)
{
    setpay_metric_add(&gateway_repeats, (size_t)drive->ask.kind - 1, 0, 1);
    setpay_log_error(error, "gateway.no_answer", setpay_field_id("xid", &drive->xid),
                     setpay_field_id("rrpid", &drive->ask.rrpid),
                     setpay_field_text("request", kinds[drive->ask.kind - 1]),
                     setpay_field_int("tries", drive->tries + 1));
}

/* Whether an Error that names a certificate can only mean the cardholder's. */
static bool cardholder_ended(const struct setpay_merchant_drive *drive, setpay_time_ms now_ms)
{
    struct setpay_trust *trust = drive->worker->merchant->trust;
    struct setpay_certificate *certificate = NULL;
    enum setpay_error ours =
        setpay_trust_verify_known(trust, &drive->purchase.merchant, SETPAY_PROFILE_MERCHANT_SIGN,
                                  drive->brand->name, now_ms, &certificate);
    setpay_certificate_unref(certificate);
    certificate = NULL;
    enum setpay_error theirs = setpay_trust_verify(trust, setpay_buffer_view(&drive->certificate),
                                                   NULL, 0, SETPAY_PROFILE_CARDHOLDER_SIGN,
                                                   drive->brand->name, now_ms, &certificate);
    setpay_certificate_unref(certificate);
    return ours == SETPAY_OK && (theirs == SETPAY_E_CERT_REVOKED || theirs == SETPAY_E_CERT_TIME);
}

static void take_word(struct setpay_merchant_drive *drive, const struct setpay_message *message,
                      uint32_t wire_code, setpay_time_ms now_ms)
{
    enum setpay_purchase_state state = drive->purchase.state;
    setpay_log(SETPAY_LOG_WARN, "gateway.error", setpay_field_id("xid", &drive->xid),
               setpay_field_id("rrpid", &drive->ask.rrpid),
               setpay_field_text("request", kinds[drive->ask.kind - 1]),
               setpay_field_text("state", setpay_purchase_state_name(state)),
               setpay_field_int("code", wire_code));
    if (wire_code == SETPAY_WIRE_CERTIFICATE || wire_code == SETPAY_WIRE_MISMATCH)
        atomic_store(&drive->brand->gateway_wanted, true); /* perhaps it has new ones */
    bool by_gateway =
        message->is_signed && setpay_digest_equal(&message->signer, &drive->purchase.gateway_sign);
    if (setpay_merchant_is_lapsed(&drive->purchase, wire_code, by_gateway,
                                  cardholder_ended(drive, now_ms), now_ms)) {
        setpay_merchant_book_event(drive, SETPAY_PURCHASE_LAPSE); /* rule M9 */
        return;
    }
    switch (setpay_merchant_word(state, wire_code)) {
    case SETPAY_WORD_RENEW:
        drive->renew = true;
        break;
    case SETPAY_WORD_NEXT:
        drive->learn_index++;
        break;
    case SETPAY_WORD_USED:
        setpay_merchant_book_event(drive, SETPAY_PURCHASE_USED);
        return;
    case SETPAY_WORD_GIVE_UP:
        setpay_merchant_book_event(drive, SETPAY_PURCHASE_GIVE_UP); /* rule M9 */
        return;
    default:
        break;
    }
    setpay_merchant_drive_later(drive);
}

/* The Error's code, if it is one to our request (rule A4). Unsigned it is the word of the
 * connection, which the gateway's TLS certificate stands for. */
static enum setpay_error read_error(struct setpay_merchant_drive *drive,
                                    const struct setpay_message *message,
                                    const struct setpay_asked *asked, setpay_time_ms now_ms,
                                    uint32_t *wire_code)
{
    struct setpay_error_report report;
    if (message->is_signed) {
        struct setpay_certificate *signer = NULL;
        SETPAY_TRY(setpay_message_authenticate(message, drive->worker->merchant->trust,
                                               SETPAY_PROFILE_GATEWAY_SIGN, drive->brand->name,
                                               now_ms, &signer));
        bool ours = strcmp(setpay_certificate_id(signer), drive->worker->merchant->gateway_id) == 0;
        setpay_certificate_unref(signer);
        if (!ours)
            return SETPAY_E_ANSWER_SIGNER; /* rule A4 */
    }
    SETPAY_TRY(setpay_error_report_parse(message->content, &report));
    struct setpay_asked any = *asked;
    any.has_answerer = false; /* a gateway with new certificates signs its refusal with those */
    enum setpay_error meaning = setpay_error_report_meaning(message, &report, &any, &drive->raw);
    if (setpay_error_rule(meaning)[0] == 'A' && meaning != SETPAY_E_PEER_DATE)
        return meaning;
    *wire_code = report.code;
    return SETPAY_OK;
}

/* Rules A2, A3, A4, M6 for an answer proper, into the drive. */
static enum setpay_error read_answer(struct setpay_merchant_drive *drive,
                                     const struct setpay_asked *asked, setpay_time_ms now_ms)
{
    const struct setpay_merchant *merchant = drive->worker->merchant;
    const struct setpay_message *message = &drive->answer;
    bool reverses = drive->ask.kind == SETPAY_ASK_REVERSE;
    if (message->type != (reverses ? SETPAY_MESSAGE_AUTH_REV_RES : SETPAY_MESSAGE_AUTH_RES))
        return SETPAY_E_MESSAGE_TYPE;
    SETPAY_TRY(setpay_message_authenticate(message, merchant->trust, SETPAY_PROFILE_GATEWAY_SIGN,
                                           drive->brand->name, now_ms, &drive->signer));
    if (reverses) {
        SETPAY_TRY(setpay_auth_rev_res_parse(message->content, &drive->auth_rev_res));
        SETPAY_TRY(setpay_answer_check(message, &drive->auth_rev_res.header, asked));
        return setpay_merchant_auth_rev_res_check(&drive->purchase, merchant->id,
                                                  &drive->auth_rev_res);
    }
    SETPAY_TRY(setpay_auth_res_parse(message->content, &drive->auth_res));
    SETPAY_TRY(setpay_answer_check(message, &drive->auth_res.header, asked));
    return setpay_merchant_auth_res_check(&drive->purchase, merchant->id, drive->ask.kind,
                                          &drive->auth_res); /* rule M6 */
}

static enum setpay_error take_answer(struct setpay_merchant_drive *drive)
{
    const struct setpay_message *message = &drive->answer;
    struct setpay_asked asked;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    SETPAY_TRY(setpay_merchant_ask_expect(&drive->purchase, &drive->ask, &asked));
    if (message->type == SETPAY_MESSAGE_ERROR) {
        uint32_t wire_code = 0;
        SETPAY_TRY(read_error(drive, message, &asked, now_ms, &wire_code));
        take_word(drive, message, wire_code, now_ms);
        return SETPAY_OK;
    }
    SETPAY_TRY(read_answer(drive, &asked, now_ms));
    drive->tries = 0;
    drive->again = 0;
    setpay_testing_point("gateway.answered");
    setpay_merchant_book(drive);
    return SETPAY_OK;
}

static void on_answer(void *arg, enum setpay_error error, struct setpay_view answer)
{
    struct setpay_merchant_drive *drive = arg;
    drive->asks = false;
    forget_answer(drive);
    if (error == SETPAY_OK) {
        setpay_metric_observe(&gateway_seconds, (size_t)drive->ask.kind - 1, 0,
                              setpay_clock_monotonic_us() - drive->asked_us);
        error = setpay_message_parse(answer, &drive->answer);
        if (error == SETPAY_OK)
            error = take_answer(drive);
    }
    if (error != SETPAY_OK) { /* as if nothing had come: ask again */
        report_nothing(drive, error);
        setpay_merchant_drive_later(drive);
    }
}

/* ------------------------------------------------------------------ asking */

static enum setpay_error write_ask(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    return setpay_merchant_ask_insert(db, drive->purchase.id, &drive->ask); /* rule M5 */
}

static void on_ask_kept(void *arg, enum setpay_error error)
{
    struct setpay_merchant_drive *drive = arg;
    drive->stores = false;
    if (error == SETPAY_OK) {
        drive->renew = false;
        setpay_merchant_drive_step(drive);
        return;
    }
    setpay_log_error(error, "gateway.request", setpay_field_id("xid", &drive->xid));
    setpay_merchant_drive_later(drive);
}

static enum setpay_error make_ask(struct setpay_merchant_drive *drive)
{
    struct setpay_merchant_worker *worker = drive->worker;
    SETPAY_TRY(setpay_merchant_ask_make(worker->merchant, drive->brand, &drive->purchase,
                                        drive->ask.kind, setpay_clock_now_ms(), &drive->ask));
    SETPAY_TRY(setpay_store_submit(worker->merchant->store, write_ask, on_ask_kept, drive,
                                   &worker->executor));
    drive->stores = true;
    return SETPAY_OK;
}

static enum setpay_error send_ask(struct setpay_merchant_drive *drive)
{
    struct setpay_merchant *merchant = drive->worker->merchant;
    struct setpay_buffer bytes;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    enum setpay_error error = setpay_merchant_ask_pack(
        merchant, drive->brand, &drive->purchase, &drive->ask, setpay_buffer_view(&drive->envelope),
        setpay_buffer_view(&drive->certificate), &bytes);
    if (error == SETPAY_OK)
        error = setpay_raw_hash(setpay_buffer_view(&bytes), &drive->raw);
    if (error == SETPAY_OK)
        error = setpay_frame_client_send(setpay_merchant_client(drive->worker, drive->brand),
                                         setpay_buffer_view(&bytes), merchant->gateway_wait_ms,
                                         on_answer, drive, &drive->ticket);
    drive->asks = error == SETPAY_OK;
    drive->asked_us = setpay_clock_monotonic_us();
    setpay_cleanse(bytes.data, bytes.size); /* rule M7 */
    setpay_buffer_clear(&bytes);
    return error;
}

static enum setpay_error ask(struct setpay_merchant_drive *drive)
{
    drive->brand = setpay_merchant_find_brand(drive->worker->merchant, drive->purchase.brand);
    if (drive->brand == NULL)
        return SETPAY_E_BRAND_UNKNOWN;
    /* A first try is always made: the order was good when PReq was stored. */
    if ((drive->tries > 0 || drive->renew) &&
        setpay_merchant_is_over(&drive->purchase, setpay_clock_now_ms())) {
        setpay_merchant_book_event(drive, SETPAY_PURCHASE_GIVE_UP); /* rule M9 */
        return SETPAY_OK;
    }
    return drive->ask.id == 0 || drive->renew ? make_ask(drive) : send_ask(drive);
}

void setpay_merchant_drive_step(struct setpay_merchant_drive *drive)
{
    setpay_timer_stop(drive->timer);
    enum setpay_purchase_state before = drive->purchase.state;
    enum setpay_error error = setpay_store_read(drive->worker->reader, read_drive, drive);
    if (error == SETPAY_OK && !setpay_purchase_state_is_waiting(drive->purchase.state)) {
        free_drive(drive);
        return;
    }
    if (drive->purchase.state != before) {
        drive->renew = false;
        drive->tries = 0;
        drive->learn_index = 1; /* the newest was just refused as used */
    }
    if (error == SETPAY_OK)
        error = ask(drive);
    if (error != SETPAY_OK) {
        setpay_log_error(error, "gateway.request", setpay_field_id("xid", &drive->xid));
        setpay_merchant_drive_later(drive);
    }
}

/* ------------------------------------------------------------------ news */

struct state_read {
    const struct setpay_id *xid;
    struct setpay_merchant_purchase purchase;
};

static enum setpay_error read_state(struct setpay_db *db, void *arg)
{
    struct state_read *read = arg;
    return setpay_merchant_purchase_find(db, read->xid, &read->purchase);
}

void setpay_merchant_drive(struct setpay_merchant_worker *worker, const struct setpay_id *xid)
{
    struct setpay_merchant_drive *drive = find_drive(worker, xid);
    struct state_read read = {.xid = xid};
    if (drive != NULL && drive->stores)
        return; /* its completion reads again */
    enum setpay_error error = setpay_store_read(worker->reader, read_state, &read);
    if (error == SETPAY_E_NOT_FOUND)
        return; /* a note on something else */
    bool waits = error != SETPAY_OK || setpay_purchase_state_is_waiting(read.purchase.state);
    if (drive == NULL && waits)
        drive = new_drive(worker, xid);
    else if (drive == NULL || (error == SETPAY_OK && read.purchase.state == drive->purchase.state))
        return;
    if (drive == NULL) {
        setpay_log_error(SETPAY_E_NOMEM, "gateway.request", setpay_field_id("xid", xid));
        return; /* the next note or start takes it up */
    }
    if (drive->asks) { /* the store's wish comes before an answer that may be long in coming */
        setpay_frame_client_cancel(setpay_merchant_client(worker, drive->brand), drive->ticket);
        drive->asks = false;
    }
    setpay_merchant_drive_step(drive);
}

struct waiting_read {
    struct setpay_merchant_worker *worker;
    struct setpay_id *list;
    size_t count;
    size_t room;
};

static enum setpay_error add_waiting(void *arg, const struct setpay_merchant_purchase *purchase)
{
    struct waiting_read *read = arg;
    if (!setpay_merchant_drives(read->worker, &purchase->xid))
        return SETPAY_OK;
    if (read->count == read->room) {
        size_t room = read->room == 0 ? 64 : read->room * 2;
        struct setpay_id *list = realloc(read->list, room * sizeof *list);
        if (list == NULL)
            return SETPAY_E_NOMEM;
        read->list = list;
        read->room = room;
    }
    read->list[read->count++] = purchase->xid;
    return SETPAY_OK;
}

static enum setpay_error read_waiting(struct setpay_db *db, void *arg)
{
    return setpay_merchant_purchase_each_waiting(db, add_waiting, arg);
}

void setpay_merchant_drive_all(struct setpay_merchant_worker *worker)
{
    struct waiting_read read = {.worker = worker};
    enum setpay_error error = setpay_store_read(worker->reader, read_waiting, &read);
    if (error != SETPAY_OK)
        setpay_log_error(error, "purchase.resume", setpay_field_int("worker", worker->index));
    for (size_t i = 0; i < read.count; i++)
        setpay_merchant_drive(worker, &read.list[i]);
    if (read.count > 0)
        setpay_log(SETPAY_LOG_INFO, "purchase.resume",
                   setpay_field_int("count", (int64_t)read.count));
    free(read.list);
}
