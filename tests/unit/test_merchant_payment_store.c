/*
 * What the merchant stores: one purchase an order (rule M4), the request to the gateway beside it
 * and the same for ever (rules M5, A6), and no trace of the instruction after its outcome (M7).
 */
#include "common/store/answers.h"
#include "common/wire/signed.h"
#include "merchant/payment/agreement_store.h"
#include "merchant/payment/answer.h"
#include "merchant/payment/ask.h"
#include "merchant/payment/batch_store.h"
#include "merchant/payment/payment_store.h"
#include "merchant/payment/port.h"
#include "merchant/payment/rules.h"
#include "merchant/payment/settlement.h"
#include "merchant/payment/step.h"
#include "merchant/store/catalogue_schema.h"
#include "merchant/store/order.h"
#include "merchant/store/part.h"
#include "merchant/store/ship_to.h"
#include "merchant/store/stock_level.h"
#include "merchant/store/webhook/delivery.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#define NOW_MS TEST_PKI_NOW_MS

static const struct setpay_store_migration steps[] = {
    {1, SETPAY_ANSWERS_SCHEMA SETPAY_ORDER_SCHEMA SETPAY_SHIP_TO_SCHEMA SETPAY_CATALOGUE_SCHEMA
            SETPAY_STOCK_LEVEL_SCHEMA SETPAY_PART_SCHEMA SETPAY_PART_SETTLED_SCHEMA
                SETPAY_PURCHASE_SCHEMA SETPAY_MERCHANT_STEP_SCHEMA SETPAY_MERCHANT_BATCH_SCHEMA
                    SETPAY_EVENT_SCHEMA SETPAY_EVENT_TO_SEND_SCHEMA SETPAY_EVENT_HISTORY_SCHEMA
                        SETPAY_WEBHOOK_SCHEMA SETPAY_DELIVERY_SCHEMA SETPAY_MERCHANT_SALE_SCHEMA
                            SETPAY_MERCHANT_PART_RELEASE_SCHEMA SETPAY_MERCHANT_AGREEMENT_SCHEMA
                                SETPAY_ORDER_TERMS_SCHEMA SETPAY_MERCHANT_SETTLEMENT_SCHEMA},
    {0, NULL},
};
static const struct setpay_store_schema schema = {.name = "merchant", .steps = steps};

