/*
 * guess SANDBOX ORDER: tries to find the card of a purchase from what its merchant
 * holds, and the order from what its gateway holds.
 *
 * The merchant tries every card number of a range, with every expiry date it may have; the gateway
 * every order of a catalogue. Each candidate is put into everything that the guesser could make of
 * it with the project's own functions (the digests of the dual signature, the blinded account id,
 * plain and keyed digests), and each result is looked for at every offset of everything that the
 * guesser holds: databases, journals, and the messages that came, in binary and in hexadecimal.
 *
 * The guess is made eight times: with every choice of the three secrets that stand between it and
 * success given to it. What it is not given it replaces by what it has. One line each time:
 *
 *     merchant  pi_salt 0|1  back_key 0|1  pan_secret 0|1  tried N  found NAME...
 *     gateway   oi_salt 0|1  challenges 0|1  names 0|1     tried N  found NAME...
 */
#include "tests/support/test_opened.h"

#include "common/base/secret.h"
#include "common/crypto/dual.h"
#include "common/crypto/hash.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PANS 10000    /* that pass Luhn's check: all of 100,000 neighbours */
#define EXPIRIES 4    /* half-years in which cards of the range end */
#define ORDERS 3000   /* in the catalogue */
#define SUBSTITUTES 3 /* for what is not known */
#define PAN_DIGITS 16
#define FOUND_MAX 256

#define NEED(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "guess: %s:%d: not so: %s\n", __FILE__, __LINE__, #condition);         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* ------------------------------------------------------------------ what is held */

struct holdings {
    uint8_t *bytes;
    size_t size;
    uint32_t *table; /* offsets of every window of 32 bytes, plus 1 */
    size_t slots;    /* a power of two */
};

static void hold(struct holdings *holdings, const void *bytes, size_t size)
{
    holdings->bytes = realloc(holdings->bytes, holdings->size + size + 1);
    NEED(holdings->bytes != NULL);
    memcpy(holdings->bytes + holdings->size, bytes, size);
    holdings->size += size;
}

static void hold_file(struct holdings *holdings, const char *sandbox, const char *name)
{
    static uint8_t chunk[65536];
    char path[4096];
    size_t got;
    snprintf(path, sizeof path, "%s/%s", sandbox, name);
    FILE *file = fopen(path, "re");
    NEED(file != NULL);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        hold(holdings, chunk, got);
    fclose(file);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* What is written in hexadecimal is held as bytes too. */
static void hold_decoded(struct holdings *holdings)
{
    size_t end = holdings->size;
    for (size_t at = 0; at < end;) {
        size_t count = 0;
        while (at + count < end && hex_value(holdings->bytes[at + count]) >= 0)
            count++;
        for (size_t shift = 0; shift < 2 && count >= 64; shift++)
            for (size_t i = shift; i + 1 < count; i += 2) {
                uint8_t byte = (uint8_t)(hex_value(holdings->bytes[at + i]) << 4 |
                                         hex_value(holdings->bytes[at + i + 1]));
                hold(holdings, &byte, 1);
            }
        at += count + 1;
    }
}

static size_t slot_of(const struct holdings *holdings, const uint8_t *window)
{
    uint64_t key;
    memcpy(&key, window, sizeof key);
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (holdings->slots - 1);
}

static bool holds(const struct holdings *holdings, const struct setpay_digest *digest)
{
    for (size_t slot = slot_of(holdings, digest->bytes); holdings->table[slot] != 0;
         slot = (slot + 1) & (holdings->slots - 1))
        if (memcmp(holdings->bytes + holdings->table[slot] - 1, digest->bytes, 32) == 0)
            return true;
    return false;
}

static void holdings_index(struct holdings *holdings)
{
    hold_decoded(holdings);
    NEED(holdings->size < UINT32_MAX / 4);
    for (holdings->slots = 1024; holdings->slots < holdings->size * 4;)
        holdings->slots *= 2;
    holdings->table = calloc(holdings->slots, sizeof *holdings->table);
    NEED(holdings->table != NULL);
    for (size_t at = 0; at + 32 <= holdings->size; at++) {
        struct setpay_digest window;
        memcpy(window.bytes, holdings->bytes + at, 32);
        if (holds(holdings, &window))
            continue;
        size_t slot = slot_of(holdings, window.bytes);
        while (holdings->table[slot] != 0)
            slot = (slot + 1) & (holdings->slots - 1);
        holdings->table[slot] = (uint32_t)at + 1;
    }
}

/* ------------------------------------------------------------------ what is tried */

struct attempt {
    const struct holdings *holdings;
    uint64_t tried;
    char found[FOUND_MAX]; /* names, each once */
};

static void attempt_try(struct attempt *attempt, const char *name,
                        const struct setpay_digest *digest)
{
    attempt->tried++;
    if (!holds(attempt->holdings, digest) || strstr(attempt->found, name) != NULL)
        return;
    size_t used = strlen(attempt->found);
    snprintf(attempt->found + used, sizeof attempt->found - used, " %s", name);
}

/* What anybody would try first: no secret is needed for any of these. */
static void try_plain(struct attempt *attempt, struct setpay_view value,
                      const struct setpay_secret *key)
{
    static const char *const tags[] = {"pi", "oi", "pan", "offer", "card", "account"};
    struct setpay_digest digest;
    NEED(setpay_sha256(value, &digest) == SETPAY_OK);
    attempt_try(attempt, "plain", &digest);
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        NEED(setpay_hash_one(tags[i], value, &digest) == SETPAY_OK);
        attempt_try(attempt, "tagged", &digest);
    }
    NEED(setpay_hmac(key, &value, 1, &digest) == SETPAY_OK);
    attempt_try(attempt, "keyed", &digest);
    NEED(setpay_keyed_digest(key, "pan", value, &digest) == SETPAY_OK);
    attempt_try(attempt, "keyed", &digest);
}

