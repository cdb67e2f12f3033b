/*
 * Places counted: for each kind how many are taken, and by whom. There are so few that looking at
 * all of them costs nothing beside what is waited for.
 */
#include "ca/places.h"

#include <pthread.h>
#include <stdlib.h>

#define ENTRIES_MAX (SETPAY_PLACES_HOLDERS + SETPAY_PLACES_STRANGERS)

static const struct {
    unsigned all, each;
} limits[] = {
    [SETPAY_PLACE_HOLDER] = {SETPAY_PLACES_HOLDERS, SETPAY_PLACES_HOLDER},
    [SETPAY_PLACE_STRANGER] = {SETPAY_PLACES_STRANGERS, SETPAY_PLACES_STRANGER},
};

struct entry {
    enum setpay_place place;
    struct setpay_digest who;
    unsigned taken; /* 0: the entry is free */
};

struct setpay_places {
    pthread_mutex_t lock;
    unsigned taken[sizeof limits / sizeof *limits]; /* under the lock, so the next */
    struct entry entries[ENTRIES_MAX];
};

enum setpay_error setpay_places_new(struct setpay_places **places)
{
    struct setpay_places *made = calloc(1, sizeof *made);

    if (made == NULL)
        return SETPAY_E_NOMEM;
    if (pthread_mutex_init(&made->lock, NULL) != 0) {
        free(made);
        return SETPAY_E_NOMEM;
    }
    *places = made;
    return SETPAY_OK;
}

void setpay_places_free(struct setpay_places *places)
{
    if (places == NULL)
        return;
    (void)pthread_mutex_destroy(&places->lock);
    free(places);
}

/* The entry of who, or a free one: while not all places are taken, there is one. */
static struct entry *entry_of(struct setpay_places *places, enum setpay_place place,
                              const struct setpay_digest *who)
{
    struct entry *unused = NULL;

    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        struct entry *entry = &places->entries[i];
        if (entry->taken > 0 && entry->place == place && setpay_digest_equal(&entry->who, who))
            return entry;
        if (entry->taken == 0 && unused == NULL)
            unused = entry;
    }
    return unused;
}

bool setpay_places_take(struct setpay_places *places, enum setpay_place place,
                        const struct setpay_digest *who)
{
    if (place == SETPAY_PLACE_OPERATOR)
        return true;
    (void)pthread_mutex_lock(&places->lock);
    struct entry *entry =
        places->taken[place] < limits[place].all ? entry_of(places, place, who) : NULL;
    bool room = entry != NULL && entry->taken < limits[place].each;
    if (room) {
        entry->place = place;
        entry->who = *who;
        entry->taken++;
        places->taken[place]++;
    }
    (void)pthread_mutex_unlock(&places->lock);
    return room;
}

void setpay_places_give_back(struct setpay_places *places, enum setpay_place place,
                             const struct setpay_digest *who)
{
    if (place == SETPAY_PLACE_OPERATOR)
        return;
    (void)pthread_mutex_lock(&places->lock);
    struct entry *entry = entry_of(places, place, who);
    if (entry != NULL && entry->taken > 0) {
        entry->taken--;
        places->taken[place]--;
    }
    (void)pthread_mutex_unlock(&places->lock);
}
