/*
 * Answers of the API, a line of JSON each.
 */
#include "tests/support/test_answered.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BASE "/api/v1"
#define METHOD_MAX 8
#define PATH_MAX_BYTES 1024
#define TYPE_MAX 64

/* "METHOD /api/v1PATH HTTP/1.1": false where it is none. */
static bool read_request(const char *request, char method[METHOD_MAX], char path[PATH_MAX_BYTES])
{
    return sscanf(request, "%7[A-Z] " BASE "%1023[^ \r\n] HTTP/1.1\r", method, path) == 2;
}

/* "" where there is no such header. */
static void read_type(const char *answer, const char *body, char type[TYPE_MAX])
{
    static const char name[] = "\r\nContent-Type: ";
    const char *at = strcasestr(answer, name);
    type[0] = '\0';
    if (at != NULL && at < body)
        (void)snprintf(type, TYPE_MAX, "%.*s", (int)strcspn(at + sizeof name - 1, "\r"),
                       at + sizeof name - 1);
}

/* Another process has another file; of this one's threads each line is one write. */
static void append(const char *folder, const char *line)
{
    char path[PATH_MAX_BYTES];
    (void)snprintf(path, sizeof path, "%s/%ld.jsonl", folder, (long)getpid());
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line)) {
        perror(path);
        abort();
    }
    close(fd);
}

void test_answered(const char *request, const char *answer)
{
    const char *folder = getenv("SETPAY_API_ANSWERS");
    const char *end = strstr(answer, "\r\n\r\n");
    char method[METHOD_MAX], path[PATH_MAX_BYTES], type[TYPE_MAX];
    int status = 0;
    if (folder == NULL || end == NULL || !read_request(request, method, path) ||
        sscanf(answer, "HTTP/1.1 %d", &status) != 1)
        return;
    const char *body = end + 4;
    read_type(answer, end, type);
    json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
    if (json == NULL) /* an empty one is null; any other is a text, and as such no answer */
        json = body[0] == '\0' ? json_null() : json_string(body);
    json_t *kept = json_pack("{s:s, s:s, s:i, s:s, s:o}", "method", method, "path", path, "status",
                             status, "type", type, "body", json);
    char *text = json_dumps(kept, JSON_COMPACT);
    size_t length = text == NULL ? 0 : strlen(text);
    char *line = text == NULL ? NULL : realloc(text, length + 2);
    if (line != NULL) {
        line[length] = '\n';
        line[length + 1] = '\0';
        append(folder, line);
    }
    free(line);
    json_decref(kept);
}