struct fixture {
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_item item;
    char metadata[sizeof "{}"];
    struct setpay_order order;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct setpay_problem problem;
    test_folder_make(&f->folder);
    const struct setpay_store_options options = {.url = f->folder.url, .schema = &schema};
    assert_int_equal(setpay_store_open(&options, &f->store, &problem), SETPAY_OK);
    memcpy(f->metadata, "{}", sizeof f->metadata);
    f->item = (struct setpay_item){"One book", 1, 1250, 1250, ""};
    f->order = (struct setpay_order){
        .description = "One book",
        .amount = {1250, "EUR"},
        .items = &f->item,
        .item_count = 1,
        .capture = SETPAY_CAPTURE_ON_SHIPMENT,
        .metadata = f->metadata,
        .created_ms = NOW_MS,
        .expires_ms = NOW_MS + SETPAY_DAY_MS,
    };
    assert_int_equal(setpay_order_name(&f->order), SETPAY_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    setpay_store_close(f->store);
    test_folder_remove(&f->folder);
    free(f);
    return 0;
}

static struct setpay_merchant_purchase purchase_of(const struct fixture *f, uint8_t first)
{
    struct setpay_merchant_purchase p = {
        .state = SETPAY_PURCHASE_ASKING,
        .xid = test_id(first),
        .brand = "visa",
        .amount = {1250, "EUR"},
        .first_minor = 1250,
        .rrpid = test_id((uint8_t)(first + 1)),
        .dual_signature = {.size = 70},
        .terms = {.kind = SETPAY_TERMS_SINGLE},
        .expiry_ms = NOW_MS + SETPAY_HOUR_MS,
        .until_ms = NOW_MS + SETPAY_HOUR_MS,
        .created_ms = NOW_MS,
        .updated_ms = NOW_MS,
    };
    memcpy(p.order_id, f->order.order_id, sizeof f->order.order_id);
    return p;
}

/* One operation after another; each step's error is asserted here, on the committer's thread by
 * value, so that the operation itself fails only where the test wants it. */
struct step {
    struct fixture *fixture;
    struct setpay_merchant_purchase purchase;
    struct setpay_view envelope;
    bool order; /* insert it first */
};

static enum setpay_error store_purchase(struct setpay_db *db, void *arg)
{
    struct step *step = arg;
    struct setpay_merchant_purchase *p = &step->purchase;
    if (step->order)
        SETPAY_TRY(setpay_order_insert(db, &step->fixture->order));
    SETPAY_TRY(setpay_order_take(db, p->order_id, &p->xid, NOW_MS));
    SETPAY_TRY(setpay_merchant_purchase_insert(db, setpay_view_string("certificate"), p));
    return setpay_merchant_instruction_keep(db, p->id, step->envelope);
}

static enum setpay_error finish_purchase(struct setpay_db *db, void *arg)
{
    struct step *step = arg;
    struct setpay_merchant_purchase p = step->purchase;
    SETPAY_TRY(setpay_merchant_purchase_update(db, &p));
    SETPAY_TRY(setpay_order_release(db, p.order_id, &p.xid));
    return setpay_merchant_instruction_delete(db, p.id);
}

/* ------------------------------------------------------------------ M4 */

static void an_order_has_one_purchase(void **state)
{
    struct fixture *f = *state;
    struct step first = {f, purchase_of(f, 0x10), setpay_view_string("envelope"), true};
    struct step second = {f, purchase_of(f, 0x40), setpay_view_string("envelope"), false};
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &first), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &second),
                     SETPAY_E_ORDER_TAKEN); /* rule M4 */
    /* finally refused, it makes room; the same offer is never taken twice */
    first.purchase.state = SETPAY_PURCHASE_DECLINED;
    assert_int_equal(setpay_store_submit_wait(f->store, finish_purchase, &first), SETPAY_OK);
    struct step again = {f, purchase_of(f, 0x10), setpay_view_string("envelope"), false};
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &again),
                     SETPAY_E_ORDER_TAKEN); /* rule M4 */
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &second), SETPAY_OK);
}

/* An outcome that was decided on an older version books nothing. */
static void an_old_version_is_refused(void **state)
{
    struct fixture *f = *state;
    struct step step = {f, purchase_of(f, 0x10), setpay_view_string("envelope"), true};
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &step), SETPAY_OK);
    struct step stale = step;
    stale.purchase.version = 7;
    stale.purchase.state = SETPAY_PURCHASE_DECLINED;
    assert_int_equal(setpay_store_submit_wait(f->store, finish_purchase, &stale),
                     SETPAY_E_CONFLICT);
    struct step second = {f, purchase_of(f, 0x40), setpay_view_string("envelope"), false};
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &second),
                     SETPAY_E_ORDER_TAKEN); /* rule M4: still taken */
}

/* ------------------------------------------------------------------ M9: the store's wishes */

struct wish {
    struct setpay_id xid;
    enum setpay_error error;
    enum setpay_purchase_state state;
};

static enum setpay_error give_up_twice(struct setpay_db *db, void *arg)
{
    struct wish *wish = arg;
    struct setpay_merchant_purchase p;
    const struct setpay_payment_port *port = &setpay_merchant_payment_port;
    wish->error = port->reverse(db, &wish->xid, NOW_MS); /* nothing is held yet */
    SETPAY_TRY(port->give_up(db, &wish->xid, NOW_MS));   /* rule M9 */
    SETPAY_TRY(port->give_up(db, &wish->xid, NOW_MS));
    SETPAY_TRY(setpay_merchant_purchase_find(db, &wish->xid, &p));
    wish->state = p.state;
    return SETPAY_OK;
}

static void the_store_gives_up(void **state)
{
    struct fixture *f = *state;
    struct step step = {f, purchase_of(f, 0x10), setpay_view_string("envelope"), true};
    struct wish wish = {.xid = step.purchase.xid};
    struct wish unknown = {.xid = test_id(0x77)};
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &step), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(f->store, give_up_twice, &wish), SETPAY_OK);
    assert_int_equal(wish.error, SETPAY_E_STATE);
    assert_int_equal(wish.state, SETPAY_PURCHASE_VOIDING);
    assert_int_equal(setpay_store_submit_wait(f->store, give_up_twice, &unknown),
                     SETPAY_E_NOT_FOUND);
}

