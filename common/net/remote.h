/*
 * Who is behind an address, for counting: those who have many addresses are not to be many.
 */
#ifndef SETPAY_NET_REMOTE_H
#define SETPAY_NET_REMOTE_H

#include "common/base/error.h"

#define SETPAY_REMOTE_SIZE 64
/* One text for all addresses that are one client's: of IPv6 its network (/64), which one client has
 * whole; IPv4, also where it stands in IPv6, as it is. address: a number, no name and no port.
 * Pure. SETPAY_E_NOT_FOUND: it is none. */
enum setpay_error setpay_remote_client(const char *address,
                                       char client[SETPAY_REMOTE_SIZE]) SETPAY_MUST_CHECK;

#endif
