/*
 * Configuration: values by section and name, made from a program's table, a file and flags.
 *
 * A row of the table gives one value, or one per instance where its section is repeated ("brand *"
 * and [brand visa], [brand maestro]). A later source overwrites: default, file, flag.
 *
 * Always true: after a successful load every value is inside its limits and every required one is
 * there; asking for what the table does not have is a bug of the program and aborts, so that it
 * shows at its first start and not as a wrong default in production.
 */
#include "common/base/config.h"

#include "common/base/config_table.h"
#include "common/base/limits.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN 80

/* ------------------------------------------------------------------ sections and values */

/* The size of "brand" in "brand *"; 0 where the section is not a repeated one. */
static size_t repeated_size(const char *section)
{
    size_t size = strlen(section);

    return size > 2 && strcmp(section + size - 2, " *") == 0 ? size - 2 : 0;
}

static bool belongs(const struct setpay_option *row, const char *section)
{
    size_t size = repeated_size(row->section);

    if (size == 0)
        return strcmp(row->section, section) == 0;
    return strncmp(row->section, section, size) == 0 && section[size] == ' ' &&
           setpay_config_is_instance_name(section + size + 1);
}

const struct setpay_option *setpay_config_section_row(const struct setpay_option *options,
                                                      const char *name)
{
    for (const struct setpay_option *row = options; row->name != NULL; row++) {
        if (belongs(row, name))
            return row;
    }
    return NULL;
}

struct setpay_config_value *setpay_config_find(const struct setpay_config *config,
                                               const char *section, const char *name)
{
    for (size_t i = 0; i < config->value_count; i++) {
        struct setpay_config_value *value = &config->values[i];
        if (strcmp(value->option->name, name) == 0 && strcmp(value->section, section) == 0)
            return value;
    }
    return NULL;
}

bool setpay_config_has_section(const struct setpay_config *config, const char *name)
{
    const struct setpay_option *row = setpay_config_section_row(config->options, name);

    if (row != NULL && repeated_size(row->section) == 0)
        return true;
    for (size_t i = 0; i < config->section_count; i++) {
        if (strcmp(config->sections[i].name, name) == 0)
            return true;
    }
    return false;
}

static char *join_path(const char *folder, const char *path)
{
    char *joined = NULL;

    if (path[0] == '/' || folder == NULL)
        return strdup(path);
    return asprintf(&joined, "%s/%s", folder, path) < 0 ? NULL : joined;
}

enum setpay_error setpay_config_assign(struct setpay_config_value *value, const char *text,
                                       const char *folder,
                                       const struct setpay_config_origin *origin,
                                       struct setpay_problem *problem)
{
    char expected[SETPAY_CONFIG_EXPECTED_SIZE];
    const struct setpay_option *option = value->option;
    int64_t number = 0;
    char *copy = NULL;

    if (setpay_config_value_parse(option, text, &number) != SETPAY_OK) {
        setpay_config_expected(option, expected);
        if (origin->path == NULL)
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "argument %s: found \"%.*s\", expected %s", origin->flag,
                                      SHOWN, text, expected);
        return setpay_problem_set(
            problem, SETPAY_E_CONFIG, "%s:%u: key \"%s\"%s%s%s: found \"%.*s\", expected %s",
            origin->path, origin->line, option->name, value->section[0] != '\0' ? " in [" : "",
            value->section, value->section[0] != '\0' ? "]" : "", SHOWN, text, expected);
    }
    if (setpay_config_has_text(option->type)) {
        copy = setpay_config_is_path(option->type) ? join_path(folder, text) : strdup(text);
        if (copy == NULL)
            return SETPAY_E_NOMEM;
    }
    free(value->text);
    value->text = copy;
    value->number = number;
    value->is_set = true;
    return SETPAY_OK;
}

