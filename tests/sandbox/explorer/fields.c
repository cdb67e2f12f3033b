/*
 * The fields of a message, by the tables that the codec goes by: names from the .proto file, values
 * from our structs. So no field can be forgotten, and which are secret is known.
 */
#include "tests/sandbox/explorer/explorer.h"

#include "common/wire/layouts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 128
#define DEPTH_MAX 6

static const struct explorer_kind kinds[] = {
    {SETPAY_MESSAGE_PINIT_REQ, &setpay_layout_pinit_req, EXPLORER_WALLET, EXPLORER_MERCHANT,
     "The wallet opens the pay link"},
    {SETPAY_MESSAGE_PINIT_RES, &setpay_layout_pinit_res, EXPLORER_MERCHANT, EXPLORER_WALLET,
     "The merchant makes a signed offer"},
    {SETPAY_MESSAGE_P_REQ, &setpay_layout_preq, EXPLORER_WALLET, EXPLORER_MERCHANT,
     "The cardholder agrees: one signature over two halves"},
    {SETPAY_MESSAGE_P_RES, &setpay_layout_pres, EXPLORER_MERCHANT, EXPLORER_WALLET,
     "The merchant tells the outcome"},
    {SETPAY_MESSAGE_INQ_REQ, &setpay_layout_inq_req, EXPLORER_WALLET, EXPLORER_MERCHANT,
     "The wallet asks how the purchase stands"},
    {SETPAY_MESSAGE_INQ_RES, &setpay_layout_pres, EXPLORER_MERCHANT, EXPLORER_WALLET,
     "The merchant tells how the purchase stands"},
    {SETPAY_MESSAGE_AUTH_REQ, &setpay_layout_auth_req, EXPLORER_MERCHANT, EXPLORER_GATEWAY,
     "The merchant asks for the payment"},
    {SETPAY_MESSAGE_AUTH_RES, &setpay_layout_auth_res, EXPLORER_GATEWAY, EXPLORER_MERCHANT,
     "The gateway tells what the bank has said"},
    {SETPAY_MESSAGE_AUTH_REV_REQ, &setpay_layout_auth_rev_req, EXPLORER_MERCHANT, EXPLORER_GATEWAY,
     "The merchant gives up what is held"},
    {SETPAY_MESSAGE_AUTH_REV_RES, &setpay_layout_auth_rev_res, EXPLORER_GATEWAY, EXPLORER_MERCHANT,
     "The gateway has reversed it"},
    {SETPAY_MESSAGE_CAP_REQ, &setpay_layout_step_req, EXPLORER_MERCHANT, EXPLORER_GATEWAY,
     "The merchant takes what is due"},
    {SETPAY_MESSAGE_CAP_RES, &setpay_layout_step_res, EXPLORER_GATEWAY, EXPLORER_MERCHANT,
     "The gateway has captured it"},
    {SETPAY_MESSAGE_CAP_REV_REQ, &setpay_layout_step_req, EXPLORER_MERCHANT, EXPLORER_GATEWAY,
     "The merchant takes a capture back"},
    {SETPAY_MESSAGE_CAP_REV_RES, &setpay_layout_step_res, EXPLORER_GATEWAY, EXPLORER_MERCHANT,
     "The gateway has undone the capture"},
    {SETPAY_MESSAGE_CRED_REQ, &setpay_layout_step_req, EXPLORER_MERCHANT, EXPLORER_GATEWAY,
     "The merchant gives money back"},
    {SETPAY_MESSAGE_CRED_RES, &setpay_layout_step_res, EXPLORER_GATEWAY, EXPLORER_MERCHANT,
     "The gateway has credited it"},
    {SETPAY_MESSAGE_CRED_REV_REQ, &setpay_layout_step_req, EXPLORER_MERCHANT, EXPLORER_GATEWAY,
     "The merchant takes a refund back"},
    {SETPAY_MESSAGE_CRED_REV_RES, &setpay_layout_step_res, EXPLORER_GATEWAY, EXPLORER_MERCHANT,
     "The gateway has undone the credit"},
    {SETPAY_MESSAGE_CAN_REQ, &setpay_layout_can_req, EXPLORER_WALLET, EXPLORER_MERCHANT,
     "The cardholder cancels the agreement"},
    {SETPAY_MESSAGE_CAN_RES, &setpay_layout_pres, EXPLORER_MERCHANT, EXPLORER_WALLET,
     "The merchant has heard it"},
    {SETPAY_MESSAGE_AUTH_CAN_REQ, &setpay_layout_auth_can_req, EXPLORER_MERCHANT, EXPLORER_GATEWAY,
     "The merchant hands the cancellation on"},
    {SETPAY_MESSAGE_AUTH_CAN_RES, &setpay_layout_auth_can_res, EXPLORER_GATEWAY, EXPLORER_MERCHANT,
     "The gateway takes no further payment"},
};

