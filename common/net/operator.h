/*
 * What the operators' programs do alike, from main() to exit: the words of the command line become
 * a command and its arguments; the running daemon is asked through its administration socket; where
 * no daemon runs, its lock is taken and the same work is done on the database itself, so that there
 * are never two writers. With --json one JSON object goes to standard output and nothing else, also
 * for an error. A program gives its table of commands, and what prints their results for people.
 */
#ifndef SETPAY_NET_OPERATOR_H
#define SETPAY_NET_OPERATOR_H

#include "common/base/error.h"
#include "common/net/control_client.h"
#include "common/net/service.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* How a flag's value becomes a member of the arguments. */
enum setpay_flag_kind {
    SETPAY_FLAG_END,
    SETPAY_FLAG_TEXT,
    SETPAY_FLAG_NUMBER,
    SETPAY_FLAG_TEXTS,    /* any number of them: an array */
    SETPAY_FLAG_SWITCH,   /* no value: true */
    SETPAY_FLAG_INSTEAD,  /* the same, and the bare word may be missing */
    SETPAY_FLAG_MONEY,    /* "12.50 EUR": amount and currency; member is ignored */
    SETPAY_FLAG_METADATA, /* KEY=VALUE, any number of them; member is ignored */
    SETPAY_FLAG_LINE,     /* N=QUANTITY or SKU=QUANTITY, any number of them, into lines */
    SETPAY_FLAG_MORE,     /* no flag: bare words behind the operand, any number of them: an array */
    SETPAY_FLAG_FILE,     /* a JSON object, all of its members; "-": standard input */
};

struct setpay_flag {
    const char *name; /* without the dashes; of one letter: with one dash */
    enum setpay_flag_kind kind;
    const char *member;
};

struct setpay_operator_command {
    const char *words[2];                /* the second may be NULL */
    const char *name;                    /* the daemon's command */
    const char *operand;                 /* the member that a bare word becomes; NULL: takes none */
    const struct setpay_flag *flags;     /* ends with SETPAY_FLAG_END; NULL: none */
    void (*print)(const json_t *result); /* for people; no control character reaches the terminal */
    const char *usage;                   /* what stands behind the words; "" for nothing */
    const char *help;
};

/*
 * A command that takes more than one question: pages of a long list that become one text, findings
 * that become an exit status. Its name is that of a setpay_operator_command. It asks the running
 * daemon, or the database of a stopped one, and does the rest itself. *result may be set beside an
 * error: what is, though it is not what was wished for.
 */
struct setpay_operator_asker;
struct setpay_operator_whole {
    const char *name; /* NULL ends the table */
    enum setpay_error (*run_cb)(struct setpay_operator_asker *asker,
                                const struct setpay_config *config, const json_t *args,
                                json_t **result, struct setpay_problem *problem);
};
/* One question: takes args (an object, or NULL); *result is a new object. */
enum setpay_error setpay_operator_ask(struct setpay_operator_asker *asker, const char *name,
                                      json_t *args, json_t **result,
                                      struct setpay_problem *problem) SETPAY_MUST_CHECK;

struct setpay_operator {
    const char *program; /* "setpay-gateway" */
    const char *party;   /* "the payment gateway" */
    const char *exits;   /* the line about exit statuses in --help */
    const struct setpay_service_spec *daemon;
    const struct setpay_operator_command *commands;
    size_t command_count;
    /* Whether the command can be done on a stopped daemon's database at all. */
    bool (*can_direct_cb)(const char *name);
    /* Whether the running daemon may take as long as it needs for it: then the connection's end
     * alone says that there will be no answer. May be NULL. */
    bool (*takes_long_cb)(const char *name);
    /* Does it on the opened service; *result is a new object. */
    enum setpay_error (*direct_cb)(struct setpay_service *service, const char *name,
                                   const json_t *args, json_t **result,
                                   struct setpay_problem *problem);
    /* Before a command is done: shapes its arguments, reads files that they name. May be NULL. */
    enum setpay_error (*before_cb)(const char *name, json_t *args, struct setpay_problem *problem);
    const struct setpay_operator_whole *wholes; /* may be NULL */
    /* After a result: what has to be waited for. May be NULL. client is NULL where no daemon runs.
     */
    enum setpay_error (*after_cb)(struct setpay_control_client *client, json_t **result,
                                  struct setpay_problem *problem);
    /* The command `doctor`, which also looks at a configuration that is wrong: it gets the file's
     * name. May be NULL. */
    enum setpay_error (*doctor_cb)(const char *config_path, const json_t *args, json_t **result,
                                   struct setpay_problem *problem);
    /* The name of the one command that the program does by itself, whether the daemon runs or not;
     * may be NULL, with its callback. */
    const char *local;
    enum setpay_error (*local_cb)(const struct setpay_config *config, const json_t *args,
                                  json_t **result, struct setpay_problem *problem);
};

#define SETPAY_OPERATOR_TIMEOUT_MS 30000 /* of all other commands */

/* The whole of main(): returns the exit status. */
int setpay_operator_main(const struct setpay_operator *op, int argc, char **argv);

/* The words behind a command as the daemon's arguments (in operator_words.c). Refusals name
 * program, flag and what is expected. */
enum setpay_error setpay_operator_read_words(const char *program,
                                             const struct setpay_operator_command *command,
                                             char **words, int count, json_t *args,
                                             struct setpay_problem *problem) SETPAY_MUST_CHECK;

/* A member as text, "-" where there is none. Borrowed. */
const char *setpay_operator_text(const json_t *object, const char *name);
/* Each member of an object on a line. */
void setpay_operator_print_members(const json_t *object);

#endif
