/*
 * issuer cutoff --wait: ends periods, and waits until each is added up, and its issuer has answered
 * for every currency; in the end the outcome is known, or that the time is over. The daemon asks by
 * itself, and goes on when nobody waits any more. So who asks again ends a period in which little
 * or nothing was booked, and means the one before it: what had ended and waits is waited for too.
 */
#include "gateway/books_cli.h"

#include "common/base/clock.h"
#include "common/net/control_json.h"

#include <string.h>
#include <time.h>

#define WAIT_MAX_S (24 * 3600)
#define LOOK_MS 100 /* how often it is looked */

static void pause_shortly(void)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};
    (void)nanosleep(&pause, NULL);
}

/* What the issuers have said so far. */
struct outcome {
    size_t unfinished, differing;
    const char *slow; /* an issuer that has not answered: of the result */
    bool running;     /* a daemon is there that asks */
};

static bool is_finished(const json_t *period)
{
    size_t index;
    const json_t *row;
    bool finished = json_is_true(json_object_get(period, "totalled"));
    json_array_foreach(json_object_get(period, "reconciliations"), index, row)
    {
        finished = finished && strcmp(setpay_operator_text(row, "result"), "open") != 0;
    }
    return finished;
}

static void add_outcome(const json_t *period, struct outcome *outcome)
{
    bool finished = is_finished(period);
    size_t index;
    const json_t *row;
    json_array_foreach(json_object_get(period, "reconciliations"), index, row)
    {
        const char *word = setpay_operator_text(row, "result");
        outcome->differing += strcmp(word, "out of balance") == 0 || strcmp(word, "refused") == 0;
    }
    outcome->unfinished += !finished;
    if (!finished)
        outcome->slow = setpay_operator_text(period, "issuer");
    outcome->running = outcome->running || json_is_true(json_object_get(period, "running"));
}

/* What a period has come to; entry says which, and whether it had ended before. */
static enum setpay_error look_at(struct setpay_operator_asker *asker, const json_t *entry,
                                 json_t **period, struct setpay_problem *problem)
{
    SETPAY_TRY(
        setpay_operator_ask(asker, "issuer.period",
                            json_pack("{s:O, s:O}", "issuer", json_object_get(entry, "issuer"),
                                      "period", json_object_get(entry, "period")),
                            period, problem));
    json_object_set_new(*period, "earlier",
                        json_boolean(json_is_true(json_object_get(entry, "earlier"))));
    return SETPAY_OK;
}

/* Each entry of cut becomes what its period has come to; what is finished is not asked again. */
static enum setpay_error look(struct setpay_operator_asker *asker, json_t *cut,
                              struct outcome *outcome, struct setpay_problem *problem)
{
    memset(outcome, 0, sizeof *outcome);
    for (size_t i = 0; i < json_array_size(cut); i++) {
        json_t *period = json_array_get(cut, i);
        if (!is_finished(period)) {
            SETPAY_TRY(look_at(asker, period, &period, problem));
            if (json_array_set_new(cut, i, period) != 0)
                return SETPAY_E_NOMEM;
        }
        add_outcome(period, outcome);
    }
    return SETPAY_OK;
}

static enum setpay_error judge(const struct outcome *outcome, int64_t seconds,
                               struct setpay_problem *problem)
{
    if (outcome->differing > 0)
        return setpay_problem_set(problem, SETPAY_E_STATE,
                                  "%zu of the totals are not in balance, or the issuer told none; "
                                  "compare with its list, see issuer list and reconcile",
                                  outcome->differing);
    if (outcome->unfinished == 0)
        return SETPAY_OK;
    if (!outcome->running)
        return setpay_problem_set(problem, SETPAY_E_TIMEOUT,
                                  "the daemon does not run: nothing is compared before it does");
    return setpay_problem_set(problem, SETPAY_E_TIMEOUT,
                              "the issuer %.64s has not answered for all of its period in %lld s; "
                              "the daemon goes on: ask again, or see issuer list",
                              outcome->slow, (long long)seconds);
}

enum setpay_error setpay_books_cutoff(struct setpay_operator_asker *asker,
                                      const struct setpay_config *config, const json_t *args,
                                      json_t **result, struct setpay_problem *problem)
{
    int64_t seconds = -1;
    struct outcome outcome;
    (void)config;
    SETPAY_TRY(setpay_json_arg_int(args, "wait", false, 0, WAIT_MAX_S, &seconds, problem));
    json_t *asked = json_deep_copy(args);
    json_object_del(asked, "wait");
    SETPAY_TRY(setpay_operator_ask(asker, "issuer.cutoff", asked, result, problem));
    if (seconds < 0)
        return SETPAY_OK;
    json_t *cut = json_object_get(*result, "cut");
    int64_t end_ms = setpay_clock_monotonic_ms() + seconds * SETPAY_SECOND_MS;
    SETPAY_TRY(look(asker, cut, &outcome, problem));
    while (outcome.unfinished > 0 && outcome.running && setpay_clock_monotonic_ms() < end_ms) {
        pause_shortly();
        SETPAY_TRY(look(asker, cut, &outcome, problem));
    }
    return judge(&outcome, seconds, problem);
}
