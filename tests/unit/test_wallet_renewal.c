/*
 * Renewal of a card: when, after which pause, what the person is told; and the card's keys in the
 * store: which one signs, which one asks (rule M8), and when one is destroyed.
 */
#include "cardholder/wallet.h"
#include "common/crypto/hash.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1790000000000)
#define DAY SETPAY_DAY_MS

/* ------------------------------------------------------------------ when */

/* Of a year, ends in days days; 0xff.. as its key's digest: the latest of all moments. */
static struct setpay_wallet_card card_ending(int64_t days)
{
    struct setpay_wallet_card card = {.status = SETPAY_WALLET_CARD_ACTIVE,
                                      .expires_ms = NOW_MS + days * DAY,
                                      .begins_ms = NOW_MS + (days - 365) * DAY};
    strcpy(card.authority.host, "ca.example");
    card.authority.port = 443;
    return card;
}

static void a_certificate_is_renewed_in_time_and_not_before(void **state)
{
    struct setpay_wallet_card card = card_ending(31);
    (void)state;
    assert_int_equal(setpay_wallet_renewal_state(&card, 30 * DAY, NOW_MS),
                     SETPAY_WALLET_RENEWAL_NONE);
    assert_false(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));
    card = card_ending(30);
    assert_int_equal(setpay_wallet_renewal_state(&card, 30 * DAY, NOW_MS),
                     SETPAY_WALLET_RENEWAL_DUE);
    assert_true(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));
    /* Another key's moment is later, within an eighth of the lead. */
    memset(&card.key_digest, 0xff, sizeof card.key_digest);
    assert_false(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));
    assert_true(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS + 4 * DAY));
    /* A short life has a short lead: a third. */
    card = card_ending(29);
    card.begins_ms = card.expires_ms - 30 * DAY;
    assert_int_equal(setpay_wallet_renewal_state(&card, 30 * DAY, NOW_MS),
                     SETPAY_WALLET_RENEWAL_NONE);
    card = card_ending(10);
    card.begins_ms = card.expires_ms - 30 * DAY;
    assert_true(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));
}

static void what_can_not_be_renewed_is_told_and_not_tried(void **state)
{
    struct setpay_wallet_card card = card_ending(5);
    char words[SETPAY_WALLET_NOTICE_SIZE];
    (void)state;
    card.ends_with_card = true;
    assert_int_equal(setpay_wallet_renewal_state(&card, 30 * DAY, NOW_MS),
                     SETPAY_WALLET_RENEWAL_CARD_ENDS);
    assert_false(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));
    card = card_ending(5);
    card.authority.host[0] = '\0';
    assert_int_equal(setpay_wallet_renewal_state(&card, 30 * DAY, NOW_MS),
                     SETPAY_WALLET_RENEWAL_BY_HAND);
    assert_false(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));
    assert_non_null(strstr(setpay_wallet_renewal_words(&card, 30 * DAY, NOW_MS, words), "--url"));
    card = card_ending(5); /* one who renews by command alone is told all the same */
    assert_int_equal(setpay_wallet_renewal_state(&card, 0, NOW_MS), SETPAY_WALLET_RENEWAL_BY_HAND);
    assert_false(setpay_wallet_renewal_is_due(&card, 0, DAY, NOW_MS));
    card = card_ending(-1);
    assert_int_equal(setpay_wallet_renewal_state(&card, 30 * DAY, NOW_MS),
                     SETPAY_WALLET_RENEWAL_ENDED);
    assert_false(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));
    card.status = SETPAY_WALLET_CARD_PENDING;
    assert_int_equal(setpay_wallet_renewal_state(&card, 30 * DAY, NOW_MS),
                     SETPAY_WALLET_RENEWAL_NONE);
    assert_string_equal(setpay_wallet_renewal_words(&card, 30 * DAY, NOW_MS, words), "");
}

