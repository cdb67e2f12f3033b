/*
 * /proc, uname and what the libraries say of themselves.
 */
#include "tests/bench/machine.h"

#include "tests/bench/fail.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <protobuf-c/protobuf-c.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define BUSY 0.25

double bench_machine_load(void)
{
    double load[1] = {0};
    if (getloadavg(load, 1) != 1)
        return 0;
    return load[0] / (double)sysconf(_SC_NPROCESSORS_ONLN);
}

static void read_model(char model[96])
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    (void)snprintf(model, 96, "unknown processor");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *value = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (value != NULL) {
            (void)snprintf(model, 96, "%.90s", value + 2);
            model[strcspn(model, "\n")] = '\0';
            break;
        }
    }
    if (file != NULL)
        (void)fclose(file);
}

json_t *bench_machine(void)
{
    char model[96], date[32];
    struct utsname name;
    struct tm utc;
    time_t now = time(NULL);
    read_model(model);
    BENCH_NEED(uname(&name) == 0 && gmtime_r(&now, &utc) != NULL);
    (void)strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_t *machine = json_pack(
        "{s:s, s:s, s:i, s:f, s:s, s:s, s:s, s:s, s:s, s:s, s:f}", "date", date, "processor", model,
        "processors", (int)sysconf(_SC_NPROCESSORS_ONLN), "memory_gib",
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024 * 1024),
        "kernel", name.release, "setpay", SETPAY_VERSION, "openssl",
        OpenSSL_version(OPENSSL_VERSION_STRING), "libevent", event_get_version(), "sqlite",
        sqlite3_libversion(), "protobuf_c", protobuf_c_version(), "load_before",
        bench_machine_load());
    BENCH_NEED(machine != NULL);
    return machine;
}

static const char *text(const json_t *machine, const char *name)
{
    return json_string_value(json_object_get(machine, name));
}

void bench_machine_print(const json_t *machine)
{
    double load = json_real_value(json_object_get(machine, "load_before"));
    printf("setpay %s on %s\n", text(machine, "setpay"), text(machine, "date"));
    printf("%s, %d processors, %.0f GiB, Linux %s\n", text(machine, "processor"),
           (int)json_integer_value(json_object_get(machine, "processors")),
           json_real_value(json_object_get(machine, "memory_gib")), text(machine, "kernel"));
    printf("OpenSSL %s, libevent %s, SQLite %s, protobuf-c %s\n", text(machine, "openssl"),
           text(machine, "libevent"), text(machine, "sqlite"), text(machine, "protobuf_c"));
    if (load > BUSY)
        printf("WARNING: the machine is busy (load %.2f per processor): times of CPU are too high, "
               "rates too low;\nmeasure again when it is quiet\n",
               load);
}
