/*
 * What setpay-merchant prints for people about accounts of the owner's pages.
 */
#include "merchant/merchant_words.h"

#include "common/net/operator.h"

#include <stdio.h>

void setpay_merchant_words_owner(const json_t *result)
{
    printf("The account %s may sign in with that password.\n",
           setpay_operator_text(result, "name"));
}

void setpay_merchant_words_owner_removed(const json_t *result)
{
    printf("The account %s is gone, and whoever was signed in with it is out.\n",
           setpay_operator_text(result, "name"));
}

void setpay_merchant_words_owners(const json_t *result)
{
    const json_t *owners = json_object_get(result, "owners");
    size_t index;
    const json_t *owner;
    if (json_array_size(owners) == 0) {
        puts("Nobody may sign in to the owner's pages (see `setpay-merchant owner add`).");
        return;
    }
    printf("%-24s  %-24s  %-24s  %8s\n", "ACCOUNT", "PASSWORD SINCE", "SIGNED IN", "SESSIONS");
    json_array_foreach(owners, index, owner)
        printf("%-24s  %-24s  %-24s  %8lld\n", setpay_operator_text(owner, "name"),
               setpay_operator_text(owner, "changed"), setpay_operator_text(owner, "signed_in"),
               (long long)json_integer_value(json_object_get(owner, "sessions")));
}
