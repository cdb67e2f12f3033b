/*
 * What an issuer's clearing file, setpay-clearing(5), says against what was presented to it.
 *
 * Every difference is of one kind, and is named with the presentment's id and, where it is in the
 * file, its line.
 */
#ifndef SETPAY_GATEWAY_CLEARING_CLEARING_COMPARE_H
#define SETPAY_GATEWAY_CLEARING_CLEARING_COMPARE_H

#include "common/base/clock.h"
#include "common/base/error.h"
#include "gateway/clearing/items.h"
#include "gateway/issuer/clearing_file.h"

#include <stddef.h>

enum setpay_difference {
    SETPAY_DIFFERENCE_MISSING = 1, /* the issuer has taken it, and it is not booked in the file */
    SETPAY_DIFFERENCE_EXTRA,       /* booked, and not ours, or presented to another issuer, or the
                                      issuer had refused it */
    SETPAY_DIFFERENCE_AMOUNT,      /* other amount, another kind, or of another xid; also of what is
                                      given back of a sale */
    SETPAY_DIFFERENCE_CURRENCY,
    SETPAY_DIFFERENCE_DUPLICATE, /* in the file before */
    SETPAY_DIFFERENCE_LATE,      /* booked long after it was presented; or not at all, so far */
    SETPAY_DIFFERENCES
};
/* "missing"; NULL for a number that is none. */
const char *setpay_difference_name(enum setpay_difference difference);

#define SETPAY_CLEARING_LATE_MS SETPAY_DAY_MS

/* An item that was answered on the days that are compared, and presented before the file begins: it
 * is not in this file. A file of the issuer's of the days from first to last must hold it. */
typedef void setpay_elsewhere_cb(void *arg, const struct setpay_clearing_item *item,
                                 const char *first, const char *last);

/* An item that the issuer has refused and that was cleared to its merchant on the days that are
 * compared, so that it is claimed from the issuer: the file has not booked it. When the issuer
 * does, it says. */
typedef void setpay_claimed_cb(void *arg, const struct setpay_clearing_item *item);

struct setpay_clearing_compare {
    const struct setpay_clearing_file *file;
    const char *acquirer; /* whose rows are looked at */
    /* Each once, sorted in place: what was presented and is not answered; what was answered,
     * booked, undone or cleared to its merchant on the days that are compared; and what the file's
     * rows name, of whatever day. Any others change nothing. */
    struct setpay_clearing_item *items;
    size_t item_count;
    const char *issuer; /* whose file it is, by its section of the configuration; NULL: of all */
    int64_t late_ms;
    const char *from; /* only the file's days from this one on are compared; NULL: all */
    const char *to;   /* and up to this one */
    setpay_elsewhere_cb *elsewhere_cb; /* NULL: nobody asks */
    setpay_claimed_cb *claimed_cb;     /* the same */
    /* What came of it. */
    size_t outside;   /* rows of the acquirer, of other days */
    size_t elsewhere; /* items that an earlier file must hold: no differences */
    size_t claimed;   /* items that a later file may hold, or none: the same */
    size_t found[SETPAY_DIFFERENCES];
    size_t looked_at; /* rows of the acquirer that were compared */
    size_t matched;   /* of those, which agree in everything */
};

typedef void setpay_difference_cb(void *arg, enum setpay_difference difference, const char *id,
                                  size_t line, const char *words);
/* The first and the last day that are compared: of the file, and within from and to. False: there
 * is none. */
bool setpay_clearing_compare_days(const struct setpay_clearing_compare *compare, const char **first,
                                  const char **last);
/* The first moment of these days, and the one behind them. */
void setpay_clearing_compare_window(const struct setpay_clearing_compare *compare,
                                    setpay_time_ms *from_ms, setpay_time_ms *to_ms);
/* Whose file it is, by our section: the issuer of the items that most of its rows name; of several
 * with as many, the one whose rows come first. Pure but for the order of items. False: no row names
 * an item. */
bool setpay_clearing_compare_find_issuer(struct setpay_clearing_compare *compare,
                                         char issuer[SETPAY_NETWORK_NAME_SIZE]);
/* Pure but for the order of items; there is a day to compare. arg is also what elsewhere_cb and
 * claimed_cb get. differences: how many there are. SETPAY_E_NOMEM. */
enum setpay_error setpay_clearing_compare_run(struct setpay_clearing_compare *compare,
                                              setpay_difference_cb *found, void *arg,
                                              size_t *differences) SETPAY_MUST_CHECK;

#endif
