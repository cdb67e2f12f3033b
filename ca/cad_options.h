/*
 * The configuration of setpay-cad.
 */
#ifndef SETPAY_CA_CAD_OPTIONS_H
#define SETPAY_CA_CAD_OPTIONS_H

#include "common/base/config.h"

extern const struct setpay_option setpay_cad_options[];

#endif
