/*
 * The file is written anew, line by line: first the settings without a section, then what it held,
 * each line that a setting replaces left out or replaced.
 */
#include "tests/support/test_settings.h"

#include <stdio.h>
#include <string.h>

/* Both lines begin with the same key. */
static bool same_key(const char *a, const char *b)
{
    size_t size = strcspn(a, " =\n");
    return strncmp(a, b, size) == 0 && b[size + strspn(b + size, " ")] == '=';
}

/* The setting for this line of that section, without the section's name; NULL where there is none.
 */
static const char *find_setting(const char *settings, const char *section, const char *line)
{
    size_t name = strlen(section);
    for (const char *at = settings; *at != '\0'; at += strcspn(at, "\n")) {
        at += strspn(at, "\n");
        if (name == 0 && *at != '[' && same_key(at, line))
            return at;
        if (name > 0 && strncmp(at, section, name) == 0) {
            const char *key = at + name + strspn(at + name, " ");
            if (same_key(key, line))
                return key;
        }
    }
    return NULL;
}

static void write_line(FILE *to, const char *text)
{
    (void)fprintf(to, "%.*s\n", (int)strcspn(text, "\n"), text);
}

void test_sandbox_configure(const struct test_sandbox *sandbox, enum test_daemon daemon,
                            const char *settings)
{
    char path[192], changed[256], line[512], section[128] = "";
    (void)snprintf(path, sizeof path, "%s/%s.conf", sandbox->dir, test_daemon_names[daemon]);
    (void)snprintf(changed, sizeof changed, "%s.changed", path);
    FILE *from = fopen(path, "re");
    FILE *to = from == NULL ? NULL : fopen(changed, "we");
    if (to == NULL) {
        test_bail_out("%s can't be changed", path);
    }
    for (const char *at = settings; *at != '\0'; at += strcspn(at, "\n")) {
        at += strspn(at, "\n");
        if (*at != '[' && *at != '\0')
            write_line(to, at);
    }
    while (fgets(line, sizeof line, from) != NULL) {
        if (line[0] == '[')
            (void)snprintf(section, sizeof section, "%.*s", (int)strcspn(line, "\n"), line);
        const char *setting = line[0] == '[' || line[0] == '#' || line[0] == '\n'
                                  ? NULL
                                  : find_setting(settings, section, line);
        if (setting == NULL)
            write_line(to, line);
        else if (section[0] != '\0')
            write_line(to, setting);
    }
    (void)fclose(from);
    if (fclose(to) != 0 || rename(changed, path) != 0)
        test_bail_out("%s can't be changed", path);
}
