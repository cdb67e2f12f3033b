/*
 * Payouts: every pair of state and event; IBANs, BICs and names; the bank's word (pure). On a
 * database: made by settlements, sent in one file and no other, which is valid and can be had again
 * to the byte, paid, returned and paid again by the next settlement. In the end of every test the
 * ledger and all that stands around it verify. Then every edit is found, and named.
 */
#include "common/base/log.h"
#include "gateway/clearing/payout.h"
#include "tests/support/test_day.h"
#include "tests/support/test_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAY(n) ((n)*SETPAY_DAY_MS)
#define IBAN "DE89370400440532013000"
#define OTHER_IBAN "NL91ABNA0417164300"
#define STATE "its state is not what was done with it: payout "

/* ------------------------------------------------------------------ pure */

#define NONE SETPAY_PAYOUT_NONE
#define MADE SETPAY_PAYOUT_MADE
#define SENT SETPAY_PAYOUT_SENT
#define PAID SETPAY_PAYOUT_PAID
#define RETURNED SETPAY_PAYOUT_RETURNED
#define ASIDE SETPAY_PAYOUT_SET_ASIDE

/* Each cell: where it leads, or NONE and the error. */
static const struct {
    enum setpay_payout_state to;
    enum setpay_error error;
} cells[SETPAY_PAYOUT_STATES][SETPAY_PAYOUT_EVENTS] = {
    [NONE] = {{MADE, SETPAY_OK},
              {NONE, SETPAY_E_NOT_FOUND},
              {NONE, SETPAY_E_NOT_FOUND},
              {NONE, SETPAY_E_NOT_FOUND},
              {NONE, SETPAY_E_NOT_FOUND},
              {NONE, SETPAY_E_NOT_FOUND},
              {NONE, SETPAY_E_NOT_FOUND},
              {NONE, SETPAY_E_NOT_FOUND},
              {NONE, SETPAY_E_NOT_FOUND}},
    [MADE] = {{NONE, SETPAY_E_EXISTS},
              {SENT, SETPAY_OK},
              {NONE, SETPAY_E_STATE},
              {NONE, SETPAY_E_STATE},
              {NONE, SETPAY_E_STATE},
              {NONE, SETPAY_E_STATE},
              {PAID, SETPAY_OK},
              {NONE, SETPAY_E_STATE},
              {ASIDE, SETPAY_OK}},
    [SENT] = {{NONE, SETPAY_E_EXISTS},
              {NONE, SETPAY_E_EXISTS},
              {PAID, SETPAY_OK},
              {RETURNED, SETPAY_OK},
              {NONE, SETPAY_E_STATE},
              {NONE, SETPAY_E_STATE},
              {NONE, SETPAY_E_STATE},
              {NONE, SETPAY_E_STATE},
              {NONE, SETPAY_E_STATE}},
    [PAID] = {{NONE, SETPAY_E_EXISTS},
              {NONE, SETPAY_E_EXISTS},
              {NONE, SETPAY_E_EXISTS},
              {RETURNED, SETPAY_OK},
              {SENT, SETPAY_OK},
              {NONE, SETPAY_E_STATE},
              {NONE, SETPAY_E_EXISTS},
              {MADE, SETPAY_OK},
              {NONE, SETPAY_E_STATE}},
    [RETURNED] = {{NONE, SETPAY_E_EXISTS},
                  {NONE, SETPAY_E_EXISTS},
                  {NONE, SETPAY_E_STATE},
                  {NONE, SETPAY_E_EXISTS},
                  {SENT, SETPAY_OK},
                  {PAID, SETPAY_OK},
                  {NONE, SETPAY_E_STATE},
                  {NONE, SETPAY_E_STATE},
                  {NONE, SETPAY_E_STATE}},
    [ASIDE] = {{NONE, SETPAY_E_EXISTS},
               {NONE, SETPAY_E_STATE},
               {NONE, SETPAY_E_STATE},
               {NONE, SETPAY_E_STATE},
               {NONE, SETPAY_E_STATE},
               {NONE, SETPAY_E_STATE},
               {NONE, SETPAY_E_STATE},
               {MADE, SETPAY_OK},
               {NONE, SETPAY_E_EXISTS}},
};

static void takes_the_permitted_ways_only(void **state)
{
    (void)state;
    for (int from = 0; from < SETPAY_PAYOUT_STATES; from++) {
        for (int event = 0; event < SETPAY_PAYOUT_EVENTS; event++) {
            enum setpay_payout_state next = (enum setpay_payout_state)99;
            enum setpay_error error = setpay_payout_state_next(
                (enum setpay_payout_state)from, (enum setpay_payout_event)event, &next);
            assert_int_equal(error, cells[from][event].error);
            assert_int_equal(next, error == SETPAY_OK ? cells[from][event].to : 99);
        }
    }
    enum setpay_payout_state next;
    assert_int_equal(setpay_payout_state_next((enum setpay_payout_state)SETPAY_PAYOUT_STATES,
                                              SETPAY_PAYOUT_PAY, &next),
                     SETPAY_E_STATE);
    assert_string_equal(setpay_payout_state_name((enum setpay_payout_state)77), "unknown");
}

static void an_iban_has_its_check_digits(void **state)
{
    static const struct {
        const char *text, *iban;
    } right[] = {
        {"DE89 3704 0044 0532 0130 00", IBAN}, /* the example of ISO 13616 */
        {OTHER_IBAN, OTHER_IBAN},
        {"NO9386011117947", "NO9386011117947"}, /* the shortest */
        {"MT84MALT011000012345MTLCAST001S", "MT84MALT011000012345MTLCAST001S"},
    };
    static const char *const wrong[] = {
        "",
        "DE89370400440532013001",  /* one digit */
        "DE89370400440532010300",  /* two changed places */
        "DE98370400440532013000",  /* its check digits did */
        "ED89370400440532013000",  /* the country */
        "de89370400440532013000",  /* not as it is written */
        "DE8937040044053201300",   /* one less */
        "DE893704004405320130000", /* one more */
        "DE89-3704-0044-0532-0130-00",
        "8937040044053201300012",
        "DEXX370400440532013000",
        "MT84MALT011000012345MTLCAST001SMT84MALT",
    };
    char iban[SETPAY_IBAN_SIZE] = "as it was";
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (setpay_iban_parse(wrong[i], iban) != SETPAY_E_INVALID)
            fail_msg("%s was taken", wrong[i]);
    assert_string_equal(iban, "as it was");
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_int_equal(setpay_iban_parse(right[i].text, iban), SETPAY_OK);
        assert_string_equal(iban, right[i].iban);
    }
}

