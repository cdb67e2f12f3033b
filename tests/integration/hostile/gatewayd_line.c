/*
 * A hostile issuer behind the real setpay-gatewayd that breaks the line itself: bytes that are no
 * ISO 8583, headers that lie, a connection that ends in the middle, a sign-on that is refused or
 * answered for another, and floods.
 *
 * What always holds: a line on which something malformed came is closed and made anew; what was
 * asked on it is declined with 91 and reversed until the issuer says so (rule G7); without a line
 * nothing is booked; a flood costs the log some lines and nobody a payment.
 */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "tests/support/test_asking.h"
#include "tests/support/test_issuer.h"
#include "tests/support/test_lies.h"
#include "tests/support/test_limit.h"
#include "tests/support/test_refusal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_LIMIT_MS 10000
#define FLOOD 4000

static struct test_gateway *gateway;
static struct test_liar *liar; /* honest here */
static struct test_issuer *issuer;

/* What the issuer does with the next authorisation, and then no more. */
enum noise {
    HONEST,
    LONGEST_HEADER,
    SHORT_HEADER,
    EMPTY_HEADER,
    WORDS,
    UNKNOWN_TYPE,
    UNKNOWN_FIELD,
    SECOND_BITMAP,
    LETTERS_IN_NUMBER,
    LENGTH_NO_DIGITS,
    LENGTH_BEYOND,
    BYTES_BEHIND,
    CUT_SHORT,
    HALF_AND_HANG_UP,
    HANG_UP,
    FLOOD_BEFORE,
    NOISES,
};

/* What it does with a sign-on. */
enum welcome { WELCOME, REFUSE, OTHER_TRACE, NO_CODE, ANSWER_OTHER_TYPE, HANG_UP_AT_ONCE };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static enum noise noise;
static enum welcome welcome;
static unsigned asked, reversed, repeated, sign_ons;

static void set_noise(enum noise to)
{
    (void)pthread_mutex_lock(&lock);
    noise = to;
    asked = reversed = repeated = 0;
    (void)pthread_mutex_unlock(&lock);
}

static void set_welcome(enum welcome to)
{
    (void)pthread_mutex_lock(&lock);
    welcome = to;
    sign_ons = 0;
    (void)pthread_mutex_unlock(&lock);
}

static unsigned count_of(const unsigned *counter)
{
    (void)pthread_mutex_lock(&lock);
    unsigned count = *counter;
    (void)pthread_mutex_unlock(&lock);
    return count;
}

/* ------------------------------------------------------------------ noise */

static void send_bytes(const char *head, size_t head_size, const char *text)
{
    char bytes[512];
    size_t size = strlen(text);
    memcpy(bytes, head, head_size);
    memcpy(bytes + head_size, text, size);
    test_issuer_send_raw(issuer, setpay_view_of(bytes, head_size + size));
}

/* The frame of an honest approval with the byte at that place of the message changed. */
static void send_flipped(const struct setpay_iso_message *request, size_t place, uint8_t with)
{
    struct setpay_iso_message answer = {0};
    struct setpay_secret frame = {0};
    test_issuer_answer(request, "0110", "00", &answer);
    if (setpay_iso_build(&answer, &frame) != SETPAY_OK)
        abort();
    setpay_iso_clear(&answer);
    frame.data[SETPAY_ISO_HEADER_SIZE + place] ^= with;
    test_issuer_send_raw(issuer, setpay_secret_view(&frame));
    setpay_secret_clear(&frame);
}

/* The same frame with so many bytes more or less than the message has; the header says so too
 * where it is to be believed. */
static void send_resized(const struct setpay_iso_message *request, ptrdiff_t by, bool announced)
{
    struct setpay_iso_message answer = {0};
    struct setpay_secret frame = {0};
    uint8_t bytes[SETPAY_ISO_MESSAGE_MAX];
    test_issuer_answer(request, "0110", "00", &answer);
    if (setpay_iso_build(&answer, &frame) != SETPAY_OK)
        abort();
    setpay_iso_clear(&answer);
    size_t size = (size_t)((ptrdiff_t)frame.size + by);
    memset(bytes, '0', sizeof bytes);
    memcpy(bytes, frame.data, size < frame.size ? size : frame.size);
    if (announced) {
        bytes[0] = (uint8_t)((size - SETPAY_ISO_HEADER_SIZE) >> 8);
        bytes[1] = (uint8_t)(size - SETPAY_ISO_HEADER_SIZE);
    }
    test_issuer_send_raw(issuer, setpay_view_of(bytes, size));
    setpay_secret_clear(&frame);
}

/* Many answers to nobody, of three kinds, in one piece each. */
static void send_flood(const struct setpay_iso_message *request)
{
    static const char *const kinds[] = {"0110", "0410", "0810"};
    for (int i = 0; i < FLOOD; i++) {
        struct setpay_iso_message answer = {0};
        test_issuer_answer(request, kinds[i % 3], "00", &answer);
        test_issuer_change(&answer, SETPAY_ISO_LOCAL_DATE, "0230");
        test_issuer_send(issuer, &answer);
    }
}

