/*
 * The wallet's vault and cards: the passphrase, boxes that can't be moved, a card from its request
 * to its certificate, and what of it rests in the database.
 */
#include "cardholder/wallet.h"
#include "common/crypto/hash.h"
#include "common/pki/csr.h"
#include "tests/support/test_messages.h"
#include "tests/support/test_pki.h"
#include "tests/support/test_store.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BRAND "example-card"
#define PAN "4111111111111111"

static struct setpay_secret secret_of(const char *text)
{
    struct setpay_secret secret = {0};
    if (text[0] != '\0')
        assert_int_equal(setpay_secret_copy(&secret, setpay_view_string(text)), SETPAY_OK);
    return secret;
}

static void only_the_passphrase_opens(void **state)
{
    struct setpay_secret right = secret_of("correct horse"), wrong = secret_of("correct horsf");
    struct setpay_secret master = {0}, opened = {0};
    struct setpay_wallet_lock lock;
    (void)state;
    assert_int_equal(setpay_wallet_lock_make(&right, &lock, &master), SETPAY_OK);
    assert_int_equal(master.size, 32);
    assert_int_equal(setpay_wallet_lock_open(&lock, &wrong, &opened), SETPAY_E_PASSPHRASE);
    assert_int_equal(opened.size, 0);
    assert_int_equal(setpay_wallet_lock_open(&lock, &right, &opened), SETPAY_OK);
    assert_true(setpay_secret_equal(&master, &opened));
    setpay_secret_clear(&opened);
    lock.box[20] ^= 1;
    assert_int_equal(setpay_wallet_lock_open(&lock, &right, &opened), SETPAY_E_PASSPHRASE);
    lock.box[20] ^= 1;
    lock.scrypt.n = 3; /* not of the form that was stored */
    assert_int_equal(setpay_wallet_lock_open(&lock, &right, &opened), SETPAY_E_INVALID);
    assert_int_equal(opened.size, 0);
    setpay_secret_clear(&right);
    setpay_secret_clear(&wrong);
    setpay_secret_clear(&master);
}

static void wrong_tries_are_answered_ever_more_slowly(void **state)
{
    (void)state;
    assert_int_equal(setpay_wallet_lock_delay_ms(0), 0);
    for (unsigned i = 1; i < 6; i++)
        assert_true(setpay_wallet_lock_delay_ms(i + 1) == 2 * setpay_wallet_lock_delay_ms(i));
    assert_int_equal(setpay_wallet_lock_delay_ms(6), setpay_wallet_lock_delay_ms(4000000000u));
}

static void a_box_opens_in_its_own_place_only(void **state)
{
    struct setpay_secret master = {0}, none = {0}, plain = {0};
    struct setpay_buffer box = {0};
    struct setpay_id mine = test_id(1), other = test_id(2);
    (void)state;
    setpay_buffer_init(&box, SETPAY_WALLET_BOX_MAX);
    assert_int_equal(setpay_secret_random(&master, 32), SETPAY_OK);
    struct setpay_view text = setpay_view_string("a back key");
    assert_int_equal(setpay_wallet_box_seal(&none, "back key", &mine, text, &box), SETPAY_E_LOCKED);
    assert_int_equal(setpay_wallet_box_seal(&master, "back key", &mine, text, &box), SETPAY_OK);
    struct setpay_view bytes = setpay_buffer_view(&box);
    assert_int_equal(setpay_wallet_box_open(&master, "back key", &other, bytes, &plain),
                     SETPAY_E_CRYPTO);
    assert_int_equal(setpay_wallet_box_open(&master, "card pan", &mine, bytes, &plain),
                     SETPAY_E_CRYPTO);
    assert_int_equal(setpay_wallet_box_open(&none, "back key", &mine, bytes, &plain),
                     SETPAY_E_LOCKED);
    assert_int_equal(plain.size, 0);
    assert_int_equal(setpay_wallet_box_open(&master, "back key", &mine, bytes, &plain), SETPAY_OK);
    assert_true(setpay_view_equal(setpay_secret_view(&plain), text));
    setpay_secret_clear(&plain);
    setpay_secret_clear(&master);
    setpay_buffer_clear(&box);
}