static void bics_and_names_are_of_their_form(void **state)
{
    char name[SETPAY_HOLDER_SIZE + 1];
    (void)state;
    assert_true(setpay_bic_is_valid("COBADEFF"));
    assert_true(setpay_bic_is_valid("COBADEFFXXX"));
    assert_true(setpay_bic_is_valid("B0BADEF1123"));
    static const char *const wrong[] = {"",         "COBADEF",  "COBADEFFX",
                                        "COBA1EFF", "cobadeff", "COBADEFFXXXX"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(setpay_bic_is_valid(wrong[i]));
    assert_true(setpay_holder_is_valid("A"));
    assert_true(setpay_holder_is_valid("O'Neill (Shop), no. 7 / Ltd. + Co: a-b?"));
    static const char *const names[] = {"", " A", "A ", "Caf\xc3\xa9", "A & B", "A\nB", "<A>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_false(setpay_holder_is_valid(names[i]));
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_false(setpay_holder_is_valid(name));
    name[sizeof name - 2] = '\0';
    assert_true(setpay_holder_is_valid(name));
}

static void a_word_of_the_bank_is_checked(void **state)
{
    static const struct {
        struct setpay_payout_word word;
        bool returns;
        const char *words; /* NULL: taken */
    } cases[] = {
        {{.reference = "R1", .day = "2026-11-26"}, false, NULL},
        {{.reference = "R1", .day = "2026-11-27"}, false, NULL}, /* it is tomorrow somewhere */
        {{.reference = "R1", .day = "2026-11-28"}, false, "date '2026-11-28'"},
        {{.reference = "R1", .day = "2026-11-31"}, false, "date '2026-11-31'"},
        {{.reference = "", .day = "2026-11-26"}, false, "reference:"},
        {{.reference = "a b", .day = "2026-11-26"}, false, "reference:"},
        {{.reference = "a\x01", .day = "2026-11-26"}, false, "reference:"},
        {{.reference = "\xc3\xa9", .day = "2026-11-26"}, false, "reference:"},
        {{.reference = "R1", .day = "2026-11-26", .code = "AC04"}, true, NULL},
        {{.reference = "R1", .day = "2026-11-26", .code = "AC04", .reason = "closed"}, true, NULL},
        {{.reference = "R1", .day = "2026-11-26"}, true, "code ''"},
        {{.reference = "R1", .day = "2026-11-26", .code = "AC4"}, true, "code 'AC4'"},
        {{.reference = "R1", .day = "2026-11-26", .code = "ac04"}, true, "code 'ac04'"},
        {{.reference = "R1", .day = "2026-11-26", .code = "AC04", .reason = "a\nb"},
         true,
         "reason:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct setpay_problem problem = {{0}};
        enum setpay_error error =
            setpay_payout_word_check(&cases[i].word, cases[i].returns, NOON, &problem);
        assert_int_equal(error, cases[i].words == NULL ? SETPAY_OK : SETPAY_E_INVALID);
        if (cases[i].words != NULL && strstr(problem.text, cases[i].words) == NULL)
            fail_msg("%zu: '%s', expected '%s'", i, problem.text, cases[i].words);
    }
}

static void a_clock_that_is_wrong_sends_nothing(void **state)
{
    static const struct {
        setpay_time_ms last_ms, now_ms;
        enum setpay_error error;
    } cases[] = {
        {0, NOON, SETPAY_OK}, /* nothing was ever kept */
        {NOON, NOON, SETPAY_OK},
        {NOON, NOON + DAY(7), SETPAY_OK},
        {NOON, NOON + DAY(7) + 1, SETPAY_E_STATE},
        {NOON, NOON - DAY(1), SETPAY_OK},
        {NOON, NOON - DAY(1) - 1, SETPAY_E_STATE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(setpay_payout_check_clock(cases[i].last_ms, cases[i].now_ms),
                         cases[i].error);
}

/* ------------------------------------------------------------------ on a database */

static const struct setpay_bank_account payer = {"Acquirer Ltd.", IBAN, "COBADEFFXXX"};
static const struct setpay_payee shop = {"visa", "shop", {"Shop, the first", OTHER_IBAN, ""}};

/* What the last sending came to, and its bytes. */
static struct sent {
    enum setpay_error error;
    struct setpay_payout_file file;
    bool more;
    int64_t doubted, kept;
    struct setpay_buffer bytes;
} sent;
static setpay_time_ms restored_ms; /* the database */
static struct setpay_id left[2];   /* that are not to be written */
static size_t left_count;

struct send_call {
    const char *currency;
    const struct setpay_payee *payees;
    size_t payee_count;
    setpay_time_ms now_ms;
};

static enum setpay_error run_send(struct setpay_db *db, void *arg)
{
    const struct send_call *call = arg;
    struct setpay_payout_sending sending = {.currency = call->currency,
                                            .day = "2026-11-27",
                                            .payer = &payer,
                                            .payees = call->payees,
                                            .payee_count = call->payee_count,
                                            .now_ms = call->now_ms,
                                            .restored_ms = restored_ms,
                                            .left = left,
                                            .left_count = left_count};
    sent.error = setpay_payout_send(db, &sending, &sent.bytes);
    sent.file = sending.file;
    sent.more = sending.more;
    sent.doubted = sending.doubted_count;
    sent.kept = sending.kept_count;
    return sent.error;
}

static enum setpay_error send_to(const struct setpay_payee *payees, size_t count,
                                 const char *currency, setpay_time_ms now_ms)
{
    struct send_call call = {currency, payees, count, now_ms};
    return setpay_store_submit_wait(test_day_store, run_send, &call);
}

struct word_call {
    struct setpay_id token;
    struct setpay_payout_word word;
    bool returns, known;
    struct setpay_problem problem;
};

static enum setpay_error run_word(struct setpay_db *db, void *arg)
{
    struct word_call *call = arg;
    struct setpay_payout payout;
    SETPAY_TRY(setpay_payout_find(db, &call->token, &payout));
    return call->returns
               ? setpay_payout_return(db, &payout, &call->word, &call->known, &call->problem)
               : setpay_payout_pay(db, &payout, &call->word, restored_ms, &call->known,
                                   &call->problem);
}

static struct word_call told; /* the last */

static enum setpay_error tell(const struct setpay_id *token, const char *reference,
                              const char *code, setpay_time_ms at_ms)
{
    told = (struct word_call){.token = *token, .returns = code != NULL};
    (void)snprintf(told.word.reference, sizeof told.word.reference, "%s", reference);
    (void)snprintf(told.word.day, sizeof told.word.day, "2026-11-27");
    (void)snprintf(told.word.code, sizeof told.word.code, "%s", code != NULL ? code : "");
    told.word.at_ms = at_ms;
    return setpay_store_submit_wait(test_day_store, run_word, &told);
}

static enum setpay_error run_aside(struct setpay_db *db, void *arg)
{
    struct word_call *call = arg;
    struct setpay_payout payout;
    SETPAY_TRY(setpay_payout_find(db, &call->token, &payout));
    return setpay_payout_set_aside(db, &payout, &call->word, restored_ms, &call->known,
                                   &call->problem);
}

static enum setpay_error set_aside(const struct setpay_id *token, const char *reason,
                                   setpay_time_ms at_ms)
{
    told = (struct word_call){.token = *token};
    (void)snprintf(told.word.reason, sizeof told.word.reason, "%s", reason);
    told.word.at_ms = at_ms;
    return setpay_store_submit_wait(test_day_store, run_aside, &told);
}

struct undo_call {
    struct setpay_id token;
    struct setpay_payout_undoing undoing;
    struct setpay_problem problem;
};

static enum setpay_error run_undo(struct setpay_db *db, void *arg)
{
    struct undo_call *call = arg;
    struct setpay_payout payout;
    SETPAY_TRY(setpay_payout_find(db, &call->token, &payout));
    return setpay_payout_undo(db, &payout, &call->undoing, &call->problem);
}

static struct undo_call undone;             /* the last */
static enum setpay_payout_which undo_which; /* asked for */

static enum setpay_error undo(const struct setpay_id *token, const char *reference,
                              setpay_time_ms at_ms)
{
    undone = (struct undo_call){.token = *token,
                                .undoing = {.reference = reference,
                                            .which = undo_which,
                                            .reason = "the wrong id",
                                            .now_ms = at_ms}};
    return setpay_store_submit_wait(test_day_store, run_undo, &undone);
}

struct reading {
    struct setpay_id token;
    struct setpay_payout payout;
    struct setpay_payout_file file;
    struct setpay_buffer content;
};

static enum setpay_error read_payout(struct setpay_db *db, void *arg)
{
    struct reading *reading = arg;
    return setpay_payout_find(db, &reading->token, &reading->payout);
}

static struct setpay_payout payout_of(const struct setpay_id *token)
{
    struct reading reading = {.token = *token};
    test_day_operate(read_payout, &reading);
    return reading.payout;
}

static enum setpay_error read_content(struct setpay_db *db, void *arg)
{
    struct reading *reading = arg;
    return setpay_payout_file_find(db, &reading->token, &reading->file, &reading->content);
}

/* By the schema of the part of pain.001 that is used. */
static void validate(void)
{
    char path[] = "/tmp/setpay-test-pain-XXXXXX";
    int fd = mkstemp(path), status = 0;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, sent.bytes.data, sent.bytes.size), sent.bytes.size);
    assert_int_equal(close(fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execlp("xmllint", "xmllint", "--noout", "--nonet", "--schema", "tests/schemas/pain.001.xsd",
               path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)unlink(path);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void expect_in_file(const char *words)
{
    if (memmem(sent.bytes.data, sent.bytes.size, words, strlen(words)) == NULL)
        fail_msg("'%s' is not in\n%.*s", words, (int)sent.bytes.size,
                 (const char *)sent.bytes.data);
}

/* 990 EUR and 1250 JPY for the 25th. */
static struct setpay_id settle_first(void)
{
    test_day_capture("EUR", 1000, 10, DAY_26 - 5);
    test_day_capture("JPY", 1250, 0, DAY_26 - 4);
    assert_int_equal(test_day_settle(NOON, NULL), 2);
    return test_day_settled.made[0].token;
}

static void a_settlement_makes_its_payout(void **state)
{
    struct setpay_id token = settle_first();
    (void)state;
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout WHERE state = 1"), 2);
    const struct setpay_payout payout = payout_of(&token);
    assert_int_equal(payout.state, SETPAY_PAYOUT_MADE);
    assert_int_equal(payout.amount_minor, 990);
    assert_string_equal(payout.currency, "EUR");
    assert_int_equal(payout.file, 0);
    /* One with nothing to pay has none. */
    test_day_credit("EUR", 400, DAY_26 + 5);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 1);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout"), 2);
    /* What nobody has sent, no bank has paid or returned. */
    assert_int_equal(tell(&token, "R1", NULL, NOON), SETPAY_E_STATE);
    assert_non_null(strstr(told.problem.text, "is made and can't become paid"));
    assert_int_equal(tell(&token, "R1", "AC04", NOON), SETPAY_E_STATE);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -990);
}

static void a_payout_is_in_one_file(void **state)
{
    struct setpay_id token = settle_first();
    struct reading again = {.payout = {0}};
    (void)state;
    assert_int_equal(send_to(NULL, 0, "EUR", NOON), SETPAY_E_NOT_FOUND); /* to nobody's account */
    assert_int_equal(send_to(&shop, 1, "USD", NOON), SETPAY_E_NOT_FOUND);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout WHERE state = 1"), 2);
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(sent.file.count, 1);
    assert_int_equal(sent.file.amount_minor, 990);
    assert_false(sent.more);
    validate();
    expect_in_file("<InstdAmt Ccy=\"EUR\">9.90</InstdAmt>");
    expect_in_file("<CtrlSum>9.90</CtrlSum>");
    expect_in_file("<Nm>Shop, the first</Nm>");
    expect_in_file("<IBAN>" OTHER_IBAN "</IBAN>");
    expect_in_file("<BICFI>COBADEFFXXX</BICFI>");
    expect_in_file("<Cd>SEPA</Cd>");
    expect_in_file("<Dt>2026-11-27</Dt>");
    const struct setpay_payout payout = payout_of(&token);
    assert_int_equal(payout.state, SETPAY_PAYOUT_SENT);
    assert_int_equal(payout.sent_ms, NOON);
    assert_string_equal(payout.account.iban, OTHER_IBAN);
    /* The same file, and no other. */
    again.token = sent.file.token;
    setpay_buffer_init(&again.content, SETPAY_PAYOUT_FILE_MAX);
    test_day_operate(read_content, &again);
    assert_int_equal(again.content.size, sent.bytes.size);
    assert_memory_equal(again.content.data, sent.bytes.data, sent.bytes.size);
    setpay_buffer_clear(&again.content);
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + 1), SETPAY_E_NOT_FOUND);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout_file"), 1);
    /* Without decimals, and without SEPA. */
    assert_int_equal(send_to(&shop, 1, "JPY", NOON), SETPAY_OK);
    validate();
    expect_in_file("<InstdAmt Ccy=\"JPY\">1250</InstdAmt>");
    expect_in_file("<ChrgBr>SHAR</ChrgBr>");
    /* Sending moves nothing. */
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -990);
}

/* An operation that fails, as one that dies before its commit, leaves no file and nothing sent. */
static enum setpay_error send_and_fail(struct setpay_db *db, void *arg)
{
    SETPAY_TRY(run_send(db, arg));
    return SETPAY_E_CONFLICT;
}

static void what_is_not_committed_is_not_sent(void **state)
{
    struct send_call call = {"EUR", &shop, 1, NOON};
    (void)state;
    (void)settle_first();
    assert_int_equal(setpay_store_submit_wait(test_day_store, send_and_fail, &call),
                     SETPAY_E_CONFLICT);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout_file"), 0);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout WHERE state = 1"), 2);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind >= 17"), 0);
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
}