static void after_a_failure_there_is_a_pause(void **state)
{
    struct setpay_wallet_card card = card_ending(5);
    char words[SETPAY_WALLET_NOTICE_SIZE];
    (void)state;
    card.renewal = (struct setpay_wallet_renewal_note){
        .failures = 2, .tried_ms = NOW_MS - 1, .again_ms = NOW_MS + 1000};
    strcpy(card.renewal.words, "nobody answers");
    assert_int_equal(setpay_wallet_renewal_state(&card, 30 * DAY, NOW_MS),
                     SETPAY_WALLET_RENEWAL_FAILED);
    assert_false(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));
    assert_true(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS + 1000));
    setpay_wallet_renewal_words(&card, 30 * DAY, NOW_MS, words);
    assert_non_null(strstr(words, "nobody answers"));
    assert_non_null(strstr(words, "2 tries"));
    /* Noted by a clock that was far ahead. */
    card.renewal.again_ms = NOW_MS + 4 * DAY;
    assert_true(setpay_wallet_renewal_is_due(&card, 30 * DAY, DAY, NOW_MS));

    assert_int_equal(setpay_wallet_renewal_pause_ms(1, SETPAY_E_TIMEOUT, 100, 1000, 0), 100);
    assert_int_equal(setpay_wallet_renewal_pause_ms(3, SETPAY_E_TIMEOUT, 100, 1000, 0), 400);
    assert_int_equal(setpay_wallet_renewal_pause_ms(99, SETPAY_E_TIMEOUT, 100, 1000, 0), 1000);
    assert_int_equal(setpay_wallet_renewal_pause_ms(1, SETPAY_E_TIMEOUT, 100, 1000, UINT32_MAX),
                     125);
    /* Who is refused is not let in for asking soon again. */
    assert_int_equal(setpay_wallet_renewal_pause_ms(1, SETPAY_E_PERMISSION, 100, 1000, 0), 1000);
}

static void a_card_ends_with_its_month(void **state)
{
    static const struct {
        const char *expiry;
        int64_t end_s;
    } cards[] = {{"3012", 1924991999}, {"2602", 1772323199}, {"2804", 1840751999}};
    static const char *const others[] = {"3013", "3000", "301", "30120", "ab12", ""};
    setpay_time_ms end_ms = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cards / sizeof *cards; i++) {
        struct setpay_secret expiry = {0};
        assert_int_equal(setpay_secret_copy(&expiry, setpay_view_string(cards[i].expiry)),
                         SETPAY_OK);
        assert_int_equal(setpay_wallet_card_end(&expiry, &end_ms), SETPAY_OK);
        assert_int_equal(end_ms, cards[i].end_s * 1000 + 999);
        setpay_secret_clear(&expiry);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct setpay_secret expiry = {0};
        if (others[i][0] != '\0')
            assert_int_equal(setpay_secret_copy(&expiry, setpay_view_string(others[i])), SETPAY_OK);
        assert_int_equal(setpay_wallet_card_end(&expiry, &end_ms), SETPAY_E_INVALID);
        setpay_secret_clear(&expiry);
    }
}

/* ------------------------------------------------------------------ keys */

struct kept {
    struct test_folder folder;
    struct setpay_store *store;
    struct setpay_reader *reader;
};

/* What an operation or a read is done with, and gives. */
struct step {
    struct setpay_wallet_card *card;
    const char *certificate;
    const struct setpay_digest *thumbprint;
    struct setpay_wallet_purchase *purchase;
    setpay_time_ms since_ms;
    size_t count;
};

static void open_store(struct kept *kept)
{
    struct setpay_problem problem;
    const struct setpay_store_options options = {.url = kept->folder.url,
                                                 .schema = &setpay_wallet_schema};
    assert_int_equal(setpay_store_open(&options, &kept->store, &problem), SETPAY_OK);
    assert_int_equal(setpay_reader_new(kept->store, &kept->reader), SETPAY_OK);
}

static void close_store(struct kept *kept)
{
    setpay_reader_free(kept->reader);
    setpay_store_close(kept->store);
}

