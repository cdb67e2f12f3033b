/*
 * The vault: the master key under the passphrase, and boxes under the master key.
 *
 * Nothing that is secret rests outside a box, and the master key is in memory only while the wallet
 * is unlocked. scrypt takes about 0.1 s and runs on a thread of its own, never on the loop; wrong
 * passphrases are answered ever more slowly, so that a local program can't try many.
 *
 * Vocabulary: a lock is what rests in the database: scrypt's parameters and the master key's box.
 */
#include "cardholder/wallet.h"

#include "common/crypto/hash.h"
#include "common/crypto/seal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MASTER_SIZE 32
#define DELAY_FIRST_MS 250
#define DELAY_DOUBLINGS_MAX 5 /* 8 s */

static const char master_aad[] = "setpay wallet master key";

/* ------------------------------------------------------------------ locks */

enum setpay_error setpay_wallet_lock_make(const struct setpay_secret *passphrase,
                                          struct setpay_wallet_lock *lock,
                                          struct setpay_secret *master)
{
    struct setpay_wallet_lock made;
    struct setpay_secret key = {0}, fresh = {0};
    struct setpay_buffer box = {0};
    setpay_buffer_init(&box, sizeof made.box);
    enum setpay_error error = setpay_scrypt_init(&made.scrypt);
    if (error == SETPAY_OK)
        error = setpay_scrypt_derive(&made.scrypt, passphrase, &key);
    if (error == SETPAY_OK)
        error = setpay_secret_random(&fresh, MASTER_SIZE);
    if (error == SETPAY_OK)
        error =
            setpay_box_seal(&key, setpay_view_string(master_aad), setpay_secret_view(&fresh), &box);
    if (error == SETPAY_OK && box.size != sizeof made.box)
        error = SETPAY_E_INTERNAL;
    if (error == SETPAY_OK) {
        memcpy(made.box, box.data, box.size);
        *lock = made;
        setpay_secret_move(master, &fresh);
    }
    setpay_secret_clear(&key);
    setpay_secret_clear(&fresh);
    setpay_buffer_clear(&box);
    return error;
}

enum setpay_error setpay_wallet_lock_open(const struct setpay_wallet_lock *lock,
                                          const struct setpay_secret *passphrase,
                                          struct setpay_secret *master)
{
    struct setpay_secret key = {0};
    enum setpay_error error = setpay_scrypt_derive(&lock->scrypt, passphrase, &key);
    if (error == SETPAY_OK &&
        setpay_box_open(&key, setpay_view_string(master_aad),
                        setpay_view_of(lock->box, sizeof lock->box), master) != SETPAY_OK)
        error = SETPAY_E_PASSPHRASE;
    setpay_secret_clear(&key);
    return error;
}

int64_t setpay_wallet_lock_delay_ms(unsigned failures)
{
    if (failures == 0)
        return 0;
    unsigned doublings = failures - 1 < DELAY_DOUBLINGS_MAX ? failures - 1 : DELAY_DOUBLINGS_MAX;
    return (int64_t)DELAY_FIRST_MS << doublings;
}

/* ------------------------------------------------------------------ boxes */

static enum setpay_error aad_of(const char *what, const struct setpay_id *whose,
                                struct setpay_digest *aad)
{
    const struct setpay_view parts[] = {setpay_view_string(what), setpay_id_view(whose)};
    return setpay_hash_parts("wallet box", parts, 2, aad);
}

enum setpay_error setpay_wallet_box_seal(const struct setpay_secret *master, const char *what,
                                         const struct setpay_id *whose, struct setpay_view plain,
                                         struct setpay_buffer *box)
{
    struct setpay_digest aad;
    if (master->size != MASTER_SIZE)
        return SETPAY_E_LOCKED;
    SETPAY_TRY(aad_of(what, whose, &aad));
    return setpay_box_seal(master, setpay_digest_view(&aad), plain, box);
}

enum setpay_error setpay_wallet_box_open(const struct setpay_secret *master, const char *what,
                                         const struct setpay_id *whose, struct setpay_view box,
                                         struct setpay_secret *plain)
{
    struct setpay_digest aad;
    if (master->size != MASTER_SIZE)
        return SETPAY_E_LOCKED;
    SETPAY_TRY(aad_of(what, whose, &aad));
    return setpay_box_open(master, setpay_digest_view(&aad), box, plain);
}