/* ------------------------------------------------------------------ M7 */

static void no_instruction_is_left(void **state)
{
    static const char envelope[] = "an envelope that nobody may find again 0123456789";
    struct fixture *f = *state;
    struct step step = {f, purchase_of(f, 0x10), setpay_view_string(envelope), true};
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &step), SETPAY_OK);
    assert_true(test_folder_holds(&f->folder, envelope, sizeof envelope - 1));
    step.purchase.state = SETPAY_PURCHASE_DECLINED;
    assert_int_equal(setpay_store_submit_wait(f->store, finish_purchase, &step), SETPAY_OK);
    assert_int_equal(setpay_store_checkpoint_truncate_wait(f->store), SETPAY_OK);
    assert_false(test_folder_holds(&f->folder, envelope, sizeof envelope - 1)); /* rule M7 */
}

/* ------------------------------------------------------------------ M5, A6 */

struct kept_ask {
    const struct setpay_merchant_purchase *purchase;
    const struct setpay_merchant_ask *made;
    struct setpay_merchant_ask found;
    struct setpay_merchant_ask other;
    enum setpay_error void_error;
};

static enum setpay_error keep_and_find(struct setpay_db *db, void *arg)
{
    struct kept_ask *k = arg;
    SETPAY_TRY(setpay_merchant_ask_insert(db, k->purchase->id, k->made));
    k->void_error = setpay_merchant_ask_find(db, k->purchase, SETPAY_ASK_VOID, &k->found);
    SETPAY_TRY(setpay_merchant_ask_find_any(db, k->purchase, 5, &k->other)); /* goes round */
    return setpay_merchant_ask_find(db, k->purchase, SETPAY_ASK_AUTHORISE, &k->found);
}

/* A merchant's keys with one pair in use. */
static struct setpay_keys *keys_of(const struct test_party *party)
{
    struct setpay_keys *keys = NULL;
    struct setpay_keyring *ring = NULL;
    struct setpay_identity identity = {0};
    identity.pkey = party->key;
    assert_int_equal(EVP_PKEY_up_ref(identity.pkey), 1);
    assert_int_equal(setpay_signing_key_from_pkey(identity.pkey, &identity.key), SETPAY_OK);
    identity.certificate = setpay_certificate_ref(party->certificate);
    assert_int_equal(setpay_keys_new(&keys), SETPAY_OK);
    assert_int_equal(setpay_keyring_new(&ring), SETPAY_OK);
    assert_int_equal(
        setpay_keyring_add(ring, SETPAY_PROFILE_MERCHANT_SIGN, "visa", true, &identity), SETPAY_OK);
    setpay_keys_put(keys, ring);
    return keys;
}