static void who_has_no_account_waits(void **state)
{
    static const struct setpay_payee payees[] = {
        {"visa", "other", {"Other", IBAN, "COBADEFF"}},
        {"mastercard", "shop", {"Of another brand", IBAN, ""}},
    };
    (void)state;
    test_day_merchant("other", "UTC", "24:00");
    test_day_capture("EUR", 1000, 10, DAY_26 - 5);
    (void)test_day_add("other", "EUR", SETPAY_STEP_CAPTURE, 700, 0, DAY_26 - 5, "00");
    assert_int_equal(test_day_settle(NOON, NULL), 2);
    assert_int_equal(send_to(payees, 2, "EUR", NOON), SETPAY_OK);
    validate();
    assert_int_equal(sent.file.count, 1);
    assert_int_equal(sent.file.amount_minor, 700);
    assert_int_equal(test_day_ask("SELECT payout_minor FROM payout JOIN settlement"
                                  " ON settlement.id = settlement_id WHERE state = 1"),
                     990);
}

static void the_bank_pays(void **state)
{
    struct setpay_id token = settle_first();
    (void)state;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(tell(&token, "R1", NULL, NOON + 1), SETPAY_OK);
    assert_false(told.known);
    const struct setpay_payout payout = payout_of(&token);
    assert_int_equal(payout.state, SETPAY_PAYOUT_PAID);
    assert_string_equal(payout.paid.reference, "R1");
    assert_string_equal(payout.paid.day, "2026-11-27");
    /* The same again changes nothing; other words are refused. */
    assert_int_equal(tell(&token, "R1", NULL, NOON + 2), SETPAY_OK);
    assert_true(told.known);
    assert_int_equal(tell(&token, "R2", NULL, NOON + 2), SETPAY_E_EXISTS);
    assert_non_null(strstr(told.problem.text, "was told as paid before, by R1 of 2026-11-27"));
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind = 18"), 1);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -990);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 0);
}