static void secret_set(struct setpay_secret *secret, struct setpay_view bytes)
{
    setpay_secret_clear(secret);
    NEED(setpay_secret_copy(secret, bytes) == SETPAY_OK);
}

/* ------------------------------------------------------------------ the merchant, after the card
 */

/* A card number of the range: the true one's first digits, then four of its own, then the check
 * digit. */
static void pan_make(const uint8_t *like, unsigned number, uint8_t *pan)
{
    unsigned sum = 0;
    memcpy(pan, like, PAN_DIGITS);
    for (int i = PAN_DIGITS - 2; i > PAN_DIGITS - 6; i--, number /= 10)
        pan[i] = (uint8_t)('0' + number % 10);
    for (int i = 0; i < PAN_DIGITS - 1; i++) {
        unsigned digit = (unsigned)(pan[i] - '0') * (i % 2 == 0 ? 2 : 1);
        sum += digit > 9 ? digit - 9 : digit;
    }
    pan[PAN_DIGITS - 1] = (uint8_t)('0' + (10 - sum % 10) % 10);
}

static void expiry_make(unsigned number, uint8_t *expiry)
{
    char text[8];
    snprintf(text, sizeof text, "%02u%02u", (29 + number / 2) % 100, number % 2 == 0 ? 6U : 12U);
    memcpy(expiry, text, 4);
}

/* All that the merchant knows of PI: the order says the rest of it too. The address is given. */
static void pi_from_order(const struct test_opened *opened, struct setpay_pi *pi)
{
    const struct setpay_oi *oi = &opened->oi;
    pi->xid = oi->xid;
    memcpy(pi->brand, oi->brand, sizeof pi->brand);
    pi->amount = oi->amount;
    memcpy(pi->merchant_id, opened->offer.merchant_id, sizeof pi->merchant_id);
    pi->merchant = oi->merchant;
    pi->gateway_sign = oi->gateway_sign;
    pi->gateway_encrypt = oi->gateway_encrypt;
    pi->cardholder = oi->cardholder;
    pi->expiry_ms = oi->expiry_ms;
    pi->terms = oi->terms;
    memcpy(pi->postcode, opened->instruction.pi.postcode, sizeof pi->postcode);
    memcpy(pi->house_digits, opened->instruction.pi.house_digits, sizeof pi->house_digits);
}

