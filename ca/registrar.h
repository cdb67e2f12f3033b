/*
 * The thread on which the authority acts: one job after another, since each one's place in the log
 * depends on the one before, and since scrypt and signing take longer than a loop may be held.
 * Workers and the main thread hand it jobs and hear of their end on their own loops.
 *
 * It also renews revocation lists in time (rule C3): each as soon as half of its life is over.
 */
#ifndef SETPAY_CA_REGISTRAR_H
#define SETPAY_CA_REGISTRAR_H

#include "ca/ca.h"
#include "ca/places.h"
#include "common/base/executor.h"

#include <stdbool.h>
#include <stdint.h>

struct setpay_registrar;

struct setpay_registrar_options {
    struct setpay_ca *ca; /* open and unlocked; from now on the registrar's thread alone uses it */
    int64_t look_ms;      /* how often it looks whether a list is to be renewed */
    void (*lists_cb)(void *arg); /* on its thread, after lists were made; may be NULL */
    void (*look_cb)(struct setpay_ca *ca, void *arg); /* on its thread, at each look; may be NULL */
    void *arg;
};

/* Starts the thread. SETPAY_E_NOMEM, SETPAY_E_IO. */
enum setpay_error setpay_registrar_new(const struct setpay_registrar_options *options,
                                       struct setpay_registrar **registrar) SETPAY_MUST_CHECK;
/* NULL-safe. Does what waits, then ends the thread; ca is the caller's again. */
void setpay_registrar_free(struct setpay_registrar *registrar);

/* rule C3: makes every list anew that is due: half of its life is over. A list is so out long
 * before the one before it ends. One that can't be made is in the log, and tried again at the next
 * look; the others are made. Returns how many were. */
size_t setpay_registrar_renew_lists(struct setpay_ca *ca);

/* A job stands in what asks for it, and must stay until done_cb was called. */
struct setpay_registrar_job {
    void (*work_cb)(struct setpay_ca *ca, void *arg); /* on the registrar's thread */
    void (*done_cb)(void *arg);                       /* on the executor's */
    void *arg;
    enum setpay_place place;  /* whose it is: it waits at a place of theirs */
    struct setpay_digest who; /* which of them; of an operator's job nothing */
    struct setpay_executor executor;
    struct setpay_registrar *registrar; /* its own, as the next */
    bool again;
};
/* From within work_cb: it is called once more, behind those that wait, before done_cb is.
 * SETPAY_E_BUSY, SETPAY_E_DRAINING: it is not. */
enum setpay_error setpay_registrar_again(struct setpay_registrar_job *job) SETPAY_MUST_CHECK;
/* Any thread. SETPAY_E_BUSY: too much waits, in all or of theirs; SETPAY_E_DRAINING. */
enum setpay_error setpay_registrar_post(struct setpay_registrar *registrar,
                                        struct setpay_registrar_job *job) SETPAY_MUST_CHECK;

#endif
