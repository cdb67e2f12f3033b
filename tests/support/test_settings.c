/*
 * The file is written anew, line by line: the settings of each section first, then what it held,
 * without the lines that a setting replaces.
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

/* The next setting of the section ("[NAME]", or "" for none) from *at on, without the section's
 * name; NULL where there is none. *at is behind it then. */
static const char *next_setting(const char **at, const char *section)
{
    size_t name = strlen(section);
    for (;;) {
        const char *line = *at + strspn(*at, "\n");
        if (*line == '\0')
            return NULL;
        *at = line + strcspn(line, "\n");
        if (name == 0 && *line != '[')
            return line;
        if (name > 0 && strncmp(line, section, name) == 0)
            return line + name + strspn(line + name, " ");
    }
}

static bool is_replaced(const char *settings, const char *section, const char *line)
{
    const char *setting;
    while ((setting = next_setting(&settings, section)) != NULL) {
        if (same_key(setting, line))
            return true;
    }
    return false;
}

static void write_settings(FILE *to, const char *settings, const char *section)
{
    const char *setting;
    while ((setting = next_setting(&settings, section)) != NULL)
        (void)fprintf(to, "%.*s\n", (int)strcspn(setting, "\n"), setting);
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
    write_settings(to, settings, section);
    while (fgets(line, sizeof line, from) != NULL) {
        bool is_header = line[0] == '[';
        if (is_header)
            (void)snprintf(section, sizeof section, "%.*s", (int)strcspn(line, "\n"), line);
        if (is_header || line[0] == '#' || !is_replaced(settings, section, line))
            (void)fputs(line, to);
        if (is_header)
            write_settings(to, settings, section);
    }
    (void)fclose(from);
    if (fclose(to) != 0 || rename(changed, path) != 0)
        test_bail_out("%s can't be changed", path);
}
