/*
 * The framed hash and the keyed digests, against values that other programs computed, and the
 * framing itself: no two lists of parts may meet.
 */
#include "common/crypto/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void check_hex(const struct setpay_digest *digest, const char *expected)
{
    char text[SETPAY_DIGEST_TEXT_SIZE];
    assert_string_equal(setpay_digest_format(digest, text), expected);
}

/* Python: hashlib.sha256(b"setpay/1 oi\0" + (3).to_bytes(8,"big") + b"abc" + bytes(8)) */
static void hash_has_the_bytes_that_the_page_says(void **state)
{
    (void)state;
    const struct setpay_view parts[] = {setpay_view_string("abc"), SETPAY_VIEW_EMPTY};
    static const uint8_t by_hand[] = "setpay/1 oi\0\0\0\0\0\0\0\0\3abc\0\0\0\0\0\0\0";
    struct setpay_digest framed, plain;
    assert_int_equal(setpay_hash_parts("oi", parts, 2, &framed), SETPAY_OK);
    assert_int_equal(setpay_sha256(SETPAY_VIEW_ARRAY(by_hand), &plain), SETPAY_OK);
    assert_true(setpay_digest_equal(&framed, &plain));
    check_hex(&framed, "744e7cb790cde2ab1cbb81ada8ed9495892c55517333c457dd8f1d6c38becf18");
}

static void plain_sha256_is_the_standards(void **state)
{
    (void)state;
    struct setpay_digest digest;
    assert_int_equal(setpay_sha256(setpay_view_string("abc"), &digest), SETPAY_OK);
    check_hex(&digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(setpay_sha256(SETPAY_VIEW_EMPTY, &digest), SETPAY_OK);
    check_hex(&digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void part_by_part_is_the_same_as_at_once(void **state)
{
    (void)state;
    uint8_t number[] = {0, 0, 0, 0, 0, 0, 1, 2};
    const struct setpay_view parts[] = {setpay_view_string("a"), SETPAY_VIEW_ARRAY(number)};
    struct setpay_digest once, stepwise;
    struct setpay_hash hash;
    assert_int_equal(setpay_hash_parts("x", parts, 2, &once), SETPAY_OK);
    setpay_hash_init(&hash, "x");
    setpay_hash_add(&hash, setpay_view_string("a"));
    setpay_hash_add_u64(&hash, 258);
    assert_int_equal(setpay_hash_final(&hash, &stepwise), SETPAY_OK);
    assert_true(setpay_digest_equal(&once, &stepwise));
    setpay_hash_init(&hash, "x");
    setpay_hash_clear(&hash);
    assert_null(hash.context);
}

static void parts_and_tags_do_not_run_together(void **state)
{
    (void)state;
    const struct setpay_view lists[][2] = {
        {setpay_view_string("ab"), setpay_view_string("c")},
        {setpay_view_string("a"), setpay_view_string("bc")},
        {setpay_view_string("abc"), SETPAY_VIEW_EMPTY},
        {SETPAY_VIEW_EMPTY, setpay_view_string("abc")},
    };
    struct setpay_digest seen[10];
    size_t count = 0;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(setpay_hash_parts("t", lists[i], 2, &seen[count++]), SETPAY_OK);
    assert_int_equal(setpay_hash_one("t", setpay_view_string("abc"), &seen[count++]), SETPAY_OK);
    assert_int_equal(setpay_hash_one("u", setpay_view_string("abc"), &seen[count++]), SETPAY_OK);
    assert_int_equal(setpay_hash_one("tu", setpay_view_string("abc"), &seen[count++]), SETPAY_OK);
    assert_int_equal(setpay_hash_parts("t", NULL, 0, &seen[count++]), SETPAY_OK);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++)
            assert_false(setpay_digest_equal(&seen[i], &seen[k]));
    }
}

static void request_hash_is_over_all_it_names(void **state)
{
    (void)state;
    struct setpay_digest sender = {{1}}, hashes[5];
    struct setpay_view content = setpay_view_string("content");
    assert_int_equal(setpay_hash_request("PReq", 1, &sender, content, &hashes[0]), SETPAY_OK);
    assert_int_equal(setpay_hash_request("AuthReq", 1, &sender, content, &hashes[1]), SETPAY_OK);
    assert_int_equal(setpay_hash_request("PReq", 2, &sender, content, &hashes[2]), SETPAY_OK);
    assert_int_equal(setpay_hash_request("PReq", 1, NULL, content, &hashes[3]), SETPAY_OK);
    assert_int_equal(setpay_hash_request("PReq", 1, &sender, SETPAY_VIEW_EMPTY, &hashes[4]),
                     SETPAY_OK);
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = i + 1; k < 5; k++)
            assert_false(setpay_digest_equal(&hashes[i], &hashes[k]));
    }
}

