/*
 * New revocation lists of many authorities at once.
 *
 * What always holds: each authority's list is a change of its own. One whose key is gone, or whose
 * list has no room, keeps nobody else from a new list; who asked is told of each that failed.
 */
#include "ca/state.h"

#include "common/crypto/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One run over the authorities. */
struct run {
    struct setpay_ca *ca;
    const struct setpay_ca_lists_wish *wish;
    size_t made;
    enum setpay_error error; /* the first */
    char why[400];           /* who failed, and for what */
};

static void note_failure(struct run *run, const char *authority, enum setpay_error error,
                         const struct setpay_problem *problem)
{
    const char *why = problem->text[0] != '\0' ? problem->text : setpay_error_text(error);
    size_t used = strlen(run->why);

    if (run->error == SETPAY_OK)
        run->error = error;
    (void)snprintf(run->why + used, sizeof run->why - used, "%s%s: %s", used == 0 ? "" : "; ",
                   authority, why);
    if (run->wish->failed_cb != NULL)
        run->wish->failed_cb(run->wish->arg, authority, error, why);
}

static enum setpay_error make_list(struct setpay_ca *ca, const char *name, setpay_time_ms now,
                                   struct setpay_problem *problem)
{
    struct setpay_ca_change change = {0};
    struct setpay_ca_authority authority = {0};
    enum setpay_error error = setpay_ca_change_begin(ca->registry, &change);

    if (error == SETPAY_OK)
        error = setpay_ca_authority_load(ca, name, true, &authority, problem);
    if (error == SETPAY_OK)
        error = setpay_ca_crl_decide(ca, &change, &authority, NULL, 0, now);
    if (error == SETPAY_OK)
        error = setpay_ca_log_commit(ca, &change, &authority);
    setpay_ca_authority_clear(&authority);
    setpay_ca_change_clear(&change);
    return error;
}

/* One from the future was made before the clock was set right: nobody believes it. */
static bool is_due(const struct setpay_ca_authority_row *row, setpay_time_ms now)
{
    return row->crl_number == 0 || now < row->this_update ||
           now >= row->this_update + (row->next_update - row->this_update) / 2;
}

bool setpay_ca_is_given_up(const struct setpay_ca *ca, const struct setpay_ca_authority_row *row,
                           setpay_time_ms now)
{
    char path[SETPAY_CA_PATH_MAX];

    if (row->not_after != 0 && row->not_after + SETPAY_CA_LISTED_AFTER_END_MS < now)
        return true;
    return row->revoked && setpay_ca_path(ca, "keys", row->name, ".key", path) == SETPAY_OK &&
           access(path, F_OK) != 0;
}

static enum setpay_error visit(void *arg, const struct setpay_ca_authority_row *row)
{
    struct run *run = arg;
    struct setpay_problem problem = {{0}};

    if ((run->wish->due && !is_due(row, run->wish->now)) ||
        setpay_ca_is_given_up(run->ca, row, run->wish->now))
        return SETPAY_OK;
    enum setpay_error error = make_list(run->ca, row->name, run->wish->now, &problem);
    if (error == SETPAY_OK)
        run->made++;
    else
        note_failure(run, row->name, error, &problem);
    return SETPAY_OK; /* the next one has its turn all the same */
}

enum setpay_error setpay_ca_make_crls(struct setpay_ca *ca, const struct setpay_ca_lists_wish *wish,
                                      size_t *made, struct setpay_problem *problem)
{
    struct setpay_ca_authority known = {0};
    struct setpay_problem trouble = {{0}};
    struct run run = {.ca = ca, .wish = wish, .error = SETPAY_OK};

    if (made != NULL)
        *made = 0;
    if (wish->brand != NULL) {
        SETPAY_TRY(setpay_ca_authority_of(ca, wish->brand, "brand", false, &known, problem));
        setpay_ca_authority_clear(&known);
    }
    SETPAY_TRY(setpay_ca_registry_authorities(ca->registry, wish->brand, visit, &run));
    if (made != NULL)
        *made = run.made;
    /* Without a wish for what is due alone also to mend: what a crash left out is written. */
    if (run.made > 0 || !wish->due) {
        enum setpay_error error = setpay_ca_publish(ca, &trouble);

        if (error != SETPAY_OK)
            note_failure(&run, "the files", error, &trouble);
    }
    if (run.error != SETPAY_OK)
        return setpay_problem_set(problem, run.error, "not every list could be made: %s", run.why);
    return SETPAY_OK;
}