const struct explorer_kind *explorer_kind(enum setpay_message_type type)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].type == type)
            return &kinds[i];
    return NULL;
}

bool explorer_is_answer(enum setpay_message_type type)
{
    return type % 2 == 0; /* requests have the odd numbers, answers the even ones behind them */
}

/* ------------------------------------------------------------------ the walk */

struct walk {
    explorer_field_fn *visit;
    void *arg;
    bool is_secret;
    char path[PATH_SIZE];
};

static const void *at(const void *base, size_t offset)
{
    return (const uint8_t *)base + offset;
}

static bool is_there(const struct setpay_wire_field *row, const void *message)
{
    if (row->kind == SETPAY_WIRE_LIST)
        return *(const size_t *)at(message, row->has) > 0;
    return setpay_wire_has(row, message);
}

static enum setpay_error walk_message(struct walk *walk, const struct setpay_wire_layout *layout,
                                      const void *message, size_t used, int depth);

/* A field that holds others: messages inside, lists, and what is packed into bytes. */
static enum setpay_error walk_inner(struct walk *walk, const struct setpay_wire_field *row,
                                    const void *message, size_t used, int depth)
{
    const void *value = at(message, row->offset);
    if (row->kind == SETPAY_WIRE_MESSAGE)
        return walk_message(walk, row->inner, value, used, depth);
    size_t count = *(const size_t *)at(message, row->has);
    const uint8_t *items = *(uint8_t *const *)value;
    for (size_t i = 0; i < count; i++) {
        int more = snprintf(walk->path + used, sizeof walk->path - used, "[%zu]", i + 1);
        SETPAY_TRY(walk_message(walk, row->inner, items + i * row->inner->size, used + (size_t)more,
                                depth));
    }
    walk->path[used] = '\0';
    return SETPAY_OK;
}

static const struct setpay_wire_layout *packed_layout(const char *name)
{
    if (strcmp(name, "oi") == 0)
        return &setpay_layout_oi;
    return strcmp(name, "cancellation") == 0 ? &setpay_layout_cancellation : NULL;
}

static enum setpay_error walk_packed(struct walk *walk, const struct setpay_wire_layout *layout,
                                     struct setpay_view bytes, size_t used, int depth)
{
    void *message = calloc(1, layout->size);
    if (message == NULL)
        return SETPAY_E_NOMEM;
    enum setpay_error error = setpay_wire_parse(layout, bytes, message);
    if (error == SETPAY_OK) {
        error = walk_message(walk, layout, message, used, depth);
        setpay_wire_clear(layout, message);
    }
    free(message);
    return error;
}

static const char *word_of(const ProtobufCFieldDescriptor *descriptor, int64_t number)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(descriptor->descriptor, (int)number);
    return value == NULL ? "" : value->name;
}

static void read_value(const struct setpay_wire_field *row,
                       const ProtobufCFieldDescriptor *descriptor, const void *message,
                       struct explorer_field *field)
{
    const void *value = at(message, row->offset);
    field->bytes = setpay_wire_bytes(row, message);
    if (row->kind == SETPAY_WIRE_U32)
        field->number = *(const uint32_t *)value;
    else if (row->kind == SETPAY_WIRE_I64)
        field->number = *(const int64_t *)value;
    else if (row->kind == SETPAY_WIRE_BOOL)
        field->number = *(const bool *)value ? 1 : 0;
    else if (row->kind == SETPAY_WIRE_ENUM) {
        field->number = (int64_t) * (const unsigned *)value;
        field->word = word_of(descriptor, field->number);
    } else if (row->kind == SETPAY_WIRE_MONEY)
        field->money = *(const struct setpay_money *)value;
    else if (row->kind == SETPAY_WIRE_THUMBS)
        field->number = (int64_t)((const struct setpay_thumbs *)value)->count;
}

