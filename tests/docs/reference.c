/*
 * Writes the reference pages that are made from tables in the code: `reference errors`,
 * `reference states` and `reference messages`, on standard output. tests/docs/pages.sh puts all
 * pages together.
 *
 * Always true: every row and cell is asked of the functions that the programs themselves use, so
 * that a page can't say what the code does not do.
 */
#include "tests/docs/reference.h"

#include "cardholder/purchase_state.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "gateway/clearing/payout_state.h"
#include "gateway/payment/payment_state.h"
#include "merchant/payment/purchase_state.h"
#include "merchant/store/api/problem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 120

/* A paragraph, broken into lines. */
void setpay_reference_words(const char *words)
{
    size_t column = 0;
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        if (column > 0 && column + 1 + length > COLUMNS) {
            putchar('\n');
            column = 0;
        } else if (column > 0) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)length, words);
        column += length;
        words += length + strspn(words + length, " ");
    }
    putchar('\n');
}

/* ------------------------------------------------------------------ errors */

static const char *const kind_names[] = {
    [SETPAY_KIND_AGAIN] = "again",       [SETPAY_KIND_BUSY] = "busy",
    [SETPAY_KIND_PROTOCOL] = "protocol", [SETPAY_KIND_SECURITY] = "security",
    [SETPAY_KIND_DECLINED] = "declined", [SETPAY_KIND_USAGE] = "usage",
    [SETPAY_KIND_SYSTEM] = "system",
};