/* ---- how they stand ---- */

struct looking {
    setpay_time_ms now;
    setpay_ca_list_state_cb *each;
    void *arg;
};

static enum setpay_error tell_state(void *arg, const struct setpay_ca_authority_row *row)
{
    const struct looking *looking = arg;
    const struct setpay_ca_list_state list = {
        .authority = row->name,
        .kind = row->kind,
        .next_update = row->next_update,
        .size = row->crl_size,
        .is_needed = !row->revoked && row->not_after > looking->now,
    };

    looking->each(looking->arg, &list);
    return SETPAY_OK;
}

enum setpay_error setpay_ca_list_states(struct setpay_ca *ca, setpay_time_ms now,
                                        setpay_ca_list_state_cb *each, void *arg)
{
    struct looking looking = {.now = now, .each = each, .arg = arg};

    return setpay_ca_registry_authorities(ca->registry, NULL, tell_state, &looking);
}

enum setpay_error setpay_ca_list_crls(struct setpay_ca *ca, const char *brand,
                                      setpay_ca_crl_cb *each, void *arg)
{
    return setpay_ca_registry_crls(ca->registry, brand, each, arg);
}

/* ---- files ---- */

/* CRLs as PEM, gathered into one buffer. */
struct gathering {
    struct setpay_ca *ca;
    struct setpay_buffer pem;
    bool single;             /* written one by one into crl/AUTHORITY.crl */
    enum setpay_error error; /* the first; what follows is written all the same */
    struct setpay_problem *problem;
};

static enum setpay_error write_copy(const struct gathering *gathering, const char *name,
                                    const char *suffix)
{
    char path[SETPAY_CA_PATH_MAX];

    SETPAY_TRY(setpay_ca_path(gathering->ca, "crl", name, suffix, path));
    return setpay_file_write(path, setpay_buffer_view(&gathering->pem), 0644, true,
                             gathering->error == SETPAY_OK ? gathering->problem : NULL);
}

static void keep_first(struct gathering *gathering, enum setpay_error error)
{
    if (gathering->error == SETPAY_OK)
        gathering->error = error;
}

static void gather(void *arg, const char *authority, uint64_t number, setpay_time_ms this_update,
                   setpay_time_ms next_update, struct setpay_view der)
{
    struct gathering *gathering = arg;

    (void)number;
    (void)this_update;
    (void)next_update;
    if (gathering->single)
        setpay_buffer_reset(&gathering->pem);
    enum setpay_error error = setpay_ca_append_pem(&gathering->pem, "X509 CRL", der);
    if (error == SETPAY_OK && gathering->single)
        error = write_copy(gathering, authority, ".crl");
    keep_first(gathering, error);
}

static enum setpay_error publish_brand(void *arg, const struct setpay_ca_authority_row *row)
{
    struct gathering *gathering = arg;

    if (strcmp(row->kind, "brand") != 0)
        return SETPAY_OK;
    setpay_buffer_reset(&gathering->pem);
    SETPAY_TRY(setpay_ca_registry_crls(gathering->ca->registry, row->brand, gather, gathering));
    keep_first(gathering, write_copy(gathering, row->brand, ".crls.pem"));
    return SETPAY_OK;
}

enum setpay_error setpay_ca_crl_publish(struct setpay_ca *ca, struct setpay_problem *problem)
{
    struct gathering gathering = {.ca = ca, .single = true, .problem = problem};
    enum setpay_error error;

    setpay_buffer_init(&gathering.pem, SETPAY_CA_LISTS_PEM_MAX);
    error = setpay_ca_registry_crls(ca->registry, NULL, gather, &gathering);
    gathering.single = false;
    if (error == SETPAY_OK)
        error = setpay_ca_registry_authorities(ca->registry, NULL, publish_brand, &gathering);
    setpay_buffer_clear(&gathering.pem);
    return error != SETPAY_OK ? error : gathering.error;
}
