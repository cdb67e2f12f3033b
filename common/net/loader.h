/*
 * Keys and certificates as a daemon's configuration names them: at its top, or in the [brand NAME]
 * sections of which there is one for each brand that the party has certificates of.
 */
#ifndef SETPAY_NET_LOADER_H
#define SETPAY_NET_LOADER_H

#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/net/identity.h"
#include "common/net/service.h"
#include "common/pki/role.h"

#include <stdbool.h>
#include <stddef.h>

#define SETPAY_LOADER_SECTION_SIZE 80

struct setpay_loader {
    const struct setpay_config *config;
    struct setpay_trust *trust;
    struct setpay_problem *problem;
    struct setpay_secret passphrase_bytes;
    const struct setpay_secret *passphrase;   /* NULL: keys are not encrypted */
    char section[SETPAY_LOADER_SECTION_SIZE]; /* "" or "brand NAME" */
    const char *brand;                        /* borrowed from config; NULL: any */
};

/* Begins at the top of the service's configuration; reads its key_passphrase_file, where one is
 * named. problem is borrowed until clear; the words of every refusal go there. */
enum setpay_error setpay_loader_init(struct setpay_loader *loader, struct setpay_service *service,
                                     struct setpay_problem *problem) SETPAY_MUST_CHECK;
void setpay_loader_clear(struct setpay_loader *loader);

/* The key and the certificate that two keys of the present section name; errors as those of
 * setpay_identity_load. */
enum setpay_error setpay_loader_identity(const struct setpay_loader *loader, const char *key_name,
                                         const char *certificate_name, enum setpay_profile profile,
                                         struct setpay_identity *identity) SETPAY_MUST_CHECK;

/* Loads the index-th brand, whose section the loader stands in. */
typedef enum setpay_error setpay_loader_brand_fn(const struct setpay_loader *loader, size_t index,
                                                 void *arg);
/* Goes through all [brand NAME] sections, and ends at the top again. SETPAY_E_CONFIG where there is
 * none, or more than max, or a name is too long; else the first error of load. *count is how many
 * were begun, so that a half-loaded one can be cleared too. */
enum setpay_error setpay_loader_brands(struct setpay_loader *loader, size_t max, size_t *count,
                                       setpay_loader_brand_fn *load, void *arg) SETPAY_MUST_CHECK;

#endif