static void fill_box(struct setpay_wallet_card *card, enum setpay_wallet_box which,
                     const char *text)
{
    setpay_buffer_init(&card->boxes[which], SETPAY_WALLET_BOX_MAX);
    assert_int_equal(setpay_buffer_set(&card->boxes[which], setpay_view_string(text)), SETPAY_OK);
}

static void make_key(struct setpay_wallet_card *card, uint8_t number, const char *box)
{
    card->key_id = test_id(number);
    card->key_digest = test_digest(number);
    fill_box(card, SETPAY_WALLET_BOX_KEY, box);
}

static void make_card(struct setpay_wallet_card *card)
{
    card->id = test_id(0x10);
    strcpy(card->brand, "example-card");
    strcpy(card->label, "mine");
    strcpy(card->last4, "1111");
    card->status = SETPAY_WALLET_CARD_PENDING;
    make_key(card, 0x20, "box-of-the-first-key");
    fill_box(card, SETPAY_WALLET_BOX_PAN_SECRET, "secret");
    fill_box(card, SETPAY_WALLET_BOX_PAN, "pan");
    fill_box(card, SETPAY_WALLET_BOX_EXPIRY, "expiry");
}

static enum setpay_error add(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_add_card(db, ((struct step *)arg)->card);
}

static enum setpay_error add_next(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_add_next_key(db, ((struct step *)arg)->card);
}

