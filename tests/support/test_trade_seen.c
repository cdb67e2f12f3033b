/*
 * A table of events, each with the query that counts it, or the words of its line in the gateway's
 * log.
 */
#include "tests/support/test_trade_seen.h"

#include "tests/support/test_sandbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kinds of steps: 1 capture, 2 credit (gateway/payment/step.h). */
#define REFUSED(kind)                                                                              \
    "SELECT count(*) FROM presentment JOIN step ON step.id = step_id WHERE kind = " kind           \
    " AND response_code NOT IN ('', '00', '94', 'WO')"
#define OVERTAKEN                                                                                  \
    "SELECT count(*) FROM card_reversal r JOIN card_authorisation z ON z.acquirer = r.acquirer"    \
    " AND z.stan = r.stan AND z.sent = r.sent WHERE r.matched = 0"
#define NOT_NOW " event=network.presentment_refused "

static const struct {
    const char *what;
    const char *database; /* NULL: in the log */
    const char *which;
} events[] = {
    {"approvals of less than was asked", "issuer",
     "SELECT count(*) FROM card_authorisation WHERE response_code = '10'"},
    {"approvals that nobody heard of, undone", "issuer",
     "SELECT count(*) FROM card_authorisation WHERE account = 'no-answer' AND approved_minor > 0"
     " AND held_minor = 0"},
    {"reversals of what the issuer does not know", "issuer",
     "SELECT count(*) FROM card_reversal WHERE matched = 0"},
    {"reversals that overtook their authorisations", "issuer", OVERTAKEN},
    {"reversals that were sent again", "gateway",
     "SELECT count(*) FROM reversal WHERE sent_count > 1"},
    {"holds that have ended", "gateway", "SELECT count(*) FROM reversal WHERE advice = 1"},
    {"approvals in the issuer's stead", "gateway", "SELECT count(*) FROM stand_in"},
    {"of them refused later", "gateway",
     "SELECT count(*) FROM stand_in WHERE response_code NOT IN ('', '00', '94')"},
    {"presentments that were sent again", "gateway",
     "SELECT count(*) FROM presentment WHERE sent_count > 1"},
    {"captures that were refused", "gateway", REFUSED("1")},
    {"credits that were refused", "gateway", REFUSED("2")},
    {"presentments that were written off", "gateway",
     "SELECT count(*) FROM presentment WHERE response_code = 'WO'"},
    {"suspense cleared to issuers", "gateway",
     "SELECT count(*) FROM suspense_clearing WHERE account = 1"},
    {"suspense cleared to merchants", "gateway",
     "SELECT count(*) FROM suspense_clearing WHERE account = 2"},
    {"of it losses", "gateway", "SELECT count(*) FROM suspense_clearing WHERE loss_minor <> 0"},
    {"totals that differ", "gateway", "SELECT count(*) FROM reconciliation WHERE result = 2"},
    {"totals that were asked for again", "gateway",
     "SELECT count(*) FROM reconciliation WHERE sent_count > 1"},
    {"lines to the issuer lost", NULL, " event=line.closed "},
    {"presentments that the issuer can't take now", NULL, NOT_NOW},
};
#define EVENTS (sizeof events / sizeof events[0])

/* At the least, of the shortest trade; how many there are depends on the machine. */
static const struct {
    const char *what;
    int64_t killed;
} kinds[TEST_DAEMONS] = {[TEST_WALLET] = {"wallets killed", 2},
                         [TEST_MERCHANT] = {"merchants killed", 4},
                         [TEST_GATEWAY] = {"gateway killed", 4},
                         [TEST_ISSUER] = {"issuer killed", 1}};
#define SIZE_MAX_KILLED 5 /* from here on no more are asked for */

/* ------------------------------------------------------------------ the log */

typedef void line_fn(void *arg, const char *line);

static void each_line(const struct test_town *town, const char *with, line_fn *each, void *arg)
{
    char path[192], *line = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, "%s/log/gateway.log", town->sandbox.dir);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        test_bail_out("%s can't be read", path);
    while (getline(&line, &size, file) > 0)
        if (strstr(line, with) != NULL)
            each(arg, line);
    free(line);
    fclose(file);
}

static void count_line(void *arg, const char *line)
{
    (void)line;
    ++*(int64_t *)arg;
}

struct unmatched {
    sqlite3 *issuer;
    const char *account;
    int64_t count;
};

static void count_unmatched(void *arg, const char *line)
{
    struct unmatched *seen = arg;
    char query[160];
    const char *stan = strstr(line, " stan=");
    if (stan == NULL)
        return;
    (void)snprintf(query, sizeof query,
                   "SELECT count(*) > 0 FROM card_authorisation WHERE account = ?1 AND stan = %ld",
                   strtol(stan + 6, NULL, 10));
    seen->count += test_database_number(seen->issuer, query, seen->account);
}

int64_t test_trade_unmatched(const struct test_town *town, const char *account)
{
    struct unmatched seen = {.issuer = test_sandbox_database(&town->sandbox, "issuer"),
                             .account = account};
    if (seen.issuer == NULL)
        test_bail_out("the issuer's database can't be read");
    each_line(town, " event=network.unmatched ", count_unmatched, &seen);
    sqlite3_close(seen.issuer);
    return seen.count;
}

int64_t test_trade_overtakings(const struct test_town *town)
{
    sqlite3 *issuer = test_sandbox_database(&town->sandbox, "issuer");
    int64_t count = test_database_number(issuer, OVERTAKEN, NULL);
    sqlite3_close(issuer);
    return count;
}

int64_t test_trade_not_now(const struct test_town *town)
{
    int64_t count = 0;
    each_line(town, NOT_NOW, count_line, &count);
    return count;
}

/* ------------------------------------------------------------------ all of it */

static int64_t count_event(const struct test_town *town, size_t i)
{
    int64_t count = 0;
    if (events[i].database == NULL) {
        each_line(town, events[i].which, count_line, &count);
        return count;
    }
    sqlite3 *database = test_sandbox_database(&town->sandbox, events[i].database);
    count = test_database_number(database, events[i].which, NULL);
    sqlite3_close(database);
    return count;
}

static void require(int64_t count, int64_t least, const char *what, char *words, size_t size)
{
    size_t used = strlen(words);
    printf("# tally: %s = %" PRId64 "\n", what, count);
    if (count < least && used < size)
        (void)snprintf(words + used, size - used, "%s%s: %" PRId64 ", not %" PRId64,
                       used == 0 ? "" : "; ", what, count, least);
}

void test_trade_all_seen(struct test_town *town, uint64_t size, test_town_report_fn *report)
{
    char words[1024] = "";
    int64_t times = (int64_t)(size < SIZE_MAX_KILLED ? size : SIZE_MAX_KILLED);
    for (size_t i = 0; i < EVENTS; i++)
        require(count_event(town, i), 1, events[i].what, words, sizeof words);
    require(test_trade_unmatched(town, "late-answer"), 1, "answers that were late", words,
            sizeof words);
    require(test_trade_unmatched(town, "duplicate-answer"), 1, "answers that came twice", words,
            sizeof words);
    if (size > 0)
        report(words[0] == '\0', "all that can go wrong has", words);
    words[0] = '\0';
    for (size_t i = 0; i < TEST_DAEMONS; i++)
        require(test_town_killed_of(town, (enum test_daemon)i), times * kinds[i].killed,
                kinds[i].what, words, sizeof words);
    if (size > 0)
        report(words[0] == '\0', "daemons of each kind were killed", words);
}
