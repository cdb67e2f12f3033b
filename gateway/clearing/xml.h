/*
 * Elements of an ISO 20022 message, one to a line, into a buffer. Texts are escaped, amounts have
 * their currency's digits. The first error sticks: a message is asked once, in its end.
 */
#ifndef SETPAY_GATEWAY_CLEARING_XML_H
#define SETPAY_GATEWAY_CLEARING_XML_H

#include "common/base/bytes.h"
#include "common/base/error.h"

#include <stdint.h>

struct setpay_xml {
    struct setpay_buffer *bytes; /* borrowed */
    enum setpay_error error;
    int depth;
};

/* Replaces what is in bytes by the declaration and the start of Document. message:
 * "camt.053.001.08", of which the name space is made. */
void setpay_xml_begin(struct setpay_xml *xml, struct setpay_buffer *bytes, const char *message);
/* The end of Document. The first error of all. */
enum setpay_error setpay_xml_end(struct setpay_xml *xml) SETPAY_MUST_CHECK;

void setpay_xml_open(struct setpay_xml *xml, const char *tag);
void setpay_xml_close(struct setpay_xml *xml, const char *tag);
void setpay_xml_text(struct setpay_xml *xml, const char *tag, const char *text);
/* Nested elements around one text: "Tp/CdOrPrtry/Cd". */
void setpay_xml_path(struct setpay_xml *xml, const char *path, const char *text);
void setpay_xml_number(struct setpay_xml *xml, const char *tag, int64_t number);
/* <Amt Ccy="EUR">12.50</Amt>, without a sign. */
void setpay_xml_amount(struct setpay_xml *xml, const char *tag, int64_t minor,
                       const char *currency);

#endif