/* A bug of the program, not of the person: says it and stops. */
static _Noreturn void abort_on(const char *what, const char *section, const char *name)
{
    (void)fprintf(stderr, "setpay: bug: configuration [%s] %s: %s\n", section, name, what);
    abort();
}

/* One value per row of the section, each with its default. */
static enum setpay_error add_values(struct setpay_config *config, const char *section,
                                    const struct setpay_option *first)
{
    const struct setpay_config_origin origin = {NULL, 0, first->name};

    for (const struct setpay_option *row = first; row->name != NULL; row++) {
        struct setpay_config_value *values;
        struct setpay_config_value *value;

        if (strcmp(row->section, first->section) != 0)
            continue;
        values = reallocarray(config->values, config->value_count + 1, sizeof(*config->values));
        if (values == NULL)
            return SETPAY_E_NOMEM;
        config->values = values;
        value = &values[config->value_count];
        *value = (struct setpay_config_value){.option = row, .section = strdup(section)};
        if (value->section == NULL)
            return SETPAY_E_NOMEM;
        config->value_count++;
        if (row->fallback != NULL) {
            enum setpay_error error =
                setpay_config_assign(value, row->fallback, config->folder, &origin, NULL);
            if (error == SETPAY_E_CONFIG)
                abort_on("the default is outside the limits", section, row->name);
            SETPAY_TRY(error);
        }
    }
    return SETPAY_OK;
}

enum setpay_error setpay_config_add_section(struct setpay_config *config, const char *name,
                                            unsigned line)
{
    const struct setpay_option *row = setpay_config_section_row(config->options, name);
    struct setpay_config_section *sections;

    if (config->section_count >= SETPAY_LIMIT_CONFIG_SECTIONS)
        return SETPAY_E_TOO_BIG;
    sections = reallocarray(config->sections, config->section_count + 1, sizeof(*config->sections));
    if (sections == NULL)
        return SETPAY_E_NOMEM;
    config->sections = sections;
    sections[config->section_count] = (struct setpay_config_section){strdup(name), line};
    if (sections[config->section_count].name == NULL)
        return SETPAY_E_NOMEM;
    config->section_count++;
    return add_values(config, name, row);
}

/* ------------------------------------------------------------------ flags */

#define FLAG_SECTION_BYTES ((size_t)160)

/* The row that the flag "net.workers" or "brand.visa.bin" names, and the section's full name; NULL
 * where the table has none. */
static const struct setpay_option *match_flag(const struct setpay_option *options, const char *flag,
                                              char section[FLAG_SECTION_BYTES])
{
    size_t flag_size = strlen(flag);

    for (const struct setpay_option *row = options; row->name != NULL; row++) {
        size_t name_size = strlen(row->name);
        size_t repeated = repeated_size(row->section);
        size_t rest = flag_size - name_size;

        if (flag_size < name_size || strcmp(flag + rest, row->name) != 0)
            continue;
        if (row->section[0] == '\0' ? rest != 0 : rest < 2 || flag[rest - 1] != '.')
            continue;
        if (rest >= FLAG_SECTION_BYTES)
            continue;
        (void)snprintf(section, FLAG_SECTION_BYTES, "%.*s", rest > 0 ? (int)rest - 1 : 0, flag);
        if (repeated > 0 && strlen(section) > repeated && section[repeated] == '.')
            section[repeated] = ' ';
        if (belongs(row, section))
            return row;
    }
    return NULL;
}

/* The value that a flag names; *found stays NULL where the table has none. Makes the instance when
 * it is new. */
static enum setpay_error find_flag(struct setpay_config *config, const char *flag,
                                   struct setpay_config_value **found)
{
    char section[FLAG_SECTION_BYTES];
    const struct setpay_option *row = match_flag(config->options, flag, section);

    if (row == NULL)
        return SETPAY_OK;
    if (!setpay_config_has_section(config, section))
        SETPAY_TRY(setpay_config_add_section(config, section, 0));
    *found = setpay_config_find(config, section, row->name);
    return SETPAY_OK;
}

