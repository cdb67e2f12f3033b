/*
 * A long look at the database, on a thread and a connection of its own, so that the daemon's loop
 * answers others meanwhile. Its end is known by what it posts: the loop stays until then. It ends
 * early where the daemon does, or where nobody waits for it any more.
 */
#include "common/net/service.h"

#include "common/base/testing.h"
#include "common/net/loop.h"

#include <pthread.h>
#include <stdlib.h>

#define LOOK_AFTER_MS 1000 /* between two looks whether the client is still there */

struct look {
    struct setpay_service *service;
    struct setpay_loop *loop;
    struct setpay_control_call *call;
    struct setpay_reader *reader;
    struct setpay_timer *timer;
    setpay_store_read_fn *read;
    setpay_store_done_fn *done;
    void *arg;
    atomic_bool gone;
    enum setpay_error error;
};

static void look_free(struct look *look)
{
    setpay_timer_free(look->timer);
    setpay_reader_free(look->reader);
    free(look);
}

static void on_looked(void *arg)
{
    struct look *look = arg;
    look->service->look_count--;
    look->done(look->arg, look->error);
    look_free(look);
}

static void see_client(void *arg)
{
    struct look *look = arg;
    if (setpay_control_call_is_gone(look->call))
        atomic_store(&look->gone, true);
}

static bool is_over(void *arg)
{
    struct look *look = arg;
    return atomic_load(&look->gone) || atomic_load(&look->service->stopping);
}

static enum setpay_error read_it(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    setpay_testing_point("look.begun");
    return look->read(db, look->arg);
}

static void *run(void *arg)
{
    struct look *look = arg;
    look->error = setpay_store_read_long(look->reader, read_it, look, is_over, look);
    setpay_loop_post_reserved(look->loop, on_looked, look);
    return NULL;
}

static enum setpay_error start(struct look *look)
{
    pthread_t thread;
    pthread_attr_t attributes;
    SETPAY_TRY(setpay_reader_new(look->service->store, &look->reader));
    SETPAY_TRY(setpay_timer_new(look->loop, see_client, look, &look->timer));
    if (pthread_attr_init(&attributes) != 0)
        return SETPAY_E_NOMEM;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    enum setpay_error error = setpay_loop_reserve(look->loop);
    if (error == SETPAY_OK && pthread_create(&thread, &attributes, run, look) != 0) {
        setpay_loop_release(look->loop);
        error = SETPAY_E_NOMEM;
    }
    (void)pthread_attr_destroy(&attributes);
    if (error == SETPAY_OK)
        setpay_timer_start_periodic(look->timer, LOOK_AFTER_MS);
    return error;
}

enum setpay_error setpay_service_look(struct setpay_service *service,
                                      struct setpay_control_call *call, setpay_store_read_fn *read,
                                      setpay_store_done_fn *done, void *arg)
{
    if (service->look_count == SETPAY_SERVICE_LOOKS_MAX)
        return SETPAY_E_BUSY;
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL)
        return SETPAY_E_NOMEM;
    look->service = service;
    look->loop = setpay_daemon_loop(service->daemon);
    look->call = call;
    look->read = read;
    look->done = done;
    look->arg = arg;
    atomic_init(&look->gone, false);
    enum setpay_error error = start(look);
    if (error == SETPAY_OK)
        service->look_count++;
    else
        look_free(look);
    return error;
}
