/*
 * The file reader: inih splits lines into keys and values, and this file knows where they stand.
 *
 * Debian's inih does not tell its handler the line. It does ask for one line at a time through
 * read_line, and hands on what that line held before it asks for the next, so read_line counts.
 * It also keeps the section itself, since inih tells of a section only with its first key, while an
 * empty [brand visa] counts and an unknown [nett] is wrong even when it is empty.
 *
 * Always true: the first thing that is wrong ends the reading and is what the problem says; a line
 * is never split, joined or cut (inih would do all three: it gets each line without its leading
 * blanks, which would make it a continuation, and none that is longer than its memory).
 */
#include "common/base/bytes.h"
#include "common/base/config_table.h"
#include "common/base/limits.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r\n\v\f"
#define SECTION_BYTES ((size_t)96)
/* Values in messages are cut here; a value can be as long as a line. */
#define SHOWN 80

struct reading {
    struct setpay_config *config;
    struct setpay_problem *problem;
    FILE *file;
    char *line; /* getline's */
    size_t line_capacity;
    unsigned number; /* of the line; the first is 1 */
    char section[SECTION_BYTES];
    enum setpay_error error;
};

/* Keeps the first problem and makes inih see the end of the file. */
#define REFUSE(reading, format, ...)                                                               \
    ((reading)->error =                                                                            \
         setpay_problem_set((reading)->problem, SETPAY_E_CONFIG, "%s:%u: " format,                 \
                            (reading)->config->path, (reading)->number, __VA_ARGS__))

/* "[ brand   visa ]" becomes "brand visa". False where it is too long. */
static bool normalise_section(const char *text, size_t size, char out[SECTION_BYTES])
{
    size_t length = 0;

    for (size_t i = 0; i < size; i++) {
        if (strchr(BLANKS, text[i]) == NULL) {
            if (length + 2 > SECTION_BYTES)
                return false;
            out[length++] = text[i];
        } else if (length > 0 && out[length - 1] != ' ') {
            if (length + 2 > SECTION_BYTES)
                return false;
            out[length++] = ' ';
        }
    }
    while (length > 0 && out[length - 1] == ' ')
        length--;
    out[length] = '\0';
    return true;
}

static void refuse_section(struct reading *reading, const char *name)
{
    const struct setpay_option *nearest = NULL;
    unsigned least = setpay_config_slip(name) + 1;

    for (const struct setpay_option *row = reading->config->options; row->name != NULL; row++) {
        /* Repeated sections are compared by their first word. */
        char word[SECTION_BYTES];
        unsigned distance;

        (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, " "), name);
        if (row->section[0] == '\0')
            continue;
        if (strchr(row->section, ' ') != NULL) {
            char known[SECTION_BYTES];
            (void)snprintf(known, sizeof(known), "%.*s", (int)strcspn(row->section, " "),
                           row->section);
            distance = setpay_config_distance(word, known);
        } else {
            distance = setpay_config_distance(name, row->section);
        }
        if (distance < least) {
            least = distance;
            nearest = row;
        }
    }
    if (nearest == NULL)
        REFUSE(reading, "found section [%.*s], which is not known; --help lists those that are",
               SHOWN, name);
    else if (strchr(nearest->section, ' ') != NULL)
        REFUSE(reading,
               "found section [%.*s]; expected [%.*s NAME], NAME of letters, digits, . _ -", SHOWN,
               name, (int)strcspn(nearest->section, " "), nearest->section);
    else
        REFUSE(reading, "found section [%.*s], which is not known; the nearest known is [%s]",
               SHOWN, name, nearest->section);
}

static void on_section(struct reading *reading, const char *at)
{
    const char *end = strchr(at, ']');
    const char *rest;

    if (end == NULL) {
        REFUSE(reading, "found \"%.*s\", expected a closing ]", SHOWN, at);
        return;
    }
    rest = end + 1 + strspn(end + 1, BLANKS);
    if (*rest != '\0' && *rest != ';' && *rest != '#') {
        REFUSE(reading, "found \"%.*s\" behind the section, expected the end of the line", SHOWN,
               rest);
        return;
    }
    if (!normalise_section(at + 1, (size_t)(end - at) - 1, reading->section)) {
        REFUSE(reading, "found a section of %zu bytes, expected at most %zu",
               (size_t)(end - at) - 1, SECTION_BYTES - 2);
        return;
    }
    if (reading->section[0] == '\0' ||
        setpay_config_section_row(reading->config->options, reading->section) == NULL) {
        refuse_section(reading, reading->section);
        return;
    }
    if (setpay_config_has_section(reading->config, reading->section))
        return;
    reading->error = setpay_config_add_section(reading->config, reading->section, reading->number);
    if (reading->error == SETPAY_E_TOO_BIG)
        REFUSE(reading, "found more than %d repeated sections, expected no more",
               SETPAY_LIMIT_CONFIG_SECTIONS);
}

/* A control character but a tab, also one of two bytes (U+0080 to U+009F): nobody sees it in a
 * file, and a value that goes out in a message would be refused there. */
static bool holds_control(const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++)
        if ((*at < 0x20 && *at != '\t') || *at == 0x7f ||
            (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f))
            return true;
    return false;
}