/* "--brand.visa.bin" or "--brand.visa.bin=x" without the hyphens and the value; false where the
 * word has not the form of a flag. */
static bool flag_of(const char *word, char flag[256])
{
    size_t size = strcspn(word, "=");

    if (strncmp(word, "--", 2) != 0 || size - 2 >= 256)
        return false;
    (void)snprintf(flag, 256, "%.*s", (int)size - 2, word + 2);
    return true;
}

int setpay_config_first_unknown(const struct setpay_option *options, int argc, char **argv,
                                int from)
{
    char flag[256];
    char section[FLAG_SECTION_BYTES];

    for (int at = from; at < argc; at++) {
        if (!flag_of(argv[at], flag) || match_flag(options, flag, section) == NULL)
            return at;
        if (strchr(argv[at], '=') == NULL)
            at++;
    }
    return argc;
}

enum setpay_error setpay_config_refuse_word(const struct setpay_option *options, const char *word,
                                            const char *program, struct setpay_problem *problem)
{
    char flag[256];
    const char *key;
    const char *nearest = NULL;
    unsigned least;

    if (word[0] != '-')
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "unknown argument '%.*s' (see %s --help)", SHOWN, word, program);
    if (!flag_of(word, flag))
        (void)snprintf(flag, sizeof(flag), "%s", word);
    /* Of a section's key, only the key can be compared: instances have any name. */
    key = strrchr(flag, '.') != NULL ? strrchr(flag, '.') + 1 : flag;
    least = setpay_config_slip(key) + 1;
    for (const struct setpay_option *row = options; row->name != NULL; row++) {
        unsigned distance = setpay_config_distance(key, row->name);
        if ((row->section[0] == '\0') == (key == flag) && distance < least) {
            least = distance;
            nearest = row->name;
        }
    }
    if (nearest == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "unknown option '%.*s' (see %s --help)",
                                  SHOWN, word, program);
    return setpay_problem_set(
        problem, SETPAY_E_USAGE,
        "unknown option '%.*s'; the nearest known is --%.*s%s (see %s --help)", SHOWN, word,
        (int)(key - flag), flag, nearest, program);
}

/* argv[*at] if it is one of ours, with its value; *taken says whether it was. */
static enum setpay_error take_flag(struct setpay_config *config, int argc, char **argv, int *at,
                                   const char *folder, bool *taken, struct setpay_problem *problem)
{
    char flag[256];
    char expected[SETPAY_CONFIG_EXPECTED_SIZE];
    struct setpay_config_value *value = NULL;
    const char *word = argv[*at];
    size_t size = strcspn(word, "=");
    const char *text;
    struct setpay_config_origin origin = {NULL, 0, flag};

    *taken = false;
    if (strncmp(word, "--", 2) != 0 || size >= sizeof(flag))
        return SETPAY_OK;
    (void)snprintf(flag, sizeof(flag), "%.*s", (int)size, word);
    SETPAY_TRY(find_flag(config, flag + 2, &value));
    if (value == NULL)
        return SETPAY_OK;
    if (word[size] == '=') {
        text = word + size + 1;
    } else if (*at + 1 < argc) {
        (*at)++;
        text = argv[*at];
    } else {
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "argument %s: found nothing behind it, expected %s", flag,
                                  setpay_config_expected(value->option, expected));
    }
    *taken = true;
    value->line = 0;
    return setpay_config_assign(value, text, folder, &origin, problem);
}