static void a_repeat_is_the_same_to_the_last_byte(void **state)
{
    static const char *const brands[] = {"visa", NULL};
    struct fixture *f = *state;
    struct test_pki *pki = test_pki_new(NOW_MS, brands);
    struct test_party *shop =
        test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    struct test_party *holder =
        test_party_new(pki, "visa", SETPAY_PROFILE_CARDHOLDER_SIGN, NULL, NULL);
    struct setpay_trust *trust = test_pki_trust(pki);
    struct setpay_merchant *merchant = calloc(1, sizeof *merchant);
    struct setpay_merchant_brand *brand = &merchant->brands[0];
    const struct setpay_merchant_asking asking = {.kind = SETPAY_ASK_AUTHORISE};
    struct step step = {f, purchase_of(f, 0x10), setpay_view_string("envelope"), true};
    struct setpay_merchant_purchase *p = &step.purchase;
    struct setpay_merchant_ask made;
    struct setpay_buffer bytes[2];
    struct setpay_message message;
    struct setpay_certificate *signer = NULL;
    merchant->trust = trust;
    memcpy(merchant->id, "shop-1", 7);
    memcpy(brand->name, "visa", 5);
    merchant->keys = keys_of(shop);
    setpay_merchant_ask_init(&made);

    /* rule M5: not under a certificate that is no longer ours */
    assert_int_equal(setpay_merchant_ask_make(merchant, brand, p, &asking, NOW_MS, &made),
                     SETPAY_E_SENDER);
    p->merchant = shop->thumbprint;
    p->cardholder = holder->thumbprint;
    memset(p->dual_signature.bytes, 0x30, p->dual_signature.size);
    assert_int_equal(setpay_merchant_ask_make(merchant, brand, p, &asking, NOW_MS, &made),
                     SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(f->store, store_purchase, &step), SETPAY_OK);
    struct kept_ask kept = {.purchase = p, .made = &made};
    setpay_merchant_ask_init(&kept.found);
    setpay_merchant_ask_init(&kept.other);
    assert_int_equal(setpay_store_submit_wait(f->store, keep_and_find, &kept), SETPAY_OK);
    assert_int_equal(kept.void_error, SETPAY_E_NOT_FOUND);
    assert_true(setpay_id_equal(&kept.other.rrpid, &made.rrpid));

    const struct setpay_merchant_ask *const asks[2] = {&made, &kept.found};
    for (size_t i = 0; i < 2; i++) {
        setpay_buffer_init(&bytes[i], SETPAY_LIMIT_MESSAGE_BYTES);
        assert_int_equal(setpay_merchant_ask_pack(merchant, brand, p, asks[i],
                                                  setpay_view_string("envelope"),
                                                  setpay_buffer_view(&holder->der), &bytes[i]),
                         SETPAY_OK);
    }
    assert_true(
        setpay_view_equal(setpay_buffer_view(&bytes[0]), setpay_buffer_view(&bytes[1]))); /* A6 */
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&bytes[1]), &message), SETPAY_OK);
    assert_int_equal(setpay_message_authenticate(&message, trust, SETPAY_PROFILE_MERCHANT_SIGN,
                                                 "visa", NOW_MS, &signer),
                     SETPAY_OK);
    setpay_certificate_unref(signer);
    setpay_message_clear(&message);
    for (size_t i = 0; i < 2; i++)
        setpay_buffer_clear(&bytes[i]);
    setpay_merchant_ask_clear(&made);
    setpay_merchant_ask_clear(&kept.found);
    setpay_merchant_ask_clear(&kept.other);
    setpay_keys_free(merchant->keys);
    free(merchant);
    setpay_trust_free(trust);
    test_party_free(shop);
    test_party_free(holder);
    test_pki_free(pki);
}

/* As many receipts as a purchase may have make no answer impossible: all of setpay's gateway's, as
 * large as its longest names make them; of one that seals more, the oldest that have room. */
static void expect_receipts(struct setpay_merchant *merchant,
                            const struct setpay_merchant_brand *brand,
                            const struct setpay_merchant_purchase *purchase,
                            const struct setpay_merchant_told *asked, size_t size, size_t expected)
{
    static struct setpay_sealed_receipt receipts[SETPAY_LIMIT_RECEIPTS];
    struct setpay_merchant_purchase p = *purchase;
    struct setpay_merchant_told told = *asked;
    struct setpay_buffer bytes;
    struct setpay_message message;
    struct setpay_pres pres;
    for (size_t i = 0; i < SETPAY_LIMIT_RECEIPTS; i++)
        receipts[i] = (struct setpay_sealed_receipt){
            .kind = SETPAY_RECEIPT_CAPTURE, .receipt_id = test_id((uint8_t)i), .size = size};
    p.state = SETPAY_PURCHASE_CAPTURED;
    p.answered = true;
    p.approved_minor = SETPAY_MONEY_MAX_MINOR;
    memset(p.order_id, 'o', SETPAY_WIRE_LID_M_MAX);
    told.receipts = receipts;
    told.receipt_count = SETPAY_LIMIT_RECEIPTS;
    told.skipped = 7;
    told.left = 3;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    assert_int_equal(setpay_merchant_answer_build(merchant, brand, &p, &told, NOW_MS, &bytes),
                     SETPAY_OK);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&bytes), &message), SETPAY_OK);
    assert_int_equal(setpay_pres_parse(message.content, &pres), SETPAY_OK);
    assert_int_equal(pres.receipt_count, expected);
    assert_int_equal(pres.skipped, 7);
    assert_int_equal(pres.left, 3 + SETPAY_LIMIT_RECEIPTS - expected); /* none is lost unsaid */
    for (size_t i = 0; i < pres.receipt_count; i++)
        assert_true(setpay_id_equal(&pres.receipts[i].receipt_id, &receipts[i].receipt_id));
    setpay_pres_clear(&pres);
    setpay_message_clear(&message);
    setpay_buffer_clear(&bytes);
}