static enum setpay_error take(struct setpay_db *db, void *arg)
{
    const struct step *step = arg;
    static const struct setpay_est_place place = {.host = "ca.example", .port = 8443};
    struct setpay_digest root = test_digest(0x77);
    struct setpay_wallet_certified certified = {.begins_ms = 1, .expires_ms = NOW_MS};
    setpay_buffer_init(&certified.certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    SETPAY_TRY(setpay_buffer_set(&certified.certificate, setpay_view_string(step->certificate)));
    enum setpay_error error =
        step->card->status == SETPAY_WALLET_CARD_PENDING
            ? setpay_wallet_store_activate_card(db, &step->card->id, &certified)
            : setpay_wallet_store_renew_card(db, step->card, &certified, &place, &root);
    setpay_wallet_certified_clear(&certified);
    return error;
}

static enum setpay_error read_signer(struct setpay_db *db, void *arg)
{
    const struct step *step = arg;
    struct setpay_id id = test_id(0x10);
    return setpay_wallet_store_read_signer(db, &id, step->thumbprint, step->card);
}

static enum setpay_error read_current(struct setpay_db *db, void *arg)
{
    struct setpay_id id = test_id(0x10);
    return setpay_wallet_store_read_card(db, &id, ((struct step *)arg)->card);
}

static enum setpay_error add_purchase(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_add_purchase(db, ((struct step *)arg)->purchase, false);
}

static enum setpay_error settle(struct setpay_db *db, void *arg)
{
    const struct step *step = arg;
    return setpay_db_run(db, "UPDATE purchase SET state = $1 WHERE xid = $2",
                         SETPAY_DB_INT(step->purchase->state), SETPAY_DB_ID(&step->purchase->xid));
}

static enum setpay_error destroy(struct setpay_db *db, void *arg)
{
    struct step *step = arg;
    return setpay_wallet_store_destroy_over(db, step->since_ms, &step->count);
}

static enum setpay_error count_over(struct setpay_db *db, void *arg)
{
    struct step *step = arg;
    return setpay_wallet_store_count_over(db, step->since_ms, &step->count);
}

static enum setpay_error remove_it(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_remove_card(db, &((struct step *)arg)->card->id);
}

static enum setpay_error run(struct kept *kept, setpay_store_operation_fn *operation,
                             struct step step)
{
    return setpay_store_submit_wait(kept->store, operation, &step);
}

static size_t destroyed(struct kept *kept, setpay_time_ms since_ms)
{
    struct step step = {.since_ms = since_ms};
    assert_int_equal(setpay_store_read(kept->reader, count_over, &step), SETPAY_OK);
    size_t announced = step.count;
    assert_int_equal(setpay_store_submit_wait(kept->store, destroy, &step), SETPAY_OK);
    assert_int_equal(step.count, announced);
    return step.count;
}

/* Which key box asks after what was signed under this certificate. */
static enum setpay_error signer_is(struct kept *kept, const char *certificate, const char *box)
{
    struct setpay_wallet_card card = {0};
    struct setpay_digest thumbprint;
    assert_int_equal(setpay_sha256(setpay_view_string(certificate), &thumbprint), SETPAY_OK);
    struct step step = {.card = &card, .thumbprint = &thumbprint};
    enum setpay_error error = setpay_store_read(kept->reader, read_signer, &step);
    if (error == SETPAY_OK)
        assert_memory_equal(card.boxes[SETPAY_WALLET_BOX_KEY].data, box, strlen(box));
    setpay_wallet_card_clear(&card);
    return error;
}

/* A card whose first key has signed one purchase, and whose second key is the current one. */
static void renewed(struct kept *kept, struct setpay_wallet_purchase *purchase)
{
    struct setpay_wallet_card card = {0}, next = {0};
    test_folder_make(&kept->folder);
    open_store(kept);
    make_card(&card);
    assert_int_equal(run(kept, add, (struct step){.card = &card}), SETPAY_OK);
    assert_int_equal(run(kept, take, (struct step){.card = &card, .certificate = "first"}),
                     SETPAY_OK);
    setpay_wallet_purchase_init(purchase);
    purchase->xid = test_id(0x30);
    purchase->state = SETPAY_WALLET_PENDING;
    purchase->signed_ms = NOW_MS;
    strcpy(purchase->link.host, "shop.example");
    assert_int_equal(setpay_sha256(setpay_view_string("first"), &purchase->cardholder), SETPAY_OK);
    assert_int_equal(run(kept, add_purchase, (struct step){.purchase = purchase}), SETPAY_OK);
    next.id = card.id;
    next.status = SETPAY_WALLET_CARD_ACTIVE;
    make_key(&next, 0x21, "box-of-the-second-key");
    assert_int_equal(run(kept, add_next, (struct step){.card = &next}), SETPAY_OK);
    assert_int_equal(run(kept, add_next, (struct step){.card = &next}), SETPAY_E_EXISTS);
    assert_int_equal(signer_is(kept, "first", "box-of-the-first-key"), SETPAY_OK);
    assert_int_equal(run(kept, take, (struct step){.card = &next, .certificate = "second"}),
                     SETPAY_OK);
    /* The same key is not the next one again. */
    assert_int_equal(run(kept, take, (struct step){.card = &next, .certificate = "third"}),
                     SETPAY_E_NOT_FOUND);
    setpay_wallet_card_clear(&card);
    setpay_wallet_card_clear(&next);
}

static void a_renewed_card_signs_with_its_new_key_and_asks_with_the_old(void **state)
{
    struct kept kept;
    struct setpay_wallet_purchase purchase;
    struct setpay_wallet_card card = {0};
    (void)state;
    renewed(&kept, &purchase);
    struct step step = {.card = &card};
    assert_int_equal(setpay_store_read(kept.reader, read_current, &step), SETPAY_OK);
    assert_memory_equal(card.boxes[SETPAY_WALLET_BOX_KEY].data, "box-of-the-second-key", 21);
    assert_string_equal(card.authority.host, "ca.example");
    assert_true(card.has_root);
    assert_int_equal(signer_is(&kept, "second", "box-of-the-second-key"), SETPAY_OK);
    assert_int_equal(signer_is(&kept, "first", "box-of-the-first-key"), SETPAY_OK); /* rule M8 */
    assert_int_equal(signer_is(&kept, "another", ""), SETPAY_E_KEY_DESTROYED);
    /* An open purchase of an earlier key keeps the card too. */
    assert_int_equal(run(&kept, remove_it, (struct step){.card = &card}), SETPAY_E_STATE);
    setpay_wallet_card_clear(&card);
    setpay_wallet_purchase_clear(&purchase);
    close_store(&kept);
    test_folder_remove(&kept.folder);
}

static void an_earlier_key_is_destroyed_when_nothing_needs_it(void **state)
{
    static const struct {
        enum setpay_wallet_state state;
        setpay_time_ms since_ms;
        size_t destroyed;
    } steps[] = {
        {SETPAY_WALLET_PENDING, NOW_MS + DAY, 0},  {SETPAY_WALLET_REFUSED, NOW_MS + DAY, 0},
        {SETPAY_WALLET_AUTHORISED, NOW_MS - 1, 0}, /* it may be given back, or captured */
        {SETPAY_WALLET_LAPSED, NOW_MS - 1, 0},     /* a receipt may show that it was not (W7) */
        {SETPAY_WALLET_AUTHORISED, NOW_MS, 1},
    };
    struct kept kept;
    struct setpay_wallet_purchase purchase;
    (void)state;
    renewed(&kept, &purchase);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        purchase.state = steps[i].state;
        assert_int_equal(run(&kept, settle, (struct step){.purchase = &purchase}), SETPAY_OK);
        assert_int_equal(destroyed(&kept, steps[i].since_ms), steps[i].destroyed);
    }
    assert_int_equal(setpay_store_checkpoint_truncate_wait(kept.store), SETPAY_OK);
    assert_false(test_folder_holds(&kept.folder, "box-of-the-first-key", 20));
    assert_true(test_folder_holds(&kept.folder, "box-of-the-second-key", 21));
    assert_int_equal(signer_is(&kept, "first", ""), SETPAY_E_KEY_DESTROYED);
    assert_int_equal(signer_is(&kept, "second", "box-of-the-second-key"), SETPAY_OK);
    /* What it signed too late is not stored: nobody could ask after it. */
    purchase.xid = test_id(0x31);
    strcpy(purchase.link.token, "another");
    assert_int_equal(run(&kept, add_purchase, (struct step){.purchase = &purchase}),
                     SETPAY_E_KEY_DESTROYED);
    setpay_wallet_purchase_clear(&purchase);
    close_store(&kept);
    test_folder_remove(&kept.folder);
}

