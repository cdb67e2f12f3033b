/*
 * main() of setpay-cad.
 */
#include "ca/cad.h"

int main(int argc, char **argv)
{
    return setpay_service_main(&setpay_cad_spec, argc, argv);
}
