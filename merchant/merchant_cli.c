/*
 * setpay-merchant: the operator's program of the merchant.
 */
#include "common/net/evidence_json.h"
#include "common/net/operator.h"
#include "common/net/operator_backup.h"
#include "common/net/party_enrol.h"
#include "merchant/agreement_commands.h"
#include "merchant/batch_export.h"
#include "merchant/capture_cli.h"
#include "merchant/commands.h"
#include "merchant/doctor.h"
#include "merchant/forget_commands.h"
#include "merchant/merchant_wait.h"
#include "merchant/merchant_words.h"
#include "merchant/merchantd.h"
#include "merchant/owner_commands.h"
#include "merchant/settlement_cli.h"
#include "merchant/setup.h"
#include "merchant/shop_cli.h"

static const struct setpay_flag create_flags[] = {
    {"description", SETPAY_FLAG_TEXT, "description"},
    {"amount", SETPAY_FLAG_MONEY, NULL},
    {"capture", SETPAY_FLAG_TEXT, "capture"},
    {"expires-in", SETPAY_FLAG_NUMBER, "expires_in"},
    {"metadata", SETPAY_FLAG_METADATA, "metadata"},
    {"terms", SETPAY_FLAG_TEXT, "terms"},
    {"file", SETPAY_FLAG_FILE, NULL},
    {0},
};
static const struct setpay_flag order_list_flags[] = {
    {"status", SETPAY_FLAG_TEXT, "status"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"cursor", SETPAY_FLAG_TEXT, "cursor"},
    {0},
};
static const struct setpay_flag purchase_list_flags[] = {
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"cursor", SETPAY_FLAG_NUMBER, "cursor"},
    {0},
};
static const struct setpay_flag amount_flags[] = {{"amount", SETPAY_FLAG_MONEY, NULL}, {0}};
static const struct setpay_flag capture_flags[] = {
    {"amount", SETPAY_FLAG_MONEY, NULL},
    {"ORDER", SETPAY_FLAG_MORE, "more"},
    {0},
};
static const struct setpay_flag refund_flags[] = {
    {"amount", SETPAY_FLAG_MONEY, NULL},        {"capture", SETPAY_FLAG_TEXT, "capture_id"},
    {"line", SETPAY_FLAG_LINE, NULL},           {"of", SETPAY_FLAG_TEXT, "of"},
    {"restock", SETPAY_FLAG_SWITCH, "restock"}, {0},
};
static const struct setpay_flag ship_flags[] = {
    {"line", SETPAY_FLAG_LINE, NULL},
    {"carrier", SETPAY_FLAG_TEXT, "carrier"},
    {"tracking", SETPAY_FLAG_TEXT, "tracking"},
    {"tracking-url", SETPAY_FLAG_TEXT, "tracking_url"},
    {0},
};
static const struct setpay_flag undo_flags[] = {{"id", SETPAY_FLAG_TEXT, "id"}, {0}};
static const struct setpay_flag batch_list_flags[] = {
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"cursor", SETPAY_FLAG_TEXT, "cursor"},
    {0},
};
static const struct setpay_flag batch_export_flags[] = {
    {"brand", SETPAY_FLAG_TEXT, "brand"},
    {"all", SETPAY_FLAG_INSTEAD, "all"},
    {0},
};
static const struct setpay_flag token_flags[] = {
    {"name", SETPAY_FLAG_TEXT, "name"},
    {"scope", SETPAY_FLAG_TEXT, "scopes"},
    {"expires-in", SETPAY_FLAG_NUMBER, "expires_in"},
    {0},
};
static const struct setpay_flag owner_flags[] = {
    {"password-file", SETPAY_FLAG_TEXT, "password_file"},
    {0},
};
static const struct setpay_flag webhook_flags[] = {
    {"url", SETPAY_FLAG_TEXT, "url"},
    {"events", SETPAY_FLAG_TEXT, "events"},
    {"description", SETPAY_FLAG_TEXT, "description"},
    {0},
};
static const struct setpay_flag delivery_list_flags[] = {
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"cursor", SETPAY_FLAG_TEXT, "cursor"},
    {0},
};
static const struct setpay_flag redeliver_flags[] = {
    {"delivery", SETPAY_FLAG_TEXT, "delivery_id"},
    {0},
};
static const struct setpay_flag event_list_flags[] = {
    {"type", SETPAY_FLAG_TEXT, "type"},
    {"limit", SETPAY_FLAG_NUMBER, "limit"},
    {"cursor", SETPAY_FLAG_TEXT, "cursor"},
    {0},
};
static const struct setpay_flag brand_flags[] = {{"brand", SETPAY_FLAG_TEXT, "brand"}, {0}};
static const struct setpay_flag name_flags[] = {{"name", SETPAY_FLAG_TEXT, "name"}, {0}};

