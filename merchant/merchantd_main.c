/*
 * main() of setpay-merchantd.
 */
#include "common/base/zone.h"
#include "merchant/merchantd.h"

int main(int argc, char **argv)
{
    setpay_zone_init(); /* before the first thread */
    return setpay_service_main(&setpay_merchantd_spec, argc, argv);
}
