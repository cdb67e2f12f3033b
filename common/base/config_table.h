/*
 * Inside of the configuration, shared by config.c, config_file.c, config_value.c and config_help.c;
 * nobody else includes it.
 */
#ifndef SETPAY_BASE_CONFIG_TABLE_H
#define SETPAY_BASE_CONFIG_TABLE_H

#include "common/base/config.h"
#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One row of the table in one section of the file: its value. */
struct setpay_config_value {
    const struct setpay_option *option;
    char *section; /* full name: "", "net", "brand visa" */
    char *text;    /* TEXT, PATH, ADDRESS, CHOICE; NULL: unset */
    int64_t number;
    bool is_set;
    unsigned line; /* where the file gave it; 0: default or flag */
};

/* One instance of a repeated section. */
struct setpay_config_section {
    char *name;    /* "brand visa" */
    unsigned line; /* of its header; 0: made by a flag */
};

struct setpay_config {
    const struct setpay_option *options;
    const char *path; /* borrowed while loading, for messages */
    char *folder;     /* absolute: what relative paths of the file start from */
    struct setpay_config_value *values;
    size_t value_count;
    struct setpay_config_section *sections;
    size_t section_count;
};

/* Where a value comes from, for messages. */
struct setpay_config_origin {
    const char *path; /* NULL: a flag */
    unsigned line;
    const char *flag;
};

/* ---- config.c */

/* Makes room for the keys of an instance that is new. SETPAY_E_TOO_BIG above the limit of sections,
 * SETPAY_E_NOMEM. */
enum setpay_error setpay_config_add_section(struct setpay_config *config, const char *name,
                                            unsigned line) SETPAY_MUST_CHECK;
/* The first row of the table that belongs to the section of this full name; NULL: there is none. */
const struct setpay_option *setpay_config_section_row(const struct setpay_option *options,
                                                      const char *name);
bool setpay_config_has_section(const struct setpay_config *config, const char *name);
/* NULL where the table has no such key. */
struct setpay_config_value *setpay_config_find(const struct setpay_config *config,
                                               const char *section, const char *name);
/* Reads text as the value. folder: what a relative path starts from. SETPAY_E_CONFIG, _NOMEM. */
enum setpay_error setpay_config_assign(struct setpay_config_value *value, const char *text,
                                       const char *folder,
                                       const struct setpay_config_origin *origin,
                                       struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ---- config_file.c */

/* Reads config->path. SETPAY_E_CONFIG with the first thing that is wrong, SETPAY_E_NOMEM. */
enum setpay_error setpay_config_read_file(struct setpay_config *config,
                                          struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* ---- config_value.c */

/* The number of an INT, BOOL, DURATION; the form of an ADDRESS, CHOICE. SETPAY_E_CONFIG; number is
 * then untouched. */
enum setpay_error setpay_config_value_parse(const struct setpay_option *option, const char *text,
                                            int64_t *number) SETPAY_MUST_CHECK;
/* PATH and the types that are one. */
bool setpay_config_is_path(enum setpay_option_type type);
bool setpay_config_has_text(enum setpay_option_type type);
/* "a whole number from 1 to 64"; returns out. */
#define SETPAY_CONFIG_EXPECTED_SIZE 256
const char *setpay_config_expected(const struct setpay_option *option, char *out);
/* True for the words of which the names of instances are made. */
bool setpay_config_is_instance_name(const char *text);
/* The number of single-character changes between two names, cut at a small limit. */
unsigned setpay_config_distance(const char *a, const char *b);
/* The largest distance at which a name is taken for a slip of another. */
unsigned setpay_config_slip(const char *name);

#endif