/* ------------------------------------------------------------------ enrolment */

static enum setpay_error enrol(const struct setpay_config *config, const json_t *args,
                               json_t **result, struct setpay_problem *problem)
{
    return setpay_party_enrol(&setpay_merchant_party, config, args, result, problem);
}

static enum setpay_error doctor(const char *config_path, const json_t *args, json_t **result,
                                struct setpay_problem *problem)
{
    const struct setpay_doctor_party looked_at = {
        &setpay_merchantd_spec, setpay_merchant_party.certificates, setpay_merchant_doctor_peers};
    return setpay_doctor_examine(&looked_at, config_path, args, result, problem);
}

static const struct setpay_operator_command commands[] = {
    {{"order", "create"},
     "order.create",
     NULL,
     create_flags,
     setpay_merchant_words_order,
     "--description TEXT --amount \"12.50 EUR\" [--capture on_shipment|immediate|manual]"
     " [--expires-in SECONDS] [--metadata KEY=VALUE]... [--terms TERMS] | --file FILE|-",
     "make an order; FILE holds the JSON that POST /orders takes"},
    {{"order", "list"},
     "order.list",
     NULL,
     order_list_flags,
     setpay_merchant_words_orders,
     "[--status STATUS] [--limit N] [--cursor C]",
     "orders, the newest first"},
    {{"order", "show"},
     "order.show",
     "order_id",
     NULL,
     setpay_merchant_words_order,
     "ORDER",
     "an order with its payments"},
    {{"order", "void"},
     "order.void",
     "order_id",
     amount_flags,
     setpay_merchant_words_order,
     "ORDER [--amount \"12.50 EUR\"]",
     "give back what is held of an order, or so much of it"},
    {{"order", "cancel"},
     "order.cancel",
     "order_id",
     NULL,
     setpay_merchant_words_order,
     "ORDER",
     "end an order that is not authorised"},
    {{"order", "forget"},
     "order.forget",
     "order_id",
     NULL,
     setpay_merchant_words_forgotten,
     "ORDER",
     "delete the address that it was sent to, once it is over"},
    {{"order", "authorise"},
     "order.authorise",
     "order_id",
     amount_flags,
     setpay_merchant_words_order,
     "ORDER [--amount \"12.50 EUR\"]",
     "another payment of what the shopper has agreed to"},
    {{"order", "end"},
     "order.end",
     "order_id",
     NULL,
     setpay_merchant_words_order,
     "ORDER",
     "ask for no more payments under its agreement"},
    {{"agreement", "list"},
     "agreement.list",
     NULL,
     purchase_list_flags,
     setpay_merchant_words_agreements,
     "[--limit N] [--cursor C]",
     "agreements that go on, the newest first"},
    {{"order", "capture"},
     "order.capture",
     "order_id",
     capture_flags,
     setpay_merchant_words_captured,
     "ORDER [--amount \"12.50 EUR\"] | ORDER ORDER...",
     "take what is held, or a part of it; of up to 16 orders at once all that is held"},
    {{"order", "refund"},
     "order.refund",
     "order_id",
     refund_flags,
     setpay_merchant_words_order,
     "ORDER [--amount \"12.50 EUR\"] [--capture ID] | ORDER --line N=QUANTITY..."
     " [--of unsent|sent] [--restock]",
     "give back what was captured, or a part of it"},
    {{"order", "ship"},
     "order.ship",
     "order_id",
     ship_flags,
     setpay_merchant_words_order,
     "ORDER [--line N=QUANTITY]... [--carrier NAME] [--tracking TEXT] [--tracking-url URL]",
     "say that lines of it, or all that is left, are sent; and take what they cost"},
    {{"order", "undo"},
     "order.undo",
     "order_id",
     undo_flags,
     setpay_merchant_words_order,
     "ORDER --id ID",
     "undo a capture or refund whose batch is open"},
    {{"batch", "list"},
     "batch.list",
     NULL,
     batch_list_flags,
     setpay_merchant_words_batches,
     "[--limit N] [--cursor C]",
     "batches and what they count, the newest first"},
    {{"batch", "show"},
     "batch.show",
     "batch",
     brand_flags,
     setpay_merchant_words_batch,
     "NUMBER [--brand BRAND]",
     "a batch, and what differs at the gateway"},
    {{"batch", "close"},
     "batch.close",
     NULL,
     brand_flags,
     setpay_merchant_words_batches,
     "[--brand BRAND]",
     "close what is open, where the gateway counts the same"},
    {{"batch", "export"},
     "batch.export",
     "batch",
     batch_export_flags,
     setpay_merchant_batch_print_export,
     "NUMBER|--all [--brand BRAND]",
     "what was captured and credited in it with the gateway's signatures, for the gateway's audit"},
    SETPAY_MERCHANT_SETTLEMENT_OPERATOR_COMMANDS,
    {{"token", "add"},
     "token.add",
     NULL,
     token_flags,
     setpay_merchant_words_token,
     "--name NAME [--scope SCOPE,...] [--expires-in SECONDS]",
     "make a bearer token of the API; it is shown once"},
    {{"token", "list"},
     "token.list",
     NULL,
     NULL,
     setpay_merchant_words_tokens,
     "",
     "the names of the tokens"},
    {{"token", "remove"},
     "token.remove",
     NULL,
     name_flags,
     setpay_merchant_words_token_removed,
     "--name NAME",
     "accept a token no longer"},
    {{"owner", "add"},
     "owner.add",
     "name",
     owner_flags,
     setpay_merchant_words_owner,
     "NAME --password-file FILE|-",
     "let somebody sign in to the owner's pages"},
    {{"owner", "passwd"},
     "owner.passwd",
     "name",
     owner_flags,
     setpay_merchant_words_owner,
     "NAME --password-file FILE|-",
     "another password; who is signed in by the old one is out"},
    {{"owner", "list"},
     "owner.list",
     NULL,
     NULL,
     setpay_merchant_words_owners,
     "",
     "who may sign in"},
    {{"owner", "remove"},
     "owner.remove",
     "name",
     NULL,
     setpay_merchant_words_owner_removed,
     "NAME",
     "let somebody sign in no longer"},
    {{"webhook", "add"},
     "webhook.add",
     NULL,
     webhook_flags,
     setpay_merchant_words_webhook,
     "--url URL [--events TYPE,...] [--description TEXT]",
     "send events to an address, signed; the secret is shown once"},
    {{"webhook", "list"},
     "webhook.list",
     NULL,
     NULL,
     setpay_merchant_words_webhooks,
     "",
     "the addresses that events are sent to"},
    {{"webhook", "deliveries"},
     "webhook.deliveries",
     "webhook_id",
     delivery_list_flags,
     setpay_merchant_words_deliveries,
     "WEBHOOK [--limit N] [--cursor C]",
     "what was sent to one, and what came of it"},
    {{"webhook", "redeliver"},
     "webhook.redeliver",
     "webhook_id",
     redeliver_flags,
     setpay_merchant_words_redelivered,
     "WEBHOOK --delivery DELIVERY",
     "send it once more"},
    {{"webhook", "test"},
     "webhook.test",
     "webhook_id",
     NULL,
     setpay_merchant_words_webhook_tested,
     "WEBHOOK",
     "send an event of the type webhook.test"},
    {{"webhook", "rotate"},
     "webhook.rotate",
     "webhook_id",
     NULL,
     setpay_merchant_words_webhook,
     "WEBHOOK",
     "make another secret; the old one is good for a day"},
    {{"webhook", "enable"},
     "webhook.enable",
     "webhook_id",
     NULL,
     setpay_merchant_words_webhook,
     "WEBHOOK",
     "send to it (again)"},
    {{"webhook", "disable"},
     "webhook.disable",
     "webhook_id",
     NULL,
     setpay_merchant_words_webhook,
     "WEBHOOK",
     "send to it no longer"},
    {{"webhook", "remove"},
     "webhook.remove",
     "webhook_id",
     NULL,
     setpay_merchant_words_webhook_removed,
     "WEBHOOK",
     "forget one, and what was sent to it"},
    {{"event", "list"},
     "event.list",
     NULL,
     event_list_flags,
     setpay_merchant_words_events,
     "[--type TYPE] [--limit N] [--cursor C]",
     "what happened, the oldest first"},
    {{"purchase", "list"},
     "purchase.list",
     NULL,
     purchase_list_flags,
     setpay_merchant_words_purchases,
     "[--limit N] [--cursor C]",
     "purchases, the newest first"},
    {{"purchase", "show"},
     "purchase.show",
     "xid",
     NULL,
     setpay_merchant_words_purchase,
     "XID",
     "one purchase, and what was signed"},
    {{"purchase", "evidence"},
     "purchase.evidence",
     "xid",
     NULL,
     setpay_evidence_print,
     "XID",
     "what others have signed for it; with --json for a stranger to check"},
    SETPAY_MERCHANT_SHOP_OPERATOR_COMMANDS,
    {{"status", NULL},
     "status",
     NULL,
     NULL,
     setpay_operator_print_members,
     "",
     "how the running daemon is"},
    {{"enrol", NULL},
     "enrol",
     NULL,
     setpay_party_enrol_flags,
     setpay_party_print_enrolled,
     SETPAY_PARTY_ENROL_USAGE,
     SETPAY_PARTY_ENROL_HELP},
    {{"doctor", NULL},
     "doctor",
     NULL,
     setpay_doctor_flags,
     setpay_doctor_print_result,
     SETPAY_DOCTOR_USAGE,
     SETPAY_DOCTOR_HELP},
    SETPAY_OPERATOR_BACKUP_COMMANDS,
};

