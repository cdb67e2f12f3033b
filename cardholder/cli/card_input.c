/*
 * Forms of card data. The wallet's daemon and the CA check the same again: here the point is that
 * a person learns at once which line is wrong.
 */
#include "cardholder/cli/card_input.h"

#include <stdbool.h>
#include <string.h>

#define PAN_MIN 12
#define PAN_MAX 19
#define POSTCODE_MAX 16
#define HOUSE_MAX 8

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static bool all_digits(struct setpay_view text)
{
    for (size_t at = 0; at < text.size; at++) {
        if (!is_digit(text.data[at]))
            return false;
    }
    return true;
}

/* Luhn: every second digit from the right is doubled, its digits are added up. */
static bool passes_luhn(struct setpay_view digits)
{
    unsigned sum = 0;

    for (size_t at = 0; at < digits.size; at++) {
        unsigned digit = (unsigned)(digits.data[digits.size - 1 - at] - '0');

        if (at % 2 == 1)
            digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
        sum += digit;
    }
    return sum % 10 == 0;
}

enum setpay_error setpay_cli_card_number(struct setpay_secret *line, struct setpay_problem *problem)
{
    struct setpay_secret number = {0};
    enum setpay_error error;
    uint8_t digits[PAN_MAX];
    size_t count = 0;
    bool fits = true;

    for (size_t at = 0; at < line->size; at++) {
        uint8_t byte = line->data[at];

        if (byte == ' ' || byte == '-')
            continue;
        if (is_digit(byte) && count < PAN_MAX)
            digits[count++] = byte;
        else
            fits = false;
    }
    if (!fits || count < PAN_MIN)
        error = setpay_problem_set(problem, SETPAY_E_USAGE,
                                   "card number: expected %d to %d digits, with or without blanks "
                                   "between them",
                                   PAN_MIN, PAN_MAX);
    else if (!passes_luhn(setpay_view_of(digits, count)))
        error = setpay_problem_set(problem, SETPAY_E_USAGE,
                                   "card number: its last digit does not fit the others; look for "
                                   "a mistyped digit");
    else
        error = setpay_secret_copy(&number, setpay_view_of(digits, count));
    setpay_cleanse(digits, sizeof digits);
    if (error == SETPAY_OK)
        setpay_secret_move(line, &number);
    return error;
}

enum setpay_error setpay_cli_card_expiry(struct setpay_secret *line, struct setpay_problem *problem)
{
    struct setpay_secret expiry = {0};
    struct setpay_view text = setpay_secret_view(line);
    uint8_t form[5] = {0};
    unsigned month = 0;
    enum setpay_error error;

    if (text.size == 4 && all_digits(text)) {
        memcpy(form, text.data, 4);
    } else if (text.size == 5 && text.data[2] == '/') {
        form[0] = text.data[3];
        form[1] = text.data[4];
        form[2] = text.data[0];
        form[3] = text.data[1];
    }
    if (all_digits(setpay_view_of(form, 4)))
        month = (unsigned)((form[2] - '0') * 10 + (form[3] - '0'));
    if (month < 1 || month > 12)
        error = setpay_problem_set(problem, SETPAY_E_USAGE,
                                   "expiry: expected MM/YY as on the card, or YYMM, with a month "
                                   "from 01 to 12");
    else
        error = setpay_secret_copy(&expiry, setpay_view_of(form, 4));
    setpay_cleanse(form, sizeof form);
    if (error == SETPAY_OK)
        setpay_secret_move(line, &expiry);
    return error;
}

enum setpay_error setpay_cli_card_security_code(struct setpay_secret *line,
                                                struct setpay_problem *problem)
{
    if ((line->size == 3 || line->size == 4) && all_digits(setpay_secret_view(line)))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "security code: expected the 3 or 4 digits printed on the card");
}

enum setpay_error setpay_cli_card_postcode(const struct setpay_secret *line,
                                           struct setpay_problem *problem)
{
    bool good = line->size <= POSTCODE_MAX;

    for (size_t at = 0; good && at < line->size; at++)
        good = is_digit(line->data[at]) || is_letter(line->data[at]) || line->data[at] == ' ' ||
               line->data[at] == '-';
    if (good)
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "postcode: expected up to %d letters and digits, or an empty line",
                              POSTCODE_MAX);
}

enum setpay_error setpay_cli_card_house(const struct setpay_secret *line,
                                        struct setpay_problem *problem)
{
    if (line->size <= HOUSE_MAX && all_digits(setpay_secret_view(line)))
        return SETPAY_OK;
    return setpay_problem_set(problem, SETPAY_E_USAGE,
                              "house digits: expected up to %d digits, or an empty line",
                              HOUSE_MAX);
}