/* What came back is owed again, and paid with the next settlement, also where nothing else is. */
static void what_came_back_is_paid_again(void **state)
{
    struct setpay_id token = settle_first();
    (void)state;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(tell(&token, "R1", "AC04", NOON + 1), SETPAY_OK);
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_RETURNED);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), 0);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), -990);
    assert_int_equal(tell(&token, "R1", "AC04", NOON + 2), SETPAY_OK);
    assert_true(told.known);
    assert_int_equal(tell(&token, "R1", "AC06", NOON + 2), SETPAY_E_EXISTS);
    assert_int_equal(tell(&token, "R1", NULL, NOON + 2), SETPAY_E_STATE);
    assert_non_null(strstr(told.problem.text, "is returned and can't become paid"));
    assert_int_equal(test_day_settle(NOON, NULL), 0); /* of a day that is over */
    assert_int_equal(test_day_verify().findings, 0);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 990);
    assert_int_equal(test_day_settled.made[0].adjusted.repaid_count, 1);
    assert_int_equal(test_day_settled.made[0].adjusted.repaid_minor, 990);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 0);
    /* That is another payout, in another file. */
    struct setpay_id first = sent.file.token, second = test_day_settled.made[0].token;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(1)), SETPAY_OK);
    assert_int_equal(sent.file.count, 1);
    assert_false(setpay_id_equal(&first, &sent.file.token));
    assert_int_equal(tell(&second, "R2", NULL, NOON + DAY(1)), SETPAY_OK);
    /* Banks send back what they have paid, days later: and it is owed once more. */
    assert_int_equal(tell(&second, "R3", "AC04", NOON + DAY(2)), SETPAY_OK);
    assert_int_equal(test_day_settle(NOON + DAY(3), NULL), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 990);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -990);
}

/* Of what the merchant owes by then, it has it back first. */
static void what_came_back_is_less_by_what_is_owed(void **state)
{
    struct setpay_id token = settle_first();
    (void)state;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(tell(&token, "R1", "AC04", NOON + 1), SETPAY_OK);
    test_day_credit("EUR", 300, NOON + 5);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 1);
    assert_int_equal(test_day_settled.made[0].payout_minor, 690);
}

/* A word that was told of the wrong one. */
static void a_word_is_undone(void **state)
{
    struct setpay_id token = settle_first();
    (void)state;
    assert_int_equal(undo(&token, "R1", NOON), SETPAY_E_STATE); /* nothing was told */
    assert_non_null(strstr(undone.problem.text, "is made: there is no word"));
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(undo(&token, "R1", NOON), SETPAY_E_STATE);
    assert_int_equal(tell(&token, "R1", NULL, NOON + 1), SETPAY_OK);
    assert_int_equal(undo(&token, "R2", NOON + 2), SETPAY_E_STATE);
    assert_non_null(strstr(undone.problem.text, "told as paid by R1 of 2026-11-27, and not by R2"));
    assert_int_equal(undo(&token, "R1", NOON + 2), SETPAY_OK);
    const struct setpay_payout payout = payout_of(&token);
    assert_int_equal(payout.state, SETPAY_PAYOUT_SENT);
    assert_string_equal(payout.paid.reference, "");
    assert_int_equal(payout.paid.at_ms, 0);
    assert_false(undone.undoing.known);
    assert_int_equal(undo(&token, "R1", NOON + 3), SETPAY_OK); /* once, and asked again */
    assert_true(undone.undoing.known);
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_SENT);
    assert_int_equal(undo(&token, "R2", NOON + 3), SETPAY_E_STATE);
    assert_int_equal(test_day_verify().findings, 0);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -990);
    /* It is in its file still, and in no other; and the right word may follow. */
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + 4), SETPAY_E_NOT_FOUND);
    assert_int_equal(tell(&token, "R1", NULL, NOON + 5), SETPAY_OK);
    assert_false(told.known);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind = 21"), 1);
}

/* A bank may book both under one reference: the same command twice undoes one of them. */
static void one_word_is_undone_once(void **state)
{
    struct setpay_id token = settle_first();
    (void)state;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(tell(&token, "R1", NULL, NOON + 1), SETPAY_OK);
    assert_int_equal(tell(&token, "R1", "AC04", NOON + 2), SETPAY_OK);
    assert_int_equal(undo(&token, "R1", NOON + 3), SETPAY_E_STATE);
    assert_non_null(strstr(undone.problem.text, "say which with --word"));
    undo_which = SETPAY_PAYOUT_WORD_PAID; /* is not the last */
    assert_int_equal(undo(&token, "R1", NOON + 3), SETPAY_E_STATE);
    assert_non_null(strstr(undone.problem.text, "and not as paid by R1"));
    undo_which = SETPAY_PAYOUT_WORD_RETURNED;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(undo(&token, "R1", NOON + 4 + i), SETPAY_OK);
        assert_int_equal(undone.undoing.known, i == 1);
        assert_true(undone.undoing.undone.is_return);
        assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_PAID);
    }
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout_undone"), 1);
    undo_which = SETPAY_PAYOUT_WORD_ANY; /* may be the same command, and must not be another */
    assert_int_equal(undo(&token, "R1", NOON + 6), SETPAY_E_STATE);
    undo_which = SETPAY_PAYOUT_WORD_PAID;
    assert_int_equal(undo(&token, "R1", NOON + 7), SETPAY_OK);
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_SENT);
    /* What is told anew can be undone anew. */
    assert_int_equal(tell(&token, "R1", NULL, NOON + 8), SETPAY_OK);
    assert_int_equal(undo(&token, "R1", NOON + 9), SETPAY_OK);
    assert_false(undone.undoing.known);
    undo_which = SETPAY_PAYOUT_WORD_ANY;
    assert_int_equal(test_day_verify().findings, 0);
}