static enum setpay_error note(struct setpay_db *db, void *arg)
{
    struct setpay_wallet_card *card = ((struct step *)arg)->card;
    return setpay_wallet_store_note_failure(db, &card->id, &card->renewal);
}

static void a_failure_is_remembered_until_a_renewal(void **state)
{
    struct kept kept;
    struct setpay_wallet_purchase purchase;
    struct setpay_wallet_card card = {0}, next = {0};
    struct step step = {.card = &card};
    (void)state;
    renewed(&kept, &purchase);
    next.id = test_id(0x10);
    next.status = SETPAY_WALLET_CARD_ACTIVE;
    next.renewal = (struct setpay_wallet_renewal_note){.failures = 3, .tried_ms = 4, .again_ms = 5};
    strcpy(next.renewal.error, "TIMEOUT");
    strcpy(next.renewal.words, "no answer");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run(&kept, note, (struct step){.card = &next}), SETPAY_OK);
        assert_int_equal(setpay_store_read(kept.reader, read_current, &step), SETPAY_OK);
        assert_int_equal(card.renewal.failures, 3);
        assert_int_equal(card.renewal.tried_ms, 4);
        assert_int_equal(card.renewal.again_ms, 5);
        assert_string_equal(card.renewal.error, "TIMEOUT");
        assert_string_equal(card.renewal.words, "no answer");
    }
    make_key(&next, 0x22, "box-of-the-third-key");
    assert_int_equal(run(&kept, add_next, (struct step){.card = &next}), SETPAY_OK);
    assert_int_equal(run(&kept, take, (struct step){.card = &next, .certificate = "third"}),
                     SETPAY_OK);
    assert_int_equal(setpay_store_read(kept.reader, read_current, &step), SETPAY_OK);
    assert_int_equal(card.renewal.failures, 0);
    setpay_wallet_card_clear(&card);
    setpay_wallet_card_clear(&next);
    setpay_wallet_purchase_clear(&purchase);
    close_store(&kept);
    test_folder_remove(&kept.folder);
}