static uint8_t *place_of(const struct setpay_secret *bytes, struct setpay_view what)
{
    uint8_t *place = memmem(bytes->data, bytes->size, what.data, what.size);
    NEED(place != NULL);
    return place;
}

enum { KNOWS_SALT = 1, KNOWS_SECOND = 2, KNOWS_THIRD = 4, KNOWS_ALL = 7 };

/* One round with one set of secrets, true or substituted. */
static void try_cards(struct attempt *attempt, const struct test_opened *opened,
                      const struct setpay_digest *salt, struct setpay_view back_key,
                      struct setpay_view pan_secret)
{
    static const uint8_t any_pan[] = "9999888877776666";
    struct setpay_pi pi = {0};
    struct setpay_secret bytes = {0}, pan = {0}, expiry = {0};
    struct setpay_digest digest;
    pi_from_order(opened, &pi);
    secret_set(&pi.back_key, back_key);
    secret_set(&pi.pan_secret, pan_secret);
    secret_set(&pi.pan, setpay_view_of(any_pan, PAN_DIGITS));
    secret_set(&pi.expiry, setpay_view_string("9911"));
    secret_set(&pan, setpay_view_of(any_pan, PAN_DIGITS));
    secret_set(&expiry, setpay_view_string("9911"));
    NEED(setpay_pi_build(&pi, &bytes) == SETPAY_OK);
    uint8_t *pan_place = place_of(&bytes, setpay_secret_view(&pan));
    uint8_t *expiry_place = place_of(&bytes, setpay_secret_view(&expiry));
    for (unsigned i = 0; i < PANS; i++) {
        pan_make(opened->instruction.pi.pan.data, i, pan.data);
        memcpy(pan_place, pan.data, PAN_DIGITS);
        for (unsigned j = 0; j < EXPIRIES; j++) {
            expiry_make(j, expiry.data);
            memcpy(expiry_place, expiry.data, 4);
            NEED(setpay_dual_pimd(setpay_digest_view(salt), setpay_secret_view(&bytes), &digest) ==
                 SETPAY_OK);
            attempt_try(attempt, "pimd", &digest);
            NEED(setpay_account_id(&pi.pan_secret, &pan, &expiry, &digest) == SETPAY_OK);
            attempt_try(attempt, "account", &digest);
        }
    }
    setpay_pi_clear(&pi);
    setpay_secret_clear(&bytes);
    setpay_secret_clear(&pan);
    setpay_secret_clear(&expiry);
}

static void try_plain_cards(struct attempt *attempt, const struct test_opened *opened)
{
    struct setpay_secret key = {0};
    uint8_t card[PAN_DIGITS + 4];
    secret_set(&key, setpay_digest_view(&opened->preq.oi_salt));
    for (unsigned i = 0; i < PANS; i++) {
        pan_make(opened->instruction.pi.pan.data, i, card);
        try_plain(attempt, setpay_view_of(card, PAN_DIGITS), &key);
        try_plain(attempt, setpay_view_of(card, 6), &key);
        try_plain(attempt, setpay_view_of(card + PAN_DIGITS - 4, 4), &key);
        memcpy(card + PAN_DIGITS, opened->instruction.pi.expiry.data, 4);
        try_plain(attempt, setpay_view_of(card, sizeof card), &key);
    }
    setpay_secret_clear(&key);
}