/* argv changes only when all flags are good. */
static enum setpay_error take_flags(struct setpay_config *config, int *argc, char **argv,
                                    const char *folder, struct setpay_problem *problem)
{
    enum setpay_error error = SETPAY_OK;
    char **kept = calloc((size_t)*argc + 1, sizeof(*kept));
    int kept_count = 0;
    int at;

    if (kept == NULL)
        return SETPAY_E_NOMEM;
    for (at = 0; at < *argc; at++) {
        int word = at;
        bool taken = false;

        /* Everything behind "--" is the program's. */
        if (at > 0 && strcmp(argv[at], "--") == 0)
            break;
        if (at > 0)
            error = take_flag(config, *argc, argv, &at, folder, &taken, problem);
        if (error != SETPAY_OK)
            goto out;
        if (!taken)
            kept[kept_count++] = argv[word];
    }
    for (; at < *argc; at++)
        kept[kept_count++] = argv[at];
    for (int i = 0; i < kept_count; i++)
        argv[i] = kept[i];
    if (kept_count < *argc)
        argv[kept_count] = NULL;
    *argc = kept_count;
out:
    free(kept);
    return error;
}

/* ------------------------------------------------------------------ loading */

static enum setpay_error check_required(const struct setpay_config *config,
                                        struct setpay_problem *problem)
{
    char expected[SETPAY_CONFIG_EXPECTED_SIZE];

    for (size_t i = 0; i < config->value_count; i++) {
        const struct setpay_config_value *value = &config->values[i];
        if (!value->option->required || value->is_set)
            continue;
        return setpay_problem_set(
            problem, SETPAY_E_CONFIG, "%s: key \"%s\"%s%s%s: found nothing, expected %s (%s)",
            config->path != NULL ? config->path : "command line", value->option->name,
            value->section[0] != '\0' ? " in [" : "", value->section,
            value->section[0] != '\0' ? "]" : "", setpay_config_expected(value->option, expected),
            value->option->help);
    }
    return SETPAY_OK;
}

/* The absolute folder of a file; of the process where path is NULL. Owned by the caller. */
static enum setpay_error folder_of(const char *path, char **folder, struct setpay_problem *problem)
{
    char *copy;

    if (path == NULL) {
        *folder = realpath(".", NULL);
        if (*folder == NULL)
            return setpay_problem_set(problem, SETPAY_E_CONFIG, "the working folder is gone: %s",
                                      strerror(errno));
        return SETPAY_OK;
    }
    copy = strdup(path);
    if (copy == NULL)
        return SETPAY_E_NOMEM;
    *folder = realpath(dirname(copy), NULL);
    free(copy);
    if (*folder == NULL)
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "%s: can't be opened: %s; expected a readable file", path,
                                  strerror(errno));
    return SETPAY_OK;
}

