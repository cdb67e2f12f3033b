/*
 * nginx as a process of this program's: two workers, no log of requests, connections that stay.
 */
#include "tests/bench/fail.h"
#include "tests/bench/web.h"
#include "tests/support/test_daemon.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_MS 10000

/* Whom this process may be; as root it would make itself somebody who can't read the folder. */
static const char *user_line(void)
{
    return geteuid() == 0 ? "user root;\n" : "";
}

static void write_page(const char *folder, size_t size)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/page", folder);
    FILE *file = fopen(path, "we");
    BENCH_NEED(file != NULL);
    for (size_t i = 0; i < size; i++)
        BENCH_NEED(fputc('a' + (int)(i % 26), file) != EOF);
    BENCH_NEED(fclose(file) == 0);
}

static void write_configuration(const struct bench_nginx *nginx, const char *folder)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/nginx.conf", folder);
    FILE *file = fopen(path, "we");
    BENCH_NEED(file != NULL);
    (void)fprintf(
        file,
        "daemon off;\n%sworker_processes %d;\npid %s/nginx.pid;\nerror_log %s/nginx.log;\n"
        "events { worker_connections 512; }\n"
        "http {\n"
        "    access_log off;\n    sendfile on;\n    keepalive_requests 1000000000;\n"
        "    default_type text/html;\n    client_body_temp_path %s/body;\n"
        "    proxy_temp_path %s/proxy;\n    fastcgi_temp_path %s/fastcgi;\n"
        "    uwsgi_temp_path %s/uwsgi;\n    scgi_temp_path %s/scgi;\n"
        "    server { listen %s; root %s; }\n"
        "}\n",
        user_line(), BENCH_NGINX_WORKERS, folder, folder, folder, folder, folder, folder, folder,
        nginx->address, folder);
    BENCH_NEED(fclose(file) == 0);
}

/* Where it is. */
static void find_program(char path[PATH_MAX])
{
    FILE *answer = popen("tests/tool.sh find nginx", "re");
    BENCH_NEED(answer != NULL);
    bool came = fgets(path, PATH_MAX, answer) != NULL;
    if (pclose(answer) != 0 || !came)
        BENCH_FAIL("there is no nginx to measure beside (see above)");
    path[strcspn(path, "\n")] = '\0';
}

static void find_workers(struct bench_nginx *nginx)
{
    char path[64], line[256] = "", *at = line;
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)nginx->pid,
                   (int)nginx->pid);
    for (int waited_ms = 0; waited_ms < START_MS; waited_ms += 10) {
        FILE *file = fopen(path, "re");
        if (file == NULL || fgets(line, sizeof line, file) == NULL)
            line[0] = '\0';
        if (file != NULL)
            (void)fclose(file);
        at = line;
        size_t found = 0;
        for (long pid = 1; found < BENCH_NGINX_WORKERS && pid > 0;) {
            pid = strtol(at, &at, 10);
            if (pid > 0)
                nginx->workers[found++] = (pid_t)pid;
        }
        if (found == BENCH_NGINX_WORKERS)
            return;
        (void)nanosleep(&pause, NULL); /* it tells nobody when its workers are there */
    }
    BENCH_FAIL("nginx does not start: see its messages above");
}

void bench_nginx_start(struct bench_nginx *nginx, const char *folder, size_t page_size)
{
    char program[PATH_MAX], configuration[PATH_MAX], log[PATH_MAX];
    find_program(program);
    test_choose_address(nginx->address);
    write_page(folder, page_size);
    write_configuration(nginx, folder);
    (void)snprintf(configuration, sizeof configuration, "%s/nginx.conf", folder);
    (void)snprintf(log, sizeof log, "%s/nginx.log", folder);
    nginx->pid = fork();
    BENCH_NEED(nginx->pid >= 0);
    if (nginx->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)execl(program, "nginx", "-e", log, "-p", folder, "-c", configuration, (char *)NULL);
        _exit(127);
    }
    find_workers(nginx);
}

void bench_nginx_stop(struct bench_nginx *nginx)
{
    int status = 0;
    (void)kill(nginx->pid, SIGTERM);
    BENCH_NEED(waitpid(nginx->pid, &status, 0) == nginx->pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        BENCH_FAIL("nginx ended with status %d", status);
}

void bench_nginx_usage(const struct bench_nginx *nginx, struct bench_usage *usage)
{
    memset(usage, 0, sizeof *usage);
    for (int i = 0; i < BENCH_NGINX_WORKERS; i++) {
        struct bench_usage one;
        bench_usage_read(nginx->workers[i], &one);
        usage->cpu_us += one.cpu_us;
        usage->kernel_us += one.kernel_us;
    }
}
