/*
 * main() of setpay-gatewayd.
 */
#include "common/base/zone.h"
#include "gateway/gatewayd.h"

int main(int argc, char **argv)
{
    setpay_zone_init(); /* before the first thread */
    return setpay_service_main(&setpay_gatewayd_spec, argc, argv);
}
