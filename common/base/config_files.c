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

static void find(struct setpay_config_file *file, enum setpay_config_file_fault fault,
                 const char *words)
{
    file->fault = fault;
    file->words = words;
}

static void judge_open(struct setpay_config_file *file, int why)
{
    find(file,
         why == ENOENT || why == ENOTDIR ? SETPAY_CONFIG_FILE_ABSENT
                                         : SETPAY_CONFIG_FILE_UNREADABLE,
         strerror(why));
}

static void judge_file(struct setpay_config_file *file, bool is_secret)
{
    struct stat status;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (is_secret ? O_NOFOLLOW : 0));
    if (fd < 0 && is_secret && errno == ELOOP) {
        find(file, SETPAY_CONFIG_FILE_KIND, "is a symbolic link, expected a file");
        return;
    }
    if (fd < 0) {
        judge_open(file, errno);
        return;
    }
    if (fstat(fd, &status) != 0)
        judge_open(file, errno);
    else if (!S_ISREG(status.st_mode))
        find(file, SETPAY_CONFIG_FILE_KIND, "is no regular file");
    else if (is_secret && status.st_uid != geteuid() && status.st_uid != 0)
        find(file, SETPAY_CONFIG_FILE_OWNER,
             "belongs to another user, expected the one who runs this");
    else if (is_secret && (status.st_mode & 077) != 0)
        find(file, SETPAY_CONFIG_FILE_MODE, "has a mode by which others may use it, expected 0600");
    (void)close(fd);
}

static void judge_folder(struct setpay_config_file *file)
{
    DIR *folder = opendir(file->path);
    if (folder == NULL)
        judge_open(file, errno);
    else
        (void)closedir(folder);
}

static bool judge(const struct setpay_config_value *value, struct setpay_config_file *file)
{
    *file = (struct setpay_config_file){
        .key = value->option->name, .section = value->section, .path = value->text, .words = ""};
    if (value->text == NULL)
        return false;
    switch (value->option->type) {
    case SETPAY_OPTION_FILE:
    case SETPAY_OPTION_MACHINE_FILE:
        judge_file(file, false);
        return true;
    case SETPAY_OPTION_SECRET_FILE:
        judge_file(file, true);
        return true;
    case SETPAY_OPTION_FOLDER:
        judge_folder(file);
        return true;
    default:
        return false;
    }
}

void setpay_config_visit_files(const struct setpay_config *config, setpay_config_file_cb *each,
                               void *arg)
{
    for (size_t i = 0; i < config->value_count; i++) {
        struct setpay_config_file file;
        if (judge(&config->values[i], &file))
            each(arg, &file);
    }
}

enum setpay_error setpay_config_check_files(const struct setpay_config *config,
                                            struct setpay_problem *problem)
{
    for (size_t i = 0; i < config->value_count; i++) {
        struct setpay_config_file file;
        if (judge(&config->values[i], &file) && file.fault != SETPAY_CONFIG_FILE_FINE)
            return setpay_problem_set(problem, SETPAY_E_CONFIG, "key \"%s\"%s%s%s: %s: %s",
                                      file.key, file.section[0] != '\0' ? " in [" : "",
                                      file.section, file.section[0] != '\0' ? "]" : "", file.path,
                                      file.words);
    }
    return SETPAY_OK;
}

static bool is_file(const struct setpay_config_value *value)
{
    return value->option->type == SETPAY_OPTION_FILE ||
           value->option->type == SETPAY_OPTION_SECRET_FILE ||
           value->option->type == SETPAY_OPTION_MACHINE_FILE;
}

enum setpay_error setpay_config_each_file(const struct setpay_config *config,
                                          setpay_config_file_fn *each, void *arg)
{
    for (size_t i = 0; i < config->value_count; i++) {
        const struct setpay_config_value *value = &config->values[i];
        if (value->text != NULL && is_file(value))
            SETPAY_TRY(
                each(arg, value->section, value->option->name, value->option->type, value->text));
    }
    return SETPAY_OK;
}

const char *setpay_config_file_of(const struct setpay_config *config, const char *section,
                                  const char *key)
{
    for (size_t i = 0; i < config->value_count; i++) {
        const struct setpay_config_value *value = &config->values[i];
        if (is_file(value) && strcmp(value->section, section) == 0 &&
            strcmp(value->option->name, key) == 0)
            return value->text;
    }
    return NULL;
}
