/*
 * Configuration: files and command lines against the tables of gateway and merchant. What loads has
 * every required key, and every value within its limits; what does not is explained. Input: a byte
 * (bit 0: which daemon, bit 1: command line instead of file), then the file, or words that end with
 * a NUL each.
 */
#include "common/base/config.h"
#include "gateway/setup.h"
#include "merchant/options.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS_MAX 64

static char path[64];
static int file;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    file = memfd_create("setpay.conf", MFD_CLOEXEC);
    FUZZ_CHECK(file >= 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    return 0;
}

static void check_value(const struct setpay_config *config, const struct setpay_option *option,
                        const char *section)
{
    bool is_set = setpay_config_is_set(config, section, option->name);
    const char *text;
    int64_t number;
    FUZZ_CHECK(is_set || !option->required);
    switch (option->type) {
    case SETPAY_OPTION_BOOL:
        (void)setpay_config_bool(config, section, option->name);
        return;
    case SETPAY_OPTION_INT:
    case SETPAY_OPTION_DURATION:
        number = setpay_config_int(config, section, option->name);
        if (is_set && (option->minimum != 0 || option->maximum != 0))
            FUZZ_CHECK(number >= option->minimum && number <= option->maximum);
        return;
    default:
        text = setpay_config_text(config, section, option->name);
        FUZZ_CHECK((text != NULL) == is_set);
        FUZZ_CHECK(text == NULL || setpay_text_is_utf8(setpay_view_string(text)));
        if (text != NULL && option->type == SETPAY_OPTION_CHOICE)
            FUZZ_CHECK(strstr(option->choices, text) != NULL && strchr(text, '|') == NULL);
    }
}

static void check_config(const struct setpay_config *config, const struct setpay_option *options)
{
    char section[256];
    for (const struct setpay_option *row = options; row->name != NULL; row++) {
        const char *star = strstr(row->section, " *");
        if (star == NULL) {
            check_value(config, row, row->section);
            continue;
        }
        (void)snprintf(section, sizeof(section), "%.*s", (int)(star - row->section), row->section);
        size_t count = setpay_config_instance_count(config, section);
        for (size_t i = 0; i < count; i++) {
            (void)snprintf(section, sizeof(section), "%.*s", (int)(star - row->section),
                           row->section);
            const char *name = setpay_config_instance(config, section, i);
            (void)snprintf(section, sizeof(section), "%.*s %s", (int)(star - row->section),
                           row->section, name);
            check_value(config, row, section);
        }
    }
}

/* Words that end with a NUL each into argv behind the program's name; owned by the caller. */
static int take_words(struct setpay_view input, char **argv)
{
    int argc = 0;
    argv[argc++] = strdup("fuzz");
    while (input.size > 0 && argc < WORDS_MAX) {
        const uint8_t *end = memchr(input.data, '\0', input.size);
        size_t size = end == NULL ? input.size : (size_t)(end - input.data);
        argv[argc++] = fuzz_text(fuzz_take_bytes(&input, size));
        (void)fuzz_take(&input);
    }
    argv[argc] = NULL;
    return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = {data, size};
    struct setpay_config *config = NULL;
    struct setpay_problem problem = {{0}};
    char *argv[WORDS_MAX + 1], *owned[WORDS_MAX + 1];
    uint8_t what = fuzz_take(&input);
    const struct setpay_option *options =
        (what & 1) == 0 ? setpay_gateway_options : setpay_merchant_options;
    bool is_file = (what & 2) == 0;
    int argc = take_words(is_file ? SETPAY_VIEW_EMPTY : input, argv), words = argc;
    memcpy(owned, argv, sizeof(owned));
    if (is_file)
        FUZZ_CHECK(ftruncate(file, 0) == 0 &&
                   pwrite(file, input.data, input.size, 0) == (ssize_t)input.size);
    enum setpay_error error =
        setpay_config_load(options, is_file ? path : NULL, &argc, argv, &config, &problem);
    if (error == SETPAY_OK) {
        check_config(config, options);
        setpay_config_free(config);
    } else {
        FUZZ_CHECK(config == NULL && problem.text[0] != '\0');
    }
    if (!is_file && error != SETPAY_OK && words > 1) {
        int at = setpay_config_first_unknown(options, words, owned, 1);
        FUZZ_CHECK(at >= 1 && at <= words);
        if (at < words)
            FUZZ_CHECK(setpay_config_refuse_word(options, owned[at], "fuzz", &problem) ==
                       SETPAY_E_USAGE);
    }
    for (int i = 0; i < words; i++)
        free(owned[i]);
    return 0;
}
