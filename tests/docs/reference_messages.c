/*
 * `reference messages`: every field of every message, and every certificate profile, out of the
 * tables by which the codec and the chain verification judge them. What no table holds, what a
 * message means and which fields depend on each other, stands beside it in words; a layout with a
 * check of its own and no such words is an error, so that none is forgotten.
 */
#include "tests/docs/reference.h"

#include "common/pki/role.h"
#include "common/wire/layouts.h"
#include "common/wire/messages.h"
#include "common/wire/parts_layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shown {
    const struct setpay_wire_layout *layout;
    const char *words; /* what concerns several fields; NULL: nothing does */
};

static const struct shown contents[] = {
    {&setpay_layout_pinit_req, "The header has receiver_name, the link's host, and neither sender "
                               "nor receiver."},
    {&setpay_layout_pinit_res, "The header has no receiver. The items' totals add up to amount "
                               "(rule W2)."},
    {&setpay_layout_preq, NULL},
    {&setpay_layout_oi, NULL},
    {&setpay_layout_sealed_instruction, NULL},
    {&setpay_layout_pi, NULL},
    {&setpay_layout_pres,
     "Also the content of InqRes and CanRes. amount is above 0 with AUTHORISED and 0 with "
     "every other status. skipped and left are 0 in a PRes."},
    {&setpay_layout_inq_req, "The header has sender and receiver."},
    {&setpay_layout_auth_req, "The header has sender and receiver."},
    {&setpay_layout_auth_res,
     "The header has a receiver. With AUTH_APPROVED and AUTH_PARTIAL amount is above 0, cap_token "
     "and hold_expiry_ms are there, and the receipt is an AUTHORISATION; otherwise amount is 0, "
     "the three and auth_token are absent, and the receipt is a DECLINE, or a VOID with "
     "AUTH_VOIDED. capture is of the same xid, cap_token, amount, cardholder and pomd, nothing "
     "remains, and its receipt is a CAPTURE."},
    {&setpay_layout_auth_rev_req, "The header has sender and receiver."},
    {&setpay_layout_auth_rev_res, "The header has a receiver. amount and remaining are of one "
                                  "currency, the receipt is a REVERSAL."},
    {&setpay_layout_step_req,
     "The content of CapReq, CapRevReq, CredReq and CredRevReq. The header has sender and "
     "receiver; no two steps are of one xid."},
    {&setpay_layout_step_res,
     "The content of CapRes, CapRevRes, CredRes and CredRevRes. The header has a receiver; done "
     "and refused are together as many as were asked for."},
    {&setpay_layout_batch_admin_req,
     "The header has sender and receiver. totals only with BATCH_CLOSE, by currency in the order "
     "of the alphabet; after only with BATCH_QUERY."},
    {&setpay_layout_batch_admin_res, "The header has a receiver."},
    {&setpay_layout_cancellation, "Signed by the cardholder, as type Cancellation."},
    {&setpay_layout_can_req, "The header has sender and receiver."},
    {&setpay_layout_auth_can_req, "The header has sender and receiver."},
    {&setpay_layout_auth_can_res, "The header has a receiver; the receipt is a CANCELLATION."},
    {&setpay_layout_pcert_req, "The header has sender, and as receiver_name the gateway's id."},
    {&setpay_layout_pcert_res, "The header has a receiver."},
    {&setpay_layout_receipt, NULL},
    {&setpay_layout_error_report, "sender is there where the Error is signed, and then only."},
};

/* Parts, by the name of their message. */
static const struct {
    const char *name;
    const char *words;
} parts[] = {
    {"RequestHeader", "Which of sender, receiver and receiver_name are there depends on the "
                      "message; each says it."},
    {"ResponseHeader", "receiver is absent in PInitRes, and there in every other."},
    {"Terms", "The four optional fields are all there with INSTALMENT and RECURRING, and all "
              "absent otherwise. count times each_minor is at most 999,999,999,999."},
    {"Item", "total_minor is quantity times unit_minor."},
    {"Step", NULL},
    {"StepDone", "amount and remaining are of one currency; the receipt is a CAPTURE, CREDIT, "
                 "CAPTURE_REVERSAL or CREDIT_REVERSAL, as the message's type asks."},
    {"StepRefused", NULL},
    {"BatchTotal", "A count is 0 where its sum is, and only there; not both counts are."},
    {"BatchItem", NULL},
    {"CardData", "The month in expiry is 01 to 12."},
    {"SealedReceipt", NULL},
};

static const char *part_words(const char *name, bool *known)
{
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(parts[i].name, name) == 0) {
            *known = true;
            return parts[i].words;
        }
    }
    *known = false;
    return NULL;
}