static enum setpay_error add_plain_sections(struct setpay_config *config)
{
    for (const struct setpay_option *row = config->options; row->name != NULL; row++) {
        if (repeated_size(row->section) == 0 &&
            setpay_config_section_row(config->options, row->section) == row)
            SETPAY_TRY(add_values(config, row->section, row));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_config_load(const struct setpay_option *options, const char *path,
                                     int *argc, char **argv, struct setpay_config **config,
                                     struct setpay_problem *problem)
{
    enum setpay_error error;
    struct setpay_config *fresh = calloc(1, sizeof(*fresh));
    char *here = NULL;

    if (fresh == NULL)
        return SETPAY_E_NOMEM;
    fresh->options = options;
    fresh->path = path;
    error = folder_of(path, &fresh->folder, problem);
    if (error != SETPAY_OK)
        goto out;
    error = folder_of(NULL, &here, problem);
    if (error != SETPAY_OK)
        goto out;
    error = add_plain_sections(fresh);
    if (error != SETPAY_OK)
        goto out;
    if (path != NULL) {
        error = setpay_config_read_file(fresh, problem);
        if (error != SETPAY_OK)
            goto out;
    }
    if (argc != NULL) {
        error = take_flags(fresh, argc, argv, here, problem);
        if (error != SETPAY_OK)
            goto out;
    }
    error = check_required(fresh, problem);
    if (error != SETPAY_OK)
        goto out;
    fresh->path = NULL;
    *config = fresh;
    fresh = NULL;
out:
    free(here);
    setpay_config_free(fresh);
    return error;
}

static bool same_value(const struct setpay_config_value *a, const struct setpay_config_value *b)
{
    static const struct setpay_config_value unset = {.text = NULL};
    a = a != NULL ? a : &unset;
    b = b != NULL ? b : &unset;
    if (a->text == NULL || b->text == NULL)
        return a->text == b->text && a->number == b->number && a->is_set == b->is_set;
    return strcmp(a->text, b->text) == 0;
}

void setpay_config_each_pending(const struct setpay_config *running,
                                const struct setpay_config *fresh, setpay_config_pending_fn *each,
                                void *arg)
{
    for (size_t i = 0; i < fresh->value_count; i++) {
        const struct setpay_config_value *value = &fresh->values[i];
        const char *name = value->option->name;
        if (!value->option->reloadable &&
            !same_value(value, setpay_config_find(running, value->section, name)))
            each(arg, value->section, name);
    }
    for (size_t i = 0; i < running->value_count; i++) {
        const struct setpay_config_value *value = &running->values[i];
        const char *name = value->option->name;
        if (!value->option->reloadable && value->is_set &&
            setpay_config_find(fresh, value->section, name) == NULL)
            each(arg, value->section, name);
    }
}

void setpay_config_free(struct setpay_config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->value_count; i++) {
        free(config->values[i].section);
        free(config->values[i].text);
    }
    for (size_t i = 0; i < config->section_count; i++)
        free(config->sections[i].name);
    free(config->values);
    free(config->sections);
    free(config->folder);
    free(config);
}

/* ------------------------------------------------------------------ asking */

static const struct setpay_config_value *must_find(const struct setpay_config *config,
                                                   const char *section, const char *name)
{
    const struct setpay_config_value *value = setpay_config_find(config, section, name);

    if (value == NULL)
        abort_on("no such key", section, name);
    return value;
}

const char *setpay_config_text(const struct setpay_config *config, const char *section,
                               const char *name)
{
    const struct setpay_config_value *value = must_find(config, section, name);

    if (!setpay_config_has_text(value->option->type))
        abort_on("not a text", section, name);
    return value->text;
}

int64_t setpay_config_int(const struct setpay_config *config, const char *section, const char *name)
{
    const struct setpay_config_value *value = must_find(config, section, name);

    if (value->option->type != SETPAY_OPTION_INT && value->option->type != SETPAY_OPTION_DURATION)
        abort_on("not a number", section, name);
    return value->number;
}

bool setpay_config_bool(const struct setpay_config *config, const char *section, const char *name)
{
    const struct setpay_config_value *value = must_find(config, section, name);

    if (value->option->type != SETPAY_OPTION_BOOL)
        abort_on("not yes or no", section, name);
    return value->number != 0;
}

bool setpay_config_has_key(const struct setpay_config *config, const char *section,
                           const char *name)
{
    return setpay_config_find(config, section, name) != NULL;
}

bool setpay_config_is_set(const struct setpay_config *config, const char *section, const char *name)
{
    return must_find(config, section, name)->is_set;
}

/* The name behind the blank when the instance is one of section ("brand" or "brand *"). */
static const char *instance_of(const char *instance, const char *section)
{
    size_t size = repeated_size(section);

    if (size == 0)
        size = strlen(section);
    return strncmp(instance, section, size) == 0 && instance[size] == ' ' ? instance + size + 1
                                                                          : NULL;
}

size_t setpay_config_instance_count(const struct setpay_config *config, const char *section)
{
    size_t count = 0;

    for (size_t i = 0; i < config->section_count; i++)
        count += instance_of(config->sections[i].name, section) != NULL;
    return count;
}

const char *setpay_config_instance(const struct setpay_config *config, const char *section,
                                   size_t index)
{
    for (size_t i = 0; i < config->section_count; i++) {
        const char *name = instance_of(config->sections[i].name, section);
        if (name != NULL && index-- == 0)
            return name;
    }
    return NULL;
}