/* What takes more than one question. */
static const struct setpay_operator_whole wholes[] = {
    {"batch.export", setpay_merchant_batch_export},
    {NULL, NULL},
};

/* ------------------------------------------------------------------ on a stopped daemon */

struct direct {
    const struct setpay_merchant_command *command;
    struct setpay_merchant_context context;
    const json_t *args;
    json_t **result;
    struct setpay_problem *problem;
};

static bool can_direct(const char *name)
{
    return setpay_merchant_command_find(name) != NULL;
}

static enum setpay_error run_direct(struct setpay_db *db, void *arg)
{
    struct direct *direct = arg;
    return direct->command->run(db, &direct->context, direct->args, direct->result,
                                direct->problem);
}

static enum setpay_error do_directly(struct setpay_service *service, const char *name,
                                     const json_t *args, json_t **result,
                                     struct setpay_problem *problem)
{
    struct direct direct = {.command = setpay_merchant_command_find(name),
                            .context = setpay_merchant_context_of(service, false),
                            .args = args,
                            .result = result,
                            .problem = problem};
    enum setpay_error error = setpay_store_submit_wait(service->store, run_direct, &direct);
    if (error == SETPAY_OK)
        setpay_merchant_command_log(direct.command, *result);
    return error;
}

static enum setpay_error shape(const char *name, json_t *args, struct setpay_problem *problem)
{
    SETPAY_TRY(setpay_merchant_owner_shape(name, args, problem));
    SETPAY_TRY(setpay_merchant_capture_shape(name, args, problem));
    SETPAY_TRY(setpay_merchant_settlement_shape(name, args, problem));
    return setpay_merchant_shop_shape(name, args, problem);
}

int main(int argc, char **argv)
{
    const struct setpay_operator op = {
        .program = "setpay-merchant",
        .party = "the merchant",
        .exits = "Exit status: 0 done, 1 failed, 2 usage, 4 no answer yet (safe to repeat),\n"
                 "  5 a security check failed",
        .daemon = &setpay_merchantd_spec,
        .commands = commands,
        .command_count = sizeof commands / sizeof *commands,
        .wholes = wholes,
        .can_direct_cb = can_direct,
        .direct_cb = do_directly,
        .doctor_cb = doctor,
        .local = "enrol",
        .local_cb = enrol,
        .before_cb = shape,
        .after_cb = setpay_merchant_wait_for_gateway,
    };
    return setpay_operator_main(&op, argc, argv);
}