/* A purchase lives longer than a certificate: an inquiry is answered under the renewed one. */
static void an_inquiry_is_answered_under_a_renewed_certificate(void **state)
{
    static const char *const brands[] = {"visa", NULL};
    struct fixture *f = *state;
    struct test_pki *pki = test_pki_new(NOW_MS, brands);
    struct test_party *renewed =
        test_party_new(pki, "visa", SETPAY_PROFILE_MERCHANT_SIGN, "shop-1", NULL);
    struct setpay_merchant *merchant = calloc(1, sizeof *merchant);
    struct setpay_merchant_brand *brand = &merchant->brands[0];
    struct setpay_merchant_purchase p = purchase_of(f, 0x10); /* names another certificate */
    const struct setpay_id rrpid = test_id(0x77);
    const struct setpay_digest hash = test_digest(0x78);
    struct setpay_merchant_told told = {
        .rrpid = &rrpid, .request_hash = &hash, .challenge = &hash, .type = SETPAY_MESSAGE_P_RES};
    struct setpay_buffer bytes;
    struct setpay_message message;
    struct setpay_pres pres;
    struct setpay_certificate *signer = NULL;
    setpay_buffer_init(&bytes, SETPAY_LIMIT_MESSAGE_BYTES);
    merchant->trust = test_pki_trust(pki);
    memcpy(merchant->id, "shop-1", 7);
    memcpy(brand->name, "visa", 5);
    merchant->keys = keys_of(renewed);
    assert_int_equal(setpay_merchant_answer_build(merchant, brand, &p, &told, NOW_MS, &bytes),
                     SETPAY_E_SENDER); /* PRes: the one that OI names */
    told.type = SETPAY_MESSAGE_INQ_RES;
    assert_int_equal(setpay_merchant_answer_build(merchant, brand, &p, &told, NOW_MS, &bytes),
                     SETPAY_OK);
    assert_int_equal(setpay_message_parse(setpay_buffer_view(&bytes), &message), SETPAY_OK);
    assert_int_equal(setpay_message_authenticate(&message, merchant->trust,
                                                 SETPAY_PROFILE_MERCHANT_SIGN, "visa", NOW_MS,
                                                 &signer),
                     SETPAY_OK);
    assert_int_equal(setpay_pres_parse(message.content, &pres), SETPAY_OK);
    assert_true(setpay_digest_equal(&pres.header.sender, &renewed->thumbprint));
    setpay_pres_clear(&pres);
    setpay_certificate_unref(signer);
    setpay_message_clear(&message);
    expect_receipts(merchant, brand, &p, &told, 422, SETPAY_LIMIT_RECEIPTS);
    expect_receipts(merchant, brand, &p, &told, SETPAY_WIRE_RECEIPT_MAX,
                    (SETPAY_LIMIT_CONTENT_BYTES - 1024) / (SETPAY_WIRE_RECEIPT_MAX + 32));
    setpay_buffer_clear(&bytes);
    setpay_trust_free(merchant->trust);
    setpay_keys_free(merchant->keys);
    free(merchant);
    test_party_free(renewed);
    test_pki_free(pki);
}

/* ------------------------------------------------------------------ offers */

struct offer_test {
    const char *order_id;
    int64_t open, deleted;
    enum setpay_error found;
};

