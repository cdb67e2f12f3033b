/*
 * Reading an owner's file, and the pictures that it names.
 */
#include "merchant/catalogue_file.h"

#include "common/base/bytes.h"
#include "merchant/store/picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* All of a file, and a NUL behind it. */
static enum setpay_error read_whole(const char *path, size_t maximum, struct setpay_buffer *bytes,
                                    struct setpay_problem *problem)
{
    uint8_t *room = NULL;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: %s", path, strerror(errno));
    setpay_buffer_init(bytes, maximum + 2);
    enum setpay_error error = setpay_buffer_extend(bytes, maximum + 2, &room);
    if (error == SETPAY_OK) {
        bytes->size = fread(room, 1, maximum + 1, file);
        room[bytes->size] = '\0';
        if (ferror(file) != 0)
            error = setpay_problem_set(problem, SETPAY_E_USAGE, "%s: %s", path, strerror(errno));
        else if (bytes->size > maximum)
            error = setpay_problem_set(problem, SETPAY_E_USAGE,
                                       "%s: larger than %zu bytes; expected a smaller one, or"
                                       " several",
                                       path, maximum);
    }
    (void)fclose(file);
    return error;
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".svg", "image/svg+xml"},
                                           {".png", "image/png"},
                                           {".jpg", "image/jpeg"},
                                           {".jpeg", "image/jpeg"},
                                           {".webp", "image/webp"}};
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end != NULL && i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(end, types[i][0]) == 0)
            return types[i][1];
    }
    return NULL;
}

enum setpay_error setpay_catalogue_picture_load(const char *path, json_t *picture,
                                                struct setpay_problem *problem)
{
    char place[4096];
    struct setpay_buffer bytes = {0};
    const char *name = json_string_value(json_object_get(picture, "file"));
    const char *alt = json_string_value(json_object_get(picture, "alt"));
    const char *slash = strrchr(path, '/');
    if (name == NULL)
        return SETPAY_OK;
    if (type_of(name) == NULL)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "%s%sfound the picture '%.80s'; expected a name that ends in"
                                  " .svg, .png, .jpg or .webp",
                                  path, path[0] != '\0' ? ": " : "", name);
    int length = name[0] == '/' || slash == NULL ? 0 : (int)(slash - path) + 1;
    (void)snprintf(place, sizeof place, "%.*s%s", length, path, name);
    enum setpay_error error = read_whole(place, SETPAY_PICTURE_BYTES_MAX, &bytes, problem);
    if (error == SETPAY_OK) {
        json_t *body =
            setpay_picture_body(type_of(name), alt != NULL ? alt : "", setpay_buffer_view(&bytes));
        (void)json_object_del(picture, "file");
        if (body == NULL || json_object_update(picture, body) != 0)
            error = SETPAY_E_NOMEM;
        json_decref(body);
    }
    setpay_buffer_clear(&bytes);
    return error;
}

static enum setpay_error load_pictures(const char *path, json_t *body,
                                       struct setpay_problem *problem)
{
    size_t index;
    size_t which;
    json_t *product;
    json_t *picture;
    json_array_foreach(json_object_get(body, "products"), index, product)
    {
        json_array_foreach(json_object_get(product, "pictures"), which, picture)
        {
            SETPAY_TRY(setpay_catalogue_picture_load(path, picture, problem));
        }
    }
    return SETPAY_OK;
}

static enum setpay_error parse(const char *path, const struct setpay_buffer *bytes, json_t **body,
                               struct setpay_problem *problem)
{
    json_error_t where;
    const char *text = (const char *)bytes->data;
    size_t size = strlen(path);
    if (strlen(text) != bytes->size)
        return setpay_problem_set(problem, SETPAY_E_USAGE, "%s: found a NUL; expected text", path);
    if (size > 4 && strcasecmp(path + size - 4, ".csv") == 0)
        return setpay_catalogue_csv_parse(path, text, body, problem);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(json)) {
        bool other = json != NULL;
        json_decref(json);
        return other ? setpay_problem_set(problem, SETPAY_E_USAGE,
                                          "%s: expected one JSON object, with \"products\"", path)
                     : setpay_problem_set(problem, SETPAY_E_USAGE, "%s, line %d, column %d: %s",
                                          path, where.line, where.column, where.text);
    }
    *body = json;
    return SETPAY_OK;
}

enum setpay_error setpay_catalogue_file_read(const char *path, json_t **body,
                                             struct setpay_problem *problem)
{
    struct setpay_buffer bytes = {0};
    json_t *made = NULL;
    enum setpay_error error = read_whole(path, SETPAY_CATALOGUE_FILE_BYTES, &bytes, problem);
    if (error == SETPAY_OK)
        error = parse(path, &bytes, &made, problem);
    if (error == SETPAY_OK)
        error = load_pictures(path, made, problem);
    if (error == SETPAY_OK)
        *body = made;
    else
        json_decref(made);
    setpay_buffer_clear(&bytes);
    return error;
}
