/*
 * The thread of passwords.
 */
#include "merchant/store/admin/kdf.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    struct setpay_kdf *kdf;
    struct job *next;
    struct setpay_secret password;
    char text[SETPAY_PASSWORD_TEXT_SIZE];
    setpay_kdf_done_fn *done;
    void *arg;
    enum setpay_error error;
};

struct setpay_kdf {
    struct setpay_executor executor;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *first, **last;
    size_t count;
    bool stops;
};

/* On the executor. */
static void tell(void *arg)
{
    struct job *job = arg;
    job->done(job->arg, job->error);
    free(job);
}

static struct job *take(struct setpay_kdf *kdf, bool *stops)
{
    (void)pthread_mutex_lock(&kdf->lock);
    while (kdf->first == NULL && !kdf->stops)
        (void)pthread_cond_wait(&kdf->changed, &kdf->lock);
    struct job *job = kdf->first;
    if (job != NULL) {
        kdf->first = job->next;
        if (kdf->first == NULL)
            kdf->last = &kdf->first;
        kdf->count--;
    }
    *stops = kdf->stops;
    (void)pthread_mutex_unlock(&kdf->lock);
    return job;
}

static void *run(void *arg)
{
    struct setpay_kdf *kdf = arg;
    bool stops = false;
    for (struct job *job; (job = take(kdf, &stops)) != NULL;) {
        job->error = stops ? SETPAY_E_DRAINING
                           : setpay_password_check(setpay_secret_view(&job->password),
                                                   job->text[0] != '\0' ? job->text : NULL);
        setpay_secret_clear(&job->password);
        kdf->executor.post_reserved(kdf->executor.self, tell, job);
    }
    return NULL;
}

enum setpay_error setpay_kdf_new(struct setpay_executor executor, struct setpay_kdf **kdf)
{
    struct setpay_kdf *made = calloc(1, sizeof *made);
    if (made == NULL)
        return SETPAY_E_NOMEM;
    made->executor = executor;
    made->last = &made->first;
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->changed, NULL);
    if (pthread_create(&made->thread, NULL, run, made) != 0) {
        (void)pthread_cond_destroy(&made->changed);
        (void)pthread_mutex_destroy(&made->lock);
        free(made);
        return SETPAY_E_IO;
    }
    *kdf = made;
    return SETPAY_OK;
}

void setpay_kdf_free(struct setpay_kdf *kdf)
{
    if (kdf == NULL)
        return;
    (void)pthread_mutex_lock(&kdf->lock);
    kdf->stops = true;
    (void)pthread_cond_signal(&kdf->changed);
    (void)pthread_mutex_unlock(&kdf->lock);
    (void)pthread_join(kdf->thread, NULL);
    (void)pthread_cond_destroy(&kdf->changed);
    (void)pthread_mutex_destroy(&kdf->lock);
    free(kdf);
}

enum setpay_error setpay_kdf_check(struct setpay_kdf *kdf, struct setpay_secret *password,
                                   const char *text, setpay_kdf_done_fn *done, void *arg)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = kdf->executor.reserve(kdf->executor.self);
    if (error != SETPAY_OK) {
        free(job);
        return error;
    }
    (void)snprintf(job->text, sizeof job->text, "%s", text);
    job->done = done;
    job->arg = arg;
    (void)pthread_mutex_lock(&kdf->lock);
    bool is_full = kdf->count == SETPAY_KDF_QUEUE || kdf->stops;
    if (!is_full) {
        setpay_secret_move(&job->password, password);
        *kdf->last = job;
        kdf->last = &job->next;
        kdf->count++;
        (void)pthread_cond_signal(&kdf->changed);
    }
    (void)pthread_mutex_unlock(&kdf->lock);
    if (!is_full)
        // cppcheck-suppress memleak
        return SETPAY_OK; /* it is in the queue */
    kdf->executor.release(kdf->executor.self);
    free(job);
    return SETPAY_E_BUSY;
}
