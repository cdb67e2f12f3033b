/*
 * Asking the gateway, until it has answered: AuthReq, its void (rule M9), AuthRevReq, and the steps
 * after an authorisation, one at a time.
 *
 * What always holds: a purchase is driven by one worker, chosen by its xid; a request is stored
 * before it leaves (rule M5) and every try sends the same signed bytes (rule A6), so that it does
 * not matter whether an earlier try was heard; an Error never ends a purchase; and what is to be
 * asked comes from the purchase's state alone, read anew before each try, so that a wish of the
 * store or a crash in between needs no case of its own.
 */
#include "common/base/log.h"
#include "common/net/metrics.h"
#include "merchant/payment/ask.h"
#include "merchant/payment/authorisation.h"
#include "merchant/payment/drive.h"
#include "merchant/payment/rules.h"

#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {
    "authorise",       "void",    "reverse", "capture", "credit", "capture_reversal",
    "credit_reversal", "further", "cancel",  NULL};
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

const char *setpay_merchant_ask_name(enum setpay_ask_kind kind)
{
    return kinds[kind - 1];
}

/* ------------------------------------------------------------------ a drive's life */

bool setpay_merchant_drives(const struct setpay_merchant_worker *worker,
                            const struct setpay_id *xid)
{
    return setpay_read_u32be(xid->bytes) % worker->merchant->worker_count == worker->index;
}

