/*
 * What the authority's doctor looks at besides what every daemon's does: the folder of the CA.
 */
#ifndef SETPAY_CA_DOCTOR_H
#define SETPAY_CA_DOCTOR_H

#include "ca/ca.h"
#include "common/net/doctor.h"

/* Modes, keys (decrypted where the CA is unlocked), ends of certificates, revocation lists, root,
 * room; all but the log. Changes nothing. Returns SETPAY_OK when it could look, whatever it found.
 */
enum setpay_error setpay_ca_doctor(struct setpay_ca *ca,
                                   struct setpay_doctor *doctor) SETPAY_MUST_CHECK;
/* The next part of the log (setpay_ca_log_check_step); after the last, what was found. True: call
 * it again. */
bool setpay_ca_doctor_log(struct setpay_ca_log_check *check, struct setpay_doctor *doctor);

#endif
