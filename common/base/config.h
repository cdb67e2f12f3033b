/*
 * Configuration: one table per program says every key: section, name, type, default, limits,
 * reloadable or not, help. The file reader, the command-line flags (--SECTION.NAME VALUE, or --NAME
 * for section ""), --check-config, --help and the reference page all come from that table.
 *
 * A file is `key = value` lines under [section] headers (inih). A section whose name in the table
 * ends in " *" may stand several times, each with a name of its own: [brand visa], [brand maestro].
 */
#ifndef SETPAY_BASE_CONFIG_H
#define SETPAY_BASE_CONFIG_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum setpay_option_type {
    SETPAY_OPTION_TEXT,
    SETPAY_OPTION_PATH,         /* made absolute, relative to the file's folder */
    SETPAY_OPTION_FILE,         /* as PATH: a file that is read */
    SETPAY_OPTION_SECRET_FILE,  /* as FILE: readable by its owner alone */
    SETPAY_OPTION_MACHINE_FILE, /* as FILE: public, and the machine's own: it is in no backup */
    SETPAY_OPTION_FOLDER,       /* as PATH: a folder that is read */
    SETPAY_OPTION_INT,          /* minimum .. maximum */
    SETPAY_OPTION_BOOL,         /* yes or no */
    SETPAY_OPTION_DURATION,     /* 250ms, 5s, 10m, 24h, 7d; held in ms; minimum .. maximum in ms */
    SETPAY_OPTION_ADDRESS,      /* HOST:PORT, [v6]:PORT */
    SETPAY_OPTION_CHOICE,       /* one of choices, separated by '|' */
};

struct setpay_option {
    const char *section; /* "" for the top of the file, "brand *" for a repeated one */
    const char *name;
    enum setpay_option_type type;
    const char *fallback; /* default; NULL: none */
    int64_t minimum;
    int64_t maximum;
    bool required;
    bool reloadable; /* taken over by SIGHUP */
    const char *choices;
    const char *help; /* one line */
};

struct setpay_config;

/*
 * Reads path (may be NULL: defaults and flags only) and then the flags of the command line, which
 * win. options ends with a row whose name is NULL. Flags that the table does not know are left to
 * the program: they stay, in order, in argv[1 ..], and *argc is their new count plus one.
 * SETPAY_E_CONFIG with file, line, key, what was found and what is expected in problem: unknown
 * keys and sections (with the nearest known name), keys given twice, values outside their limits,
 * required keys that are missing.
 */
enum setpay_error setpay_config_load(const struct setpay_option *options, const char *path,
                                     int *argc, char **argv, struct setpay_config **config,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
/*
 * The command line before it is loaded, so that a slip there is told first. The index of the first
 * word at or behind from that is neither a flag of the table nor a flag's value; argc where there
 * is none.
 */
int setpay_config_first_unknown(const struct setpay_option *options, int argc, char **argv,
                                int from);
/* SETPAY_E_USAGE for such a word; the problem names it, and the nearest flag that there is. */
enum setpay_error setpay_config_refuse_word(const struct setpay_option *options, const char *word,
                                            const char *program,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Whether what the FILE, SECRET_FILE, MACHINE_FILE and FOLDER keys name is there, readable, and of
 * the right kind and mode. SETPAY_E_CONFIG, with key, section and path in problem. */
enum setpay_error setpay_config_check_files(const struct setpay_config *config,
                                            struct setpay_problem *problem) SETPAY_MUST_CHECK;
/* Each file that a FILE, SECRET_FILE or MACHINE_FILE key names; section and key are the
 * configuration's. Ends with the first error. */
typedef enum setpay_error setpay_config_file_fn(void *arg, const char *section, const char *key,
                                                enum setpay_option_type type, const char *path);
enum setpay_error setpay_config_each_file(const struct setpay_config *config,
                                          setpay_config_file_fn *each, void *arg) SETPAY_MUST_CHECK;
/* Where such a key's file is; NULL for a section, key or file that there is not. */
const char *setpay_config_file_of(const struct setpay_config *config, const char *section,
                                  const char *key);
/* One of these files and folders, and what is wrong with it. Texts are borrowed. */
enum setpay_config_file_fault {
    SETPAY_CONFIG_FILE_FINE,
    SETPAY_CONFIG_FILE_ABSENT,
    SETPAY_CONFIG_FILE_KIND,  /* a link, a folder, ... */
    SETPAY_CONFIG_FILE_OWNER, /* a secret of another user */
    SETPAY_CONFIG_FILE_MODE,  /* a secret that others can read */
    SETPAY_CONFIG_FILE_UNREADABLE,
};
struct setpay_config_file {
    const char *key;
    const char *section;
    const char *path;
    enum setpay_config_file_fault fault;
    const char *words; /* "" where it is fine */
};
typedef void setpay_config_file_cb(void *arg, const struct setpay_config_file *file);
/* All of them. */
void setpay_config_visit_files(const struct setpay_config *config, setpay_config_file_cb *each,
                               void *arg);
/* Whether the table has that key in that section: for code that serves several tables. */
bool setpay_config_has_key(const struct setpay_config *config, const char *section,
                           const char *name);
/* What fresh has otherwise than running, and a running program does not take over: each such key,
 * also of a section that has come or gone (unset there). For SIGHUP: both are of one table. */
typedef void setpay_config_pending_fn(void *arg, const char *section, const char *key);
void setpay_config_each_pending(const struct setpay_config *running,
                                const struct setpay_config *fresh, setpay_config_pending_fn *each,
                                void *arg);
void setpay_config_free(struct setpay_config *config);

/* Values. section is "" or the section's name; for a repeated one its full name ("brand visa").
 * Asking for a key or type that is not in the table is a bug and aborts. */
const char *setpay_config_text(const struct setpay_config *config, const char *section,
                               const char *name); /* NULL where unset; also PATH, ADDRESS, CHOICE */
int64_t setpay_config_int(const struct setpay_config *config, const char *section,
                          const char *name); /* also DURATION (ms); 0 where unset */
bool setpay_config_bool(const struct setpay_config *config, const char *section, const char *name);
/* True where the default, the file or a flag gave a value. */
bool setpay_config_is_set(const struct setpay_config *config, const char *section,
                          const char *name);
/* The instances of a repeated section ("brand"), in file order: the names behind the blank
 * ("visa"). A flag can make one too: --brand.visa.KEY. */
size_t setpay_config_instance_count(const struct setpay_config *config, const char *section);
const char *setpay_config_instance(const struct setpay_config *config, const char *section,
                                   size_t index);

/* The table as flags for --help, and as a Markdown table for docs/reference. */
void setpay_config_print_help(const struct setpay_option *options, FILE *out);
void setpay_config_print_reference(const struct setpay_option *options, FILE *out);

#endif
