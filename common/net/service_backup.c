/*
 * The command backup of every daemon with a database: on a thread of its own, so that no loop waits
 * for a disk. The daemon's end cuts it short, and nothing of it is left.
 */
#include "common/net/service.h"

#include "common/net/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct making {
    struct setpay_service *service;
    struct setpay_loop *loop;
    struct setpay_control_call *call;
    struct setpay_backup_files files;
    struct setpay_backup_job job;
    struct setpay_secret key;
    struct setpay_buffer head;
    char *path;
    json_t *result;
    struct setpay_problem problem;
    enum setpay_error error;
};

static void making_free(struct making *making)
{
    setpay_backup_files_clear(&making->files);
    setpay_secret_clear(&making->key);
    setpay_buffer_clear(&making->head);
    json_decref(making->result);
    free(making->path);
    free(making);
}

static enum setpay_error prepare(struct making *making, const char *path,
                                 const struct setpay_secret *seal_key, struct setpay_view seal_head)
{
    const struct setpay_service *service = making->service;
    making->path = strdup(path);
    if (making->path == NULL)
        return SETPAY_E_NOMEM;
    setpay_buffer_init(&making->head, 512);
    making->job = (struct setpay_backup_job){
        .party = service->spec->backup,
        .store = service->store,
        .path = making->path,
        .config_path = service->config_path,
        .files = &making->files,
        .cancel = &service->stopping,
    };
    if (seal_key != NULL) {
        SETPAY_TRY(setpay_secret_copy(&making->key, setpay_secret_view(seal_key)));
        SETPAY_TRY(setpay_buffer_set(&making->head, seal_head));
        making->job.seal_key = &making->key;
        making->job.seal_head = setpay_buffer_view(&making->head);
    }
    return setpay_backup_files_of_config(service->spec->backup, service->config, &making->files);
}

static void on_made(void *arg)
{
    struct making *making = arg;
    if (making->error == SETPAY_OK) {
        setpay_control_reply(making->call, making->result);
        making->result = NULL;
    } else {
        setpay_control_fail(making->call, making->error,
                            making->problem.text[0] != '\0' ? making->problem.text : NULL);
    }
    making_free(making);
}

static void *make(void *arg)
{
    struct making *making = arg;
    making->error = setpay_backup_make(&making->job, &making->result, &making->problem);
    setpay_loop_post_reserved(making->loop, on_made, making);
    return NULL;
}

static enum setpay_error read_path(const json_t *args, const char **path,
                                   struct setpay_problem *problem)
{
    static const char *const names[] = {"path", "final", NULL};
    bool final = false;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_text(args, "path", true, path, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "final", false, &final, problem));
    if (final)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "the daemon runs, and goes on after this backup: stop it before "
                                  "its final one");
    if ((*path)[0] != '/')
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "path '%.200s': expected one that begins with /", *path);
    return SETPAY_OK;
}

enum setpay_error setpay_service_backup_start(struct setpay_service *service,
                                              struct setpay_loop *loop,
                                              struct setpay_control_call *call, const json_t *args,
                                              const struct setpay_secret *seal_key,
                                              struct setpay_view seal_head,
                                              struct setpay_problem *problem)
{
    pthread_t thread;
    pthread_attr_t attributes;
    const char *path = NULL;
    SETPAY_TRY(read_path(args, &path, problem));
    struct making *making = calloc(1, sizeof *making);
    if (making == NULL)
        return SETPAY_E_NOMEM;
    making->service = service;
    making->loop = loop;
    making->call = call;
    enum setpay_error error = prepare(making, path, seal_key, seal_head);
    if (error == SETPAY_OK)
        error = setpay_loop_reserve(loop);
    if (error == SETPAY_OK && pthread_attr_init(&attributes) == 0) {
        /* Its end is known by what it posts: the loop stays until then. */
        (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        if (pthread_create(&thread, &attributes, make, making) != 0) {
            setpay_loop_release(loop);
            error = SETPAY_E_NOMEM;
        }
        (void)pthread_attr_destroy(&attributes);
    }
    if (error != SETPAY_OK)
        making_free(making);
    return error;
}

void setpay_service_on_backup(struct setpay_control_call *call, const json_t *args, void *arg)
{
    struct setpay_service *service = arg;
    struct setpay_problem problem = {{0}};
    enum setpay_error error =
        setpay_service_backup_start(service, setpay_daemon_loop(service->daemon), call, args, NULL,
                                    SETPAY_VIEW_EMPTY, &problem);
    if (error != SETPAY_OK)
        setpay_control_fail(call, error, problem.text[0] != '\0' ? problem.text : NULL);
}

enum setpay_error setpay_service_backup(struct setpay_service *service, const char *path,
                                        bool final, const struct setpay_secret *seal_key,
                                        struct setpay_view seal_head, json_t **result,
                                        struct setpay_problem *problem)
{
    struct making *making = calloc(1, sizeof *making);
    if (making == NULL)
        return SETPAY_E_NOMEM;
    making->service = service;
    enum setpay_error error = prepare(making, path, seal_key, seal_head);
    making->job.stopped = true;
    making->job.final = final;
    if (error == SETPAY_OK)
        error = setpay_backup_make(&making->job, result, problem);
    making_free(making);
    return error;
}
