/*
 * From files to texts. A file is plain text in UTF-8; a blank line ends a paragraph.
 */
#include "merchant/shop_texts.h"

#include "common/base/bytes.h"
#include "common/crypto/file.h"

#include <stdlib.h>
#include <string.h>

static const char *const keys[SETPAY_TEXTS] = {
    [SETPAY_TEXT_CONTACT] = "shop_contact",
    [SETPAY_TEXT_RETURNS] = "shop_returns",
    [SETPAY_TEXT_TERMS] = "shop_terms",
    [SETPAY_TEXT_PRIVACY] = "shop_privacy",
};

/* Line ends as on this system; blanks alone are an empty line, and nothing is behind the last one
 * that has words. NULL without memory. */
static char *tidy(struct setpay_view text)
{
    char *words = malloc(text.size + 1);
    size_t size = 0;
    for (size_t i = 0; words != NULL && i < text.size; i++) {
        char c = (char)text.data[i];
        if (c == '\n') {
            while (size > 0 && (words[size - 1] == ' ' || words[size - 1] == '\t'))
                size--;
        }
        if (c != '\r')
            words[size++] = c;
    }
    while (words != NULL && size > 0 && strchr(" \t\n", words[size - 1]) != NULL)
        size--;
    if (words != NULL)
        words[size] = '\0';
    return words;
}

static bool is_plain(struct setpay_view text)
{
    bool has_words = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
            return false;
        has_words = has_words || c > ' ';
    }
    return has_words && setpay_text_is_utf8(text);
}

static enum setpay_error read_text(const char *key, const char *path, char **words,
                                   struct setpay_problem *problem)
{
    struct setpay_buffer text;
    struct setpay_problem why = {{0}};
    setpay_buffer_init(&text, SETPAY_TEXT_BYTES_MAX);
    enum setpay_error error = setpay_file_read(path, &text, &why);
    if (error != SETPAY_OK)
        error = setpay_problem_set(problem, error, "%s: %s", key, why.text);
    else if (!is_plain(setpay_buffer_view(&text)))
        error = setpay_problem_set(problem, SETPAY_E_CONFIG,
                                   "%s: %s: expected words in plain text, in UTF-8", key, path);
    if (error == SETPAY_OK) {
        *words = tidy(setpay_buffer_view(&text));
        error = *words == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
    }
    setpay_buffer_clear(&text);
    return error;
}

enum setpay_error setpay_shop_texts_load(const struct setpay_config *config,
                                         struct setpay_texts **texts,
                                         struct setpay_problem *problem)
{
    char *words[SETPAY_TEXTS] = {NULL};
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; i < SETPAY_TEXTS && error == SETPAY_OK; i++) {
        const char *path = setpay_config_text(config, "", keys[i]);
        if (path != NULL)
            error = read_text(keys[i], path, &words[i], problem);
    }
    if (error == SETPAY_OK && *texts == NULL)
        error = setpay_texts_new(texts);
    if (error == SETPAY_OK) {
        setpay_texts_set(*texts, words);
        return SETPAY_OK;
    }
    for (size_t i = 0; i < SETPAY_TEXTS; i++)
        free(words[i]);
    return error;
}
