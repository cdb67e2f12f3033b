/*
 * The files that a configuration names: whether they are there, and as they have to be. What stands
 * in them is judged by whoever reads them; here only what a person can have forgotten: a name, a
 * permission, a mode.
 */
#include "common/base/config_table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Why it can't be used; NULL where it can. */
static const char *fault_of_file(const char *path, bool is_secret)
{
    struct stat status;
    const char *fault = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (is_secret ? O_NOFOLLOW : 0));
    if (fd < 0)
        return is_secret && errno == ELOOP ? "is a symbolic link, expected a file"
                                           : strerror(errno);
    if (fstat(fd, &status) != 0)
        fault = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        fault = "is no regular file";
    else if (is_secret && status.st_uid != geteuid() && status.st_uid != 0)
        fault = "belongs to another user, expected the one who runs this";
    else if (is_secret && (status.st_mode & 077) != 0)
        fault = "has a mode by which others may use it, expected 0600";
    (void)close(fd);
    return fault;
}

static const char *fault_of_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return strerror(errno);
    (void)closedir(folder);
    return NULL;
}

static const char *fault_of(const struct setpay_config_value *value)
{
    switch (value->option->type) {
    case SETPAY_OPTION_FILE:
        return fault_of_file(value->text, false);
    case SETPAY_OPTION_SECRET_FILE:
        return fault_of_file(value->text, true);
    case SETPAY_OPTION_FOLDER:
        return fault_of_folder(value->text);
    default:
        return NULL;
    }
}

enum setpay_error setpay_config_check_files(const struct setpay_config *config,
                                            struct setpay_problem *problem)
{
    for (size_t i = 0; i < config->value_count; i++) {
        const struct setpay_config_value *value = &config->values[i];
        const char *fault = value->text == NULL ? NULL : fault_of(value);
        if (fault != NULL)
            return setpay_problem_set(problem, SETPAY_E_CONFIG, "key \"%s\"%s%s%s: %s: %s",
                                      value->option->name, value->section[0] != '\0' ? " in [" : "",
                                      value->section, value->section[0] != '\0' ? "]" : "",
                                      value->text, fault);
    }
    return SETPAY_OK;
}

enum setpay_error setpay_config_each_file(const struct setpay_config *config,
                                          setpay_config_file_fn *each, void *arg)
{
    for (size_t i = 0; i < config->value_count; i++) {
        const struct setpay_config_value *value = &config->values[i];
        bool secret = value->option->type == SETPAY_OPTION_SECRET_FILE;
        if (value->text != NULL && (secret || value->option->type == SETPAY_OPTION_FILE))
            SETPAY_TRY(each(arg, value->section, value->option->name, secret, value->text));
    }
    return SETPAY_OK;
}

const char *setpay_config_file_of(const struct setpay_config *config, const char *section,
                                  const char *key)
{
    for (size_t i = 0; i < config->value_count; i++) {
        const struct setpay_config_value *value = &config->values[i];
        if ((value->option->type == SETPAY_OPTION_SECRET_FILE ||
             value->option->type == SETPAY_OPTION_FILE) &&
            strcmp(value->section, section) == 0 && strcmp(value->option->name, key) == 0)
            return value->text;
    }
    return NULL;
}
