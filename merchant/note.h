/*
 * What the notes of merchantd's store are about (setpay_db_notify): a purchase's note has the
 * purchase's version, from 1 on; every other has one of these in its place, so that nobody has to
 * look into the database for what a note does not concern.
 */
#ifndef SETPAY_MERCHANT_NOTE_H
#define SETPAY_MERCHANT_NOTE_H

enum {
    SETPAY_MERCHANT_NOTE_BATCH = -1,    /* id: the batch's name */
    SETPAY_MERCHANT_NOTE_ORDER = -2,    /* id: setpay_order_note */
    SETPAY_MERCHANT_NOTE_DELIVERY = -3, /* id: setpay_delivery_note */
};

#endif
