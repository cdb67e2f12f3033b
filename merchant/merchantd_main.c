/*
 * main() of setpay-merchantd.
 */
#include "merchant/merchantd.h"

int main(int argc, char **argv)
{
    return setpay_service_main(&setpay_merchantd_spec, argc, argv);
}