/* The next line without leading blanks, in inih's memory of room bytes; NULL at the end. */
static char *read_line(char *out, int room, void *user)
{
    static const char mark[] = "\xef\xbb\xbf"; /* UTF-8 byte order mark of some editors */
    struct reading *reading = user;
    ssize_t size = 0;
    char *at;

    if (reading->error != SETPAY_OK)
        return NULL;
    errno = 0;
    size = getline(&reading->line, &reading->line_capacity, reading->file);
    if (size < 0) {
        if (ferror(reading->file) != 0)
            REFUSE(reading, "can't be read: %s", strerror(errno));
        else if (errno == ENOMEM)
            reading->error = SETPAY_E_NOMEM;
        return NULL;
    }
    reading->number++;
    if (!setpay_text_is_utf8(setpay_view_of(reading->line, (size_t)size))) {
        REFUSE(reading, "found bytes that are not UTF-8 text%s", ", expected text");
        return NULL;
    }
    at = reading->line;
    if (reading->number == 1 && strncmp(at, mark, sizeof(mark) - 1) == 0)
        at += sizeof(mark) - 1;
    at += strspn(at, BLANKS);
    at[strcspn(at, "\r\n")] = '\0';
    if (holds_control(at)) {
        REFUSE(reading, "found a control character%s", ", expected text");
        return NULL;
    }
    if (strlen(at) + 3 > (size_t)room) {
        REFUSE(reading, "found a line of %zu bytes, expected at most %d", strlen(at), room - 3);
        return NULL;
    }
    if (*at == '[') {
        on_section(reading, at);
    } else if (*at != '\0' && *at != ';' && *at != '#' && strpbrk(at, "=:") == NULL) {
        REFUSE(reading, "found \"%.*s\", expected key = value or [section]", SHOWN, at);
    }
    if (reading->error != SETPAY_OK)
        return NULL;
    memcpy(out, at, strlen(at) + 1);
    return out;
}

/* " in [net]", or nothing for the keys at the top. */
static const char *in_section(const char *section, char out[SECTION_BYTES + 8])
{
    out[0] = '\0';
    if (section[0] != '\0')
        (void)snprintf(out, SECTION_BYTES + 8, " in [%s]", section);
    return out;
}

static void refuse_key(struct reading *reading, const char *name)
{
    const struct setpay_option *elsewhere = NULL;
    const struct setpay_option *nearest = NULL;
    unsigned least = setpay_config_slip(name) + 1;
    const struct setpay_option *own =
        setpay_config_section_row(reading->config->options, reading->section);
    char where[SECTION_BYTES + 8];

    for (const struct setpay_option *row = reading->config->options; row->name != NULL; row++) {
        if (own == NULL || strcmp(row->section, own->section) != 0) {
            if (strcmp(row->name, name) == 0)
                elsewhere = row;
        } else if (setpay_config_distance(name, row->name) < least) {
            least = setpay_config_distance(name, row->name);
            nearest = row;
        }
    }
    in_section(reading->section, where);
    if (nearest != NULL)
        REFUSE(reading, "found key \"%.*s\"%s, which is not known; the nearest known key is \"%s\"",
               SHOWN, name, where, nearest->name);
    else if (elsewhere != NULL)
        REFUSE(reading, "found key \"%.*s\"%s, which is not known there; expected it %s%s%s", SHOWN,
               name, where, elsewhere->section[0] != '\0' ? "in [" : "before the first section",
               elsewhere->section, elsewhere->section[0] != '\0' ? "]" : "");
    else
        REFUSE(reading, "found key \"%.*s\"%s, which is not known; --help lists those that are",
               SHOWN, name, where);
}

/* inih's handler; the section is the one that read_line keeps. */
static int on_key(void *user, const char *section, const char *name, const char *text)
{
    struct reading *reading = user;
    struct setpay_config_value *value;
    struct setpay_config_origin origin;
    char where[SECTION_BYTES + 8];

    (void)section;
    if (reading->error != SETPAY_OK)
        return 0;
    value = setpay_config_find(reading->config, reading->section, name);
    if (value == NULL) {
        refuse_key(reading, name);
        return 0;
    }
    if (value->line != 0) {
        REFUSE(reading, "found key \"%s\"%s again, expected it once; it stands in line %u too",
               name, in_section(reading->section, where), value->line);
        return 0;
    }
    origin = (struct setpay_config_origin){reading->config->path, reading->number, NULL};
    reading->error =
        setpay_config_assign(value, text, reading->config->folder, &origin, reading->problem);
    value->line = reading->number;
    return reading->error == SETPAY_OK;
}

enum setpay_error setpay_config_read_file(struct setpay_config *config,
                                          struct setpay_problem *problem)
{
    struct reading reading = {.config = config, .problem = problem};
    int status;

    reading.file = fopen(config->path, "re");
    if (reading.file == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "%s: can't be opened: %s; expected a readable file", config->path,
                                  strerror(errno));
    /* Debian's inih has these as variables; without them a line could have 197 bytes. */
    ini_use_stack = false;
    ini_initial_alloc = SETPAY_LIMIT_CONFIG_LINE_BYTES;
    ini_max_line = SETPAY_LIMIT_CONFIG_LINE_BYTES;
    status = ini_parse_stream(read_line, &reading, on_key, &reading);
    if (reading.error == SETPAY_OK && status > 0) {
        reading.number = (unsigned)status;
        REFUSE(&reading, "found no value, expected %s", "key = value or [section]");
    } else if (reading.error == SETPAY_OK && status < 0) {
        reading.error = SETPAY_E_NOMEM;
    }
    free(reading.line);
    (void)fclose(reading.file);
    return reading.error;
}
