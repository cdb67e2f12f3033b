/*
 * One table names the members, for setting and for showing. Counts are used up in the order of the
 * members: silent first, close_after last.
 */
#include "gateway/issuer/script.h"

#include "common/net/control_json.h"

#include <stddef.h>
#include <string.h>

#define NUMBER_MAX 1000000

static const struct {
    const char *name;
    size_t offset;
} members[] = {
    {"latency_ms", offsetof(struct setpay_script, latency_ms)},
    {"hold_ms", offsetof(struct setpay_script, hold_ms)},
    {"late_ms", offsetof(struct setpay_script, late_ms)},
    {"silent", offsetof(struct setpay_script, silent)},
    {"late", offsetof(struct setpay_script, late)},
    {"duplicate", offsetof(struct setpay_script, duplicate)},
    {"close_before", offsetof(struct setpay_script, close_before)},
    {"close_after", offsetof(struct setpay_script, close_after)},
    {"silent_reversals", offsetof(struct setpay_script, silent_reversals)},
    {"refuse_reversals", offsetof(struct setpay_script, refuse_reversals)},
    {"silent_presentments", offsetof(struct setpay_script, silent_presentments)},
    {"refuse_presentments", offsetof(struct setpay_script, refuse_presentments)},
    {"silent_reconciliations", offsetof(struct setpay_script, silent_reconciliations)},
    {"wrong_totals", offsetof(struct setpay_script, wrong_totals)},
    {"silent_echoes", offsetof(struct setpay_script, silent_echoes)},
    {"refuse_sign_on", offsetof(struct setpay_script, refuse_sign_on)},
};
#define MEMBER_COUNT (sizeof(members) / sizeof(members[0]))

static int64_t *member(struct setpay_script *script, size_t i)
{
    return (int64_t *)(void *)((char *)script + members[i].offset);
}

json_t *setpay_script_describe(const struct setpay_script *script)
{
    struct setpay_script copy = *script;
    json_t *all = json_object();
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        json_object_set_new(all, members[i].name, json_integer(*member(&copy, i)));
    return all;
}

enum setpay_error setpay_script_apply(struct setpay_script *script, const json_t *args,
                                      struct setpay_problem *problem)
{
    struct setpay_script set = *script;
    const char *names[MEMBER_COUNT + 2] = {"reset"};
    bool reset = false;
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        names[i + 1] = members[i].name;
    SETPAY_TRY(setpay_json_args_check(args, names, problem));
    SETPAY_TRY(setpay_json_arg_bool(args, "reset", false, &reset, problem));
    if (reset)
        set = (struct setpay_script){.late_ms = script->late_ms};
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        SETPAY_TRY(setpay_json_arg_int(args, members[i].name, false, 0, NUMBER_MAX, member(&set, i),
                                       problem));
    *script = set;
    return SETPAY_OK;
}

void setpay_script_print_names(FILE *out)
{
    size_t column = 0;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (column == 0 || column + strlen(members[i].name) > 74)
            column = (size_t)fprintf(out, "\n  ") - 1;
        column += (size_t)fprintf(out, "%s%s", column > 2 ? " " : "", members[i].name);
    }
    fprintf(out, "\n\n");
}

bool setpay_script_take(int64_t *count)
{
    if (*count <= 0)
        return false;
    (*count)--;
    return true;
}

enum setpay_card_rule setpay_script_next(struct setpay_script *script,
                                         const struct setpay_card *card)
{
    if (setpay_script_take(&script->silent))
        return SETPAY_CARD_SILENT;
    if (setpay_script_take(&script->late))
        return SETPAY_CARD_LATE;
    if (setpay_script_take(&script->duplicate))
        return SETPAY_CARD_DUPLICATE;
    if (setpay_script_take(&script->close_before))
        return SETPAY_CARD_DROP_BEFORE;
    if (setpay_script_take(&script->close_after))
        return SETPAY_CARD_DROP_AFTER;
    return card == NULL ? SETPAY_CARD_APPROVE : card->rule;
}