static void forget_answer(struct setpay_merchant_drive *drive)
{
    setpay_step_res_clear(&drive->step_res);
    setpay_message_clear(&drive->answer);
    setpay_certificate_unref(drive->signer);
    drive->signer = NULL;
    drive->refused_code = 0;
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
    free(drive->steps);
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

/* The step whose turn it is, and what it is of. */
static enum setpay_error read_step(struct setpay_db *db, struct setpay_merchant_drive *drive,
                                   enum setpay_ask_kind *kind)
{
    struct setpay_merchant_authorisation one;
    const struct setpay_merchant_purchase *purchase = &drive->purchase;
    SETPAY_TRY(setpay_merchant_step_list(db, purchase->id, &drive->steps));
    SETPAY_TRY(setpay_merchant_agreement_read(db, purchase->id, &drive->agreement));
    const struct setpay_merchant_step *step = setpay_merchant_step_first(drive->steps);
    if (step == NULL)
        return SETPAY_E_STORE; /* state and steps disagree */
    const struct setpay_merchant_step *of = setpay_merchant_step_of(drive->steps, step->of_id);
    if (step->id != drive->step.id) {
        drive->renew = false;
        drive->tries = 0;
    }
    drive->step = *step;
    drive->of_token = of != NULL ? of->token : purchase->cap_token;
    drive->held_minor = 0;
    drive->left_minor = 0;
    if (step->kind == SETPAY_MERCHANT_STEP_RELEASE &&
        setpay_merchant_authorisation_find(purchase, drive->steps, step->of_id, &one))
        drive->held_minor = setpay_merchant_authorisation_held(&one);
    if (step->part && step->amount_minor < drive->held_minor) {
        drive->left_minor = drive->held_minor - step->amount_minor;
        drive->held_minor = step->amount_minor;
    }
    if (step->kind == SETPAY_MERCHANT_STEP_AUTHORISE)
        SETPAY_TRY(
            setpay_merchant_purchase_certificate(db, purchase->id, &drive->certificate)); /* A3 */
    *kind = setpay_merchant_step_ask_kind(step->kind);
    return setpay_merchant_ask_find_step(db, purchase, step->id, &drive->ask);
}

static enum setpay_error read_ask(struct setpay_db *db, struct setpay_merchant_drive *drive)
{
    struct setpay_merchant_purchase *purchase = &drive->purchase;
    enum setpay_ask_kind kind = SETPAY_ASK_AUTHORISE;
    enum setpay_error error = SETPAY_OK;
    if (purchase->state == SETPAY_PURCHASE_LEARNING)
        return setpay_merchant_ask_find_any(db, purchase, drive->learn_index, &drive->ask);
    if (purchase->state == SETPAY_PURCHASE_STEPPING) {
        error = read_step(db, drive, &kind);
    } else {
        SETPAY_TRY(setpay_merchant_ask_kind(purchase->state, &kind));
        error = setpay_merchant_ask_find(db, purchase, kind, &drive->ask);
    }
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
    if (purchase->state != SETPAY_PURCHASE_REVERSING &&
        purchase->state != SETPAY_PURCHASE_STEPPING) {
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
                     setpay_field_text("request", setpay_merchant_ask_name(drive->ask.kind)),
                     setpay_field_int("tries", drive->tries + 1));
}

static void take(struct setpay_merchant_drive *drive, enum setpay_error error,
                 struct setpay_view answer)
{
    drive->asks = false;
    drive->follows = false;
    setpay_timer_stop(drive->timer);
    forget_answer(drive);
    if (error == SETPAY_OK) {
        setpay_metric_observe(&gateway_seconds, (size_t)drive->ask.kind - 1, 0,
                              setpay_clock_monotonic_us() - drive->asked_us);
        error = setpay_message_parse(answer, &drive->answer);
        if (error == SETPAY_OK)
            error = setpay_merchant_take_answer(drive);
    }
    if (error != SETPAY_OK) { /* as if nothing had come: ask again */
        report_nothing(drive, error);
        setpay_merchant_drive_later(drive);
    }
}

/* Whose request it is, too, and who waits for the answer that the other one gets. */
static struct setpay_merchant_drive *find_follower(const struct setpay_merchant_worker *worker,
                                                   const struct setpay_id *rrpid)
{
    struct setpay_merchant_drive *drive = worker->drives;
    while (drive != NULL && !(drive->follows && setpay_id_equal(&drive->ask.rrpid, rrpid)))
        drive = drive->next;
    return drive;
}

static void on_answer(void *arg, enum setpay_error error, struct setpay_view answer)
{
    struct setpay_merchant_drive *drive = arg;
    struct setpay_merchant_worker *worker = drive->worker;
    const struct setpay_id rrpid = drive->ask.rrpid;
    take(drive, error, answer);
    while ((drive = find_follower(worker, &rrpid)) != NULL)
        take(drive, error, answer);
}

/* ------------------------------------------------------------------ asking */

static enum setpay_error write_ask(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    if (drive->together.count > 0)
        return setpay_merchant_together_keep(db, &drive->together, &drive->ask); /* rule M5 */
    return setpay_merchant_ask_keep(db, drive->purchase.id, &drive->ask);        /* rule M5 */
}

static void on_ask_kept(void *arg, enum setpay_error error)
{
    struct setpay_merchant_drive *drive = arg;
    drive->stores = false;
    if (error == SETPAY_OK)
        drive->renew = false;
    if (error == SETPAY_OK || error == SETPAY_E_CONFLICT) {
        setpay_merchant_drive_step(drive);
        return;
    }
    setpay_log_error(error, "gateway.request", setpay_field_id("xid", &drive->xid));
    setpay_merchant_drive_later(drive);
}

static enum setpay_error read_together(struct setpay_db *db, void *arg)
{
    struct setpay_merchant_drive *drive = arg;
    return setpay_merchant_together_find(db, &drive->purchase, &drive->step, &drive->together);
}

/* What was refused for its date goes alone, since its request is kept. */
static enum setpay_error find_together(struct setpay_merchant_drive *drive)
{
    drive->together.count = 0;
    if (drive->purchase.state != SETPAY_PURCHASE_STEPPING || drive->step.together == 0 ||
        drive->step.kind != SETPAY_MERCHANT_STEP_CAPTURE || drive->renew)
        return SETPAY_OK;
    return setpay_store_read(drive->worker->reader, read_together, drive);
}

static enum setpay_error make_ask(struct setpay_merchant_drive *drive)
{
    struct setpay_merchant_worker *worker = drive->worker;
    SETPAY_TRY(find_together(drive));
    bool steps = drive->purchase.state == SETPAY_PURCHASE_STEPPING;
    const struct setpay_merchant_asking asking = {
        .kind = drive->ask.kind,
        .step = steps ? &drive->step : NULL,
        .of_token = &drive->of_token,
        .held_minor = drive->held_minor,
        .agreement = &drive->agreement,
        .together = drive->together.count > 0 ? &drive->together : NULL,
    };
    SETPAY_TRY(setpay_merchant_ask_make(worker->merchant, drive->brand, &drive->purchase, &asking,
                                        setpay_clock_now_ms(), &drive->ask));
    SETPAY_TRY(setpay_store_submit(worker->merchant->store, write_ask, on_ask_kept, drive,
                                   &worker->executor));
    drive->stores = true;
    return SETPAY_OK;
}

/* Whether the same request is at the gateway already: then its answer is this drive's, too. */
static bool follow(struct setpay_merchant_drive *drive)
{
    const struct setpay_merchant_drive *other = drive->worker->drives;
    while (other != NULL && !(other->asks && setpay_id_equal(&other->ask.rrpid, &drive->ask.rrpid)))
        other = other->next;
    if (other == NULL)
        return false;
    drive->follows = true;
    drive->raw = other->raw;
    drive->asked_us = setpay_clock_monotonic_us();
    setpay_timer_start(drive->timer, drive->worker->merchant->gateway_wait_ms);
    return true;
}

static enum setpay_error send_ask(struct setpay_merchant_drive *drive)
{
    struct setpay_merchant *merchant = drive->worker->merchant;
    if (drive->step.together != 0 && follow(drive))
        return SETPAY_OK;
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

/* A further authorisation that has not left, or of which the gateway will hear no more, though the
 * agreement has ended. */
static bool is_withdrawn(const struct setpay_merchant_drive *drive)
{
    return drive->purchase.state == SETPAY_PURCHASE_STEPPING &&
           drive->step.kind == SETPAY_MERCHANT_STEP_AUTHORISE &&
           drive->agreement.ended != SETPAY_ENDED_NOT && (drive->ask.id == 0 || drive->renew);
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
    if (drive->purchase.state == SETPAY_PURCHASE_STEPPING &&
        drive->step.kind == SETPAY_MERCHANT_STEP_RELEASE && drive->held_minor == 0) {
        forget_answer(drive);
        setpay_merchant_book_step(drive); /* the captures before it have left nothing */
        return SETPAY_OK;
    }
    if (is_withdrawn(drive)) {
        forget_answer(drive);
        drive->refused_code = SETPAY_WIRE_AGREEMENT;
        setpay_merchant_book_step(drive);
        return SETPAY_OK;
    }
    return drive->ask.id == 0 || drive->renew ? make_ask(drive) : send_ask(drive);
}

void setpay_merchant_drive_step(struct setpay_merchant_drive *drive)
{
    setpay_timer_stop(drive->timer);
    drive->follows = false;
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

/* Its first step reads all that is needed at once, and frees it where nothing waits any more. */
static void start_drive(struct setpay_merchant_worker *worker, const struct setpay_id *xid)
{
    struct setpay_merchant_drive *drive = new_drive(worker, xid);
    if (drive != NULL)
        setpay_merchant_drive_step(drive);
    else /* the next note or start takes it up */
        setpay_log_error(SETPAY_E_NOMEM, "gateway.request", setpay_field_id("xid", xid));
}

void setpay_merchant_drive(struct setpay_merchant_worker *worker, const struct setpay_id *xid)
{
    struct setpay_merchant_drive *drive = find_drive(worker, xid);
    if (drive == NULL) {
        start_drive(worker, xid);
        return;
    }
    if (drive->stores)
        return; /* its completion reads again */
    struct state_read read = {.xid = xid};
    enum setpay_error error = setpay_store_read(worker->reader, read_state, &read);
    if (error == SETPAY_OK && read.purchase.state == drive->purchase.state)
        return;
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
