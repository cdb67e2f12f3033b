/*
 * The owner's texts, in memory.
 */
#include "merchant/store/www/texts.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *title;
} rows[SETPAY_TEXTS] = {
    [SETPAY_TEXT_CONTACT] = {"contact", "Contact"},
    [SETPAY_TEXT_RETURNS] = {"returns", "Returns"},
    [SETPAY_TEXT_TERMS] = {"terms", "Terms"},
    [SETPAY_TEXT_PRIVACY] = {"privacy", "Privacy"},
};

struct setpay_texts {
    pthread_mutex_t lock;
    char *words[SETPAY_TEXTS]; /* owned; NULL: none */
};

enum setpay_error setpay_texts_new(struct setpay_texts **texts)
{
    struct setpay_texts *made = calloc(1, sizeof *made);
    if (made == NULL || pthread_mutex_init(&made->lock, NULL) != 0) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    *texts = made;
    return SETPAY_OK;
}

void setpay_texts_free(struct setpay_texts *texts)
{
    if (texts == NULL)
        return;
    for (size_t i = 0; i < SETPAY_TEXTS; i++)
        free(texts->words[i]);
    (void)pthread_mutex_destroy(&texts->lock);
    free(texts);
}

void setpay_texts_set(struct setpay_texts *texts, char *const words[SETPAY_TEXTS])
{
    (void)pthread_mutex_lock(&texts->lock);
    for (size_t i = 0; i < SETPAY_TEXTS; i++) {
        free(texts->words[i]);
        texts->words[i] = words[i];
    }
    (void)pthread_mutex_unlock(&texts->lock);
}

const char *setpay_text_name(enum setpay_text text)
{
    return rows[text].name;
}

const char *setpay_text_title(enum setpay_text text)
{
    return rows[text].title;
}

json_t *setpay_texts_list(struct setpay_texts *texts)
{
    bool whole = true;
    json_t *list = json_array();
    if (texts == NULL || list == NULL)
        return list;
    (void)pthread_mutex_lock(&texts->lock);
    for (size_t i = 0; i < SETPAY_TEXTS; i++) {
        if (texts->words[i] != NULL)
            whole = json_array_append_new(list, json_pack("{s:s, s:s}", "slug", rows[i].name,
                                                          "name", rows[i].title)) == 0 &&
                    whole;
    }
    (void)pthread_mutex_unlock(&texts->lock);
    if (whole)
        return list;
    json_decref(list);
    return NULL;
}

enum setpay_error setpay_texts_find(struct setpay_texts *texts, const char *name,
                                    enum setpay_text *text, char **words)
{
    char *copy = NULL;
    size_t which = 0;
    while (which < SETPAY_TEXTS && strcmp(rows[which].name, name) != 0)
        which++;
    if (texts == NULL || which == SETPAY_TEXTS)
        return SETPAY_E_NOT_FOUND;
    (void)pthread_mutex_lock(&texts->lock);
    bool has = texts->words[which] != NULL;
    if (has)
        copy = strdup(texts->words[which]);
    (void)pthread_mutex_unlock(&texts->lock);
    if (!has)
        return SETPAY_E_NOT_FOUND;
    if (copy == NULL)
        return SETPAY_E_NOMEM;
    *text = (enum setpay_text)which;
    *words = copy;
    return SETPAY_OK;
}
