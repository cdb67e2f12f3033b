/*
 * Addresses as those who have them.
 */
#include "common/net/remote.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum setpay_error setpay_remote_client(const char *address, char client[SETPAY_REMOTE_SIZE])
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, address, &v4) == 1) {
        (void)inet_ntop(AF_INET, &v4, client, SETPAY_REMOTE_SIZE);
        return SETPAY_OK;
    }
    if (inet_pton(AF_INET6, address, &v6) != 1)
        return SETPAY_E_NOT_FOUND;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        (void)inet_ntop(AF_INET, &v6.s6_addr[12], client, SETPAY_REMOTE_SIZE);
        return SETPAY_OK;
    }
    memset(&v6.s6_addr[8], 0, 8);
    (void)inet_ntop(AF_INET6, &v6, client, SETPAY_REMOTE_SIZE);
    return SETPAY_OK;
}
