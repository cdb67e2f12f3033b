/*
 * A daemon as a whole: its configuration, whether it runs, and all checks in their order; and the
 * daemon's own part, which answers on its control socket.
 */
#include "common/net/doctor.h"

#include "common/base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ASK_MS 2000
#define LINE_SIZE 256
#define NAME_SIZE 64

const struct setpay_flag setpay_doctor_flags[] = {{"url", SETPAY_FLAG_TEXT, "url"}, {0}};

/* ------------------------------------------------------------------ the configuration */

bool setpay_doctor_configure(struct setpay_doctor *doctor, const char *path)
{
    struct setpay_problem problem = {{0}};
    char program[] = "doctor";
    char *argv[] = {program, NULL};
    int argc = 1;
    doctor->config_path = path;
    if (setpay_config_load(doctor->daemon->options, path, &argc, argv, &doctor->config, &problem) ==
        SETPAY_OK) {
        setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_CONFIGURATION, path, "",
                          "%s is well-formed", path);
        return true;
    }
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_CONFIGURATION, path,
                      "mend that line; nothing else can be looked at before", "%s", problem.text);
    return false;
}

/* ------------------------------------------------------------------ whether it runs */

/* The process that holds a flock on the file, as the kernel lists it; 0: none does. */
static long lock_holder(const char *path)
{
    struct stat status;
    char line[LINE_SIZE];
    long holder = 0;
    FILE *file = stat(path, &status) == 0 ? fopen("/proc/locks", "re") : NULL;
    while (file != NULL && holder == 0 && fgets(line, sizeof line, file) != NULL) {
        unsigned high, low;
        unsigned long inode;
        long pid;
        if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%lu", &pid, &high, &low, &inode) == 4 &&
            inode == (unsigned long)status.st_ino && high == major(status.st_dev) &&
            low == minor(status.st_dev))
            holder = pid;
    }
    if (file != NULL)
        (void)fclose(file);
    return holder;
}

static long database_holder(const struct setpay_doctor *doctor)
{
    char lock[PATH_MAX];
    const char *path =
        doctor->config != NULL && setpay_config_has_key(doctor->config, "", "database")
            ? setpay_store_path(setpay_config_text(doctor->config, "", "database"))
            : NULL;
    char *resolved = path == NULL ? NULL : realpath(path, NULL);
    bool fits =
        resolved != NULL && snprintf(lock, sizeof lock, "%s.lock", resolved) < (int)sizeof lock;
    free(resolved);
    return fits ? lock_holder(lock) : 0;
}

/* Nobody listens on the socket. */
static void say_stopped(struct setpay_doctor *doctor, const char *socket, const char *start_hint)
{
    char todo[PATH_MAX + 96];
    const char *name = doctor->daemon->name;
    long holder = database_holder(doctor);
    if (holder != 0) {
        (void)snprintf(todo, sizeof todo,
                       "see what it is (ps -p %ld); a daemon of another configuration must not "
                       "share the database",
                       holder);
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_DAEMON, socket, todo,
                          "%s does not answer on %s, but the process %ld has its database open",
                          name, socket, holder);
        return;
    }
    (void)snprintf(todo, sizeof todo, "once all else here is well, start it: %s", start_hint);
    setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_DAEMON, socket, todo,
                      "%s is not running", name);
}

static void take_answer(struct setpay_doctor *doctor)
{
    const json_t *told = doctor->told;
    setpay_time_ms now_ms = setpay_clock_now_ms();
    setpay_time_ms time_ms = json_integer_value(json_object_get(told, "time_ms"));
    doctor->runs = true;
    doctor->pid = (pid_t)json_integer_value(json_object_get(told, "pid"));
    if (time_ms != 0) {
        doctor->daemon_ahead_ms = time_ms - now_ms;
        doctor->now_ms = time_ms;
    }
    setpay_doctor_say(doctor, SETPAY_FINDING_OK, SETPAY_CHECK_DAEMON, "", "",
                      "%s runs (process %ld)", doctor->daemon->name, (long)doctor->pid);
    setpay_doctor_take(doctor, json_object_get(told, "checks"));
    size_t index;
    const json_t *clock;
    json_array_foreach(json_object_get(told, "clocks"), index, clock)
    {
        const char *whose = json_string_value(json_object_get(clock, "whose"));
        if (whose != NULL)
            setpay_doctor_add_clock(doctor, whose,
                                    json_integer_value(json_object_get(clock, "time_ms")), now_ms);
    }
}

