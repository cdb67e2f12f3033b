/*
 * main() of setpay-gatewayd.
 */
#include "gateway/gatewayd.h"

int main(int argc, char **argv)
{
    return setpay_service_main(&setpay_gatewayd_spec, argc, argv);
}
