/*
 * One table names the members, for setting and for showing. Counts are used up in the order of the
 * members: refuse first, close_after last.
 */
#include "gateway/issuer/script.h"

#include "common/net/control_json.h"

#include <stddef.h>
#include <string.h>

#define NUMBER_MAX 1000000

#define AT(member) offsetof(struct setpay_script, member)
#define FAULT(name)                                                                                \
    {                                                                                              \
#name, AT(name)                                                                            \
    }
#define FAULTS(suffix)                                                                             \
    FAULT(refuse##suffix), FAULT(silent##suffix), FAULT(late##suffix), FAULT(duplicate##suffix),   \
        FAULT(close_before##suffix), FAULT(close_after##suffix)

static const struct {
    const char *name;
    size_t offset;
} members[] = {
    {"latency_ms", AT(latency_ms)},
    {"latency_presentments_ms", AT(latency_presentments_ms)},
    {"latency_reversals_ms", AT(latency_reversals_ms)},
    {"hold_ms", AT(hold_ms)},
    {"late_ms", AT(late_ms)},
    {"refuse_code", AT(refuse_code)},
    {"down", AT(down)},
    {"down_ms", AT(down_ms)},
    FAULTS(),
    FAULTS(_sales),
    FAULTS(_stand_ins),
    FAULTS(_presentments),
    FAULTS(_reversals),
    FAULTS(_advices),
    {"silent_reconciliations", AT(silent_reconciliations)},
    {"wrong_totals", AT(wrong_totals)},
    {"silent_echoes", AT(silent_echoes)},
    {"refuse_sign_on", AT(refuse_sign_on)},
};
#define MEMBER_COUNT (sizeof(members) / sizeof(members[0]))

void setpay_script_init(struct setpay_script *script, int64_t late_ms)
{
    *script = (struct setpay_script){.late_ms = late_ms, .refuse_code = 96};
}

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
        setpay_script_init(&set, script->late_ms);
    for (size_t i = 0; i < MEMBER_COUNT; i++)
        SETPAY_TRY(setpay_json_arg_int(args, members[i].name, false, 0, NUMBER_MAX, member(&set, i),
                                       problem));
    if (set.refuse_code > 99)
        return setpay_problem_set(problem, SETPAY_E_USAGE,
                                  "refuse_code: found %lld, expected 0 to 99",
                                  (long long)set.refuse_code);
    bool approves = set.refuse_code == 0 || set.refuse_code == 10;
    if (approves && (set.refuse > 0 || set.refuse_sales > 0))
        return setpay_problem_set(
            problem, SETPAY_E_USAGE,
            "refuse, refuse_sales: refuse_code %lld approves; set another one",
            (long long)set.refuse_code);
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

/* What is left of the faults of this kind: true where it has something for this message. */
static bool take_fault(const struct setpay_script *script, struct setpay_script_faults *faults,
                       struct setpay_script_fault *fault)
{
    if (setpay_script_take(&faults->refuse)) {
        fault->refuse_code[0] = (char)('0' + script->refuse_code / 10);
        fault->refuse_code[1] = (char)('0' + script->refuse_code % 10);
    } else if (setpay_script_take(&faults->silent))
        fault->behaviour = SETPAY_CARD_SILENT;
    else if (setpay_script_take(&faults->late))
        fault->behaviour = SETPAY_CARD_LATE;
    else if (setpay_script_take(&faults->duplicate))
        fault->behaviour = SETPAY_CARD_DUPLICATE;
    else if (setpay_script_take(&faults->close_before))
        fault->behaviour = SETPAY_CARD_DROP_BEFORE;
    else if (setpay_script_take(&faults->close_after))
        fault->behaviour = SETPAY_CARD_DROP_AFTER;
    else
        return false;
    return true;
}

/* A type without its last digit, which says only whether it is a repeat. */
static bool is_of(const char *mti, const char *type)
{
    return memcmp(mti, type, 3) == 0;
}

void setpay_script_next(struct setpay_script *script, const char *mti,
                        const struct setpay_card *card, struct setpay_script_fault *fault)
{
    *fault =
        (struct setpay_script_fault){.behaviour = card == NULL ? SETPAY_CARD_APPROVE : card->rule};
    if (is_of(mti, "022")) {
        take_fault(script, &script->presentments, fault);
    } else if (is_of(mti, "040") || is_of(mti, "042")) {
        if (!is_of(mti, "042") || !take_fault(script, &script->advices, fault))
            take_fault(script, &script->reversals, fault);
    } else {
        bool narrower = is_of(mti, "020")   ? take_fault(script, &script->sales, fault)
                        : is_of(mti, "012") ? take_fault(script, &script->stand_ins, fault)
                                            : false;
        if (!narrower)
            take_fault(script, &script->authorisations, fault);
    }
}

int64_t setpay_script_latency_ms(const struct setpay_script *script, const char *mti)
{
    if (is_of(mti, "022"))
        return script->latency_presentments_ms;
    return is_of(mti, "040") || is_of(mti, "042") ? script->latency_reversals_ms
                                                  : script->latency_ms;
}