static enum setpay_error keep_offers(struct setpay_db *db, void *arg)
{
    struct offer_test *t = arg;
    struct setpay_merchant_offer offer;
    setpay_merchant_offer_init(&offer);
    SETPAY_TRY(setpay_buffer_set(&offer.content, setpay_view_string("content")));
    memcpy(offer.order_id, t->order_id, strlen(t->order_id) + 1);
    enum setpay_error error = SETPAY_OK;
    for (uint8_t i = 0; i < 3 && error == SETPAY_OK; i++) {
        offer.xid = test_id(i);
        offer.expiry_ms = NOW_MS + (i - 1) * SETPAY_DAY_MS;
        error = setpay_merchant_offer_insert(db, &offer);
    }
    if (error == SETPAY_OK)
        error = setpay_merchant_offer_count(db, t->order_id, NOW_MS, &t->open);
    if (error == SETPAY_OK)
        error = setpay_merchant_offer_purge(db, NOW_MS, 100, &t->deleted);
    const struct setpay_id gone = test_id(0);
    t->found = setpay_merchant_offer_find(db, &gone, &offer);
    setpay_merchant_offer_clear(&offer);
    return error;
}

static void offers_go_when_their_time_is_over(void **state)
{
    struct fixture *f = *state;
    struct offer_test t = {.order_id = f->order.order_id};
    assert_int_equal(setpay_store_submit_wait(f->store, keep_offers, &t), SETPAY_OK);
    assert_int_equal(t.open, 2);
    assert_int_equal(t.deleted, 1);
    assert_int_equal(t.found, SETPAY_E_NOT_FOUND);
}

struct crowd {
    struct fixture *f;
    unsigned first, count;
    setpay_time_ms created_ms;
    int64_t in_table;
};

static enum setpay_error keep_crowd(struct setpay_db *db, void *arg)
{
    struct crowd *c = arg;
    struct setpay_merchant_offer offer;
    setpay_merchant_offer_init(&offer);
    SETPAY_TRY(setpay_buffer_set(&offer.content, setpay_view_string("content")));
    (void)snprintf(offer.order_id, sizeof offer.order_id, "%s", c->f->order.order_id);
    offer.created_ms = c->created_ms;
    offer.expiry_ms = c->created_ms + SETPAY_MINUTE_MS;
    enum setpay_error error = SETPAY_OK;
    for (unsigned i = c->first; i < c->first + c->count && error == SETPAY_OK; i++) {
        offer.xid = test_id((uint8_t)i);
        error = setpay_merchant_offer_insert(db, &offer);
    }
    setpay_merchant_offer_clear(&offer);
    return error;
}

static enum setpay_error count_all(struct setpay_db *db, void *arg)
{
    struct crowd *c = arg;
    return setpay_merchant_offer_count(db, c->f->order.order_id, 0, &c->in_table);
}

/* PInitReq is not signed: whoever has a link can ask for offers without end. */
static void an_order_has_so_many_offers(void **state)
{
    struct fixture *f = *state;
    struct crowd c = {.f = f, .count = SETPAY_MERCHANT_ORDER_OFFERS, .created_ms = NOW_MS};
    assert_int_equal(setpay_store_submit_wait(f->store, keep_crowd, &c), SETPAY_OK);
    c.first = c.count;
    c.count = 1;
    c.created_ms = NOW_MS + SETPAY_MINUTE_MS; /* they have not expired yet */
    assert_int_equal(setpay_store_submit_wait(f->store, keep_crowd, &c), SETPAY_E_BUSY);
    assert_int_equal(setpay_store_submit_wait(f->store, count_all, &c), SETPAY_OK);
    assert_int_equal(c.in_table, SETPAY_MERCHANT_ORDER_OFFERS);
    c.created_ms++;
    assert_int_equal(setpay_store_submit_wait(f->store, keep_crowd, &c), SETPAY_OK);
    const struct setpay_merchant_offer offer = {.created_ms = NOW_MS,
                                                .expiry_ms = NOW_MS + SETPAY_MINUTE_MS};
    assert_int_equal(setpay_merchant_offer_answer_until(&offer), NOW_MS + 11 * SETPAY_MINUTE_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_order_has_one_purchase, setup, teardown),
        cmocka_unit_test_setup_teardown(an_old_version_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_store_gives_up, setup, teardown),
        cmocka_unit_test_setup_teardown(no_instruction_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repeat_is_the_same_to_the_last_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(an_inquiry_is_answered_under_a_renewed_certificate, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_order_has_so_many_offers, setup, teardown),
        cmocka_unit_test_setup_teardown(offers_go_when_their_time_is_over, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
