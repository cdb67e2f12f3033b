/*
 * QR codes, by libqrencode: one path of runs, without a style, as the pages' policy wants it.
 */
#include "merchant/store/www/qr.h"

#include <errno.h>
#include <qrencode.h>

#define QUIET 4 /* modules of white around it (ISO/IEC 18004) */

/* The dark runs of one row: "M4 7h3v1h-3z". */
static enum setpay_error add_row(const QRcode *code, int y, struct setpay_buffer *svg)
{
    for (int x = 0; x < code->width;) {
        int from = x;
        while (x < code->width && (code->data[y * code->width + x] & 1) != 0)
            x++;
        if (x > from)
            SETPAY_TRY(setpay_buffer_append_format(svg, "M%d %dh%dv1h-%dz", from + QUIET, y + QUIET,
                                                   x - from, x - from));
        else
            x++;
    }
    return SETPAY_OK;
}

static enum setpay_error write_svg(const QRcode *code, struct setpay_buffer *svg)
{
    int side = code->width + 2 * QUIET;
    SETPAY_TRY(setpay_buffer_append_format(
        svg,
        "<svg class=\"qr\" role=\"img\" aria-label=\"QR code of the payment link\""
        " viewBox=\"0 0 %d %d\" shape-rendering=\"crispEdges\"><path fill=\"#fff\""
        " d=\"M0 0h%dv%dh-%dz\"/><path fill=\"#000\" d=\"",
        side, side, side, side, side));
    for (int y = 0; y < code->width; y++)
        SETPAY_TRY(add_row(code, y, svg));
    return setpay_buffer_append(svg, setpay_view_string("\"/></svg>"));
}

enum setpay_error setpay_qr_svg(struct setpay_view text, struct setpay_buffer *svg)
{
    QRcode *code = QRcode_encodeData((int)text.size, text.data, 0, QR_ECLEVEL_M);
    if (code == NULL)
        return errno == ENOMEM ? SETPAY_E_NOMEM : SETPAY_E_TOO_BIG;
    enum setpay_error error = write_svg(code, svg);
    QRcode_free(code);
    return error;
}