static void card_numbers_have_a_check_digit(void **state)
{
    static const char *const good[] = {PAN, "5555555555554444", "4000000000000000006",
                                       "000000000000"};
    static const char *const bad[] = {"4111111111111112", "411111111111", "4111 1111 1111 1111", "",
                                      "40000000000000000000"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(setpay_wallet_pan_is_valid(setpay_view_string(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(setpay_wallet_pan_is_valid(setpay_view_string(bad[i])));
}

struct wished {
    struct setpay_wallet_card_wish wish;
    struct setpay_secret pan, expiry, postcode, house;
};

static void wish_for(struct wished *wished, const char *pan, const char *expiry)
{
    *wished = (struct wished){.pan = secret_of(pan),
                              .expiry = secret_of(expiry),
                              .postcode = secret_of("ZZ9 1AB"),
                              .house = secret_of("221")};
    wished->wish = (struct setpay_wallet_card_wish){.brand = BRAND,
                                                    .label = "mine",
                                                    .pan = &wished->pan,
                                                    .expiry = &wished->expiry,
                                                    .postcode = &wished->postcode,
                                                    .house_digits = &wished->house};
}

static void wish_clear(struct wished *wished)
{
    setpay_secret_clear(&wished->pan);
    setpay_secret_clear(&wished->expiry);
    setpay_secret_clear(&wished->postcode);
    setpay_secret_clear(&wished->house);
}

static enum setpay_error try_card(const struct setpay_secret *master, const char *pan,
                                  const char *expiry)
{
    struct wished wished;
    struct setpay_wallet_card card = {0};
    struct setpay_secret csr = {0};
    struct setpay_problem problem = {{0}};
    wish_for(&wished, pan, expiry);
    enum setpay_error error =
        setpay_wallet_card_make(master, &wished.wish, TEST_PKI_NOW_MS, &card, &csr, &problem);
    assert_null(strstr(problem.text, pan)); /* no words hold the number */
    if (error != SETPAY_OK)
        assert_int_equal(csr.size, 0);
    setpay_secret_clear(&csr);
    setpay_wallet_card_clear(&card);
    wish_clear(&wished);
    return error;
}

static void only_cards_that_can_be_are_asked_for(void **state)
{
    struct setpay_secret master = {0}, none = {0};
    (void)state;
    assert_int_equal(setpay_secret_random(&master, 32), SETPAY_OK);
    assert_int_equal(try_card(&master, PAN, "2912"), SETPAY_OK);
    assert_int_equal(try_card(&master, "4111-1111 1111-1111", "2611"), SETPAY_OK); /* this month */
    assert_int_equal(try_card(&none, PAN, "2912"), SETPAY_E_LOCKED);
    assert_int_equal(try_card(&master, "4111111111111112", "2912"), SETPAY_E_INVALID);
    assert_int_equal(try_card(&master, "4111111111111111x", "2912"), SETPAY_E_INVALID);
    assert_int_equal(try_card(&master, "41111111111111111111", "2912"), SETPAY_E_INVALID);
    assert_int_equal(try_card(&master, PAN, "2610"), SETPAY_E_INVALID); /* the month before */
    assert_int_equal(try_card(&master, PAN, "2913"), SETPAY_E_INVALID);
    assert_int_equal(try_card(&master, PAN, "2900"), SETPAY_E_INVALID);
    assert_int_equal(try_card(&master, PAN, "291"), SETPAY_E_INVALID);
    assert_int_equal(try_card(&master, PAN, "12/29"), SETPAY_E_INVALID);
    setpay_secret_clear(&master);
}

/* A parsed certificate of that CN, by the brand's CCA, over the key of the card. */
static struct test_party *certified(struct test_pki *pki, const struct setpay_digest *account)
{
    char id[SETPAY_DIGEST_TEXT_SIZE];
    return test_party_new(pki, BRAND, SETPAY_PROFILE_CARDHOLDER_SIGN,
                          setpay_digest_format(account, id), NULL);
}

static void a_certificate_is_of_the_card_or_not(void **state)
{
    static const char *const brands[] = {BRAND, NULL};
    struct test_pki *pki = test_pki_new(TEST_PKI_NOW_MS, brands);
    struct setpay_secret master = {0}, none = {0}, csr_der = {0};
    struct setpay_wallet_card card = {0};
    struct setpay_wallet_card_secrets secrets = {0};
    struct setpay_csr csr = {0};
    struct setpay_digest account, other = test_digest(9);
    struct setpay_problem problem = {{0}};
    struct wished wished;
    (void)state;
    assert_int_equal(setpay_secret_random(&master, 32), SETPAY_OK);
    wish_for(&wished, PAN, "2912");
    assert_int_equal(
        setpay_wallet_card_make(&master, &wished.wish, TEST_PKI_NOW_MS, &card, &csr_der, &problem),
        SETPAY_OK);
    assert_string_equal(card.last4, "1111");
    /* What the CA will compute is what the wallet expects (rule G5). */
    assert_int_equal(setpay_csr_parse(setpay_secret_view(&csr_der), &csr), SETPAY_OK);
    assert_true(setpay_digest_equal(&csr.key_digest, &card.key_digest));
    assert_int_equal(setpay_wallet_card_open(&none, &card, &secrets), SETPAY_E_LOCKED);
    assert_int_equal(setpay_wallet_card_open(&master, &card, &secrets), SETPAY_OK);
    assert_true(setpay_secret_equal(&csr.pan, &secrets.pan));
    assert_true(setpay_secret_equal(&csr.expiry, &secrets.expiry));
    assert_true(setpay_secret_equal(&csr.pan_secret, &secrets.pan_secret));
    assert_string_equal(secrets.postcode, "ZZ9 1AB");
    assert_string_equal(secrets.house_digits, "221");
    assert_int_equal(setpay_account_id(&csr.pan_secret, &csr.pan, &csr.expiry, &account),
                     SETPAY_OK);
    struct test_party *good = certified(pki, &account), *bad = certified(pki, &other);
    assert_int_equal(setpay_wallet_card_check(&master, &card, good->certificate),
                     SETPAY_E_NOT_FOUND); /* that key is not ours */
    assert_int_equal(setpay_key_digest(good->key, &card.key_digest), SETPAY_OK);
    assert_int_equal(setpay_wallet_card_check(&master, &card, good->certificate), SETPAY_OK);
    assert_int_equal(setpay_wallet_card_check(&none, &card, good->certificate), SETPAY_E_LOCKED);
    strcpy(card.brand, "other-card");
    assert_int_equal(setpay_wallet_card_check(&master, &card, good->certificate),
                     SETPAY_E_BRANDS_MIXED);
    strcpy(card.brand, BRAND);
    assert_int_equal(setpay_key_digest(bad->key, &card.key_digest), SETPAY_OK);
    assert_int_equal(setpay_wallet_card_check(&master, &card, bad->certificate), SETPAY_E_ACCOUNT);
    test_party_free(good);
    test_party_free(bad);
    setpay_csr_clear(&csr);
    setpay_wallet_card_secrets_clear(&secrets);
    setpay_wallet_card_clear(&card);
    setpay_secret_clear(&csr_der);
    setpay_secret_clear(&master);
    wish_clear(&wished);
    test_pki_free(pki);
}

static enum setpay_error add_card(struct setpay_db *db, void *arg)
{
    return setpay_wallet_store_add_card(db, arg);
}

static enum setpay_error activate(struct setpay_db *db, void *arg)
{
    const struct setpay_wallet_card *card = arg;
    struct setpay_wallet_certified certified = {.expires_ms = TEST_PKI_NOW_MS + SETPAY_DAY_MS};
    setpay_buffer_init(&certified.certificate, SETPAY_LIMIT_CERTIFICATE_BYTES);
    SETPAY_TRY(setpay_buffer_set(&certified.certificate, setpay_view_string("certificate")));
    enum setpay_error error = setpay_wallet_store_activate_card(db, &card->id, &certified);
    setpay_wallet_certified_clear(&certified);
    return error;
}

struct finding {
    const char *words;
    struct setpay_wallet_card card;
};

static enum setpay_error find_card(struct setpay_db *db, void *arg)
{
    struct finding *finding = arg;
    return setpay_wallet_store_find_card(db, finding->words, &finding->card);
}

static enum setpay_error find(struct setpay_reader *reader, const char *words)
{
    struct finding finding = {.words = words};
    enum setpay_error error = setpay_store_read(reader, find_card, &finding);
    setpay_wallet_card_clear(&finding.card);
    return error;
}

static void a_stored_card_shows_four_digits(void **state)
{
    struct test_folder folder;
    struct setpay_store *store = NULL;
    struct setpay_reader *reader = NULL;
    struct setpay_problem problem;
    struct setpay_secret master = {0}, csr = {0};
    struct setpay_wallet_card card = {0};
    struct wished wished;
    (void)state;
    test_folder_make(&folder);
    const struct setpay_store_options options = {.url = folder.url,
                                                 .schema = &setpay_wallet_schema};
    assert_int_equal(setpay_store_open(&options, &store, &problem), SETPAY_OK);
    assert_int_equal(setpay_reader_new(store, &reader), SETPAY_OK);
    assert_int_equal(setpay_secret_random(&master, 32), SETPAY_OK);
    wish_for(&wished, PAN, "2912");
    assert_int_equal(
        setpay_wallet_card_make(&master, &wished.wish, TEST_PKI_NOW_MS, &card, &csr, &problem),
        SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, add_card, &card), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, add_card, &card), SETPAY_E_EXISTS);
    assert_int_equal(find(reader, NULL), SETPAY_E_NOT_FOUND); /* pending: no default */
    assert_int_equal(setpay_store_submit_wait(store, activate, &card), SETPAY_OK);
    assert_int_equal(setpay_store_submit_wait(store, activate, &card), SETPAY_E_EXISTS);
    assert_int_equal(find(reader, NULL), SETPAY_OK);
    assert_int_equal(find(reader, "mine"), SETPAY_OK);
    assert_int_equal(find(reader, "1111"), SETPAY_OK);
    assert_int_equal(find(reader, "1112"), SETPAY_E_NOT_FOUND);
    assert_false(test_folder_holds(&folder, PAN, strlen(PAN)));
    assert_false(test_folder_holds(&folder, "ZZ9 1AB", 7));
    assert_false(test_folder_holds(&folder, master.data, master.size));
    assert_false(test_folder_holds(&folder, "PRIVATE KEY", 11));
    setpay_wallet_card_clear(&card);
    setpay_secret_clear(&csr);
    setpay_secret_clear(&master);
    wish_clear(&wished);
    setpay_reader_free(reader);
    setpay_store_close(store);
    test_folder_remove(&folder);
}

static int set_up(void **state)
{
    (void)state;
    return setpay_secret_system_init() == SETPAY_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_passphrase_opens),
        cmocka_unit_test(wrong_tries_are_answered_ever_more_slowly),
        cmocka_unit_test(a_box_opens_in_its_own_place_only),
        cmocka_unit_test(card_numbers_have_a_check_digit),
        cmocka_unit_test(only_cards_that_can_be_are_asked_for),
        cmocka_unit_test(a_certificate_is_of_the_card_or_not),
        cmocka_unit_test(a_stored_card_shows_four_digits),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