static void fail(const char *name, const char *what)
{
    fprintf(stderr, "reference: %s %s\n", name, what);
    exit(EXIT_FAILURE);
}

/* ------------------------------------------------------------------ fields */

static const char *const syntaxes[] = {
    [SETPAY_WIRE_ANY] = "UTF-8, no control character",
    [SETPAY_WIRE_BRAND] = "`a-z 0-9 -`",
    [SETPAY_WIRE_PARTY] = "`A-Z a-z 0-9 _ -`",
    [SETPAY_WIRE_HOST] = "`A-Z a-z 0-9 . _ -`",
    [SETPAY_WIRE_ALNUM] = "`A-Z a-z 0-9`",
    [SETPAY_WIRE_CODE] = "`A-Z a-z 0-9`, blank",
    [SETPAY_WIRE_LANGUAGE] = "`A-Z a-z 0-9 -`",
    [SETPAY_WIRE_NUMBER] = "`0-9`",
};

static void print_range(int64_t minimum, int64_t maximum, const char *unit)
{
    if (minimum == maximum)
        printf("%" PRId64 "%s", minimum, unit);
    else
        printf("%" PRId64 " to %" PRId64 "%s", minimum, maximum, unit);
}

static const char *short_name(const ProtobufCFieldDescriptor *field)
{
    return ((const ProtobufCMessageDescriptor *)field->descriptor)->short_name;
}

static void print_form(const struct setpay_wire_field *row, const ProtobufCFieldDescriptor *field)
{
    switch (row->kind) {
    case SETPAY_WIRE_ID:
        printf("16 bytes");
        return;
    case SETPAY_WIRE_DIGEST:
        printf("32 bytes");
        return;
    case SETPAY_WIRE_SIGNATURE:
    case SETPAY_WIRE_BYTES:
    case SETPAY_WIRE_BLOCK:
    case SETPAY_WIRE_SECRET:
        print_range(row->minimum, row->maximum, " bytes");
        return;
    case SETPAY_WIRE_DIGITS:
        print_range(row->minimum, row->maximum, " ASCII digits");
        return;
    case SETPAY_WIRE_TEXT:
        print_range(row->minimum, row->maximum, " bytes: ");
        printf("%s", syntaxes[row->syntax]);
        return;
    case SETPAY_WIRE_U32:
    case SETPAY_WIRE_I64:
        print_range(row->minimum, row->maximum, "");
        return;
    case SETPAY_WIRE_BOOL:
        printf("0 or 1");
        return;
    case SETPAY_WIRE_ENUM: {
        const ProtobufCEnumDescriptor *values = field->descriptor;
        for (unsigned i = 0; i < values->n_values; i++)
            printf("%s%d %s", i == 0 ? "" : ", ", values->values[i].value, values->values[i].name);
        return;
    }
    case SETPAY_WIRE_MONEY:
        printf("[Money](#money), minor from %" PRId64, row->minimum);
        return;
    case SETPAY_WIRE_MESSAGE:
        printf("[%s](#", short_name(field));
        break;
    case SETPAY_WIRE_THUMBS:
        printf("up to %" PRId64 " of 32 bytes", row->maximum);
        return;
    case SETPAY_WIRE_LIST:
        print_range(row->minimum, row->maximum, " of ");
        printf("[%s](#", short_name(field));
        break;
    }
    for (const char *at = short_name(field); *at != '\0'; at++)
        putchar(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
    putchar(')');
}

static const char *type_name(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_BYTES:
        return "bytes";
    case PROTOBUF_C_TYPE_STRING:
        return "string";
    case PROTOBUF_C_TYPE_UINT32:
        return "uint32";
    case PROTOBUF_C_TYPE_INT64:
        return "int64";
    case PROTOBUF_C_TYPE_BOOL:
        return "bool";
    case PROTOBUF_C_TYPE_ENUM:
        return "enum";
    case PROTOBUF_C_TYPE_MESSAGE:
        return "message";
    default:
        fail(field->name, "is of a type that no message had");
        return NULL;
    }
}

static void print_layout(const struct setpay_wire_layout *layout, const char *words)
{
    const char *name = layout->descriptor->short_name;
    printf("\n## %s\n\n", name);
    printf("At most %zu bytes.\n", layout->maximum);
    if (words != NULL)
        setpay_reference_words(words);
    puts("\n| number | field | type | there | form |\n| ---: | --- | --- | --- | --- |");
    unsigned rows = 0;
    for (const struct setpay_wire_field *row = layout->fields; row->number != 0; row++, rows++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(layout->descriptor, row->number);
        if (field == NULL)
            fail(name, "has a row for no field");
        printf("| %" PRIu32 " | `%s` | %s | %s | ", row->number, field->name, type_name(field),
               field->label == PROTOBUF_C_LABEL_REPEATED ? "repeated"
               : row->optional                           ? "or not"
                                                         : "always");
        print_form(row, field);
        puts(" |");
    }
    if (rows != layout->descriptor->n_fields)
        fail(name, "has a field without a row");
}