/* What did not come back is not owed, and no settlement pays it again. */
static void a_return_is_undone_until_it_is_paid_again(void **state)
{
    struct setpay_id token = settle_first();
    char id[SETPAY_ID_TEXT_SIZE];
    (void)state;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(tell(&token, "R1", "AC04", NOON + 1), SETPAY_OK);
    assert_int_equal(undo(&token, "R1", NOON + 2), SETPAY_OK);
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_SENT);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -990);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_MERCHANT_PAYABLE, "EUR"), 0);
    assert_int_equal(test_day_verify().findings, 0);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 0);
    /* After it was paid it is paid again. */
    assert_int_equal(tell(&token, "R2", NULL, NOON + DAY(1)), SETPAY_OK);
    assert_int_equal(tell(&token, "R3", "AC04", NOON + DAY(1) + 1), SETPAY_OK);
    assert_int_equal(undo(&token, "R2", NOON + DAY(1) + 2), SETPAY_E_STATE); /* not the last */
    assert_int_equal(undo(&token, "R3", NOON + DAY(1) + 2), SETPAY_OK);
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_PAID);
    assert_string_equal(payout_of(&token).paid.reference, "R2");
    assert_int_equal(test_day_verify().findings, 0);
    /* Once a settlement has it, it is too late, and nothing is changed. */
    assert_int_equal(tell(&token, "R4", "AC04", NOON + DAY(1) + 3), SETPAY_OK);
    assert_int_equal(test_day_settle(NOON + DAY(2), NULL), 1);
    assert_int_equal(undo(&token, "R4", NOON + DAY(2)), SETPAY_E_STATE);
    assert_non_null(strstr(undone.problem.text, "of 2026-11-27 holds what came back"));
    assert_non_null(
        strstr(undone.problem.text, setpay_id_format(&test_day_settled.made[0].token, id)));
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_RETURNED);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout_undone"), 2);
}

/* A backup of before may have been sent from, and have forgotten it: whatever holds something of
 * before the restore, of whatever day it is by then. */
static void what_may_have_been_sent_is_left_out(void **state)
{
    static const char captured[] = /* when its batch was closed */
        "UPDATE step SET created_ms = (SELECT created_ms FROM presentment WHERE step_id = step.id)";
    (void)state;
    (void)settle_first();
    test_day_edit(captured);
    restored_ms = DAY_26; /* the cut-off */
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_E_NOT_FOUND);
    assert_int_equal(sent.doubted, 1);
    restored_ms = DAY_26 - 5; /* its capture is of that moment */
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_E_NOT_FOUND);
    test_day_capture("EUR", 500, 5, NOON);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 1);
    test_day_edit(captured);
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(1)), SETPAY_OK);
    assert_int_equal(sent.file.amount_minor, 495);
    assert_int_equal(sent.doubted, 1);
    /* What is left of before is part of a later day, and in doubt with it. */
    test_day_capture("EUR", 700, 7, NOON + DAY(1));
    assert_int_equal(test_day_settle(NOON + DAY(3), NULL), 1);
    test_day_edit(captured);
    restored_ms = NOON + DAY(1) + SETPAY_HOUR_MS;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(3)), SETPAY_E_NOT_FOUND);
    assert_int_equal(sent.doubted, 2);
    restored_ms = DAY_26 - 6; /* before all of them */
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(3)), SETPAY_OK);
    assert_int_equal(sent.file.amount_minor, 990 + 693);
    restored_ms = 0;
    test_day_edit("UPDATE step SET created_ms = 1000"); /* as test_day.c writes them */
}

/* What the bank has paid of what is in doubt is told, and the rest sent; what is to wait waits. */
static void what_was_sent_before_a_restore_is_told(void **state)
{
    struct setpay_id first = settle_first(), second;
    (void)state;
    test_day_merchant("other", "UTC", "24:00");
    test_day_capture("EUR", 500, 5, NOON);
    (void)test_day_add("other", "EUR", SETPAY_STEP_CAPTURE, 700, 0, NOON, "00");
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 2);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout WHERE state = 1"), 4);
    second = test_day_settled.made[1].token;
    /* Where nothing was restored, nothing is paid that was not sent. */
    assert_int_equal(tell(&first, "R1", NULL, NOON + DAY(1)), SETPAY_E_STATE);
    restored_ms = NOON + DAY(2);
    test_day_edit("INSERT INTO restoration (number, backup_ms, restored_ms, moved)"
                  " VALUES (1, 1, 1764331200000, 0)");
    assert_int_equal(tell(&first, "R1", "AC04", NOON + DAY(2)), SETPAY_E_STATE);
    assert_int_equal(tell(&first, "R1", NULL, NOON + DAY(2)), SETPAY_OK);
    assert_int_equal(payout_of(&first).state, SETPAY_PAYOUT_PAID);
    assert_int_equal(payout_of(&first).file, 0);
    assert_int_equal(test_day_verify().findings, 0);
    /* Told by mistake, it waits again; told again, it may come back later, as any. */
    assert_int_equal(undo(&first, "R1", NOON + DAY(2) + 1), SETPAY_OK);
    assert_int_equal(payout_of(&first).state, SETPAY_PAYOUT_MADE);
    assert_int_equal(test_day_verify().findings, 0);
    assert_int_equal(tell(&first, "R1", NULL, NOON + DAY(2) + 2), SETPAY_OK);
    assert_int_equal(tell(&first, "R1", NULL, NOON + DAY(2) + 3), SETPAY_OK);
    assert_true(told.known);
    assert_int_equal(tell(&first, "R2", "AC04", NOON + DAY(2) + 4), SETPAY_OK);
    assert_int_equal(test_day_verify().findings, 0);
    assert_int_equal(undo(&first, "R2", NOON + DAY(2) + 5), SETPAY_OK);
    assert_int_equal(payout_of(&first).state, SETPAY_PAYOUT_PAID);
    /* All that is left is in doubt; one of it is to wait. */
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(2)), SETPAY_E_NOT_FOUND);
    restored_ms = 0; /* --force */
    left[0] = second;
    left_count = 1;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(2)), SETPAY_E_NOT_FOUND);
    assert_int_equal(sent.kept, 1);
    left_count = 0;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(2)), SETPAY_OK);
    assert_int_equal(sent.file.count, 1);
    assert_int_equal(sent.file.amount_minor, 495);
    assert_int_equal(test_day_verify().findings, 0);
    /* Without a restore there is no such thing. */
    test_day_expect_found("DELETE FROM restoration", STATE "1", false);
    test_day_expect_found("UPDATE restoration SET moved = 1", STATE "1", false);
}

