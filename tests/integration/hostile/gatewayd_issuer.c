/*
 * A hostile issuer behind the real setpay-gatewayd: an ISO 8583 server of the test's own that
 * answers with other amounts, currencies, trace numbers and types than were asked, twice, late,
 * after the reversal, with another's answer, with noise, or not at all; that takes reversals for
 * other ones; that refuses the sign-on, drops the line and floods it.
 *
 * What always holds: each payment ends as docs/iso8583.md and docs/protocol.md ("What the gateway
 * answers by itself") say; what was not taken is reversed by one 0400, and 0401s with the same
 * trace number, until an 0410 that is really its own, and never again; the log says why.
 *
 * Each case has an amount of its own: by it the issuer knows which lie to tell, so that all of them
 * are told at once.
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
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_LIMIT_MS 10000
#define CASES_MAX 72

static struct test_gateway *gateway;
static struct test_liar *liar; /* honest here */
static struct test_issuer *issuer;

/* What the issuer has seen of one case. */
struct seen {
    unsigned asked;    /* 0100 */
    unsigned reversed; /* 0400 */
    unsigned repeated; /* 0401 */
    unsigned odd;      /* reversals that are not of this authorisation, or change as they repeat */
    unsigned taken;    /* reversals that were acknowledged */
    uint64_t stan;
    uint64_t reversal_stan;
    char rrn[13];
    struct setpay_iso_message proper; /* the honest 0110 to it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static struct seen seen[CASES_MAX];
static unsigned unknown; /* messages of no case */

typedef void say_fn(struct seen *of, const struct setpay_iso_message *request);

struct lie {
    const char *what;
    say_fn *authorise; /* NULL: silence */
    say_fn *reverse;   /* NULL: taken at once */
    const char *action;
    const char *rule; /* in the log, by which it is reversed; NULL: it is not */
    const char
        *refused; /* an event in the log with the authorisation's trace number; may be NULL */
    enum setpay_auth_outcome outcome;
    bool partial_allowed;
};

static const struct lie *lies; /* being told */
static size_t lie_count;

/* ------------------------------------------------------------------ what the issuer says */

/* 0 and "" where it is not there: the gateway would have to be broken. */
static uint64_t number_in(const struct setpay_iso_message *message, unsigned field)
{
    uint64_t value = 0;
    return setpay_iso_get_number(message, field, &value) == SETPAY_OK ? value : 0;
}

static void text_in(const struct setpay_iso_message *message, unsigned field, char *out,
                    size_t size)
{
    if (setpay_iso_get_text(message, field, out, size) != SETPAY_OK)
        out[0] = '\0';
}

static void send_changed(const struct setpay_iso_message *request, const char *mti,
                         const char *code, unsigned field, const char *value)
{
    struct setpay_iso_message answer = {0};
    test_issuer_answer(request, mti, code, &answer);
    if (field != 0)
        test_issuer_change(&answer, field, value);
    test_issuer_send(issuer, &answer);
}

static void send_copy(const struct setpay_iso_message *message)
{
    struct setpay_iso_message copy = *message; /* an answer has no secrets */
    test_issuer_send(issuer, &copy);
}

#define SAY(name, statement)                                                                       \
    static void name(struct seen *of, const struct setpay_iso_message *m)                          \
    {                                                                                              \
        (void)of;                                                                                  \
        (void)m;                                                                                   \
        statement;                                                                                 \
    }
#define APPROVES_BUT(name, field, value) SAY(name, send_changed(m, "0110", "00", field, value))

/* The request's amount times by, plus add, as field 4. */
static void send_amount(const struct setpay_iso_message *request, const char *code, int64_t by,
                        int64_t add)
{
    char text[24];
    uint64_t minor = number_in(request, SETPAY_ISO_AMOUNT);
    int64_t said = (int64_t)minor * by + add;
    (void)snprintf(text, sizeof text, "%012" PRId64, said);
    send_changed(request, "0110", code, SETPAY_ISO_AMOUNT, text);
}

SAY(approves, send_changed(m, "0110", "00", 0, NULL))
SAY(declines, send_changed(m, "0110", "05", 0, NULL))
SAY(approves_part, send_changed(m, "0110", "10", SETPAY_ISO_AMOUNT, "000000000500"))
SAY(approves_a_cent_more, send_amount(m, "00", 1, 1))
SAY(approves_tenfold, send_amount(m, "00", 10, 0))
SAY(approves_a_cent_less, send_amount(m, "00", 1, -1))
SAY(approves_nothing, send_amount(m, "00", 0, 0))
SAY(part_is_whole, send_amount(m, "10", 1, 0))
SAY(part_is_more, send_amount(m, "10", 1, 1))
SAY(part_is_nothing, send_amount(m, "10", 0, 0))
APPROVES_BUT(in_dollars, SETPAY_ISO_CURRENCY, "840")
APPROVES_BUT(in_no_currency, SETPAY_ISO_CURRENCY, NULL)
APPROVES_BUT(without_amount, SETPAY_ISO_AMOUNT, NULL)
APPROVES_BUT(other_transmission, SETPAY_ISO_TRANSMISSION_TIME, "0101000000")
APPROVES_BUT(other_time, SETPAY_ISO_LOCAL_TIME, "000000")
APPROVES_BUT(other_date, SETPAY_ISO_LOCAL_DATE, "0229")
APPROVES_BUT(without_trace, SETPAY_ISO_STAN, NULL)
APPROVES_BUT(other_rrn, SETPAY_ISO_RRN, "000000000000")
APPROVES_BUT(without_rrn, SETPAY_ISO_RRN, NULL)
APPROVES_BUT(other_terminal, SETPAY_ISO_TERMINAL, "SETPAY02")
APPROVES_BUT(other_acquirer, SETPAY_ISO_ACQUIRER, "99999999999")
APPROVES_BUT(without_approval_code, SETPAY_ISO_APPROVAL_CODE, NULL)
APPROVES_BUT(blank_approval_code, SETPAY_ISO_APPROVAL_CODE, "      ")
APPROVES_BUT(holed_approval_code, SETPAY_ISO_APPROVAL_CODE, "A B2C3")
APPROVES_BUT(short_approval_code, SETPAY_ISO_APPROVAL_CODE, "A1B2C ")
APPROVES_BUT(without_code, SETPAY_ISO_RESPONSE_CODE, NULL)
APPROVES_BUT(blank_code, SETPAY_ISO_RESPONSE_CODE, "  ")
SAY(as_reversal, send_changed(m, "0410", "00", 0, NULL))
SAY(as_advice, send_changed(m, "0130", "00", 0, NULL))
SAY(as_presentment, send_changed(m, "0210", "00", 0, NULL))
SAY(as_request, send_changed(m, "0100", "00", 0, NULL))
SAY(as_sign_on, send_changed(m, "0810", "00", 0, NULL))
SAY(twice, approves(of, m); approves(of, m))
SAY(declines_then_approves, declines(of, m); approves(of, m))
SAY(approves_then_declines, approves(of, m); declines(of, m))
SAY(wrong_then_right, approves_tenfold(of, m); other_rrn(of, m); approves(of, m))

/* The trace number of a neighbour who never asked, or the honest answer to another. */
static void other_trace(struct seen *of, const struct setpay_iso_message *m)
{
    char text[8];
    (void)snprintf(text, sizeof text, "%06u", (unsigned)((of->stan + 500000) % 999999 + 1));
    send_changed(m, "0110", "00", SETPAY_ISO_STAN, text);
}
SAY(anothers_answer, if (seen[0].asked > 0) send_copy(&seen[0].proper))
SAY(anothers_rrn, send_changed(m, "0110", "00", SETPAY_ISO_RRN, seen[0].rrn))

/* ---- to reversals ---- */

SAY(takes, send_changed(m, "0410", "00", 0, NULL); of->taken++)
SAY(late_then_takes, send_copy(&of->proper); takes(of, m))
SAY(takes_then_late, takes(of, m); send_copy(&of->proper); send_copy(&of->proper))
SAY(takes_twice, takes(of, m); takes(of, m))
SAY(knows_nothing, send_changed(m, "0410", "25", 0, NULL); of->taken++)
SAY(has_nothing, send_changed(m, "0410", "21", 0, NULL); of->taken++)

/* Lies the first times, and takes it then. */
#define LIES_FIRST(name, statement)                                                                \
    static void name(struct seen *of, const struct setpay_iso_message *m)                          \
    {                                                                                              \
        if (of->reversed + of->repeated > 3) {                                                     \
            takes(of, m);                                                                          \
            return;                                                                                \
        }                                                                                          \
        (void)m;                                                                                   \
        statement;                                                                                 \
    }
#define REFUSES_BUT(name, code, field, value)                                                      \
    LIES_FIRST(name, send_changed(m, "0410", code, field, value))
LIES_FIRST(rev_silent, (void)0)
REFUSES_BUT(rev_fails, "96", 0, NULL)
REFUSES_BUT(rev_format, "30", 0, NULL)
REFUSES_BUT(rev_declines, "05", 0, NULL)
REFUSES_BUT(rev_without_code, "00", SETPAY_ISO_RESPONSE_CODE, NULL)
REFUSES_BUT(rev_other_rrn, "00", SETPAY_ISO_RRN, "000000000000")
REFUSES_BUT(rev_anothers_rrn, "00", SETPAY_ISO_RRN, seen[0].rrn)
REFUSES_BUT(rev_other_currency, "00", SETPAY_ISO_CURRENCY, "840")
REFUSES_BUT(rev_other_terminal, "00", SETPAY_ISO_TERMINAL, "SETPAY02")
REFUSES_BUT(rev_other_time, "00", SETPAY_ISO_LOCAL_TIME, "000000")
LIES_FIRST(rev_as_approval, send_changed(m, "0110", "00", 0, NULL))
LIES_FIRST(rev_as_advice, send_changed(m, "0430", "00", 0, NULL))

/* The trace number of the authorisation that it undoes. */
static void rev_original_trace(struct seen *of, const struct setpay_iso_message *m)
{
    char text[8];
    (void)snprintf(text, sizeof text, "%06u", (unsigned)of->stan);
    if (of->reversed + of->repeated <= 3)
        send_changed(m, "0410", "00", SETPAY_ISO_STAN, text);
    else
        takes(of, m);
}

/* The trace number of another reversal that is under way; all of one second share their times, so
 * that by its trace it is that one's answer. */
static void rev_anothers_trace(struct seen *of, const struct setpay_iso_message *m)
{
    char text[8];
    for (size_t i = 0; i < CASES_MAX && of->reversed + of->repeated <= 3; i++) {
        if (&seen[i] == of || seen[i].reversed == 0 || seen[i].taken > 0)
            continue;
        (void)snprintf(text, sizeof text, "%06u", (unsigned)seen[i].reversal_stan);
        send_changed(m, "0410", "00", SETPAY_ISO_STAN, text);
    }
    if (of->reversed + of->repeated > 3)
        takes(of, m);
}

/* ------------------------------------------------------------------ the issuer */

static struct seen *case_of(const struct setpay_iso_message *message, const struct lie **lie)
{
    uint64_t minor = number_in(message, SETPAY_ISO_AMOUNT);
    if (minor < 1000 || (minor - 1000) % 100 != 0 || (minor - 1000) / 100 >= lie_count)
        return NULL;
    *lie = &lies[(minor - 1000) / 100];
    return &seen[(minor - 1000) / 100];
}

static void note_authorisation(struct seen *of, const struct setpay_iso_message *message)
{
    of->asked++;
    of->stan = number_in(message, SETPAY_ISO_STAN);
    text_in(message, SETPAY_ISO_RRN, of->rrn, sizeof of->rrn);
    setpay_iso_clear(&of->proper);
    test_issuer_answer(message, "0110", "00", &of->proper);
}

/* A reversal is of this authorisation, and its repeats are the same message. */
static void note_reversal(struct seen *of, const struct setpay_iso_message *message)
{
    char rrn[13], original[43], begin[16];
    uint64_t stan = number_in(message, SETPAY_ISO_STAN);
    bool first = strcmp(message->mti, "0400") == 0;
    text_in(message, SETPAY_ISO_RRN, rrn, sizeof rrn);
    text_in(message, SETPAY_ISO_ORIGINAL, original, sizeof original);
    (void)snprintf(begin, sizeof begin, "0100%06u", (unsigned)of->stan);
    if (first)
        of->reversal_stan = stan;
    if (strcmp(rrn, of->rrn) != 0 || strncmp(original, begin, 10) != 0 || stan != of->reversal_stan)
        of->odd++;
    of->reversed += first ? 1 : 0;
    of->repeated += first ? 0 : 1;
}

static bool on_message(void *arg, struct test_issuer *to, const struct setpay_iso_message *message)
{
    const struct lie *lie = NULL;
    (void)arg;
    (void)to;
    if (strcmp(message->mti, "0800") == 0)
        return false;
    (void)pthread_mutex_lock(&lock);
    struct seen *of = case_of(message, &lie);
    if (of == NULL) {
        unknown++;
    } else if (strcmp(message->mti, "0100") == 0) {
        note_authorisation(of, message);
        if (lie->authorise != NULL)
            lie->authorise(of, message);
    } else {
        note_reversal(of, message);
        (lie->reverse == NULL ? takes : lie->reverse)(of, message);
    }
    (void)pthread_mutex_unlock(&lock);
    return true;
}

/* ------------------------------------------------------------------ telling all of them */

#define REFUSED "network.answer_refused error=FIELD rule=A1"
#define UNMATCHED "network.unmatched"
#define NO_ANSWER "91", "G7"

static const struct lie answers[] = {
    {"the truth", approves, NULL, "00", NULL, NULL, SETPAY_AUTH_APPROVED, false},
    {"a decline", declines, NULL, "05", NULL, NULL, SETPAY_AUTH_DECLINED, false},
    {"a part that is allowed", approves_part, NULL, "10", NULL, NULL, SETPAY_AUTH_PARTIAL, true},
    /* rule G11 */
    {"a part that is not allowed", approves_part, NULL, "13", "G11", NULL, SETPAY_AUTH_DECLINED,
     false},
    /* rule G7: none of these is an answer */
    {"silence", NULL, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"a cent more", approves_a_cent_more, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"ten times as much", approves_tenfold, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, true},
    {"a cent less, as the whole", approves_a_cent_less, NULL, NO_ANSWER, REFUSED,
     SETPAY_AUTH_DECLINED, true},
    {"nothing, as the whole", approves_nothing, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED,
     true},
    {"the whole, as a part", part_is_whole, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, true},
    {"more, as a part", part_is_more, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, true},
    {"nothing, as a part", part_is_nothing, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, true},
    {"no amount", without_amount, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"dollars for euros", in_dollars, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"no currency", in_no_currency, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"another trace number", other_trace, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"no trace number", without_trace, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"another transmission time", other_transmission, NULL, NO_ANSWER, UNMATCHED,
     SETPAY_AUTH_DECLINED, false},
    {"another time", other_time, NULL, NO_ANSWER, UNMATCHED, SETPAY_AUTH_DECLINED, false},
    {"another date", other_date, NULL, NO_ANSWER, UNMATCHED, SETPAY_AUTH_DECLINED, false},
    {"another reference number", other_rrn, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"another payment's reference number", anothers_rrn, NULL, NO_ANSWER, REFUSED,
     SETPAY_AUTH_DECLINED, false},
    {"no reference number", without_rrn, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"another terminal", other_terminal, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"another acquirer", other_acquirer, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"no approval code", without_approval_code, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED,
     false},
    {"a blank approval code", blank_approval_code, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED,
     false},
    {"the truth, with a blank inside its approval code", holed_approval_code, NULL, "00", NULL,
     NULL, SETPAY_AUTH_APPROVED, false},
    {"an approval code of five", short_approval_code, NULL, NO_ANSWER, REFUSED,
     SETPAY_AUTH_DECLINED, false},
    {"no response code", without_code, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"a blank response code", blank_code, NULL, NO_ANSWER, REFUSED, SETPAY_AUTH_DECLINED, false},
    {"an acknowledged reversal", as_reversal, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"an advice's answer", as_advice, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"a presentment's answer", as_presentment, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"a request", as_request, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"a sign-on's answer", as_sign_on, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"another's answer", anothers_answer, NULL, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    /* the first that is one counts */
    {"the truth twice", twice, NULL, "00", NULL, UNMATCHED, SETPAY_AUTH_APPROVED, false},
    {"no, then yes", declines_then_approves, NULL, "05", NULL, UNMATCHED, SETPAY_AUTH_DECLINED,
     false},
    {"yes, then no", approves_then_declines, NULL, "00", NULL, UNMATCHED, SETPAY_AUTH_APPROVED,
     false},
    {"two wrong ones, then the truth", wrong_then_right, NULL, "00", NULL, REFUSED,
     SETPAY_AUTH_APPROVED, false},
    /* rule G7: late */
    {"the truth when it is reversed already", NULL, late_then_takes, NO_ANSWER, UNMATCHED,
     SETPAY_AUTH_DECLINED, false},
    {"the truth, twice, after the reversal", NULL, takes_then_late, NO_ANSWER, UNMATCHED,
     SETPAY_AUTH_DECLINED, false},
    /* rule G7: to the reversal */
    {"silence to the reversal", NULL, rev_silent, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"a failure to the reversal", NULL, rev_fails, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"a format error to the reversal", NULL, rev_format, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
    {"a decline of the reversal", NULL, rev_declines, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"no code to the reversal", NULL, rev_without_code, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
    {"a reversal of another reference", NULL, rev_other_rrn, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
    {"a reversal of another payment", NULL, rev_anothers_rrn, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
    {"a reversal in dollars", NULL, rev_other_currency, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
    {"a reversal for another terminal", NULL, rev_other_terminal, NO_ANSWER, NULL,
     SETPAY_AUTH_DECLINED, false},
    {"a reversal of another time", NULL, rev_other_time, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
    {"a reversal of the original's trace", NULL, rev_original_trace, NO_ANSWER, NULL,
     SETPAY_AUTH_DECLINED, false},
    {"reversals of others that are under way", NULL, rev_anothers_trace, NO_ANSWER, NULL,
     SETPAY_AUTH_DECLINED, false},
    {"an approval to the reversal", NULL, rev_as_approval, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
    {"an advice's answer to the reversal", NULL, rev_as_advice, NO_ANSWER, NULL,
     SETPAY_AUTH_DECLINED, false},
    {"the reversal taken twice", NULL, takes_twice, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED, false},
    {"a reversal of what is not known", NULL, knows_nothing, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
    {"a reversal of what is not held", NULL, has_nothing, NO_ANSWER, NULL, SETPAY_AUTH_DECLINED,
     false},
};

static void start_telling(const struct lie *table, size_t count)
{
    assert_true(count <= CASES_MAX);
    assert_int_equal(pthread_mutex_lock(&lock), 0);
    lies = table;
    lie_count = count;
    memset(seen, 0, sizeof seen);
    unknown = 0;
    assert_int_equal(pthread_mutex_unlock(&lock), 0);
}

static struct seen look(size_t i)
{
    assert_int_equal(pthread_mutex_lock(&lock), 0);
    struct seen copy = seen[i];
    assert_int_equal(pthread_mutex_unlock(&lock), 0);
    return copy;
}

static struct test_purchase *purchase_of(const struct lie *lie, size_t i)
{
    const struct test_purchase_parties parties = test_gateway_parties(gateway, 0);
    struct test_purchase *p = test_purchase_new(&parties, liar->holder, (int64_t)(1000 + 100 * i),
                                                "EUR", setpay_clock_now_ms());
    test_purchase_sign(p);
    p->auth.partial_allowed = lie->partial_allowed;
    return p;
}

static int64_t payment_number(const struct test_purchase *p, const char *what)
{
    char hex[SETPAY_ID_TEXT_SIZE];
    char sql[256];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM payment p WHERE xid = x'%s'", what,
                   setpay_id_format(&p->auth.xid, hex));
    return test_gateway_number(gateway, sql);
}

static void check_log(const struct lie *lie, const struct test_purchase *p, const struct seen *of)
{
    char hex[SETPAY_ID_TEXT_SIZE];
    char words[192];
    (void)setpay_id_format(&p->auth.xid, hex);
    if (lie->rule != NULL)
        (void)snprintf(words, sizeof words, "event=auth.not_taken rule=%s action=%s xid=%s",
                       lie->rule, lie->action, hex);
    else
        (void)snprintf(words, sizeof words, "event=auth.not_taken rule= action= xid=%s", hex);
    assert_int_equal(test_gateway_log_count(gateway, words), lie->rule != NULL);
    if (lie->refused == NULL)
        return;
    (void)snprintf(words, sizeof words, "event=%s line=sim%s stan=%u\n", lie->refused,
                   strcmp(lie->refused, UNMATCHED) == 0 ? " mti=0110" : "", (unsigned)of->stan);
    assert_true(test_gateway_log_count(gateway, words) > 0);
}

static void check_case(const struct lie *lie, const struct test_purchase *p,
                       struct setpay_view answer, const struct seen *of)
{
    struct setpay_receipt receipt;
    struct setpay_auth_res res = test_auth_res_read(gateway, p, answer, &receipt);
    bool approved = lie->outcome == SETPAY_AUTH_APPROVED || lie->outcome == SETPAY_AUTH_PARTIAL;
    bool reversed = lie->rule != NULL;
    assert_int_equal(res.outcome, lie->outcome);
    assert_string_equal(res.action_code, lie->action);
    assert_int_equal(res.amount.minor, lie->outcome == SETPAY_AUTH_PARTIAL ? 500
                                       : approved                          ? p->auth.amount.minor
                                                                           : 0);
    assert_int_equal(receipt.kind,
                     approved ? SETPAY_RECEIPT_AUTHORISATION : SETPAY_RECEIPT_DECLINE);
    /* asked once; reversed by one 0400, until it was taken */
    assert_int_equal(of->asked, 1);
    assert_int_equal(of->odd, 0);
    assert_int_equal(of->reversed, reversed);
    assert_true(reversed ? of->taken >= 1 : of->repeated == 0);
    /* nothing is left that waits */
    assert_int_equal(payment_number(p, "state"),
                     approved ? 2 : 3); /* approved, declined: payment_state.h */
    assert_int_equal(payment_number(p, "(SELECT count(*) FROM reversal WHERE payment_id = p.id)"),
                     reversed);
    assert_int_equal(payment_number(p, "(SELECT count(*) FROM reversal WHERE payment_id = p.id AND"
                                       " acknowledged = 0)"),
                     0);
    assert_int_equal(payment_number(p, "cap_token IS NOT NULL"), approved);
    check_log(lie, p, of);
}

/* One honest payment, so that everything that was on the line before it has been read. */
static void pass_through(void)
{
    struct test_purchase *p = purchase_of(&answers[0], 0);
    struct setpay_receipt receipt;
    assert_int_equal(test_authorise(gateway, liar->line, p, &receipt).outcome,
                     SETPAY_AUTH_APPROVED);
    test_purchase_free(p);
}

static void every_answer_has_its_outcome(void **state)
{
    /* rules G7 and G11 */
    enum { COUNT = sizeof answers / sizeof *answers };
    static struct test_purchase *purchases[COUNT];
    static struct setpay_buffer replies[COUNT];
    static struct seen after[COUNT];
    (void)state;
    start_telling(answers, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct setpay_buffer message;
        purchases[i] = purchase_of(&answers[i], i);
        test_purchase_auth_req(purchases[i], &message);
        test_line_send(liar->line, 100 + i, setpay_buffer_view(&message));
        setpay_buffer_clear(&message);
    }
    for (size_t i = 0; i < COUNT; i++) {
        struct setpay_buffer reply;
        uint64_t id = 0;
        assert_true(test_line_receive(liar->line, &id, &reply));
        assert_true(id >= 100 && id < 100 + COUNT);
        replies[id - 100] = reply;
    }
    test_gateway_wait_acknowledged(gateway);
    pass_through();
    for (size_t i = 0; i < COUNT; i++)
        after[i] = look(i);
    pass_through();
    for (size_t i = 0; i < COUNT; i++) {
        struct seen of = look(i);
        print_message("# %s\n", answers[i].what);
        test_refusal_add();
        if (i == 0)
            of.asked -= 2; /* by pass_through */
        check_case(&answers[i], purchases[i], setpay_buffer_view(&replies[i]), &of);
        /* and never again once it was taken */
        assert_int_equal(of.reversed + of.repeated, after[i].reversed + after[i].repeated);
        setpay_buffer_clear(&replies[i]);
        test_purchase_free(purchases[i]);
    }
    assert_int_equal(unknown, 0);
}

/* Answers for which nobody has asked, before, between and behind payments. */
static void nobody_asked(void **state)
{
    struct seen of;
    struct test_stillness still;
    (void)state;
    start_telling(answers, 1);
    pass_through();
    of = look(0);
    test_stillness_take(gateway, &still);
    size_t before = test_gateway_log_count(gateway, "event=network.unmatched");
    for (int i = 0; i < 50; i++) {
        struct setpay_iso_message answer = of.proper;
        char text[8];
        (void)snprintf(text, sizeof text, "%06u",
                       1 + (unsigned)((of.stan + 1000 + (unsigned)i) % 999999));
        test_issuer_change(&answer, SETPAY_ISO_STAN, text);
        test_issuer_send(issuer, &answer);
        send_copy(&of.proper); /* and the one that was asked for, again */
        test_refusal_add();
    }
    test_gateway_wait_log(gateway, "event=network.unmatched", before + 100);
    test_stillness_expect(gateway, &still, 0);
    pass_through();
    assert_int_equal(look(0).reversed + look(0).repeated, 0);
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
        cmocka_unit_test(every_answer_has_its_outcome),
        cmocka_unit_test(nobody_asked),
    };
    test_alarm(280);
    if (setpay_secret_system_init() != SETPAY_OK)
        return 1;
    setpay_log_set_level(SETPAY_LOG_ERROR);
    int failed = cmocka_run_group_tests(tests, open_all, close_all);
    print_message("# tally: rules attacked = %zu\n", test_refusal_count());
    return failed;
}