static void declined_and_voided_need_no_key(void **state)
{
    static const enum setpay_wallet_state states[] = {SETPAY_WALLET_DECLINED, SETPAY_WALLET_VOIDED,
                                                      SETPAY_WALLET_REVERSED};
    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct kept kept;
        struct setpay_wallet_purchase purchase;
        renewed(&kept, &purchase);
        purchase.state = states[i];
        assert_int_equal(run(&kept, settle, (struct step){.purchase = &purchase}), SETPAY_OK);
        assert_int_equal(destroyed(&kept, 0), 1);
        setpay_wallet_purchase_clear(&purchase);
        close_store(&kept);
        test_folder_remove(&kept.folder);
    }
}

/* ------------------------------------------------------------------ a wallet of before */

static void a_wallet_of_before_keeps_its_cards(void **state)
{
    struct kept kept;
    const struct setpay_store_migration steps[] = {
        setpay_wallet_schema.steps[0], setpay_wallet_schema.steps[1], {0, NULL}};
    const struct setpay_store_schema before = {.name = "wallet", .steps = steps};
    struct setpay_store *store = NULL;
    struct setpay_problem problem;
    struct setpay_wallet_card card = {0};
    struct step step = {.card = &card};
    struct setpay_id id = test_id(0x10);
    sqlite3 *db = NULL;
    (void)state;
    test_folder_make(&kept.folder);
    const struct setpay_store_options options = {.url = kept.folder.url, .schema = &before};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    setpay_store_close(store);
    assert_int_equal(sqlite3_open(strchr(kept.folder.url, ':') + 1, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "INSERT INTO card (id, brand, label, last4, status, is_default, key_digest,"
                     " created, expires, certificate, thumbprint, key_box, pan_secret_box, pan_box,"
                     " expiry_box) VALUES (x'101112131415161718191a1b1c1d1e1f', 'b', 'mine',"
                     " '1111', 2, 1, zeroblob(32), 5, 7, x'63657274', zeroblob(32), x'6b6579',"
                     " x'01', x'02', x'03');"
                     "INSERT INTO authority VALUES (x'101112131415161718191a1b1c1d1e1f',"
                     " 'ca.example', 443)",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    open_store(&kept);
    assert_int_equal(setpay_store_read(kept.reader, read_current, &step), SETPAY_OK);
    assert_true(setpay_id_equal(&card.key_id, &id)); /* for which its box is sealed */
    assert_memory_equal(card.boxes[SETPAY_WALLET_BOX_KEY].data, "key", 3);
    assert_memory_equal(card.certificate.data, "cert", 4);
    assert_int_equal(card.expires_ms, 7);
    assert_true(card.is_default);
    assert_string_equal(card.authority.host, "ca.example");
    assert_false(card.has_root);
    setpay_wallet_card_clear(&card);
    close_store(&kept);
    test_folder_remove(&kept.folder);
}

static int set_up(void **state)
{
    (void)state;
    return setpay_secret_system_init() == SETPAY_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_is_renewed_in_time_and_not_before),
        cmocka_unit_test(what_can_not_be_renewed_is_told_and_not_tried),
        cmocka_unit_test(after_a_failure_there_is_a_pause),
        cmocka_unit_test(a_card_ends_with_its_month),
        cmocka_unit_test(a_renewed_card_signs_with_its_new_key_and_asks_with_the_old),
        cmocka_unit_test(an_earlier_key_is_destroyed_when_nothing_needs_it),
        cmocka_unit_test(a_failure_is_remembered_until_a_renewal),
        cmocka_unit_test(declined_and_voided_need_no_key),
        cmocka_unit_test(a_wallet_of_before_keeps_its_cards),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