static void approve(const struct setpay_iso_message *request)
{
    struct setpay_iso_message answer = {0};
    test_issuer_answer(request, "0110", "00", &answer);
    test_issuer_send(issuer, &answer);
}

static void make_noise(enum noise which, const struct setpay_iso_message *m)
{
    enum { MTI = 0, BITMAP = 4, FIELD_3 = 12, LENGTH_32 = 56 };
    switch (which) {
    case LONGEST_HEADER:
        send_bytes("\xff\xff", 2, "0110");
        break;
    case SHORT_HEADER:
        send_bytes("\0\x0b", 2, "0110");
        break;
    case EMPTY_HEADER:
        send_bytes("\0\0", 2, "");
        break;
    case WORDS:
        send_bytes("", 0, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        break;
    case UNKNOWN_TYPE:
        send_flipped(m, MTI, '0' ^ '9'); /* 9110 */
        break;
    case UNKNOWN_FIELD:
        send_flipped(m, BITMAP, 0x08); /* field 5 */
        break;
    case SECOND_BITMAP:
        send_flipped(m, BITMAP, 0x80); /* its bytes are digits, which say 67 and 68 */
        break;
    case LETTERS_IN_NUMBER:
        send_flipped(m, FIELD_3, 'A' ^ '0');
        break;
    case LENGTH_NO_DIGITS:
        send_flipped(m, LENGTH_32, 0x40);
        break;
    case LENGTH_BEYOND:
        send_flipped(m, LENGTH_32, '0' ^ '9');
        break;
    case BYTES_BEHIND:
        send_resized(m, 3, true);
        break;
    case CUT_SHORT:
        send_resized(m, -3, true);
        break;
    case HALF_AND_HANG_UP:
        send_resized(m, -20, false);
        test_issuer_hang_up(issuer);
        break;
    case HANG_UP:
        test_issuer_hang_up(issuer);
        break;
    case FLOOD_BEFORE:
        send_flood(m);
        approve(m);
        break;
    default:
        approve(m);
    }
}

/* ------------------------------------------------------------------ the issuer */

static bool answer_sign_on(const struct setpay_iso_message *message)
{
    struct setpay_iso_message answer = {0};
    sign_ons++;
    if (welcome == WELCOME)
        return false;
    if (welcome == HANG_UP_AT_ONCE) {
        test_issuer_hang_up(issuer);
        return true;
    }
    test_issuer_answer(message, welcome == ANSWER_OTHER_TYPE ? "0110" : "0810",
                       welcome == REFUSE ? "91" : "00", &answer);
    if (welcome == OTHER_TRACE)
        test_issuer_change(&answer, SETPAY_ISO_LOCAL_TIME, "240000");
    if (welcome == NO_CODE)
        test_issuer_change(&answer, SETPAY_ISO_RESPONSE_CODE, NULL);
    test_issuer_send(issuer, &answer);
    return true;
}

static bool on_message(void *arg, struct test_issuer *to, const struct setpay_iso_message *message)
{
    bool done = true;
    (void)arg;
    (void)pthread_mutex_lock(&lock);
    issuer = to;
    if (strcmp(message->mti, "0800") == 0) {
        done = answer_sign_on(message);
    } else if (strcmp(message->mti, "0100") == 0) {
        enum noise now = noise;
        asked++;
        noise = HONEST;
        make_noise(now, message);
    } else {
        struct setpay_iso_message answer = {0};
        *(strcmp(message->mti, "0400") == 0 ? &reversed : &repeated) += 1;
        test_issuer_answer(message, "0410", "00", &answer);
        test_issuer_send(issuer, &answer);
    }
    (void)pthread_mutex_unlock(&lock);
    return done;
}

/* ------------------------------------------------------------------ tests */

static struct test_purchase *purchase(void)
{
    return test_lie_tell(liar, NULL, NULL);
}

static void expect_outcome(enum setpay_auth_outcome outcome, const char *action)
{
    struct test_purchase *p = purchase();
    struct setpay_receipt receipt;
    char hex[SETPAY_ID_TEXT_SIZE];
    char words[160];
    struct setpay_auth_res res = test_authorise(gateway, liar->line, p, &receipt);
    assert_int_equal(res.outcome, outcome);
    assert_string_equal(res.action_code, action);
    test_gateway_wait_acknowledged(gateway);
    (void)snprintf(words, sizeof words, "event=auth.not_taken rule=G7 action=91 xid=%s",
                   setpay_id_format(&p->auth.xid, hex));
    if (outcome == SETPAY_AUTH_DECLINED)
        test_gateway_wait_log(gateway, words, 1); /* it is written beside the answer */
    assert_int_equal(test_gateway_log_count(gateway, words), outcome == SETPAY_AUTH_DECLINED);
    test_purchase_free(p);
}

static void noise_ends_the_line_and_nothing_else(void **state)
{
    /* rules A1 and G7 */
    static const struct {
        enum noise noise;
        const char *what;
        const char *logged;
    } rows[] = {
        {LONGEST_HEADER, "a header of 65535", "line.malformed error=TOO_BIG rule=A1"},
        {SHORT_HEADER, "a header of 11", "line.malformed error=MALFORMED rule=A1"},
        {EMPTY_HEADER, "a header of 0", "line.malformed error=MALFORMED rule=A1"},
        {WORDS, "words of HTTP", "line.malformed error=TOO_BIG rule=A1"},
        {UNKNOWN_TYPE, "an unknown type", "line.malformed error=MESSAGE_TYPE rule=A1"},
        {UNKNOWN_FIELD, "an unknown field", "line.malformed error=FIELD rule=A1"},
        {SECOND_BITMAP, "a bitmap too many", "line.malformed error=FIELD rule=A1"},
        {LETTERS_IN_NUMBER, "letters in a number", "line.malformed error=FIELD rule=A1"},
        {LENGTH_NO_DIGITS, "a length that is no number", "line.malformed error=MALFORMED rule=A1"},
        {LENGTH_BEYOND, "a length beyond the field's", "line.malformed error=FIELD rule=A1"},
        {BYTES_BEHIND, "bytes behind the last field", "line.malformed error=NOT_CANONICAL rule=A1"},
        {CUT_SHORT, "a message that was cut", "line.malformed error=MALFORMED rule=A1"},
        {HALF_AND_HANG_UP, "half an answer and the end", "line.closed error=CLOSED"},
        {HANG_UP, "the end", "line.closed error=CLOSED"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t before = test_gateway_log_count(gateway, rows[i].logged);
        print_message("# %s\n", rows[i].what);
        test_refusal_add();
        set_noise(rows[i].noise);
        expect_outcome(SETPAY_AUTH_DECLINED, "91");
        assert_true(test_gateway_log_count(gateway, rows[i].logged) > before);
        assert_int_equal(count_of(&asked), 1);
        assert_int_equal(count_of(&reversed), 1);
        test_gateway_wait_ready(gateway);
        expect_outcome(SETPAY_AUTH_APPROVED, "00");
    }
}

static void a_flood_costs_nobody_a_payment(void **state)
{
    (void)state;
    test_refusal_add();
    set_noise(FLOOD_BEFORE);
    expect_outcome(SETPAY_AUTH_APPROVED, "00");
    expect_outcome(SETPAY_AUTH_APPROVED, "00");
    assert_int_equal(count_of(&reversed), 0);
}

static void expect_busy(void)
{
    struct test_purchase *p = purchase();
    test_refusal_of_purchase(gateway, liar->line, p, "BUSY");
    test_purchase_free(p);
}

/* Nothing is booked and nothing asked until an issuer has taken the sign-on. */
static void who_does_not_sign_on_is_not_asked(void **state)
{
    static const struct {
        enum welcome welcome;
        const char *what;
        bool waits; /* for an answer that does not come */
    } rows[] = {
        {REFUSE, "refused", false},
        {NO_CODE, "without a code", false},
        {HANG_UP_AT_ONCE, "the end instead", false},
        {OTHER_TRACE, "for another moment", true},
        {ANSWER_OTHER_TYPE, "an approval instead", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t until = setpay_clock_monotonic_ms() + SETPAY_MINUTE_MS;
        print_message("# a sign-on: %s\n", rows[i].what);
        set_noise(HONEST);
        set_welcome(rows[i].welcome);
        test_issuer_hang_up(issuer);
        while (count_of(&sign_ons) < (rows[i].waits ? 1 : 3) ||
               test_gateway_readiness(gateway) != 503) {
            assert_true(setpay_clock_monotonic_ms() < until);
            (void)usleep(5000);
        }
        expect_busy();
        assert_int_equal(count_of(&asked), 0);
        set_welcome(WELCOME);
        test_issuer_hang_up(issuer);
        test_gateway_wait_ready(gateway);
        expect_outcome(SETPAY_AUTH_APPROVED, "00");
    }
}

static int open_all(void **state)
{
    (void)state;
    gateway = test_gateway_new_patient(ANSWER_LIMIT_MS);
    liar = test_liar_new(gateway);
    test_gateway_stop_issuer(gateway);
    issuer = test_issuer_new(gateway->issuer_address, on_message, NULL);
    test_gateway_wait_ready(gateway);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    test_liar_free(liar);
    test_gateway_free(gateway);
    test_issuer_free(issuer);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_ends_the_line_and_nothing_else),
        cmocka_unit_test(a_flood_costs_nobody_a_payment),
        cmocka_unit_test(who_does_not_sign_on_is_not_asked),
    };
    test_alarm(280);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    print_message("# tally: rules attacked = %zu\n", test_refusal_count());
    return failed;
}
