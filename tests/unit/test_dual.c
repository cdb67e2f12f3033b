/*
 * Rules M2 and G3: the dual signature holds for exactly one order and one payment instruction, and
 * neither half can be exchanged, swapped or guessed by its digest.
 */
#include "common/crypto/dual.h"
#include "common/crypto/hash.h"
#include "common/crypto/keyfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>

struct purchase {
    EVP_PKEY *pkey;
    struct setpay_signing_key *signing;
    struct setpay_public_key *public;
    struct setpay_digest signer, oi_salt, pi_salt, oimd, pimd, pomd;
    struct setpay_view oi, pi;
    struct setpay_buffer ds;
};

static int set_up(void **state)
{
    static struct purchase made;
    made = (struct purchase){.signer = {{7}}};
    made.oi = setpay_view_string("order information");
    made.pi = setpay_view_string("payment instruction");
    setpay_buffer_init(&made.ds, SETPAY_SIGNATURE_MAX);
    *state = &made;
    return setpay_key_generate(&made.pkey) == SETPAY_OK &&
                   setpay_signing_key_from_pkey(made.pkey, &made.signing) == SETPAY_OK &&
                   setpay_public_key_from_pkey(made.pkey, &made.public) == SETPAY_OK &&
                   setpay_digest_random(&made.oi_salt) == SETPAY_OK &&
                   setpay_digest_random(&made.pi_salt) == SETPAY_OK &&
                   setpay_dual_oimd(setpay_digest_view(&made.oi_salt), made.oi, &made.oimd) ==
                       SETPAY_OK &&
                   setpay_dual_pimd(setpay_digest_view(&made.pi_salt), made.pi, &made.pimd) ==
                       SETPAY_OK &&
                   setpay_dual_pomd(1, &made.pimd, &made.oimd, &made.pomd) == SETPAY_OK &&
                   setpay_dual_sign(made.signing, 1, &made.signer, &made.pomd, &made.ds) ==
                       SETPAY_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    struct purchase *made = *state;
    setpay_signing_key_free(made->signing);
    setpay_public_key_free(made->public);
    EVP_PKEY_free(made->pkey);
    setpay_buffer_clear(&made->ds);
    return 0;
}

static enum setpay_error check_order(const struct purchase *p)
{
    struct setpay_digest oimd, pomd;
    enum setpay_error error =
        setpay_dual_check_order(p->public, 1, &p->signer, setpay_digest_view(&p->oi_salt), p->oi,
                                &p->pimd, setpay_buffer_view(&p->ds), &oimd, &pomd);
    if (error == SETPAY_OK) {
        assert_true(setpay_digest_equal(&oimd, &p->oimd));
        assert_true(setpay_digest_equal(&pomd, &p->pomd));
    }
    return error;
}

static enum setpay_error check_payment(const struct purchase *p)
{
    struct setpay_digest pomd;
    enum setpay_error error =
        setpay_dual_check_payment(p->public, 1, &p->signer, setpay_digest_view(&p->pi_salt), p->pi,
                                  &p->pimd, &p->oimd, setpay_buffer_view(&p->ds), &pomd);
    if (error == SETPAY_OK)
        assert_true(setpay_digest_equal(&pomd, &p->pomd));
    return error;
}

static void both_sides_accept_what_was_signed(void **state)
{
    assert_int_equal(check_order(*state), SETPAY_OK);
    assert_int_equal(check_payment(*state), SETPAY_OK);
}

/* rule M2 */
static void merchant_refuses_another_order(void **state)
{
    const struct purchase *made = *state;
    struct purchase p = *made;
    p.oi = setpay_view_string("order informatioN");
    assert_int_equal(check_order(&p), SETPAY_E_DS_ORDER);
    p = *made;
    p.oi_salt.bytes[31] ^= 1;
    assert_int_equal(check_order(&p), SETPAY_E_DS_ORDER);
    p = *made;
    p.pimd.bytes[0] ^= 1;
    assert_int_equal(check_order(&p), SETPAY_E_DS_ORDER);
    p = *made;
    p.signer.bytes[0] ^= 1;
    assert_int_equal(check_order(&p), SETPAY_E_DS_ORDER);
    p = *made;
    p.pimd = made->oimd;
    assert_int_equal(check_order(&p), SETPAY_E_DS_ORDER);
}

/* rule G3 */
static void gateway_refuses_another_instruction(void **state)
{
    const struct purchase *made = *state;
    struct purchase p = *made;
    p.pi = setpay_view_string("payment instructioN");
    assert_int_equal(check_payment(&p), SETPAY_E_DS_PAYMENT);
    p = *made;
    p.pi_salt.bytes[0] ^= 1;
    assert_int_equal(check_payment(&p), SETPAY_E_DS_PAYMENT);
    p = *made;
    p.oimd.bytes[0] ^= 1;
    assert_int_equal(check_payment(&p), SETPAY_E_DS_PAYMENT);
    p = *made;
    p.pimd.bytes[0] ^= 1; /* PI and DS agree, but AuthReq named another */
    assert_int_equal(check_payment(&p), SETPAY_E_DS_PAYMENT);
    p = *made;
    p.signer.bytes[0] ^= 1;
    assert_int_equal(check_payment(&p), SETPAY_E_DS_PAYMENT);
}

static void a_message_signature_is_no_dual_signature(void **state)
{
    struct purchase *p = *state;
    assert_int_equal(
        setpay_sign(p->signing, "PReq", 1, &p->signer, setpay_digest_view(&p->pomd), &p->ds),
        SETPAY_OK);
    assert_int_equal(check_order(p), SETPAY_E_DS_ORDER);
    assert_int_equal(check_payment(p), SETPAY_E_DS_PAYMENT);
}

static void salts_are_of_their_size_and_suites_known(void **state)
{
    struct purchase *p = *state;
    struct setpay_digest oimd, pomd;
    struct setpay_view ds = setpay_buffer_view(&p->ds);
    assert_int_equal(setpay_dual_oimd(setpay_view_of(p->oi_salt.bytes, 31), p->oi, &oimd),
                     SETPAY_E_FIELD);
    assert_int_equal(setpay_dual_pimd(SETPAY_VIEW_EMPTY, p->pi, &oimd), SETPAY_E_FIELD);
    assert_int_equal(setpay_dual_check_payment(p->public, 1, &p->signer,
                                               setpay_view_of(p->pi_salt.bytes, 16), p->pi,
                                               &p->pimd, &p->oimd, ds, &pomd),
                     SETPAY_E_DS_PAYMENT);
    assert_int_equal(setpay_dual_check_order(p->public, 2, &p->signer,
                                             setpay_digest_view(&p->oi_salt), p->oi, &p->pimd, ds,
                                             &oimd, &pomd),
                     SETPAY_E_SUITE);
    assert_int_equal(setpay_dual_verify(p->public, 1, &p->signer, &p->oimd, ds),
                     SETPAY_E_SIGNATURE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_sides_accept_what_was_signed),
        TEST(merchant_refuses_another_order),
        TEST(gateway_refuses_another_instruction),
        TEST(a_message_signature_is_no_dual_signature),
        TEST(salts_are_of_their_size_and_suites_known),
    };
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
