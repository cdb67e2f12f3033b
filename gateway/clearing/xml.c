/*
 * Writing the elements of ISO 20022 messages.
 */
#include "gateway/clearing/xml.h"

#include "common/base/money.h"

#include <stdio.h>
#include <string.h>

#define NAMESPACE "urn:iso:std:iso:20022:tech:xsd:"
#define INDENT "  "
#define TAG_SIZE 40

static void put(struct setpay_xml *xml, const char *text)
{
    if (xml->error == SETPAY_OK)
        xml->error = setpay_buffer_append(xml->bytes, setpay_view_string(text));
}

static void put_indent(struct setpay_xml *xml)
{
    for (int i = 0; i < xml->depth; i++)
        put(xml, INDENT);
}

/* What a text may not hold as it is; characters that XML can't hold at all become '?'. */
static void put_escaped(struct setpay_xml *xml, const char *text)
{
    for (; *text != '\0'; text++) {
        char one[2] = {*text, '\0'};
        unsigned char c = (unsigned char)*text;
        put(xml, c == '&'                                          ? "&amp;"
                 : c == '<'                                        ? "&lt;"
                 : c == '>'                                        ? "&gt;"
                 : c == '"'                                        ? "&quot;"
                 : c < 0x20 && c != '\t' && c != '\n' && c != '\r' ? "?"
                                                                   : one);
    }
}

void setpay_xml_open(struct setpay_xml *xml, const char *tag)
{
    put_indent(xml);
    put(xml, "<");
    put(xml, tag);
    put(xml, ">\n");
    xml->depth++;
}

void setpay_xml_close(struct setpay_xml *xml, const char *tag)
{
    xml->depth--;
    put_indent(xml);
    put(xml, "</");
    put(xml, tag);
    put(xml, ">\n");
}

void setpay_xml_text(struct setpay_xml *xml, const char *tag, const char *text)
{
    put_indent(xml);
    put(xml, "<");
    put(xml, tag);
    put(xml, ">");
    put_escaped(xml, text);
    put(xml, "</");
    put(xml, tag);
    put(xml, ">\n");
}

void setpay_xml_path(struct setpay_xml *xml, const char *path, const char *text)
{
    char tag[TAG_SIZE];
    size_t size = strcspn(path, "/");
    (void)snprintf(tag, sizeof tag, "%.*s", (int)size, path);
    if (path[size] == '\0') {
        setpay_xml_text(xml, tag, text);
        return;
    }
    setpay_xml_open(xml, tag);
    setpay_xml_path(xml, path + size + 1, text);
    setpay_xml_close(xml, tag);
}

void setpay_xml_number(struct setpay_xml *xml, const char *tag, int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)number);
    setpay_xml_text(xml, tag, text);
}

void setpay_xml_amount(struct setpay_xml *xml, const char *tag, int64_t minor, const char *currency)
{
    char amount[SETPAY_MONEY_TEXT_SIZE];
    struct setpay_money money = {.minor = minor < 0 ? -minor : minor};
    (void)snprintf(money.currency, sizeof money.currency, "%s", currency);
    (void)setpay_money_format(&money, amount);
    amount[strcspn(amount, " ")] = '\0';
    put_indent(xml);
    put(xml, "<");
    put(xml, tag);
    put(xml, " Ccy=\"");
    put_escaped(xml, currency);
    put(xml, "\">");
    put(xml, amount);
    put(xml, "</");
    put(xml, tag);
    put(xml, ">\n");
}

void setpay_xml_begin(struct setpay_xml *xml, struct setpay_buffer *bytes, const char *message)
{
    *xml = (struct setpay_xml){.bytes = bytes, .depth = 1};
    setpay_buffer_reset(bytes);
    put(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"" NAMESPACE);
    put(xml, message);
    put(xml, "\">\n");
}

enum setpay_error setpay_xml_end(struct setpay_xml *xml)
{
    put(xml, "</Document>\n");
    return xml->error;
}
