/*
 * The executor of tests. A reserved place counts against the mailbox as a job does.
 */
#include "tests/support/test_executor.h"

#include <pthread.h>
#include <stdlib.h>

struct job {
    struct job *next;
    setpay_job_fn *run;
    void *arg;
};

struct test_executor {
    struct setpay_executor executor;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job *first;
    struct job **end;
    size_t count; /* jobs and reserved places */
    size_t max;
    bool held;
    bool running;
    bool ending;
};

static enum setpay_error reserve(void *self)
{
    struct test_executor *test = self;
    enum setpay_error error = SETPAY_OK;
    pthread_mutex_lock(&test->mutex);
    if (test->count >= test->max)
        error = SETPAY_E_BUSY;
    else
        test->count++;
    pthread_mutex_unlock(&test->mutex);
    return error;
}

static void release(void *self)
{
    struct test_executor *test = self;
    pthread_mutex_lock(&test->mutex);
    test->count--;
    pthread_mutex_unlock(&test->mutex);
}

static void post_reserved(void *self, setpay_job_fn *run, void *arg)
{
    struct test_executor *test = self;
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        abort();
    job->run = run;
    job->arg = arg;
    pthread_mutex_lock(&test->mutex);
    *test->end = job;
    test->end = &job->next;
    pthread_cond_broadcast(&test->changed);
    pthread_mutex_unlock(&test->mutex);
}

static enum setpay_error post(void *self, setpay_job_fn *run, void *arg)
{
    SETPAY_TRY(reserve(self));
    post_reserved(self, run, arg);
    return SETPAY_OK;
}

static void *run_jobs(void *arg)
{
    struct test_executor *test = arg;
    pthread_mutex_lock(&test->mutex);
    for (;;) {
        while ((test->first == NULL || test->held) && !test->ending)
            pthread_cond_wait(&test->changed, &test->mutex);
        struct job *job = test->first;
        if (job == NULL)
            break;
        test->first = job->next;
        if (test->first == NULL)
            test->end = &test->first;
        test->count--;
        test->running = true;
        pthread_mutex_unlock(&test->mutex);
        job->run(job->arg);
        free(job);
        pthread_mutex_lock(&test->mutex);
        test->running = false;
        pthread_cond_broadcast(&test->changed);
    }
    pthread_mutex_unlock(&test->mutex);
    return NULL;
}

struct test_executor *test_executor_new(size_t mailbox_max)
{
    struct test_executor *test = calloc(1, sizeof *test);
    if (test == NULL)
        abort();
    test->executor = (struct setpay_executor){.post = post,
                                              .reserve = reserve,
                                              .post_reserved = post_reserved,
                                              .release = release,
                                              .self = test};
    test->max = mailbox_max;
    test->end = &test->first;
    pthread_mutex_init(&test->mutex, NULL);
    pthread_cond_init(&test->changed, NULL);
    if (pthread_create(&test->thread, NULL, run_jobs, test) != 0)
        abort();
    return test;
}

void test_executor_free(struct test_executor *test)
{
    pthread_mutex_lock(&test->mutex);
    test->ending = true;
    pthread_cond_broadcast(&test->changed);
    pthread_mutex_unlock(&test->mutex);
    pthread_join(test->thread, NULL);
    pthread_cond_destroy(&test->changed);
    pthread_mutex_destroy(&test->mutex);
    free(test);
}

struct setpay_executor *test_executor_of(struct test_executor *test)
{
    return &test->executor;
}

void test_executor_hold(struct test_executor *test, bool held)
{
    pthread_mutex_lock(&test->mutex);
    test->held = held;
    pthread_cond_broadcast(&test->changed);
    while (test->running)
        pthread_cond_wait(&test->changed, &test->mutex);
    pthread_mutex_unlock(&test->mutex);
}

struct call {
    pthread_mutex_t mutex;
    pthread_cond_t over;
    setpay_job_fn *job;
    void *arg;
    bool is_over;
};

static void run_call(void *arg)
{
    struct call *call = arg;
    call->job(call->arg);
    pthread_mutex_lock(&call->mutex);
    call->is_over = true;
    pthread_cond_signal(&call->over);
    pthread_mutex_unlock(&call->mutex);
}

void test_executor_call(struct test_executor *test, setpay_job_fn *job, void *arg)
{
    struct call call = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                        .over = PTHREAD_COND_INITIALIZER,
                        .job = job,
                        .arg = arg};
    if (post(test, run_call, &call) != SETPAY_OK)
        abort();
    pthread_mutex_lock(&call.mutex);
    while (!call.is_over)
        pthread_cond_wait(&call.over, &call.mutex);
    pthread_mutex_unlock(&call.mutex);
}