/* RFC 4231, test case 2 */
static void hmac_is_the_standards(void **state)
{
    (void)state;
    struct setpay_secret key = {0};
    struct setpay_digest digest;
    const struct setpay_view parts[] = {setpay_view_string("what do ya want "),
                                        setpay_view_string("for nothing?")};
    assert_int_equal(setpay_secret_copy(&key, setpay_view_string("Jefe")), SETPAY_OK);
    assert_int_equal(setpay_hmac(&key, parts, 2, &digest), SETPAY_OK);
    check_hex(&digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    setpay_secret_clear(&key);
    assert_int_equal(setpay_hmac(&key, parts, 2, &digest), SETPAY_E_CRYPTO);
}

/* rule G5 */
static void account_id_is_bound_to_every_digit(void **state)
{
    (void)state;
    struct setpay_secret secret = {0}, pan = {0}, other = {0}, expiry = {0};
    struct setpay_digest id, again;
    uint8_t bytes[32];
    memset(bytes, 7, sizeof(bytes));
    assert_int_equal(setpay_secret_copy(&secret, SETPAY_VIEW_ARRAY(bytes)), SETPAY_OK);
    assert_int_equal(setpay_secret_copy(&pan, setpay_view_string("4000000000000002")), SETPAY_OK);
    assert_int_equal(setpay_secret_copy(&other, setpay_view_string("4000000000000010")), SETPAY_OK);
    assert_int_equal(setpay_secret_copy(&expiry, setpay_view_string("2912")), SETPAY_OK);
    assert_int_equal(setpay_account_id(&secret, &pan, &expiry, &id), SETPAY_OK);
    check_hex(&id, "442ed27acdf5001aedf40ba0b48ad66ce438e5ee0a7e05a3a4a186cfcb0d8c1c");
    assert_int_equal(setpay_account_id(&secret, &other, &expiry, &again), SETPAY_OK);
    assert_false(setpay_digest_equal(&id, &again));
    secret.data[0] ^= 1;
    assert_int_equal(setpay_account_id(&secret, &pan, &expiry, &again), SETPAY_OK);
    assert_false(setpay_digest_equal(&id, &again));
    setpay_secret_clear(&secret);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&other);
    setpay_secret_clear(&expiry);
}

static void keyed_digest_needs_key_and_tag(void **state)
{
    (void)state;
    struct setpay_secret key = {0};
    struct setpay_digest a, b;
    assert_int_equal(setpay_secret_copy(&key, setpay_view_string("key")), SETPAY_OK);
    assert_int_equal(setpay_keyed_digest(&key, "pan", setpay_view_string("1"), &a), SETPAY_OK);
    assert_int_equal(setpay_keyed_digest(&key, "pan", setpay_view_string("1"), &b), SETPAY_OK);
    assert_true(setpay_digest_equal(&a, &b));
    assert_int_equal(setpay_keyed_digest(&key, "other", setpay_view_string("1"), &b), SETPAY_OK);
    assert_false(setpay_digest_equal(&a, &b));
    key.data[0] ^= 1;
    assert_int_equal(setpay_keyed_digest(&key, "pan", setpay_view_string("1"), &b), SETPAY_OK);
    assert_false(setpay_digest_equal(&a, &b));
    setpay_secret_clear(&key);
}

int main(void)
{
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_has_the_bytes_that_the_page_says),
        cmocka_unit_test(plain_sha256_is_the_standards),
        cmocka_unit_test(part_by_part_is_the_same_as_at_once),
        cmocka_unit_test(parts_and_tags_do_not_run_together),
        cmocka_unit_test(request_hash_is_over_all_it_names),
        cmocka_unit_test(hmac_is_the_standards),
        cmocka_unit_test(account_id_is_bound_to_every_digit),
        cmocka_unit_test(keyed_digest_needs_key_and_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