void setpay_doctor_ask(struct setpay_doctor *doctor, const char *socket, const char *start_hint)
{
    struct setpay_control_client *client = NULL;
    struct setpay_problem problem = {{0}};
    const char *name = doctor->daemon->name;
    enum setpay_error error = setpay_control_client_open(socket, name, NULL, &client, &problem);
    if (error == SETPAY_OK)
        error = setpay_control_client_call(client, "doctor", NULL, ASK_MS, NULL, NULL,
                                           &doctor->told, &problem);
    setpay_control_client_close(client);
    if (error == SETPAY_OK) {
        take_answer(doctor);
        return;
    }
    if (error == SETPAY_E_UNREACHABLE) {
        say_stopped(doctor, socket, start_hint);
        return;
    }
    /* Something listens there. */
    doctor->runs = error == SETPAY_E_TIMEOUT || error == SETPAY_E_CLOSED;
    setpay_doctor_say(
        doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_DAEMON, socket,
        error == SETPAY_E_TIMEOUT
            ? "look at the end of its log; if it stays so, stop it (SIGTERM, then SIGKILL: nothing "
              "that was answered is lost) and start it again"
        : error == SETPAY_E_PERMISSION ? "run this as the daemon's user"
                                       : "start the daemon again; it may be of another version",
        "%s runs, but does not answer on %s: %s", name, socket,
        problem.text[0] != '\0' ? problem.text : setpay_error_text(error));
}

/* ------------------------------------------------------------------ all of it */

static enum setpay_error read_retired(struct setpay_db *db, void *retired_ms)
{
    return setpay_store_retired_ms(db, retired_ms);
}

/* False also where that can't be read: what else is wrong with it is said then. */
static bool is_retired(const struct setpay_store_options *options)
{
    struct setpay_problem ignored = {{0}};
    setpay_time_ms retired_ms = 0;
    return setpay_store_peek(options, read_retired, &retired_ms, &ignored) == SETPAY_OK &&
           retired_ms != 0;
}

static enum setpay_error read_safety(struct setpay_db *db, void *safety)
{
    return setpay_store_read_safety(db, safety);
}

/* Of one that an older program has left, nothing is known before it was opened by this one. */
static void say_safety(struct setpay_doctor *doctor, const struct setpay_store_options *options)
{
    struct setpay_problem ignored = {{0}};
    struct setpay_store_safety safety;
    if (setpay_store_peek(options, read_safety, &safety, &ignored) == SETPAY_OK)
        setpay_doctor_safety(doctor, &safety);
}

void setpay_doctor_database(struct setpay_doctor *doctor, const struct setpay_store_schema *schema,
                            setpay_store_read_fn *read, void *arg)
{
    struct setpay_problem problem = {{0}};
    const struct setpay_store_options options = {
        .url = setpay_config_text(doctor->config, "", "database"), .schema = schema};
    if (doctor->runs || database_holder(doctor) != 0)
        return; /* its daemon's, which speaks for it */
    if (is_retired(&options)) {
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL, SETPAY_CHECK_DATABASE, "",
                          "start the daemon where its final backup was restored; nothing starts "
                          "here any more",
                          "the database is out of service: a final backup was made of it");
        return;
    }
    enum setpay_error error = setpay_store_peek(&options, read, arg, &problem);
    bool fine = error == SETPAY_OK || error == SETPAY_E_NOT_FOUND || error == SETPAY_E_CONFLICT;
    setpay_doctor_say(
        doctor, fine ? SETPAY_FINDING_OK : SETPAY_FINDING_FAIL, SETPAY_CHECK_DATABASE, "",
        error == SETPAY_E_CONFIG ? "name the right database in the key database, or "
                                   "use the program that made it"
                                 : "see its mode and its disk; else restore the "
                                   "newest backup",
        "%s",
        error == SETPAY_OK            ? "the database is there, and this program's"
        : error == SETPAY_E_NOT_FOUND ? "there is no database yet: the daemon makes it"
        : error == SETPAY_E_CONFLICT
            ? "the database was not closed, as after a crash: the next start mends it"
            : problem.text);
    if (error == SETPAY_OK)
        say_safety(doctor, &options);
}

static void examine(struct setpay_doctor *doctor, const struct setpay_doctor_party *party,
                    const char *url)
{
    const char *brands[SETPAY_DOCTOR_BRANDS_MAX];
    char hint[PATH_MAX + NAME_SIZE];
    (void)snprintf(hint, sizeof hint, "%s --config %s", party->daemon->name, doctor->config_path);
    setpay_doctor_ask(doctor, setpay_config_text(doctor->config, "", "admin_socket"), hint);
    if (party->daemon->schema != NULL)
        setpay_doctor_database(doctor, party->daemon->schema, NULL, NULL);
    setpay_doctor_files(doctor);
    setpay_doctor_disk(doctor);
    setpay_doctor_root(doctor, setpay_config_text(doctor->config, "", "root"),
                       setpay_config_text(doctor->config, "", "crls"), party->certificates);
    setpay_doctor_certificates(doctor, party->certificates);
    if (doctor->told == NULL && doctor->trust != NULL && !doctor->root_is_wrong)
        setpay_doctor_lists(doctor, doctor->trust, brands,
                            setpay_doctor_brands(doctor->config, brands),
                            "put the authority's newest lists into the folder of the key crls");
    setpay_doctor_ports(doctor);
    if (party->peers_cb != NULL && doctor->trust != NULL)
        party->peers_cb(doctor, url);
    setpay_doctor_clock(doctor);
}