static enum setpay_error walk_field(struct walk *walk, const struct setpay_wire_layout *layout,
                                    const struct setpay_wire_field *row, const void *message,
                                    size_t used, int depth)
{
    const ProtobufCFieldDescriptor *descriptor =
        protobuf_c_message_descriptor_get_field(layout->descriptor, row->number);
    if (descriptor == NULL)
        return SETPAY_E_INTERNAL;
    int more = snprintf(walk->path + used, sizeof walk->path - used, "%s%s", used > 0 ? "." : "",
                        descriptor->name);
    if (more < 0 || used + (size_t)more >= sizeof walk->path - 16)
        return SETPAY_E_INTERNAL;
    struct explorer_field field = {.path = walk->path,
                                   .name = descriptor->name,
                                   .kind = row->kind,
                                   .is_secret = walk->is_secret || layout->secret,
                                   .word = ""};
    read_value(row, descriptor, message, &field);
    field.is_there = is_there(row, message);
    if ((row->kind == SETPAY_WIRE_LIST || row->kind == SETPAY_WIRE_MESSAGE) && field.is_there)
        return walk_inner(walk, row, message, used + (size_t)more, depth + 1);
    const struct setpay_wire_layout *packed =
        row->kind == SETPAY_WIRE_BYTES || row->kind == SETPAY_WIRE_BLOCK ? packed_layout(field.name)
                                                                         : NULL;
    if (packed != NULL && field.is_there)
        return walk_packed(walk, packed, field.bytes, used + (size_t)more, depth + 1);
    return walk->visit(walk->arg, &field);
}

static enum setpay_error walk_message(struct walk *walk, const struct setpay_wire_layout *layout,
                                      const void *message, size_t used, int depth)
{
    if (depth > DEPTH_MAX)
        return SETPAY_E_INTERNAL;
    for (const struct setpay_wire_field *row = layout->fields; row->number != 0; row++) {
        SETPAY_TRY(walk_field(walk, layout, row, message, used, depth));
        walk->path[used] = '\0';
    }
    return SETPAY_OK;
}

enum setpay_error explorer_fields_of(const struct setpay_wire_layout *layout, const void *message,
                                     explorer_field_fn *visit, void *arg)
{
    struct walk walk = {visit, arg, layout->secret, ""};
    return walk_message(&walk, layout, message, 0, 0);
}

enum setpay_error explorer_fields(const struct setpay_wire_layout *layout,
                                  struct setpay_view content, explorer_field_fn *visit, void *arg)
{
    struct walk walk = {visit, arg, layout->secret, ""};
    return walk_packed(&walk, layout, content, 0, 0);
}

/* ------------------------------------------------------------------ one field */

struct search {
    const char *name;
    enum setpay_wire_kind kind;
    struct setpay_view bytes; /* to be compared with; or */
    void *out;                /* to be filled */
    int64_t number;
    bool found;
};

static enum setpay_error look(void *arg, const struct explorer_field *field)
{
    struct search *search = arg;
    if (search->found || field->is_secret || !field->is_there || field->kind != search->kind ||
        strcmp(field->name, search->name) != 0)
        return SETPAY_OK;
    if (search->out == NULL && search->bytes.size > 0) {
        search->found = setpay_view_equal(field->bytes, search->bytes);
        return SETPAY_OK;
    }
    if (search->out != NULL)
        memcpy(search->out, field->bytes.data, field->bytes.size);
    search->number = field->number;
    search->found = true;
    return SETPAY_OK;
}

bool explorer_find_id(const struct setpay_wire_layout *layout, struct setpay_view content,
                      const char *name, struct setpay_id *id)
{
    struct search search = {.name = name, .kind = SETPAY_WIRE_ID, .out = id};
    return explorer_fields(layout, content, look, &search) == SETPAY_OK && search.found;
}

bool explorer_find_digest(const struct setpay_wire_layout *layout, struct setpay_view content,
                          const char *name, struct setpay_digest *digest)
{
    struct search search = {.name = name, .kind = SETPAY_WIRE_DIGEST, .out = digest};
    return explorer_fields(layout, content, look, &search) == SETPAY_OK && search.found;
}

bool explorer_find_number(const struct setpay_wire_layout *layout, struct setpay_view content,
                          const char *name, int64_t *number)
{
    struct search search = {.name = name, .kind = SETPAY_WIRE_I64};
    if (explorer_fields(layout, content, look, &search) != SETPAY_OK || !search.found)
        return false;
    *number = search.number;
    return true;
}

bool explorer_concerns(enum setpay_message_type type, struct setpay_view content,
                       const struct setpay_id *xid)
{
    const struct explorer_kind *kind = explorer_kind(type);
    struct search search = {.name = "xid", .kind = SETPAY_WIRE_ID, .bytes = setpay_id_view(xid)};
    return kind != NULL && explorer_fields(kind->layout, content, look, &search) == SETPAY_OK &&
           search.found;
}
