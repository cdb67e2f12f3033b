/*
 * Goods: the list of products, one product with its variants, and what can be changed of them.
 */
#include "merchant/store/admin/admin_internal.h"

#include "merchant/store/product.h"
#include "merchant/store/shop_acts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ as pages show them */

/* "12.50 EUR, 14.00 USD" */
static json_t *prices_json(const json_t *prices)
{
    char words[256] = "";
    size_t used = 0;
    const char *currency;
    json_t *minor;
    json_object_foreach((json_t *)(uintptr_t)prices, currency, minor)
    {
        struct setpay_money money;
        char text[SETPAY_MONEY_TEXT_SIZE];
        if (setpay_money_make(json_integer_value(minor), currency, &money) == SETPAY_OK &&
            used + sizeof text + 2 < sizeof words)
            used += (size_t)snprintf(words + used, sizeof words - used, "%s%s",
                                     used > 0 ? ", " : "", setpay_money_format(&money, text));
    }
    return json_string(words);
}

/* "green, large" */
static json_t *options_json(const json_t *options)
{
    char words[512] = "";
    size_t used = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)options, name, value)
    {
        const char *text = json_string_value(value);
        if (used + strlen(name) + strlen(text) + 6 < sizeof words)
            used += (size_t)snprintf(words + used, sizeof words - used, "%s%s: %s",
                                     used > 0 ? ", " : "", name, text);
    }
    return json_string(words);
}

/* "12.50", without its currency; "": there is none. */
static json_t *amount_json(const json_t *price, const char *currency)
{
    struct setpay_money money;
    char text[SETPAY_MONEY_TEXT_SIZE];
    if (price == NULL ||
        setpay_money_make(json_integer_value(price), currency, &money) != SETPAY_OK)
        return json_string("");
    text[0] = '\0';
    (void)setpay_money_format(&money, text);
    text[strcspn(text, " ")] = '\0';
    return json_string(text);
}

#define PRICE "price_" /* and the currency: a field of a form */

/* What was typed into a form that was refused, to stand there again; form NULL: nothing. */
static const char *typed(const struct setpay_form *form, const char *name)
{
    return form != NULL ? setpay_form_get(form, name) : "";
}

/* The prices of a form that was refused, told apart from what is kept. */
struct refused {
    const struct setpay_form *form; /* NULL: none was */
    bool has_wrong;                 /* one before can't be read, and has the focus */
};

/* A field for the price in a currency: what is there, or what was typed and why it is none. *list
 * is added to. */
static void add_field(json_t *list, const char *sku, const char *currency, json_t *amount,
                      struct refused *refused, bool *whole)
{
    char name[sizeof PRICE + 3], words[SETPAY_MONEY_WORDS_SIZE] = "";
    struct setpay_money money;
    (void)snprintf(name, sizeof name, PRICE "%.3s", currency);
    const char *text = typed(refused->form, name);
    if (text[0] != '\0' && setpay_money_parse_typed(text, currency, &money) != SETPAY_OK)
        (void)setpay_money_typed_explain(text, currency, words, sizeof words);
    bool wrong = words[0] != '\0';
    json_t *json = json_pack("{s:s, s:s, s:s, s:b}", "of", sku, "code", currency, "wrong", words,
                             "first_wrong", (int)(wrong && !refused->has_wrong));
    setpay_shop_set(json, "amount", refused->form != NULL ? json_string(text) : json_incref(amount),
                    whole);
    refused->has_wrong = refused->has_wrong || wrong;
    json_decref(amount);
    setpay_shop_append(list, json, whole);
}

/* A field for each currency that the shop sells in, and for others in which there is a price. form:
 * that of these prices which was refused; NULL: none. */
static json_t *fields_json(const struct setpay_shop_settings *settings, const char *sku,
                           const json_t *prices, const struct setpay_form *form)
{
    const struct setpay_shop_currencies *sold = &settings->sold;
    struct refused refused = {.form = form};
    json_t *list = json_array();
    bool whole = list != NULL;
    const char *currency;
    json_t *price;
    for (size_t i = 0; i < sold->count; i++)
        add_field(list, sku, sold->codes[i],
                  amount_json(json_object_get(prices, sold->codes[i]), sold->codes[i]), &refused,
                  &whole);
    json_object_foreach((json_t *)(uintptr_t)prices, currency, price)
    {
        if (setpay_shop_currencies_find(sold, currency) == NULL)
            add_field(list, sku, currency, amount_json(price, currency), &refused, &whole);
    }
    if (whole)
        return list;
    json_decref(list);
    return NULL;
}