/* ------------------------------------------------------------------ parts, each once */

#define PARTS_MAX 16

struct found {
    const struct setpay_wire_layout *list[PARTS_MAX];
    size_t count;
};

/* Looks into a layout for messages that are not known yet. */
static void find_parts(const struct setpay_wire_layout *layout, struct found *found)
{
    for (const struct setpay_wire_field *row = layout->fields; row->number != 0; row++) {
        if (row->inner == NULL)
            continue;
        bool known = false;
        for (size_t i = 0; i < found->count; i++)
            known = known || found->list[i]->descriptor == row->inner->descriptor;
        if (!known && found->count == PARTS_MAX)
            fail("PARTS_MAX", "is too small");
        if (!known)
            found->list[found->count++] = row->inner;
        if (!known)
            find_parts(row->inner, found);
    }
}

static void print_parts(void)
{
    struct found found = {.count = 0};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++)
        find_parts(contents[i].layout, &found);
    for (size_t i = 0; i < found.count; i++) {
        bool known;
        const char *name = found.list[i]->descriptor->short_name;
        const char *words = part_words(name, &known);
        if (!known || (found.list[i]->check != NULL && words == NULL))
            fail(name, "has no words here");
        print_layout(found.list[i], words);
    }
}

/* ------------------------------------------------------------------ the outside */

static void print_frame(void)
{
    printf(
        "\n## Message\n\n"
        "At most %d bytes.\n\n"
        "| number | field | type | there | form |\n| ---: | --- | --- | --- | --- |\n"
        "| 1 | `version` | uint32 | always | 1 |\n"
        "| 2 | `signed` | message | always | [Signed](#signed) |\n"
        "| 3 | `certificates` | bytes | repeated | up to %d of 1 to %d bytes |\n"
        "| 4 | `crls` | bytes | repeated | up to %d of 1 to %d bytes |\n"
        "| 5 | `envelope` | bytes | in PReq; in AuthReq but for an auth_token | 1 to %d bytes |\n",
        SETPAY_LIMIT_MESSAGE_BYTES, SETPAY_LIMIT_CERTIFICATES, SETPAY_LIMIT_CERTIFICATE_BYTES,
        SETPAY_LIMIT_CRLS, SETPAY_LIMIT_CRL_BESIDE_BYTES, SETPAY_LIMIT_ENVELOPE_BYTES);
    printf(
        "\n## Signed\n\n"
        "signature and signer are both there or both absent: absent in PInitReq and PReq, either "
        "in Error, there\nin every other.\n\n"
        "| number | field | type | there | form |\n| ---: | --- | --- | --- | --- |\n"
        "| 1 | `suite` | uint32 | always | 1 |\n"
        "| 2 | `type` | enum | always | the number of the content's type |\n"
        "| 3 | `content` | bytes | always | 1 to %d bytes |\n"
        "| 4 | `signature` | bytes | or not | %d to %d bytes |\n"
        "| 5 | `signer` | bytes | or not | 32 bytes |\n",
        SETPAY_LIMIT_CONTENT_BYTES, SETPAY_WIRE_SIGNATURE_MIN, SETPAY_WIRE_SIGNATURE_MAX);
    printf("\n## Money\n\n"
           "| number | field | type | there | form |\n| ---: | --- | --- | --- | --- |\n"
           "| 1 | `minor` | int64 | always | to %" PRId64 "; from 0 or 1, as the field says |\n"
           "| 2 | `currency` | string | always | ISO 4217, three capital letters |\n",
           (int64_t)SETPAY_MONEY_MAX_MINOR);
}

void setpay_reference_messages(void)
{
    puts("# Fields\n\nMade from the tables in the code by `make reference`.\n");
    setpay_reference_words(
        "Every field of every message, with what rule A1 holds it to. What the messages mean is in "
        "[the protocol](../protocol.md), what each field means beside it in the [.proto "
        "files](../../proto/setpay/v1). *always*: the message is refused without it; *or not*: it "
        "may be absent, and is never there and empty. Lengths of texts are in bytes. Times are "
        "milliseconds since 1970, up to the end of the year 9999.");
    print_frame();
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        if (contents[i].layout->check != NULL && contents[i].words == NULL)
            fail(contents[i].layout->descriptor->short_name, "has no words here");
        print_layout(contents[i].layout, contents[i].words);
    }
    print_parts();
}