enum setpay_error setpay_doctor_examine(const struct setpay_doctor_party *party,
                                        const char *config_path, const json_t *args,
                                        json_t **result, struct setpay_problem *problem)
{
    struct setpay_doctor doctor;
    enum setpay_error error = setpay_doctor_init(&doctor, party->daemon);
    if (error != SETPAY_OK)
        return error;
    /* What the parts say to a daemon's log is said here in findings. */
    error = setpay_log_open("/dev/null", SETPAY_LOG_ERROR, SETPAY_LOG_LOGFMT);
    if (error == SETPAY_OK && setpay_doctor_configure(&doctor, config_path))
        examine(&doctor, party, json_string_value(json_object_get(args, "url")));
    *result = setpay_doctor_result(&doctor);
    if (error == SETPAY_OK)
        error = *result == NULL ? SETPAY_E_NOMEM : setpay_doctor_verdict(&doctor, problem);
    setpay_doctor_clear(&doctor);
    return error;
}

/* ------------------------------------------------------------------ in the daemon */

/* What /readyz asks for and no other check does. */
static void take_ready_check(struct setpay_doctor *doctor, const struct setpay_ready_check *check)
{
    struct setpay_problem why = {{0}};
    if (strcmp(check->name, "store") == 0 || strcmp(check->name, "crls") == 0)
        return;
    enum setpay_error error = check->check_cb(check->arg, &why);
    bool is_reaching = setpay_error_kind(error) == SETPAY_KIND_AGAIN;
    const char *words = why.text[0] != '\0' ? why.text : setpay_error_text(error);
    if (error != SETPAY_OK)
        setpay_doctor_say(doctor, SETPAY_FINDING_FAIL,
                          is_reaching ? SETPAY_CHECK_PEERS : SETPAY_CHECK_DAEMON, check->name,
                          is_reaching ? "see what is said of the peer below; the daemon goes on "
                                        "trying by itself"
                                      : "look at the daemon's log",
                          "not ready: %s", words);
}

/* Others' clocks as they are now. */
static json_t *clocks_json(const struct setpay_doctor *doctor)
{
    json_t *list = json_array();
    for (size_t i = 0; i < doctor->clock_count; i++)
        (void)json_array_append_new(
            list, json_pack("{s:s, s:I}", "whose", doctor->clocks[i].whose, "time_ms",
                            (json_int_t)setpay_clock_now_ms() + doctor->clocks[i].ahead_ms));
    return list;
}

json_t *setpay_doctor_tell(const struct setpay_doctor *doctor, const struct setpay_service *service)
{
    json_t *told = setpay_doctor_result(doctor);
    char *path = service->config_path == NULL ? NULL : realpath(service->config_path, NULL);
    if (told == NULL)
        return NULL;
    (void)json_object_set_new(told, "pid", json_integer(getpid()));
    (void)json_object_set_new(told, "time_ms", json_integer(setpay_clock_now_ms()));
    (void)json_object_set_new(told, "testing", json_boolean(service->testing));
    (void)json_object_set_new(told, "clocks", clocks_json(doctor));
    if (path != NULL) /* NULL where it is not UTF-8: left out */
        (void)json_object_set_new(told, "config", json_string(path));
    free(path);
    return told;
}

json_t *setpay_doctor_of_service(struct setpay_service *service)
{
    const char *brands[SETPAY_DOCTOR_BRANDS_MAX];
    struct setpay_doctor doctor;
    if (setpay_doctor_init(&doctor, service->spec) != SETPAY_OK)
        return NULL;
    if (service->store != NULL)
        setpay_doctor_store(&doctor, service->store);
    else if (service->check_count > 0 && strcmp(service->checks[0].name, "store") == 0)
        setpay_doctor_store(&doctor, service->checks[0].arg); /* the CA's, which is its own */
    if (service->trust != NULL)
        setpay_doctor_lists(
            &doctor, service->trust, brands, setpay_doctor_brands(service->config, brands),
            "see that the authority can be reached, and put its newest lists into the folder of "
            "the key crls, which is read again by itself");
    for (size_t i = 0; i < service->check_count; i++)
        take_ready_check(&doctor, &service->checks[i]);
    if (service->spec->doctor_cb != NULL)
        service->spec->doctor_cb(service, &doctor);
    json_t *told = setpay_doctor_tell(&doctor, service);
    setpay_doctor_clear(&doctor);
    return told;
}