#define CONTENT "of another merchant, currency or content"
#define TOLD "told and not done, or done and not told: payout "
static const struct {
    const char *sql, *words;
} aside_edits[] = {
    /* To have it sent after all. */
    {"UPDATE payout SET state = 1 WHERE id = 1", STATE "1"},
    {"UPDATE payout SET state = 1, aside = NULL, aside_reason = '', aside_ms = 0 WHERE id = 1",
     "there is no payout that was set aside"},
    {"UPDATE payout SET state = 5 WHERE id = 2", STATE "2"},
    {"UPDATE payout SET state = 5, aside = zeroblob(16), aside_reason = 'x', aside_ms = 1"
     " WHERE id = 2",
     "not in the ledger: the setting aside of payout 2"},
    {"UPDATE payout SET aside_reason = 'another' WHERE id = 1", CONTENT},
    {"UPDATE payout SET aside_reason = '' WHERE id = 1", TOLD "1"},
    {"UPDATE payout SET aside_ms = aside_ms + 1 WHERE id = 1", CONTENT},
    {"UPDATE payout_undone SET is_aside = 0", "not in the ledger: what the bank had paid"},
    {"UPDATE payout_undone SET is_return = 1", "of no payout, or neither paid nor returned nor"},
    {"DELETE FROM payout_undone", "there is no payout that was set aside"},
    {"DELETE FROM restoration", STATE "1"},
};

/* What was paid with another amount since a backup has no word of the bank here; whatever is forced
 * later, it is not sent. */
static void what_was_settled_otherwise_is_never_sent(void **state)
{
    struct setpay_id token = settle_first(), other;
    (void)state;
    test_day_capture("EUR", 500, 5, NOON);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 1);
    other = test_day_settled.made[0].token;
    assert_int_equal(set_aside(&token, "by hand", NOON + DAY(1)), SETPAY_E_STATE);
    assert_non_null(strstr(told.problem.text, "is not in doubt, and can't be set aside"));
    restored_ms = NOON;
    test_day_edit("INSERT INTO restoration (number, backup_ms, restored_ms, moved)"
                  " VALUES (1, 1, 1764331200000, 0)");
    assert_int_equal(set_aside(&token, "paid 8.00 by hand", NOON + DAY(2)), SETPAY_OK);
    assert_false(told.known);
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_SET_ASIDE);
    assert_string_equal(payout_of(&token).aside.reason, "paid 8.00 by hand");
    assert_int_equal(set_aside(&token, "paid 8.00 by hand", NOON + DAY(2) + 1), SETPAY_OK);
    assert_true(told.known);
    assert_int_equal(set_aside(&token, "paid 9.00", NOON + DAY(2) + 1), SETPAY_E_EXISTS);
    assert_non_null(strstr(told.problem.text, "for another reason: paid 8.00 by hand"));
    assert_int_equal(tell(&token, "R1", NULL, NOON + DAY(2) + 1), SETPAY_E_STATE);
    assert_int_equal(tell(&token, "R1", "AC04", NOON + DAY(2) + 1), SETPAY_E_STATE);
    assert_int_equal(test_day_verify().findings, 0);
    /* Undone, it waits as before; the bank's words are others. */
    assert_int_equal(undo(&token, "R1", NOON + DAY(2) + 2), SETPAY_E_STATE);
    assert_non_null(strstr(undone.problem.text, "undo it without a reference"));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(undo(&token, NULL, NOON + DAY(2) + 3), SETPAY_OK);
        assert_int_equal(undone.undoing.known, i == 1);
        assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_MADE);
    }
    assert_int_equal(test_day_verify().findings, 0);
    assert_int_equal(tell(&token, "R1", NULL, NOON + DAY(2) + 4), SETPAY_OK);
    assert_int_equal(undo(&token, NULL, NOON + DAY(2) + 5), SETPAY_OK); /* known: not that */
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_PAID);
    assert_int_equal(set_aside(&token, "no", NOON + DAY(2) + 5), SETPAY_E_STATE);
    assert_int_equal(undo(&token, "R1", NOON + DAY(2) + 6), SETPAY_OK);
    assert_int_equal(set_aside(&token, "paid 8.00 by hand", NOON + DAY(2) + 7), SETPAY_OK);
    assert_int_equal(test_day_balance(SETPAY_ACCOUNT_CASH, "EUR"), -990 - 495);
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM ledger_entry WHERE kind = 22"), 2);
    assert_int_equal(test_day_verify().findings, 0);
    for (size_t i = 0; i < sizeof aside_edits / sizeof *aside_edits; i++)
        test_day_expect_found(aside_edits[i].sql, aside_edits[i].words, false);
    restored_ms = 0; /* --force */
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(3)), SETPAY_OK);
    assert_int_equal(sent.file.amount_minor, 495);
    assert_int_equal(payout_of(&token).state, SETPAY_PAYOUT_SET_ASIDE);
    assert_int_equal(payout_of(&other).state, SETPAY_PAYOUT_SENT);
    assert_int_equal(test_day_verify().findings, 0);
}