static void guess_card(const char *sandbox, const struct test_opened *opened)
{
    static const struct setpay_digest zeros;
    const struct setpay_pi *pi = &opened->instruction.pi;
    /* In place of what it does not know the merchant takes what it has. */
    const struct setpay_digest substitutes[SUBSTITUTES] = {zeros, opened->preq.oi_salt,
                                                           opened->oi.chall_m};
    struct holdings holdings = {0};
    NEED(pi->security_code.size == 0);
    hold_file(&holdings, sandbox, "merchant.held");
    hold(&holdings, opened->message.content.data, opened->message.content.size);
    hold(&holdings, opened->message.envelope.data, opened->message.envelope.size);
    hold(&holdings, opened->offer_message.content.data, opened->offer_message.content.size);
    for (size_t i = 0; i < opened->message.certificate_count; i++)
        hold(&holdings, opened->message.certificates[i].data, opened->message.certificates[i].size);
    holdings_index(&holdings);
    for (unsigned known = 0; known <= KNOWS_ALL; known++) {
        struct attempt attempt = {.holdings = &holdings};
        for (unsigned i = 0; i < (known == KNOWS_ALL ? 1 : SUBSTITUTES); i++) {
            struct setpay_view other = setpay_digest_view(&substitutes[i]);
            try_cards(&attempt, opened,
                      known & KNOWS_SALT ? &opened->instruction.pi_salt : &substitutes[i],
                      known & KNOWS_SECOND ? setpay_secret_view(&pi->back_key) : other,
                      known & KNOWS_THIRD ? setpay_secret_view(&pi->pan_secret) : other);
        }
        if (known == 0)
            try_plain_cards(&attempt, opened);
        printf("merchant pi_salt %d back_key %d pan_secret %d tried %llu found%s\n",
               (known & KNOWS_SALT) != 0, (known & KNOWS_SECOND) != 0, (known & KNOWS_THIRD) != 0,
               (unsigned long long)attempt.tried, attempt.found);
    }
    free(holdings.bytes);
    free(holdings.table);
}

/* ------------------------------------------------------------------ the gateway, after the order
 */

static const char *order_name(unsigned number, const char *truth, char *text, size_t size)
{
    static const char *const colours[] = {"moss-green", "red",  "blue", "black", "white",
                                          "yellow",     "pink", "grey", "brown", "violet"};
    static const char *const things[] = {"teapot", "jug",  "lamp", "book", "coat",
                                         "pistol", "pill", "wig",  "drum", "kite"};
    if (number == ORDERS / 3)
        return truth; /* the catalogue holds what was bought */
    snprintf(text, size, "%u %s %s", number / 100 + 1, colours[number / 10 % 10],
             things[number % 10]);
    return text;
}

/* All that the gateway knows of OI: the instruction says the rest of it too. */
static void oi_from_instruction(const struct setpay_pi *pi, struct setpay_oi *oi)
{
    oi->xid = pi->xid;
    memcpy(oi->brand, pi->brand, sizeof oi->brand);
    oi->amount = pi->amount;
    oi->merchant = pi->merchant;
    oi->gateway_sign = pi->gateway_sign;
    oi->gateway_encrypt = pi->gateway_encrypt;
    oi->cardholder = pi->cardholder;
    oi->expiry_ms = pi->expiry_ms;
    oi->terms = pi->terms;
}

/* One round with one set of secrets, true or substituted. What else is in the offer (its head, the
 * merchant's name, the price) is given: the gateway may have it from an order of its own. */
