/*
 * Networks and addresses. Every address is taken as one of IPv6, so that an IPv4 address written as
 * ::ffff:10.0.0.1 is the same as 10.0.0.1.
 *
 * The tables are the IANA registries of special-purpose addresses (RFC 6890 and what followed).
 */
#include "merchant/store/webhook/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V4_BITS 96 /* before an IPv4 address */

struct range {
    const char *address;
    unsigned bits;
};

static const struct range special_v4[] = {
    {"0.0.0.0", 8},       {"10.0.0.0", 8},      {"100.64.0.0", 10},   {"127.0.0.0", 8},
    {"169.254.0.0", 16},  {"172.16.0.0", 12},   {"192.0.0.0", 24},    {"192.0.2.0", 24},
    {"192.31.196.0", 24}, {"192.52.193.0", 24}, {"192.88.99.0", 24},  {"192.168.0.0", 16},
    {"192.175.48.0", 24}, {"198.18.0.0", 15},   {"198.51.100.0", 24}, {"203.0.113.0", 24},
    {"224.0.0.0", 4},     {"240.0.0.0", 4},
};
/* Inside 2000::/3; all else of IPv6 is not public. 2001::/23 has Teredo, 2002::/16 is 6to4: both
 * hold an IPv4 address. */
static const struct range special_v6[] = {
    {"2001::", 23}, {"2001:db8::", 32}, {"2002::", 16}, {"2620:4f:8000::", 48}, {"3fff::", 20},
};

/* Of an own machine or network: loopback, RFC 1918, link-local, what carriers share (RFC 6598, also
 * used by VPNs), unique local addresses. */
static const struct range own_v4[] = {
    {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12}, {"192.168.0.0", 16},
};
static const struct range own_v6[] = {{"::1", 128}, {"fc00::", 7}, {"fe80::", 10}};

static bool starts_alike(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static void from_v4(const void *v4, uint8_t *out)
{
    memset(out, 0, 10);
    memset(out + 10, 0xff, 2);
    memcpy(out + 12, v4, 4);
}

static bool read_text(const char *text, uint8_t *out, bool *is_v4)
{
    uint8_t v4[4];
    *is_v4 = inet_pton(AF_INET, text, v4) == 1;
    if (*is_v4)
        from_v4(v4, out);
    return *is_v4 || inet_pton(AF_INET6, text, out) == 1;
}

static bool is_v4_inside(const uint8_t *address)
{
    static const uint8_t start[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, start, sizeof start) == 0;
}

/* False for a family that is none of both. */
static bool read_address(const struct sockaddr *address, uint8_t *out)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        from_v4(&v4.sin_addr, out);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        memcpy(out, &v6.sin6_addr, 16);
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ the operator's */

static enum setpay_error parse_one(char *text, struct setpay_network *network,
                                   struct setpay_problem *problem)
{
    bool is_v4 = false;
    char *slash = strchr(text, '/');
    char *end = NULL;
    unsigned long bits = 0;
    if (slash != NULL) {
        *slash = '\0';
        bits = strtoul(slash + 1, &end, 10);
    }
    if (slash == NULL || slash[1] < '0' || slash[1] > '9' || *end != '\0' ||
        !read_text(text, network->address, &is_v4) || bits > (is_v4 ? 32 : 128))
        return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                  "found '%.60s%s%.10s', expected ADDRESS/BITS as in 10.1.2.0/24",
                                  text, slash == NULL ? "" : "/", slash == NULL ? "" : slash + 1);
    network->bits = (unsigned)bits + (is_v4 ? V4_BITS : 0);
    return SETPAY_OK;
}

enum setpay_error setpay_networks_parse(const char *text, struct setpay_networks *networks,
                                        struct setpay_problem *problem)
{
    struct setpay_networks made = {.count = 0};
    char one[80];
    while (text != NULL && *(text += strspn(text, ", \t")) != '\0') {
        size_t size = strcspn(text, ", \t");
        if (made.count == SETPAY_NETWORKS_MAX || size >= sizeof one)
            return setpay_problem_set(problem, SETPAY_E_CONFIG,
                                      "expected at most %d networks, each as 10.1.2.0/24",
                                      SETPAY_NETWORKS_MAX);
        memcpy(one, text, size);
        one[size] = '\0';
        SETPAY_TRY(parse_one(one, &made.list[made.count], problem));
        made.count++;
        text += size;
    }
    *networks = made;
    return SETPAY_OK;
}

bool setpay_networks_have(const struct setpay_networks *networks, const struct sockaddr *address)
{
    uint8_t bytes[16];
    if (!read_address(address, bytes))
        return false;
    for (size_t i = 0; i < networks->count; i++) {
        if (starts_alike(bytes, networks->list[i].address, networks->list[i].bits))
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------ the public internet */

static bool is_in(const uint8_t *bytes, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t start[16];
        bool is_v4 = false;
        if (!read_text(ranges[i].address, start, &is_v4) ||
            starts_alike(bytes, start, ranges[i].bits + (is_v4 ? V4_BITS : 0)))
            return true;
    }
    return false;
}

bool setpay_address_is_public(const struct sockaddr *address)
{
    uint8_t bytes[16];
    if (!read_address(address, bytes))
        return false;
    if (is_v4_inside(bytes))
        return !is_in(bytes, special_v4, sizeof special_v4 / sizeof *special_v4);
    return (bytes[0] & 0xe0) == 0x20 &&
           !is_in(bytes, special_v6, sizeof special_v6 / sizeof *special_v6);
}

bool setpay_address_is_exposed(const struct sockaddr *address)
{
    uint8_t bytes[16];
    if (!read_address(address, bytes))
        return false;
    return is_v4_inside(bytes) ? !is_in(bytes, own_v4, sizeof own_v4 / sizeof *own_v4)
                               : !is_in(bytes, own_v6, sizeof own_v6 / sizeof *own_v6);
}

bool setpay_address_is_permitted(const struct setpay_networks *own, bool is_tls,
                                 const struct sockaddr *address)
{
    return setpay_networks_have(own, address) || (is_tls && setpay_address_is_public(address));
}