/* Of a variant that is to be: the one field is required where there is no other. */
static json_t *new_fields_json(const struct setpay_shop_settings *settings,
                               const struct setpay_form *form)
{
    json_t *list = fields_json(settings, "", NULL, form);
    size_t index;
    json_t *field;
    json_array_foreach(list, index, field)
    {
        if (json_object_set_new(field, "required", json_boolean(settings->sold.count == 1)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *typed_json(const struct setpay_form *form)
{
    return json_pack("{s:b, s:s, s:s, s:s, s:s, s:s, s:s}", "any", form != NULL, "name",
                     typed(form, "name"), "slug", typed(form, "slug"), "sku", typed(form, "sku"),
                     "options", typed(form, "options"), "on_hand", typed(form, "on_hand"), "weight",
                     typed(form, "weight"));
}

/* prices: the form of a variant's prices that was refused; NULL: none. */
static json_t *variant_json(const struct setpay_shop_settings *settings, const json_t *variant,
                            const struct setpay_form *prices)
{
    const char *sku = json_string_value(json_object_get(variant, "sku"));
    const json_t *stock = json_object_get(variant, "stock");
    const json_t *available = json_object_get(stock, "available");
    const bool is_refused = strcmp(typed(prices, "sku"), sku) == 0;
    return json_pack(
        "{s:s, s:o, s:o, s:O, s:o}", "sku", sku, "options",
        options_json(json_object_get(variant, "options")), "fields",
        fields_json(settings, sku, json_object_get(variant, "prices"), is_refused ? prices : NULL),
        "weight", json_object_get(variant, "weight_g"), "available",
        json_is_integer(available) ? json_sprintf("%lld", (long long)json_integer_value(available))
                                   : json_string("not counted"));
}

static json_t *variants_json(const struct setpay_shop_settings *settings, const json_t *product,
                             const struct setpay_form *prices)
{
    json_t *list = json_array();
    size_t index;
    const json_t *variant;
    json_array_foreach(json_object_get(product, "variants"), index, variant)(void)
        json_array_append_new(list, variant_json(settings, variant, prices));
    return list;
}

static json_t *product_json(const json_t *product)
{
    const char *status = json_string_value(json_object_get(product, "status"));
    const json_t *variants = json_object_get(product, "variants");
    const json_t *first = json_array_get(variants, 0);
    return json_pack("{s:O, s:O, s:s, s:s, s:o, s:I}", "slug", json_object_get(product, "slug"),
                     "name", json_object_get(product, "name"), "status", status, "look",
                     setpay_admin_status_look(status), "price",
                     prices_json(json_object_get(first, "prices")), "variants",
                     (json_int_t)json_array_size(variants));
}

/* ------------------------------------------------------------------ looking */

struct look {
    const struct setpay_admin *admin;
    const char *act;
    const char *id;
    json_t *body;
    struct setpay_shop_answer answer;
};

static enum setpay_error read_act(struct setpay_db *db, void *arg)
{
    struct look *look = arg;
    const struct setpay_shop_ask ask = {.id = look->id,
                                        .body = look->body,
                                        .version = SETPAY_SHOP_ANY_VERSION,
                                        .now_ms = setpay_clock_now_ms(),
                                        .settings = &look->admin->options.settings};
    return setpay_shop_act_find(look->act)->run(db, &ask, &look->answer);
}

/* Replies for an error. */
static void reply_wrong(struct setpay_admin *admin, struct setpay_http_request *request,
                        enum setpay_error error, const struct setpay_json_fault *fault)
{
    if (setpay_admin_is_refusal(error))
        setpay_admin_reply_error(admin, request, error == SETPAY_E_NOT_FOUND ? 404 : 400,
                                 fault->words[0] != '\0' ? fault->words : NULL);
    else
        setpay_admin_reply_failed(admin, request, error);
}

static void set_text(json_t *object, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0')
        (void)json_object_set_new(object, name, json_string(value));
}

static void reply_products(struct setpay_admin *admin, struct setpay_http_request *request,
                           const struct setpay_admin_visit *visit, int status, const char *wrong,
                           const struct setpay_form *form)
{
    const char *q = setpay_http_request_query(request, "q");
    struct look look = {.admin = admin, .act = "product.list", .body = json_object()};
    json_t *rows = json_array();
    size_t index;
    const json_t *product;
    set_text(look.body, "q", q);
    set_text(look.body, "cursor", setpay_http_request_query(request, "cursor"));
    (void)json_object_set_new(look.body, "limit", json_integer(50));
    enum setpay_error error = setpay_store_read(admin->reader, read_act, &look);
    if (error != SETPAY_OK) {
        json_decref(rows);
        reply_wrong(admin, request, error, &look.answer.fault);
    } else {
        json_array_foreach(json_object_get(look.answer.json, "products"), index, product)(void)
            json_array_append_new(rows, product_json(product));
        const char *next = json_string_value(json_object_get(look.answer.json, "next_cursor"));
        setpay_admin_reply(admin, request, visit, status, SETPAY_ADMIN_PRODUCTS, "Goods", NULL,
                           json_pack("{s:o, s:s, s:s, s:s, s:o, s:o}", "products", rows, "q",
                                     q != NULL ? q : "", "next", next != NULL ? next : "", "wrong",
                                     wrong != NULL ? wrong : "", "fields",
                                     new_fields_json(&admin->options.settings, form), "typed",
                                     typed_json(form)));
    }
    setpay_shop_answer_clear(&look.answer);
    json_decref(look.body);
}

void setpay_admin_on_products(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_visit visit;
    if (setpay_admin_visit_begin(arg, request, &visit))
        reply_products(arg, request, &visit, 200, NULL, NULL);
}

/* Each with the places beside its own, null where there is none. NULL without memory. */
static json_t *pictures_json(const json_t *product)
{
    const json_t *pictures = json_object_get(product, "pictures");
    json_t *list = json_array();
    size_t index, count = json_array_size(pictures);
    const json_t *picture;
    json_array_foreach(pictures, index, picture)
    {
        json_t *row =
            json_pack("{s:O, s:O, s:o, s:o}", "id", json_object_get(picture, "id"), "alt",
                      json_object_get(picture, "alt"), "earlier",
                      index > 0 ? json_integer((json_int_t)index) : json_null(), "later",
                      index + 1 < count ? json_integer((json_int_t)index + 2) : json_null());
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* What stands in the form of the product itself: what is kept, or what was typed (form; NULL:
 * nothing was). *whole becomes false without memory. */
static void add_product_fields(const json_t *product, const struct setpay_form *form,
                               json_t *values, bool *whole)
{
    static const char *const fields[] = {"name", "description", "tax_class"};
    const char *status = form != NULL ? setpay_form_get(form, "status")
                                      : json_string_value(json_object_get(product, "status"));
    json_t *edit = json_object();
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const char *kept = json_string_value(json_object_get(product, fields[i]));
        const char *text = form != NULL ? setpay_form_get(form, fields[i]) : kept;
        setpay_shop_set(edit, fields[i], json_string(text != NULL ? text : ""), whole);
    }
    setpay_shop_set(edit, "draft", json_boolean(strcmp(status, "draft") == 0), whole);
    setpay_shop_set(edit, "published", json_boolean(strcmp(status, "published") == 0), whole);
    setpay_shop_set(edit, "archived", json_boolean(strcmp(status, "archived") == 0), whole);
    setpay_shop_set(values, "edit", edit, whole);
}

/* The form of the page that was refused, in its place; all NULL: none was. */
struct product_forms {
    const struct setpay_form *edit, *variant, *prices;
};

/* NULL without memory. */
static json_t *page_json(const struct setpay_shop_settings *settings, const json_t *product,
                         int64_t version, const struct product_forms *forms)
{
    const char *state = json_string_value(json_object_get(product, "status"));
    bool whole = true;
    json_t *values =
        json_pack("{s:O, s:O, s:s, s:s, s:o, s:o, s:I, s:o, s:o}", "slug",
                  json_object_get(product, "slug"), "name", json_object_get(product, "name"),
                  "status", state, "look", setpay_admin_status_look(state), "variants",
                  variants_json(settings, product, forms->prices), "pictures",
                  pictures_json(product), "version", (json_int_t)version, "fields",
                  new_fields_json(settings, forms->variant), "typed", typed_json(forms->variant));
    add_product_fields(product, forms->edit, values, &whole);
    if (whole)
        return values;
    json_decref(values);
    return NULL;
}

static void reply_product(struct setpay_admin *admin, struct setpay_http_request *request,
                          const struct setpay_admin_visit *visit, const char *id, int status,
                          const char *wrong, const struct product_forms *forms)
{
    struct look look = {.admin = admin, .act = "product.show", .id = id, .body = json_object()};
    enum setpay_error error = setpay_store_read(admin->reader, read_act, &look);
    if (error != SETPAY_OK) {
        reply_wrong(admin, request, error, &look.answer.fault);
    } else {
        const char *name = json_string_value(json_object_get(look.answer.json, "name"));
        const char *done = setpay_http_request_query(request, "done");
        json_t *values =
            page_json(&admin->options.settings, look.answer.json, look.answer.version, forms);
        bool whole = true;
        setpay_shop_set(values, "wrong", json_string(wrong != NULL ? wrong : ""), &whole);
        setpay_shop_set(values, "done",
                        json_string(done != NULL && wrong == NULL ? "The product is changed." : ""),
                        &whole);
        if (!whole) {
            json_decref(values);
            values = NULL;
        }
        setpay_admin_reply(admin, request, visit, status, SETPAY_ADMIN_PRODUCT, name, NULL, values);
    }
    setpay_shop_answer_clear(&look.answer);
    json_decref(look.body);
}

void setpay_admin_reply_product(struct setpay_admin *admin, struct setpay_http_request *request,
                                const struct setpay_admin_visit *visit, const char *id, int status,
                                const char *wrong)
{
    reply_product(admin, request, visit, id, status, wrong, &(struct product_forms){.edit = NULL});
}

void setpay_admin_on_product(struct setpay_http_request *request, void *arg)
{
    struct setpay_admin_visit visit;
    if (setpay_admin_visit_begin(arg, request, &visit))
        setpay_admin_reply_product(arg, request, &visit, setpay_http_request_param(request, "id"),
                                   200, NULL);
}

/* ------------------------------------------------------------------ changing */

struct change {
    const char *act;
    char sku[SETPAY_SHOP_ID_SIZE]; /* of what it is about; "": the product */
    int64_t version;
};

static enum setpay_error run(struct setpay_db *db, struct setpay_admin_task *task)
{
    const struct change *change = task->data;
    struct setpay_shop_answer answer = {.json = NULL};
    const struct setpay_shop_ask ask = {.id = change->sku[0] != '\0' ? change->sku : task->id,
                                        .body = task->body,
                                        .version = change->version,
                                        .now_ms = task->now_ms,
                                        .settings = &task->admin->options.settings};
    enum setpay_error error = setpay_shop_act_find(change->act)->run(db, &ask, &answer);
    task->fault = answer.fault;
    memcpy(task->made, answer.made, sizeof task->made);
    setpay_shop_answer_clear(&answer);
    return error;
}

static void words_of(const struct setpay_admin_task *task, char *words, size_t size)
{
    (void)snprintf(words, size, "%s%s%s", task->fault.field,
                   task->fault.field[0] != '\0' ? ": " : "",
                   task->fault.words[0] != '\0' ? task->fault.words : "there is no such thing");
}

static void changed(struct setpay_admin_task *task, enum setpay_error error)
{
    const struct change *change = task->data;
    const char *act = change != NULL && change->act != NULL ? change->act : "";
    char path[SETPAY_SHOP_MADE_SIZE + 40], words[512];
    words_of(task, words, sizeof words);
    const char *id = task->id[0] != '\0' ? task->id : setpay_form_get(&task->form, "slug");
    if (error == SETPAY_OK) {
        (void)snprintf(path, sizeof path, "/products/%.70s?done=1", id);
        setpay_admin_go_to(task->request, path, NULL);
    } else if (!setpay_admin_is_refusal(error)) {
        setpay_admin_reply_failed(task->admin, task->request, error);
    } else if (task->id[0] != '\0') {
        const struct product_forms forms = {
            /* Of one that somebody else has changed, theirs is shown: saving again would undo it.
             */
            .edit =
                strcmp(act, "product.set") == 0 && error != SETPAY_E_CONFLICT ? &task->form : NULL,
            .variant = strcmp(act, "variant.add") == 0 ? &task->form : NULL,
            .prices = strcmp(act, "price.set") == 0 ? &task->form : NULL,
        };
        reply_product(task->admin, task->request, &task->visit, task->id, 409, words, &forms);
    } else {
        reply_products(task->admin, task->request, &task->visit, 409, words, &task->form);
    }
}

/* One price of the form, in its currency; "" is none, which is said as null where a price that is
 * there is to go. */
static enum setpay_error read_price(struct setpay_admin_task *task, const char *name,
                                    const char *value, bool takes_away, json_t *prices)
{
    const char *currency = name + strlen(PRICE);
    char words[SETPAY_MONEY_WORDS_SIZE];
    struct setpay_money money;
    if (value[0] == '\0' && !takes_away)
        return SETPAY_OK;
    if (setpay_money_parse_typed(value[0] != '\0' ? value : "0", currency, &money) != SETPAY_OK)
        return setpay_json_fault_set(
            &task->fault, "price", "%s",
            setpay_money_typed_explain(value, currency, words, sizeof words));
    return json_object_set_new(prices, money.currency,
                               value[0] != '\0' ? json_integer(money.minor) : json_null()) == 0
               ? SETPAY_OK
               : SETPAY_E_NOMEM;
}

/* Those that the form names, one field for each currency. */
static enum setpay_error read_prices(struct setpay_admin_task *task, bool takes_away,
                                     json_t *variant)
{
    json_t *prices = json_object();
    enum setpay_error error = SETPAY_OK;
    for (size_t i = 0; i < task->form.count && error == SETPAY_OK; i++) {
        const char *name = task->form.fields[i].name;
        if (strncmp(name, PRICE, strlen(PRICE)) == 0)
            error = read_price(task, name, task->form.fields[i].value, takes_away, prices);
    }
    if (error == SETPAY_OK && !takes_away && json_object_size(prices) == 0)
        error = setpay_json_fault_set(&task->fault, "price",
                                      "found none; expected one in at least one currency");
    if (error == SETPAY_OK && json_object_set(variant, "prices", prices) != 0)
        error = SETPAY_E_NOMEM;
    json_decref(prices);
    return error;
}

/* A whole number of the form into a member; "": none. */
static enum setpay_error read_number(struct setpay_admin_task *task, const char *field,
                                     json_t *object, const char *member)
{
    const char *text = setpay_form_get(&task->form, field);
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (text[0] == '\0')
        return SETPAY_OK;
    if (*end != '\0')
        return setpay_json_fault_set(&task->fault, field, "found '%.20s'; expected a whole number",
                                     text);
    return json_object_set_new(object, member, json_integer(number)) == 0 ? SETPAY_OK
                                                                          : SETPAY_E_NOMEM;
}

/* "colour: green, size: M" */
static enum setpay_error read_options(struct setpay_admin_task *task, json_t *variant)
{
    char text[512];
    char *rest = text;
    json_t *options = json_object();
    if (setpay_form_get(&task->form, "options")[0] == '\0') {
        json_decref(options);
        return SETPAY_OK;
    }
    if (setpay_form_copy(&task->form, "options", text, sizeof text) != SETPAY_OK)
        text[0] = '\0';
    for (char *part; (part = strsep(&rest, ",")) != NULL;) {
        char *colon = strchr(part, ':');
        if (colon == NULL) {
            json_decref(options);
            return setpay_json_fault_set(&task->fault, "options",
                                         "found '%.60s'; expected them like colour: green, size: M",
                                         part);
        }
        *colon = '\0';
        part += strspn(part, " ");
        (void)json_object_set_new(options, part, json_string(colon + 1 + strspn(colon + 1, " ")));
    }
    return json_object_set_new(variant, "options", options) == 0 ? SETPAY_OK : SETPAY_E_NOMEM;
}

static enum setpay_error read_variant(struct setpay_admin_task *task, json_t *variant)
{
    set_text(variant, "sku", setpay_form_get(&task->form, "sku"));
    SETPAY_TRY(read_prices(task, false, variant));
    SETPAY_TRY(read_options(task, variant));
    SETPAY_TRY(read_number(task, "weight", variant, "weight_g"));
    json_t *stock = json_object();
    enum setpay_error error = read_number(task, "on_hand", stock, "on_hand");
    if (error == SETPAY_OK && json_object_size(stock) > 0)
        (void)json_object_set(variant, "stock", stock);
    json_decref(stock);
    return error;
}

static enum setpay_error read_new(struct setpay_admin_task *task)
{
    json_t *variant = json_object();
    set_text(task->body, "slug", setpay_form_get(&task->form, "slug"));
    set_text(task->body, "name", setpay_form_get(&task->form, "name"));
    enum setpay_error error = read_variant(task, variant);
    if (error != SETPAY_OK)
        json_decref(variant);
    else if (json_object_set_new(task->body, "variants", json_pack("[o]", variant)) != 0)
        error = SETPAY_E_NOMEM;
    return error;
}

static enum setpay_error read_edit(struct setpay_admin_task *task, struct change *change)
{
    const char *version = setpay_form_get(&task->form, "version");
    set_text(task->body, "name", setpay_form_get(&task->form, "name"));
    set_text(task->body, "status", setpay_form_get(&task->form, "status"));
    set_text(task->body, "tax_class", setpay_form_get(&task->form, "tax_class"));
    (void)json_object_set_new(task->body, "description",
                              json_string(setpay_form_get(&task->form, "description")));
    change->version = strtoll(version, NULL, 10);
    return SETPAY_OK;
}

/* Which act, by the last part of the address. */
static enum setpay_error read_change(struct setpay_admin_task *task, const char *act,
                                     struct change *change)
{
    const char *version = setpay_form_get(&task->form, "version");
    change->version = SETPAY_SHOP_ANY_VERSION;
    if (strcmp(act, "new") == 0) {
        change->act = "product.add";
        return read_new(task);
    }
    if (strcmp(act, "edit") == 0) {
        change->act = "product.set";
        return read_edit(task, change);
    }
    if (strcmp(act, "variant") == 0) {
        change->act = "variant.add";
        return read_variant(task, task->body);
    }
    if (strcmp(act, "price") == 0) {
        change->act = "price.set";
        (void)snprintf(change->sku, sizeof change->sku, "%.64s",
                       setpay_form_get(&task->form, "sku"));
        if (version[0] != '\0')
            change->version = strtoll(version, NULL, 10);
        return read_prices(task, true, task->body);
    }
    return SETPAY_E_NOT_FOUND;
}

/* Browsers end lines with CR LF; the shop's texts have LF alone. */
static void unfold_lines(json_t *body)
{
    const char *text = json_string_value(json_object_get(body, "description"));
    char *plain = text != NULL ? strdup(text) : NULL;
    size_t used = 0;
    for (size_t i = 0; plain != NULL && plain[i] != '\0'; i++) {
        if (plain[i] != '\r')
            plain[used++] = plain[i];
    }
    if (plain != NULL) {
        plain[used] = '\0';
        (void)json_object_set_new(body, "description", json_string(plain));
    }
    free(plain);
}

static void start(struct setpay_http_request *request, struct setpay_admin *admin, const char *id,
                  const char *act)
{
    struct setpay_admin_task *task = setpay_admin_task_new(admin, request);
    if (task == NULL)
        return;
    struct change *change = calloc(1, sizeof *change);
    task->run = run;
    task->done = changed;
    task->data = change;
    task->body = json_object();
    if (change == NULL || task->body == NULL) {
        setpay_admin_task_refuse(task, SETPAY_E_NOMEM);
        return;
    }
    (void)snprintf(task->id, sizeof task->id, "%.*s", (int)sizeof task->id - 1, id);
    enum setpay_error error = read_change(task, act, change);
    unfold_lines(task->body);
    if (error != SETPAY_OK)
        setpay_admin_task_refuse(task, error);
    else
        setpay_admin_task_submit(task);
}

void setpay_admin_on_product_add(struct setpay_http_request *request, void *arg)
{
    start(request, arg, "", "new");
}

void setpay_admin_on_product_act(struct setpay_http_request *request, void *arg)
{
    const char *act = setpay_http_request_param(request, "act");
    start(request, arg, setpay_http_request_param(request, "id"),
          strcmp(act, "new") == 0 ? "" : act);
}