/* ------------------------------------------------------------------ words */

void setpay_wallet_fail(struct setpay_control_call *call, enum setpay_error error,
                        const struct setpay_problem *problem)
{
    const char *words = problem != NULL && problem->text[0] != '\0' ? problem->text : NULL;
    if (words == NULL && error == SETPAY_E_LOCKED)
        words = "the wallet is locked; unlock it with: setpay-wallet unlock";
    setpay_control_fail(call, error, words);
}

/* ------------------------------------------------------------------ the helper thread */

struct setpay_wallet_unlocking {
    struct setpay_wallet *wallet;
    pthread_t thread;
    bool make;
    struct setpay_wallet_lock lock;
    struct setpay_secret passphrase;
    struct setpay_secret master;
    enum setpay_error error;
    struct setpay_timer *timer; /* the delay of a refusal */
    setpay_wallet_unlocked_fn *done;
    void *arg;
};

static void finish(struct setpay_wallet_unlocking *unlocking)
{
    struct setpay_wallet *wallet = unlocking->wallet;
    wallet->unlocking = NULL;
    unlocking->done(wallet, unlocking->arg, unlocking->error, &unlocking->lock, &unlocking->master);
    setpay_timer_free(unlocking->timer);
    setpay_secret_clear(&unlocking->master);
    free(unlocking);
}

static void on_delay_over(void *arg)
{
    finish(arg);
}

/* On the loop: the thread has ended, or is about to. */
static void on_derived(void *arg)
{
    struct setpay_wallet_unlocking *unlocking = arg;
    struct setpay_wallet *wallet = unlocking->wallet;
    pthread_join(unlocking->thread, NULL);
    if (unlocking->error == SETPAY_OK)
        wallet->wrong_passphrases = 0;
    if (unlocking->error != SETPAY_E_PASSPHRASE || wallet->draining) {
        finish(unlocking);
        return;
    }
    wallet->wrong_passphrases++;
    setpay_timer_start(unlocking->timer, setpay_wallet_lock_delay_ms(wallet->wrong_passphrases));
}

static void *derive(void *arg)
{
    struct setpay_wallet_unlocking *unlocking = arg;
    unlocking->error =
        unlocking->make
            ? setpay_wallet_lock_make(&unlocking->passphrase, &unlocking->lock, &unlocking->master)
            : setpay_wallet_lock_open(&unlocking->lock, &unlocking->passphrase, &unlocking->master);
    setpay_secret_clear(&unlocking->passphrase);
    setpay_loop_post_reserved(unlocking->wallet->loop, on_derived, unlocking);
    return NULL;
}

enum setpay_error setpay_wallet_unlock_start(struct setpay_wallet *wallet,
                                             const struct setpay_wallet_lock *lock,
                                             struct setpay_secret *passphrase,
                                             setpay_wallet_unlocked_fn *done, void *arg)
{
    if (wallet->unlocking != NULL)
        return SETPAY_E_BUSY;
    struct setpay_wallet_unlocking *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->wallet = wallet;
    made->make = lock == NULL;
    if (lock != NULL)
        made->lock = *lock;
    made->done = done;
    made->arg = arg;
    enum setpay_error error = setpay_timer_new(wallet->loop, on_delay_over, made, &made->timer);
    if (error == SETPAY_OK)
        error = setpay_loop_reserve(wallet->loop);
    if (error == SETPAY_OK) {
        setpay_secret_move(&made->passphrase, passphrase);
        if (pthread_create(&made->thread, NULL, derive, made) != 0) {
            setpay_loop_release(wallet->loop);
            error = SETPAY_E_NOMEM;
        }
    }
    if (error != SETPAY_OK) {
        setpay_timer_free(made->timer);
        setpay_secret_clear(&made->passphrase);
        free(made);
        return error;
    }
    wallet->unlocking = made;
    return SETPAY_OK;
}

void setpay_wallet_unlock_hurry(struct setpay_wallet *wallet)
{
    struct setpay_wallet_unlocking *unlocking = wallet->unlocking;
    if (unlocking != NULL && setpay_timer_is_started(unlocking->timer))
        finish(unlocking);
}