static void a_file_has_a_thousand_at_most(void **state)
{
    static struct setpay_payee payees[SETPAY_PAYOUTS_IN_FILE + 1];
    (void)state;
    for (int i = 0; i <= SETPAY_PAYOUTS_IN_FILE; i++) {
        struct setpay_payee *payee = &payees[i];
        *payee = shop;
        (void)snprintf(payee->merchant_id, sizeof payee->merchant_id, "m%04d", i);
    }
    test_day_edit("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
                  " INSERT INTO settlement (token, brand, merchant_id, currency, day, cut_off_ms,"
                  " capture_count, capture_minor, credit_count, credit_minor, fee_minor,"
                  " refused_count, refused_minor, carried_in_minor, payout_minor,"
                  " carried_out_minor, created_ms) SELECT randomblob(16), 'visa',"
                  " printf('m%04d', i), 'EUR', '2026-11-25', 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1"
                  " FROM n; INSERT INTO payout (settlement_id, state)"
                  " SELECT id, 1 FROM settlement");
    assert_int_equal(send_to(payees, SETPAY_PAYOUTS_IN_FILE + 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(sent.file.count, SETPAY_PAYOUTS_IN_FILE);
    assert_true(sent.more);
    validate();
    assert_int_equal(send_to(payees, SETPAY_PAYOUTS_IN_FILE + 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(sent.file.count, 1);
    assert_false(sent.more);
    /* These settlements are nothing's. */
    test_day_edit("DELETE FROM payout; DELETE FROM payout_file; DELETE FROM settlement;"
                  "DELETE FROM ledger_entry; DELETE FROM ledger_posting;"
                  "DELETE FROM ledger_balance; DELETE FROM ledger_head");
}

/* ------------------------------------------------------------------ of before */

#define STEPS_BEFORE 21

/* What was settled before was paid by other means: nobody pays it again. */
static void settlements_of_before_have_none(void **state)
{
    struct setpay_store_migration steps[STEPS_BEFORE + 1] = {{0, NULL}};
    struct setpay_problem problem;
    struct setpay_store *empty = test_day_store;
    struct test_folder folder;
    (void)state;
    test_folder_make(&folder);
    memcpy(steps, setpay_gateway_schema.steps, STEPS_BEFORE * sizeof *steps);
    const struct setpay_store_schema old = {.name = setpay_gateway_schema.name,
                                            .steps = steps,
                                            .erasable = setpay_gateway_schema.erasable};
    struct setpay_store_options options = {.url = folder.url, .schema = &old};
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    test_day_edit("INSERT INTO settlement (token, brand, merchant_id, currency, day, cut_off_ms,"
                  " capture_count, capture_minor, credit_count, credit_minor, fee_minor,"
                  " refused_count, refused_minor, carried_in_minor, payout_minor,"
                  " carried_out_minor, created_ms) VALUES (zeroblob(16), 'visa', 'shop', 'EUR',"
                  " '2026-11-20', 1, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 1)");
    setpay_store_close(test_day_store);
    options.schema = &setpay_gateway_schema;
    assert_int_equal(setpay_store_open(&options, &test_day_store, &problem), SETPAY_OK);
    test_day_merchant("shop", "UTC", "24:00");
    (void)settle_first();
    assert_int_equal(test_day_ask("SELECT COUNT(*) FROM payout"), 2);
    struct test_day_findings v = test_day_verify();
    assert_null(strstr(v.all, "nobody is paid"));
    test_day_expect_found("INSERT INTO payout (settlement_id, state) VALUES (1, 1)",
                          "of no settlement that has something to pay: payout 3", false);
    test_day_expect_found("UPDATE payout_rule SET last_before = 0",
                          "nobody is paid what it has to pay: settlement 1", false);
    setpay_store_close(test_day_store);
    test_folder_remove(&folder);
    test_day_store = empty;
}

/* ------------------------------------------------------------------ every edit is found */

/* 1 was sent and paid, 2 is made, 3 was sent and returned, 4 is what became of it. Before, 1 was
 * told as paid, and 3 as returned, by mistake. */
static int open_paid(void **state)
{
    struct setpay_id token;
    test_day_open(state);
    token = settle_first();
    assert_int_equal(send_to(&shop, 1, "EUR", NOON), SETPAY_OK);
    assert_int_equal(tell(&token, "R0", NULL, NOON), SETPAY_OK);
    assert_int_equal(undo(&token, "R0", NOON), SETPAY_OK);
    assert_int_equal(tell(&token, "R1", NULL, NOON + 1), SETPAY_OK);
    test_day_capture("EUR", 500, 5, NOON);
    assert_int_equal(test_day_settle(NOON + DAY(1), NULL), 1);
    token = test_day_settled.made[0].token;
    assert_int_equal(send_to(&shop, 1, "EUR", NOON + DAY(1)), SETPAY_OK);
    assert_int_equal(tell(&token, "R9", "AC01", NOON + DAY(1)), SETPAY_OK);
    assert_int_equal(undo(&token, "R9", NOON + DAY(1)), SETPAY_OK);
    assert_int_equal(tell(&token, "R2", "AC04", NOON + DAY(1)), SETPAY_OK);
    assert_int_equal(test_day_settle(NOON + DAY(2), NULL), 1);
    assert_int_equal(test_day_verify().findings, 0);
    return 0;
}

static const struct {
    const char *sql, *words;
} edits[] = {
    /* To have it sent, and paid, once more. */
    {"UPDATE payout SET state = 1 WHERE id = 1", STATE "1"},
    {"UPDATE payout SET state = 1, file_id = 0, holder = '', iban = '', sent = NULL, sent_ms = 0,"
     " paid = NULL, reference = '', paid_day = '', paid_ms = 0 WHERE id = 1",
     "there is no payout that was sent"},
    {"UPDATE payout SET state = 2, paid = NULL, reference = '', paid_day = '', paid_ms = 0"
     " WHERE id = 1",
     "there is no payout that was paid"},
    {"UPDATE payout SET state = 2 WHERE id = 3", STATE "3"},
    {"UPDATE payout SET state = 2, returned = NULL, return_code = '', return_reference = '',"
     " return_day = '', returned_ms = 0 WHERE id = 3",
     "there is no payout that was returned"},
    {"UPDATE payout SET state = 4 WHERE id = 1", STATE "1"},
    {"UPDATE payout SET state = 9 WHERE id = 2", STATE "2"},
    {"UPDATE payout SET state = 3, paid = zeroblob(16), paid_ms = 1, reference = 'R',"
     " paid_day = '2026-11-27', sent = x'01', sent_ms = 1, file_id = 1, iban = 'x', holder = 'y'"
     " WHERE id = 2",
     "not in the ledger: what the bank has paid of payout 2"},
    {"UPDATE payout SET sent = zeroblob(16) WHERE id = 1", "not in the ledger: the sending of"},
    {"UPDATE payout SET returned = zeroblob(16) WHERE id = 3", "not in the ledger: the return of"},
    {"UPDATE payout SET iban = '" IBAN "' WHERE id = 1", CONTENT},
    {"UPDATE payout SET holder = 'Another' WHERE id = 1", CONTENT},
    {"UPDATE payout SET bic = 'COBADEFF' WHERE id = 1", CONTENT},
    {"UPDATE payout SET bic = 'COBADEFF' WHERE id = 2", TOLD "2"},
    {"UPDATE payout SET sent_ms = sent_ms + 1 WHERE id = 1", CONTENT},
    {"UPDATE payout SET sent_ms = 0 WHERE id = 1", TOLD "1"},
    {"UPDATE payout SET file_id = 2 WHERE id = 1", CONTENT},
    {"UPDATE payout SET file_id = 77 WHERE id = 1", "in a file that is not there"},
    {"UPDATE payout SET file_id = 0 WHERE id = 1", TOLD "1"},
    {"UPDATE payout SET reference = 'R9' WHERE id = 1", CONTENT},
    {"UPDATE payout SET reference = '' WHERE id = 1", TOLD "1"},
    {"UPDATE payout SET reference = 'R9' WHERE id = 2", TOLD "2"},
    {"UPDATE payout SET paid_day = '2026-11-26' WHERE id = 1", CONTENT},
    {"UPDATE payout SET paid_ms = paid_ms + 1 WHERE id = 1", CONTENT},
    {"UPDATE payout SET return_code = 'AC06' WHERE id = 3", CONTENT},
    {"UPDATE payout SET return_reason = 'none' WHERE id = 3", CONTENT},
    {"UPDATE payout SET return_reason = 'none' WHERE id = 1", TOLD "1"},
    {"UPDATE payout SET return_reference = 'R9' WHERE id = 3", CONTENT},
    {"UPDATE payout SET return_day = '2026-11-26' WHERE id = 3", CONTENT},
    {"UPDATE payout SET returned_ms = returned_ms + 1 WHERE id = 3", CONTENT},
    {"UPDATE payout SET settlement_id = 77 WHERE id = 2", "nobody is paid what it has to pay"},
    {"DELETE FROM payout WHERE id = 2", "nobody is paid what it has to pay: settlement 2"},
    {"DELETE FROM payout WHERE id = 1", "there is no payout that was sent"},
    {"INSERT INTO payout (settlement_id, state) VALUES (77, 1)",
     "of no settlement that has something to pay"},
    {"DELETE FROM payout_file WHERE id = 1", "in a file that is not there"},
    {"UPDATE payout_file SET content = x'3c' WHERE id = 1", "its bytes are not those that were"},
    {"UPDATE payout_file SET digest = zeroblob(32) WHERE id = 1", "its bytes are not those"},
    {"UPDATE payout_file SET token = zeroblob(16) WHERE id = 1", CONTENT},
    {"UPDATE payout_file SET day = '2026-11-29' WHERE id = 1", CONTENT},
    {"UPDATE payout_file SET currency = 'USD' WHERE id = 1", "or of another currency or time"},
    {"UPDATE payout_file SET created_ms = 1 WHERE id = 1", "or of another currency or time"},
    {"UPDATE payout_file SET payout_count = 2 WHERE id = 1",
     "payout file 1: 2 of 990, expected 1 of 990"},
    {"UPDATE payout_file SET amount_minor = 1 WHERE id = 1", "1 of 1, expected 1 of 990"},
    {"UPDATE payout_file SET amount_minor = 9223372036854775807 WHERE id = 1",
     "an amount is outside of what it can be: payout file 1"},
    {"INSERT INTO payout_file SELECT 9, zeroblob(16), currency, day, 1, 1, created_ms, digest,"
     " content FROM payout_file WHERE id = 1",
     "its payouts come to something else: payout file 9: 1 of 1"},
    {"DELETE FROM adjustment", "nothing was adjusted for it: kind 4 of 3"},
    {"UPDATE adjustment SET amount_minor = 494", "of no dispute and no clearing, and of no payout"},
    /* What was told by mistake, and its undoing. */
    {"DELETE FROM payout_undone WHERE id = 1", "there is no payout that was paid"},
    {"DELETE FROM payout_undone WHERE id = 2", "there is no payout that was returned"},
    {"DELETE FROM payout_undone WHERE id = 1", "there is no payout whose word was undone"},
    {"UPDATE payout_undone SET payout_id = 2 WHERE id = 1", CONTENT},
    {"UPDATE payout_undone SET payout_id = 77 WHERE id = 1", "of no payout, or neither paid nor"},
    {"UPDATE payout_undone SET is_return = 1 WHERE id = 1", "there is no payout that was paid"},
    {"UPDATE payout_undone SET is_return = 0 WHERE id = 2", "not in the ledger: what the bank had"},
    {"UPDATE payout_undone SET is_return = 1 WHERE id = 1", "not in the ledger: the return, by"},
    {"UPDATE payout_undone SET word = zeroblob(16) WHERE id = 1", "there is no payout that was"},
    {"UPDATE payout_undone SET reference = 'R8' WHERE id = 1", CONTENT},
    {"UPDATE payout_undone SET day = '2026-11-26' WHERE id = 1", CONTENT},
    {"UPDATE payout_undone SET code = 'AC04' WHERE id = 2", CONTENT},
    {"UPDATE payout_undone SET reason = 'none' WHERE id = 2", CONTENT},
    {"UPDATE payout_undone SET told_ms = told_ms + 1 WHERE id = 1", CONTENT},
    {"UPDATE payout_undone SET undone = zeroblob(16) WHERE id = 1",
     "not in the ledger: the undoing of the word 1, of payout 1"},
    {"UPDATE payout_undone SET undone_reason = 'none' WHERE id = 1", CONTENT},
    {"UPDATE payout_undone SET undone_ms = undone_ms + 1 WHERE id = 1", CONTENT},
    {"UPDATE settlement SET repaid_minor = 1 WHERE id = 4", "1 repaid (1)"},
    {"UPDATE settlement SET repaid_count = 0 WHERE id = 4", "495 repaid (0)"},
};

static const struct {
    const char *sql, *words;
} forgeries[] = {
    {"UPDATE ledger_posting SET account = 2 WHERE line = 0 AND entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 17)",
     "the payout that was sent"},
    {"UPDATE ledger_posting SET amount_minor = amount_minor * 2 WHERE entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 19)",
     "would be posted with other amounts"},
    {"UPDATE ledger_entry SET time_ms = 1 WHERE kind = 18", "the payout that was paid"},
    {"UPDATE ledger_entry SET merchant_id = 'other' WHERE kind = 19", "of another merchant"},
    {"UPDATE ledger_entry SET kind = 18 WHERE kind = 17", "there is no payout that was paid"},
    {"UPDATE ledger_posting SET amount_minor = -amount_minor WHERE entry IN"
     " (SELECT number FROM ledger_entry WHERE kind = 21)",
     "the payout whose word was undone"},
};

static void every_edit_is_found_and_named(void **state)
{
    size_t edit_count = sizeof edits / sizeof *edits;
    size_t forgery_count = sizeof forgeries / sizeof *forgeries;
    (void)state;
    for (size_t i = 0; i < edit_count; i++)
        test_day_expect_found(edits[i].sql, edits[i].words, false);
    test_day_operate(test_day_chain_anew, NULL);
    assert_int_equal(test_day_verify().findings, 0);
    for (size_t i = 0; i < forgery_count; i++)
        test_day_expect_found(forgeries[i].sql, forgeries[i].words, true);
    print_message("# tally: edits to settled books that were found = %zu\n",
                  edit_count + forgery_count);
}

#define ON_A_DATABASE(test) cmocka_unit_test_setup_teardown(test, test_day_open, test_day_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_permitted_ways_only),
        cmocka_unit_test(an_iban_has_its_check_digits),
        cmocka_unit_test(bics_and_names_are_of_their_form),
        cmocka_unit_test(a_word_of_the_bank_is_checked),
        cmocka_unit_test(a_clock_that_is_wrong_sends_nothing),
        ON_A_DATABASE(a_settlement_makes_its_payout),
        ON_A_DATABASE(a_payout_is_in_one_file),
        ON_A_DATABASE(what_is_not_committed_is_not_sent),
        ON_A_DATABASE(who_has_no_account_waits),
        ON_A_DATABASE(the_bank_pays),
        ON_A_DATABASE(what_came_back_is_paid_again),
        ON_A_DATABASE(what_came_back_is_less_by_what_is_owed),
        ON_A_DATABASE(a_word_is_undone),
        ON_A_DATABASE(one_word_is_undone_once),
        ON_A_DATABASE(a_return_is_undone_until_it_is_paid_again),
        ON_A_DATABASE(what_may_have_been_sent_is_left_out),
        ON_A_DATABASE(what_was_sent_before_a_restore_is_told),
        ON_A_DATABASE(what_was_settled_otherwise_is_never_sent),
        ON_A_DATABASE(a_file_has_a_thousand_at_most),
        ON_A_DATABASE(settlements_of_before_have_none),
        cmocka_unit_test_setup_teardown(every_edit_is_found_and_named, open_paid, test_day_close),
    };
    setpay_log_set_level(SETPAY_LOG_ERROR);
    setpay_buffer_init(&sent.bytes, SETPAY_PAYOUT_FILE_MAX);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    setpay_buffer_clear(&sent.bytes);
    return failed;
}