static void try_orders(struct attempt *attempt, const struct test_opened *opened,
                       const struct setpay_digest *salt, const struct setpay_digest *challenges,
                       bool knows_names)
{
    struct setpay_pinit_res offer = opened->offer;
    struct setpay_item item = opened->offer.items[0];
    struct setpay_oi oi = {0};
    struct setpay_buffer content = {0}, order = {0};
    struct setpay_digest digest;
    struct setpay_secret key = {0};
    char text[128];
    NEED(offer.item_count == 1);
    secret_set(&key, setpay_digest_view(&opened->instruction.pi_salt));
    setpay_buffer_init(&content, SETPAY_LIMIT_CONTENT_BYTES);
    setpay_buffer_init(&order, SETPAY_LIMIT_CONTENT_BYTES);
    oi_from_instruction(&opened->instruction.pi, &oi);
    offer.chall_c = oi.chall_c = challenges[0];
    offer.chall_m = oi.chall_m = challenges[1];
    memset(&offer.lid_c, 0, sizeof offer.lid_c);
    memcpy(offer.lid_m, "ord_0", sizeof "ord_0");
    if (knows_names) {
        offer.lid_c = opened->oi.lid_c;
        memcpy(offer.lid_m, opened->oi.lid_m, sizeof offer.lid_m);
        oi.rrpid = opened->oi.rrpid;
        oi.date_ms = opened->oi.date_ms;
    } else {
        oi.date_ms = opened->oi.date_ms; /* it has a clock */
    }
    oi.lid_c = offer.lid_c;
    memcpy(oi.lid_m, offer.lid_m, sizeof oi.lid_m);
    offer.items = &item;
    for (unsigned i = 0; i < ORDERS; i++) {
        const char *name = order_name(i, opened->offer.items[0].name, text, sizeof text);
        memset(item.name, 0, sizeof item.name);
        snprintf(item.name, sizeof item.name, "%s", name);
        NEED(setpay_pinit_res_build(&offer, &content) == SETPAY_OK);
        NEED(setpay_offer_digest(setpay_buffer_view(&content), &oi.offer) == SETPAY_OK);
        attempt_try(attempt, "offer", &oi.offer);
        NEED(setpay_oi_build(&oi, &order) == SETPAY_OK);
        NEED(setpay_dual_oimd(setpay_digest_view(salt), setpay_buffer_view(&order), &digest) ==
             SETPAY_OK);
        attempt_try(attempt, "oimd", &digest);
        try_plain(attempt, setpay_view_string(item.name), &key);
        try_plain(attempt, setpay_buffer_view(&order), &key);
    }
    setpay_buffer_clear(&content);
    setpay_buffer_clear(&order);
    setpay_secret_clear(&key);
}

static void guess_order(const char *sandbox, const struct test_opened *opened)
{
    static const struct setpay_digest zeros;
    const struct setpay_instruction *instruction = &opened->instruction;
    const struct setpay_digest substitutes[SUBSTITUTES] = {zeros, instruction->pi_salt,
                                                           instruction->pimd};
    const struct setpay_digest challenges[2] = {opened->oi.chall_c, opened->oi.chall_m};
    struct holdings holdings = {0};
    hold_file(&holdings, sandbox, "gateway.held");
    hold(&holdings, instruction->bytes.data, instruction->bytes.size);
    hold(&holdings, instruction->pi_salt.bytes, sizeof instruction->pi_salt.bytes);
    hold(&holdings, opened->message.envelope.data, opened->message.envelope.size);
    for (size_t i = 0; i < opened->message.certificate_count; i++)
        hold(&holdings, opened->message.certificates[i].data, opened->message.certificates[i].size);
    holdings_index(&holdings);
    for (unsigned known = 0; known <= KNOWS_ALL; known++) {
        struct attempt attempt = {.holdings = &holdings};
        for (unsigned i = 0; i < (known == KNOWS_ALL ? 1 : SUBSTITUTES); i++) {
            const struct setpay_digest others[2] = {substitutes[i], substitutes[i]};
            try_orders(&attempt, opened,
                       known & KNOWS_SALT ? &opened->preq.oi_salt : &substitutes[i],
                       known & KNOWS_SECOND ? challenges : others, known & KNOWS_THIRD);
        }
        printf("gateway oi_salt %d challenges %d names %d tried %llu found%s\n",
               (known & KNOWS_SALT) != 0, (known & KNOWS_SECOND) != 0, (known & KNOWS_THIRD) != 0,
               (unsigned long long)attempt.tried, attempt.found);
    }
    free(holdings.bytes);
    free(holdings.table);
}

int main(int argc, char **argv)
{
    struct test_opened opened;
    if (argc != 3) {
        fprintf(stderr, "usage: guess SANDBOX ORDER\n");
        return 2;
    }
    test_opened_init();
    test_opened_load(argv[1], argv[2], &opened);
    guess_card(argv[1], &opened);
    guess_order(argv[1], &opened);
    test_opened_clear(&opened);
    return 0;
}
