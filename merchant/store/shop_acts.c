/*
 * The table of acts, and the import, which is many of them in one.
 */
#include "merchant/store/shop_acts.h"

#include "merchant/store/category.h"
#include "merchant/store/picture.h"
#include "merchant/store/product.h"
#include "merchant/store/shipping.h"
#include "merchant/store/stock.h"
#include "merchant/store/tax.h"

#include <stdio.h>
#include <string.h>

static const struct setpay_shop_act acts[] = {
    {"product.list", false, setpay_product_list},
    {"product.show", false, setpay_product_show},
    {"product.add", true, setpay_product_add},
    {"product.set", true, setpay_product_set},
    {"product.remove", true, setpay_product_remove},
    {"product.import", true, setpay_shop_import},
    {"variant.list", false, setpay_variant_list},
    {"variant.add", true, setpay_variant_add},
    {"variant.set", true, setpay_variant_set},
    {"variant.remove", true, setpay_variant_remove},
    {"price.set", true, setpay_price_set},
    {"picture.list", false, setpay_picture_list},
    {"picture.add", true, setpay_picture_add},
    {"picture.set", true, setpay_picture_set},
    {"picture.remove", true, setpay_picture_remove},
    {"category.list", false, setpay_category_list},
    {"category.show", false, setpay_category_show},
    {"category.add", true, setpay_category_add},
    {"category.set", true, setpay_category_set},
    {"category.remove", true, setpay_category_remove},
    {"stock.list", false, setpay_stock_list},
    {"stock.show", false, setpay_stock_show},
    {"stock.adjust", true, setpay_stock_adjust},
    {"shipping.list", false, setpay_shipping_list},
    {"shipping.show", false, setpay_shipping_show},
    {"shipping.add", true, setpay_shipping_add},
    {"shipping.set", true, setpay_shipping_set},
    {"shipping.remove", true, setpay_shipping_remove},
    {"tax.list", false, setpay_tax_list},
    {"tax.show", false, setpay_tax_show},
    {"tax.add", true, setpay_tax_add},
    {"tax.set", true, setpay_tax_set},
    {"tax.remove", true, setpay_tax_remove},
};

const struct setpay_shop_act *setpay_shop_act_find(const char *name)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].name, name) == 0)
            return &acts[i];
    }
    return NULL;
}

/* ------------------------------------------------------------------ import */

/* The fault's member as the import names it. */
static enum setpay_error with_prefix(enum setpay_error error, const char *prefix,
                                     struct setpay_shop_answer *answer)
{
    char field[sizeof answer->fault.field];
    if (error == SETPAY_OK || answer->fault.words[0] == '\0')
        return error;
    memcpy(field, answer->fault.field, sizeof field);
    (void)snprintf(answer->fault.field, sizeof answer->fault.field, "%s%s%.60s", prefix,
                   field[0] != '\0' ? "." : "", field);
    return error;
}

/* Runs an act on a body; what it answers is not told. */
static enum setpay_error run(struct setpay_db *db, const struct setpay_shop_ask *ask,
                             setpay_shop_fn *act, const char *id, const json_t *body,
                             const char *prefix, struct setpay_shop_answer *answer)
{
    struct setpay_shop_ask part = *ask;
    struct setpay_shop_answer said = {.json = NULL};
    part.id = id;
    part.body = body;
    part.version = SETPAY_SHOP_ANY_VERSION;
    enum setpay_error error = act(db, &part, &said);
    answer->fault = said.fault;
    setpay_shop_answer_clear(&said);
    return with_prefix(error, prefix, answer);
}

static enum setpay_error import_pictures(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                         const json_t *product, const json_t *pictures,
                                         const char *prefix, struct setpay_shop_answer *answer)
{
    char field[128];
    size_t index;
    const json_t *picture;
    if (pictures != NULL && !json_is_array(pictures)) {
        enum setpay_error error =
            setpay_json_fault_set(&answer->fault, "pictures", "expected an array of pictures");
        return with_prefix(error, prefix, answer);
    }
    json_array_foreach(pictures, index, picture)
    {
        (void)snprintf(field, sizeof field, "%s.pictures[%zu]", prefix, index);
        SETPAY_TRY(run(db, ask, setpay_picture_add,
                       json_string_value(json_object_get(product, "slug")), picture, field,
                       answer));
    }
    return SETPAY_OK;
}

static enum setpay_error import_product(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                        const json_t *product, const char *prefix,
                                        struct setpay_shop_answer *answer)
{
    json_t *alone = json_copy((json_t *)(uintptr_t)product);
    if (alone == NULL)
        return SETPAY_E_NOMEM;
    if (json_is_object(alone))
        (void)json_object_del(alone, "pictures");
    enum setpay_error error = run(db, ask, setpay_product_put, NULL, alone, prefix, answer);
    json_decref(alone);
    SETPAY_TRY(error);
    return import_pictures(db, ask, product, json_object_get(product, "pictures"), prefix, answer);
}

/* One list of the import; *count says how long it was. */
static enum setpay_error import_list(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     const char *name, setpay_shop_fn *act, size_t *count,
                                     struct setpay_shop_answer *answer)
{
    char prefix[64];
    size_t index;
    const json_t *value;
    const json_t *list = json_object_get(ask->body, name);
    *count = json_array_size(list);
    if (list != NULL && !json_is_array(list))
        return setpay_json_fault_set(&answer->fault, name, "expected an array");
    json_array_foreach(list, index, value)
    {
        (void)snprintf(prefix, sizeof prefix, "%s[%zu]", name, index);
        SETPAY_TRY(act != NULL ? run(db, ask, act, NULL, value, prefix, answer)
                               : import_product(db, ask, value, prefix, answer));
    }
    return SETPAY_OK;
}

enum setpay_error setpay_shop_import(struct setpay_db *db, const struct setpay_shop_ask *ask,
                                     struct setpay_shop_answer *answer)
{
    static const char *const names[] = {"categories", "tax_rates", "shipping_methods", "products",
                                        NULL};
    static setpay_shop_fn *const puts[] = {setpay_category_put, setpay_tax_put, setpay_shipping_put,
                                           NULL};
    size_t counts[4];
    SETPAY_TRY(setpay_json_members_check(ask->body, names, "", &answer->fault));
    for (size_t i = 0; i < 4; i++)
        SETPAY_TRY(import_list(db, ask, names[i], puts[i], &counts[i], answer));
    answer->json = json_pack("{s:I, s:I, s:I, s:I}", names[0], (json_int_t)counts[0], names[1],
                             (json_int_t)counts[1], names[2], (json_int_t)counts[2], names[3],
                             (json_int_t)counts[3]);
    return answer->json == NULL ? SETPAY_E_NOMEM : SETPAY_OK;
}