static const char *const kind_texts[] = {
    [SETPAY_KIND_AGAIN] = "no answer yet, or the other side can't be reached; safe to repeat",
    [SETPAY_KIND_BUSY] = "too much is under way; repeat later; such an answer is never kept",
    [SETPAY_KIND_PROTOCOL] = "the other side broke the protocol",
    [SETPAY_KIND_SECURITY] = "a check of a signature, certificate, digest or date failed",
    [SETPAY_KIND_DECLINED] = "a well-formed wish that was refused",
    [SETPAY_KIND_USAGE] = "the person or program that called got it wrong",
    [SETPAY_KIND_SYSTEM] = "memory, disk, database or library failed here",
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static const struct {
    enum setpay_wire_code code;
    const char *name;
    const char *text;
} wire_codes[] = {
    {SETPAY_WIRE_UNSPECIFIED, "unspecified", "nothing more is said"},
    {SETPAY_WIRE_NOT_SUPPORTED, "not supported", "version, suite or message type is unknown here"},
    {SETPAY_WIRE_DECODING, "decoding", "not a message in its one permitted form"},
    {SETPAY_WIRE_TOO_BIG, "too big", "a size or count is above its limit"},
    {SETPAY_WIRE_CERTIFICATE, "certificate", "chain, role, validity or revocation list"},
    {SETPAY_WIRE_CERTIFICATE_MISSING, "certificate missing", "send it beside the message"},
    {SETPAY_WIRE_REVOKED, "revoked", "a certificate of the chain is revoked"},
    {SETPAY_WIRE_CRYPTOGRAPHIC, "cryptographic",
     "signature, dual signature, envelope or account: all look alike"},
    {SETPAY_WIRE_MISMATCH, "mismatch", "identifiers, amounts or parties disagree"},
    {SETPAY_WIRE_DATE, "date", "the date is off: final for this rrpid"},
    {SETPAY_WIRE_EXPIRED, "expired", "offer or instruction"},
    {SETPAY_WIRE_RRPID_REUSED, "rrpid reused", "the identifier came before, with other content"},
    {SETPAY_WIRE_UNKNOWN_TRANSACTION, "unknown transaction",
     "nothing here that the sender may see"},
    {SETPAY_WIRE_ALREADY_USED, "already used", "order or instruction was taken before"},
    {SETPAY_WIRE_NOT_PERMITTED, "not permitted", "the sender or the state does not allow it"},
    {SETPAY_WIRE_AMOUNT, "amount", "outside what is left or permitted"},
    {SETPAY_WIRE_BUSY, "busy", "repeat the same request later"},
    {SETPAY_WIRE_TOO_SOON, "too soon", "a further authorisation, before its time"},
    {SETPAY_WIRE_AGREEMENT, "agreement", "it permits no further authorisation, and never will"},
    {SETPAY_WIRE_ENDED, "ended", "the order is over, and is not paid any more"},
};

static const char *wire_name(enum setpay_wire_code code)
{
    for (size_t i = 0; i < sizeof wire_codes / sizeof wire_codes[0]; i++) {
        if (wire_codes[i].code == code)
            return wire_codes[i].name;
    }
    fprintf(stderr, "reference: wire code %d has no name\n", (int)code);
    exit(EXIT_FAILURE);
}

static void print_wire_codes(void)
{
    puts("## Codes of an Error message\n");
    setpay_reference_words(
        "The `code` of an [Error](../protocol.md#one-purchase) says as much as another party may "
        "know. What a receiver makes of it is the last column: an Error is the peer's word and "
        "never ends a purchase (rule W7).");
    puts("\n| code | name | meaning | becomes at the receiver |\n"
         "| ---: | --- | --- | --- |");
    for (size_t i = 0; i < sizeof wire_codes / sizeof wire_codes[0]; i++)
        printf("| %d | %s | %s | `%s` |\n", (int)wire_codes[i].code, wire_codes[i].name,
               wire_codes[i].text,
               setpay_error_name(setpay_error_from_wire((uint32_t)wire_codes[i].code)));
}

static void print_kinds(void)
{
    puts("## Kinds\n\n"
         "The kind alone decides what a program does next.\n\n"
         "| kind | meaning |\n"
         "| --- | --- |");
    for (size_t i = 1; i < sizeof kind_names / sizeof kind_names[0]; i++)
        printf("| %s | %s |\n", kind_names[i], kind_texts[i]);
}

static void print_exit_statuses(void)
{
    static const char *const texts[] = {
        "done",
        "failed",
        "the command line, the configuration or a value is wrong",
        "the issuer declined, proved by the gateway's receipt: `setpay-wallet pay` alone",
        "the other side can't be reached, or no answer yet; safe to repeat",
        "a security check failed; the rule's number is printed",
        "the person said no",
    };
    puts("## Exit statuses\n\n"
         "Every program ends with one of these.\n\n"
         "| status | meaning |\n"
         "| ---: | --- |");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        printf("| %zu | %s |\n", i, texts[i]);
}

/* By status, so that a reader finds neighbours beside each other. */
static void print_problems(void)
{
    static const char prefix[] = "urn:setpay:problem:";
    puts("## Problems of the store's API\n");
    setpay_reference_words(
        "The `type` of an `application/problem+json` (RFC 9457), behind `urn:setpay:problem:`; "
        "`merchant/store/api/problem.c` has the table, and [the API](api.md) which operation "
        "answers "
        "with which status. `about:blank` is what HTTP itself refuses: a path or method that is "
        "not "
        "there, a body that is too large.");
    puts("\n| status | type | meaning |\n"
         "| ---: | --- | --- |");
    for (int status = 400; status < 600; status++) {
        for (int i = 0; i < SETPAY_API_PROBLEMS; i++) {
            const struct setpay_api_problem_info *info =
                setpay_api_problem_info((enum setpay_api_problem)i);
            if (info->status == status)
                printf("| %d | `%s` | %s |\n", status, info->type + sizeof prefix - 1, info->title);
        }
    }
}

static void print_errors(void)
{
    unsigned count;
    const struct setpay_error_info *table = setpay_error_table(&count);

    puts("# Errors\n\nMade from the tables in the code by `make reference`.\n");
    setpay_reference_words(
        "Every refusal has one name. It stands in the log line, in answers on a control "
        "socket and in the words of the command line programs; between the parties only its "
        "code goes, and to a store one of the problems below.");
    puts("");
    print_exit_statuses();
    puts("");
    print_kinds();
    puts("");
    print_wire_codes();
    puts("");
    print_problems();
    puts("\n## All errors\n\nThe table is `common/base/error_table.h`.\n\n"
         "| name | number | kind | exit | code | log | rule | meaning |\n"
         "| --- | --- | --- | ---: | --- | --- | --- | --- |");
    for (unsigned i = 0; i < count; i++) {
        const struct setpay_error_info *row = &table[i];
        printf("| `%s` | %04x | %s | %d | %s | %s | %s | %s |\n", row->name,
               (unsigned)row->error & 0xffffU, kind_names[row->kind],
               setpay_error_exit_status(row->error), wire_name(row->wire), level_names[row->level],
               row->rule[0] == '\0' ? "–" : row->rule, row->text);
    }
}

/* ------------------------------------------------------------------ states */

/* One party's table, its functions reduced to numbers. */
struct party {
    const char *title;
    const char *file;
    const char *words; /* what a reader should know before the table */
    int states;
    int events;
    const char *(*state_name)(int state);
    const char *(*event_name)(int event);
    enum setpay_error (*next)(int state, int event, int *next);
};

static const char *gateway_state(int state)
{
    return setpay_payment_state_name((enum setpay_payment_state)state);
}

static const char *gateway_event(int event)
{
    return setpay_payment_event_name((enum setpay_payment_event)event);
}

static enum setpay_error gateway_next(int state, int event, int *next)
{
    enum setpay_payment_state found;
    SETPAY_TRY(setpay_payment_state_next((enum setpay_payment_state)state,
                                         (enum setpay_payment_event)event, &found));
    *next = (int)found;
    return SETPAY_OK;
}

static const char *payout_state(int state)
{
    return setpay_payout_state_name((enum setpay_payout_state)state);
}

static const char *payout_event(int event)
{
    return setpay_payout_event_name((enum setpay_payout_event)event);
}

static enum setpay_error payout_next(int state, int event, int *next)
{
    enum setpay_payout_state found;
    SETPAY_TRY(setpay_payout_state_next((enum setpay_payout_state)state,
                                        (enum setpay_payout_event)event, &found));
    *next = (int)found;
    return SETPAY_OK;
}

static const char *merchant_state(int state)
{
    return setpay_purchase_state_name((enum setpay_purchase_state)state);
}

static const char *merchant_event(int event)
{
    static const char *const names[SETPAY_PURCHASE_EVENTS] = {
        [SETPAY_PURCHASE_PREQ] = "PReq",
        [SETPAY_PURCHASE_APPROVED] = "AuthRes: approved",
        [SETPAY_PURCHASE_EXCESS] = "AuthRes: more than asked",
        [SETPAY_PURCHASE_SOLD] = "AuthRes: sold as asked",
        [SETPAY_PURCHASE_OVERSOLD] = "AuthRes: sold otherwise",
        [SETPAY_PURCHASE_REFUSED] = "AuthRes: declined",
        [SETPAY_PURCHASE_VOID_DONE] = "AuthRes: voided",
        [SETPAY_PURCHASE_USED] = "Error: already used",
        [SETPAY_PURCHASE_GIVE_UP] = "the order is given up",
        [SETPAY_PURCHASE_LAPSE] = "Error: the void can't be booked, after the time",
        [SETPAY_PURCHASE_REVERSE] = "the store reverses",
        [SETPAY_PURCHASE_REVERSE_DONE] = "AuthRevRes: nothing left",
        [SETPAY_PURCHASE_STEP] = "the store asks for a step",
        [SETPAY_PURCHASE_STEP_NEXT] = "a step ends: another waits",
        [SETPAY_PURCHASE_STEPS_HELD] = "the last ends: nothing captured",
        [SETPAY_PURCHASE_STEPS_CAPTURED] = "the last ends: something captured",
        [SETPAY_PURCHASE_STEPS_NOTHING] = "the last ends: nothing left",
    };
    return names[event];
}

static enum setpay_error merchant_next(int state, int event, int *next)
{
    enum setpay_purchase_state found;
    SETPAY_TRY(setpay_purchase_state_next((enum setpay_purchase_state)state,
                                          (enum setpay_purchase_event)event, &found));
    *next = (int)found;
    return SETPAY_OK;
}

static const char *wallet_state(int state)
{
    return setpay_wallet_state_name((enum setpay_wallet_state)state);
}

static const char *wallet_event(int event)
{
    static const char *const names[SETPAY_WALLET_EVENTS] = {
        [SETPAY_WALLET_SIGN] = "the person agrees",
        [SETPAY_WALLET_NO_WORD] = "Error, time-out, anything unsigned",
        [SETPAY_WALLET_MERCHANT_REFUSES] = "the merchant's signed refusal",
        [SETPAY_WALLET_TIME_OVER] = "expiry and tolerance have passed",
        [SETPAY_WALLET_RECEIPT_AUTHORISATION] = "receipt: authorisation",
        [SETPAY_WALLET_RECEIPT_DECLINE] = "receipt: decline",
        [SETPAY_WALLET_RECEIPT_VOID] = "receipt: void",
        [SETPAY_WALLET_RECEIPT_REVERSAL_PART] = "receipt: reversal of a part",
        [SETPAY_WALLET_RECEIPT_REVERSAL] = "receipt: reversal of the rest",
    };
    return names[event];
}

static enum setpay_error wallet_next(int state, int event, int *next)
{
    enum setpay_wallet_state found;
    bool breach;
    SETPAY_TRY(setpay_wallet_state_next((enum setpay_wallet_state)state,
                                        (enum setpay_wallet_event)event, &found, &breach));
    *next = (int)found;
    return SETPAY_OK;
}

static const struct party parties[] = {
    {
        "Wallet",
        "cardholder/purchase_state.c",
        "Only the gateway's receipts end a purchase at once (rule W7). A receipt of an "
        "authorisation after the merchant's signed refusal also marks the purchase as the "
        "merchant's breach. A link whose purchase is declined, voided, reversed or never "
        "authorised may be paid again: that is another purchase, with a row of its own.",
        SETPAY_WALLET_STATES,
        SETPAY_WALLET_EVENTS,
        wallet_state,
        wallet_event,
        wallet_next,
    },
    {
        "Merchant",
        "merchant/payment/purchase_state.c",
        "A purchase begins with a PReq that passed M1 to M3. A merchant that gives up does not "
        "know whether its AuthReq arrived; it sends a void, and where the gateway had decided "
        "before, it repeats the AuthReq to learn what (`learning`). What the gateway can neither "
        "authorise nor void, since it can't be opened or believed, lapses once its time is over "
        "(rule M9). Captures, credits, their reversals and the release of what is held beside a "
        "capture are steps: while one is at the gateway the purchase is `stepping`; they are done "
        "or refused one after the other, in the order in which the store asked for them.",
        SETPAY_PURCHASE_STATES,
        SETPAY_PURCHASE_EVENTS,
        merchant_state,
        merchant_event,
        merchant_next,
    },
    {
        "Gateway",
        "gateway/payment/payment_state.c",
        "`authorise` leads somewhere from `none` alone: that is rule G6. `fail` stands for no "
        "answer from the network, or one that can't be taken (rules G7 and G11), and always "
        "comes with a reversal.",
        SETPAY_PAYMENT_STATES,
        SETPAY_PAYMENT_EVENTS,
        gateway_state,
        gateway_event,
        gateway_next,
    },
    {
        "Payout",
        "gateway/clearing/payout_state.c",
        "What a settlement has to pay to a merchant, at the gateway. `send` leads somewhere from "
        "`made` alone: a payout is in one file for the bank and never in another. `pay` and "
        "`return` are the bank's word, as the operator tells it; what was returned is paid again "
        "by the next settlement, as another payout. What was told by mistake is undone, back to "
        "what stood before that word; a return only until a settlement has paid it again. What is "
        "`made` can be paid only where the database was restored, and may have forgotten its file; "
        "and set aside only there, where it was settled by other means.",
        SETPAY_PAYOUT_STATES,
        SETPAY_PAYOUT_EVENTS,
        payout_state,
        payout_event,
        payout_next,
    },
};

static void print_party(const struct party *party)
{
    printf("\n## %s\n\n", party->title);
    setpay_reference_words(party->words);
    printf("\nThe table is in `%s`.\n\n| in state |", party->file);
    for (int event = 0; event < party->events; event++)
        printf(" %s |", party->event_name(event));
    printf("\n| --- |");
    for (int event = 0; event < party->events; event++)
        printf(" --- |");
    for (int state = 0; state < party->states; state++) {
        printf("\n| **%s** |", party->state_name(state));
        for (int event = 0; event < party->events; event++) {
            int next = 0;
            enum setpay_error error = party->next(state, event, &next);
            /* INTERNAL: the caller makes sure that it never comes to this. */
            if (error == SETPAY_E_INTERNAL)
                printf(" – |");
            else if (error != SETPAY_OK)
                printf(" `%s` |", setpay_error_name(error));
            else
                printf(" %s |", next == state ? "*stays*" : party->state_name(next));
        }
    }
    puts("");
}

static void print_states(void)
{
    puts("# States\n\nMade from the tables in the code by `make reference`.\n");
    setpay_reference_words(
        "What may follow what in one purchase, at each party, and in a payout. A row is a state, a "
        "column what "
        "happens; a cell is the next state, or the [error](errors.md) that refuses it. `none` "
        "is a purchase that has no record yet; *stays*: the same state, though amounts may "
        "change; – can't occur.");
    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++)
        print_party(&parties[i]);
    setpay_reference_life();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "errors") == 0)
        print_errors();
    else if (argc == 2 && strcmp(argv[1], "states") == 0)
        print_states();
    else if (argc == 2 && strcmp(argv[1], "messages") == 0)
        setpay_reference_messages();
    else {
        fputs("usage: reference errors|states|messages\n", stderr);
        return EXIT_FAILURE;
    }
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
