/*
 * An address as it stands on a label: all of it, in the order of its country.
 */
#include "merchant/store/ship_to.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The lines, each with a '/' behind it. */
static const char *label_of(const struct setpay_ship_to *address)
{
    static char text[SETPAY_SHIP_TO_LINES * SETPAY_SHIP_TO_LINE_SIZE];
    struct setpay_ship_to_label label;
    setpay_ship_to_label(address, &label);
    text[0] = '\0';
    for (size_t i = 0; i < label.count; i++) {
        strcat(text, label.lines[i]);
        strcat(text, "/");
    }
    return text;
}

static void a_label_has_all_of_an_address(void **state)
{
    (void)state;
    static const struct {
        struct setpay_ship_to address;
        const char *label;
    } cases[] = {
        {{"Ada Lane", "Weg 1", "", "10115", "Berlin", "", "DE"},
         "Ada Lane/Weg 1/10115 Berlin/Germany/"},
        {{"Ada Lane", "Gasse 2", "Stiege 3, Tür 4", "1010", "Wien", "", "AT"},
         "Ada Lane/Gasse 2/Stiege 3, Tür 4/1010 Wien/Austria/"},
        {{"Ada Lane", "Via Roma 1", "", "00144", "Roma", "RM", "IT"},
         "Ada Lane/Via Roma 1/00144 Roma RM/Italy/"},
        {{"Ada Lane", "1 Main St", "Apt 5", "94103", "San Francisco", "CA", "US"},
         "Ada Lane/1 Main St/Apt 5/San Francisco CA 94103/United States/"},
        {{"Ada Lane", "1 High St", "", "SW1A 1AA", "London", "", "GB"},
         "Ada Lane/1 High St/London/SW1A 1AA/United Kingdom/"},
        {{"Ada Lane", "Weg 1", "", "1", "Ort", "", "QQ"}, "Ada Lane/Weg 1/1 Ort/QQ/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(label_of(&cases[i].address), cases[i].label);
}

static void the_longest_lines_have_room(void **state)
{
    (void)state;
    struct setpay_ship_to address = {.region = "ABC", .country = "US"};
    struct setpay_ship_to_label label;
    char *const texts[] = {address.name, address.street, address.extra, address.postal_code,
                           address.city};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        memset(texts[i], 'x', SETPAY_SHIP_TO_BYTES);
    setpay_ship_to_label(&address, &label);
    assert_int_equal(label.count, 5);
    assert_int_equal(strlen(label.lines[3]), SETPAY_SHIP_TO_LINE_SIZE - 1);
    memcpy(address.country, "GB", sizeof address.country);
    setpay_ship_to_label(&address, &label);
    assert_int_equal(label.count, SETPAY_SHIP_TO_LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_label_has_all_of_an_address),
        cmocka_unit_test(the_longest_lines_have_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
