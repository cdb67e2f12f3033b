/*
 * Enrolments: making, writing down, keeping.
 *
 * The alphabet of ids and secrets is Crockford's base 32, which has no letters that look like
 * digits or like each other: a secret comes by post and is typed.
 */
#include "ca/enrolment.h"

#include "ca/state.h"
#include "common/crypto/file.h"
#include "common/crypto/hash.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CARD_KEY_SIZE 32
/* What setpay_scrypt_init makes. */
#define SCRYPT_N (1 << 15)
#define SCRYPT_R 8
#define SCRYPT_P 1

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* ---- cards ---- */

static enum setpay_error make_card_key(const char *path, struct setpay_problem *problem)
{
    struct setpay_secret fresh = {0};
    char text[2 * CARD_KEY_SIZE + 2];
    enum setpay_error error = setpay_secret_random(&fresh, CARD_KEY_SIZE);

    if (error == SETPAY_OK) {
        setpay_hex_encode(setpay_secret_view(&fresh), text);
        error = setpay_file_write(path, setpay_view_string(text), 0600, false, problem);
        setpay_cleanse(text, sizeof text);
    }
    setpay_secret_clear(&fresh);
    return error == SETPAY_E_EXISTS ? SETPAY_OK : error; /* somebody was faster */
}

enum setpay_error setpay_ca_card_key(const char *path, bool make, struct setpay_secret *key,
                                     struct setpay_problem *problem)
{
    struct setpay_secret text = {0};
    enum setpay_error error = setpay_file_read_secret(path, &text, problem);
    char digits[2 * CARD_KEY_SIZE + 1] = "";

    if (error == SETPAY_E_NOT_FOUND && make) {
        SETPAY_TRY(make_card_key(path, problem));
        error = setpay_file_read_secret(path, &text, problem);
    }
    if (error == SETPAY_OK)
        error = setpay_secret_alloc(key, CARD_KEY_SIZE);
    if (error == SETPAY_OK && text.size == sizeof digits - 1) {
        memcpy(digits, text.data, text.size);
        error = setpay_hex_decode(digits, key->data, CARD_KEY_SIZE);
    } else if (error == SETPAY_OK) {
        error = SETPAY_E_INVALID;
    }
    if (error == SETPAY_E_INVALID)
        error = setpay_problem_set(problem, SETPAY_E_INVALID,
                                   "%s: expected %d hexadecimal digits and nothing else", path,
                                   2 * CARD_KEY_SIZE);
    if (error != SETPAY_OK)
        setpay_secret_clear(key);
    setpay_cleanse(digits, sizeof digits);
    setpay_secret_clear(&text);
    return error;
}

enum setpay_error setpay_ca_card_digest(const struct setpay_secret *key,
                                        const struct setpay_secret *pan,
                                        const struct setpay_secret *expiry,
                                        struct setpay_digest *digest)
{
    static const char tag[] = "setpay/1 ca-card";
    uint8_t sizes[2][8];
    setpay_write_u64be(sizes[0], pan->size);
    setpay_write_u64be(sizes[1], expiry->size);
    const struct setpay_view parts[] = {
        setpay_view_of(tag, sizeof tag), /* with its NUL */
        setpay_view_of(sizes[0], 8),     setpay_secret_view(pan),
        setpay_view_of(sizes[1], 8),     setpay_secret_view(expiry),
    };

    return setpay_hmac(key, parts, sizeof parts / sizeof *parts, digest);
}

/* ---- secrets ---- */

static enum setpay_error random_text(char *text, size_t count)
{
    uint8_t bytes[32];

    if (count > sizeof bytes || RAND_priv_bytes(bytes, (int)count) != 1)
        return SETPAY_E_RANDOM;
    for (size_t at = 0; at < count; at++)
        text[at] = alphabet[bytes[at] & 31];
    setpay_cleanse(bytes, sizeof bytes);
    return SETPAY_OK;
}

static enum setpay_error derive(const struct setpay_scrypt *scrypt,
                                const struct setpay_secret *secret, struct setpay_digest *verifier)
{
    struct setpay_secret derived = {0};
    enum setpay_error error = setpay_scrypt_derive(scrypt, secret, &derived);

    if (error == SETPAY_OK)
        error = setpay_digest_from_view(setpay_secret_view(&derived), verifier);
    setpay_secret_clear(&derived);
    return error;
}

enum setpay_error setpay_ca_enrolment_make(struct setpay_ca_enrolment *enrolment,
                                           struct setpay_secret *secret)
{
    char id[SETPAY_CA_ENROLMENT_ID_SIZE] = "";
    enum setpay_error error = random_text(id, sizeof id - 1);

    if (error == SETPAY_OK)
        error = setpay_secret_alloc(secret, SETPAY_CA_ENROLMENT_SECRET_CHARS);
    if (error == SETPAY_OK)
        error = random_text((char *)secret->data, secret->size);
    if (error == SETPAY_OK)
        error = setpay_scrypt_init(&enrolment->scrypt);
    if (error == SETPAY_OK)
        error = derive(&enrolment->scrypt, secret, &enrolment->verifier);
    if (error != SETPAY_OK) {
        setpay_secret_clear(secret);
        return error;
    }
    memcpy(enrolment->id, id, sizeof id);
    enrolment->tries = 0;
    return SETPAY_OK;
}

/* The character that was meant; 0: none of the alphabet's, '-': a mark between groups. */
static char meant(uint8_t character)
{
    if (character >= 'a' && character <= 'z')
        character = (uint8_t)toupper(character);
    switch (character) {
    case 'O':
        return '0';
    case 'I':
    case 'L':
        return '1';
    case ' ':
    case '-':
        return '-';
    default:
        break;
    }
    if (character == '\0' || strchr(alphabet, character) == NULL)
        return '\0';
    return (char)character;
}

enum setpay_error setpay_ca_secret_normalise(struct setpay_view text, struct setpay_secret *secret)
{
    size_t count = 0;

    for (size_t at = 0; at < text.size; at++) {
        char character = meant(text.data[at]);

        if (character == '\0')
            return SETPAY_E_INVALID;
        count += character != '-';
    }
    if (count == 0)
        return SETPAY_E_INVALID;
    SETPAY_TRY(setpay_secret_alloc(secret, count));
    for (size_t at = 0, to = 0; at < text.size; at++) {
        char character = meant(text.data[at]);

        if (character != '-')
            secret->data[to++] = (uint8_t)character;
    }
    return SETPAY_OK;
}

/* ---- an issuer's file ---- */

enum setpay_error setpay_ca_enrolment_format(const struct setpay_ca_enrolment *enrolment,
                                             char line[SETPAY_CA_ENROLMENT_LINE_MAX])
{
    char card[SETPAY_DIGEST_TEXT_SIZE];
    char verifier[SETPAY_DIGEST_TEXT_SIZE];
    char salt[2 * sizeof enrolment->scrypt.salt + 1];

    setpay_hex_encode(setpay_view_of(enrolment->scrypt.salt, sizeof enrolment->scrypt.salt), salt);
    int size =
        snprintf(line, SETPAY_CA_ENROLMENT_LINE_MAX,
                 "%s %s %s %" PRIu64 ":%" PRIu32 ":%" PRIu32 " %s %s %" PRId64, enrolment->id,
                 enrolment->brand, setpay_digest_format(&enrolment->card, card),
                 enrolment->scrypt.n, enrolment->scrypt.r, enrolment->scrypt.p, salt,
                 setpay_digest_format(&enrolment->verifier, verifier),
                 enrolment->expires / SETPAY_SECOND_MS);
    return size > 0 && size < SETPAY_CA_ENROLMENT_LINE_MAX ? SETPAY_OK : SETPAY_E_INTERNAL;
}

/* Others than ours would take another time, and so tell who is known. */
static bool is_our_cost(const char *text)
{
    char ours[32];

    (void)snprintf(ours, sizeof ours, "%d:%d:%d", SCRYPT_N, SCRYPT_R, SCRYPT_P);
    return strcmp(text, ours) == 0;
}

/* Seconds since 1970, in digits only. */
static bool read_expiry(const char *text, int64_t *expires)
{
    long long seconds = strtoll(text, NULL, 10); /* out of range: the largest there is */

    if (strspn(text, "0123456789") != strlen(text) || seconds < 1 || seconds > 253402300799)
        return false;
    *expires = seconds * SETPAY_SECOND_MS;
    return true;
}

static bool is_id(const char *text)
{
    return strlen(text) == SETPAY_CA_ENROLMENT_ID_SIZE - 1 &&
           strspn(text, alphabet) == SETPAY_CA_ENROLMENT_ID_SIZE - 1;
}

enum setpay_error setpay_ca_enrolment_parse(const char *line, struct setpay_ca_enrolment *enrolment,
                                            struct setpay_problem *problem)
{
    struct setpay_ca_enrolment read = {.label = SETPAY_CA_LABEL_CARDHOLDER};
    char id[32], brand[64], card[80], cost[32], salt[64], verifier[80], expiry[24], rest[2];
    const char *wrong = NULL;
    int count = sscanf(line, "%31s %63s %79s %31s %63s %79s %23s %1s", id, brand, card, cost, salt,
                       verifier, expiry, rest);

    if (count != 7)
        return setpay_problem_set(problem, SETPAY_E_INVALID,
                                  "expected: ID BRAND CARD N:R:P SALT VERIFIER EXPIRES");
    if (!is_id(id))
        wrong = "ID";
    else if (!setpay_brand_is_valid(brand))
        wrong = "BRAND";
    else if (setpay_digest_parse(card, &read.card) != SETPAY_OK)
        wrong = "CARD";
    else if (!is_our_cost(cost))
        wrong = "N:R:P";
    else if (strlen(salt) != 2 * sizeof read.scrypt.salt ||
             setpay_hex_decode(salt, read.scrypt.salt, sizeof read.scrypt.salt) != SETPAY_OK)
        wrong = "SALT";
    else if (setpay_digest_parse(verifier, &read.verifier) != SETPAY_OK)
        wrong = "VERIFIER";
    else if (!read_expiry(expiry, &read.expires))
        wrong = "EXPIRES";
    if (wrong != NULL)
        return setpay_problem_set(problem, SETPAY_E_INVALID, "the field %s is not of its form",
                                  wrong);
    memcpy(read.id, id, sizeof read.id);
    memcpy(read.brand, brand, strlen(brand) + 1); /* valid, and so short enough */
    read.scrypt.n = SCRYPT_N;
    read.scrypt.r = SCRYPT_R;
    read.scrypt.p = SCRYPT_P;
    *enrolment = read;
    return SETPAY_OK;
}

/* ---- the table ---- */

struct adding {
    const struct setpay_ca_enrolment *enrolments;
    size_t count;
    size_t added;
};

static enum setpay_error add_one(struct setpay_db *db, const struct setpay_ca_enrolment *e,
                                 size_t *added)
{
    struct setpay_db_rows *rows = NULL;
    enum setpay_error error =
        setpay_db_one(db, &rows, "SELECT 1 FROM enrolments WHERE id = $1", SETPAY_DB_TEXT(e->id));

    if (error == SETPAY_OK)
        return setpay_db_end(rows);
    if (error != SETPAY_E_NOT_FOUND)
        return error;
    /* In the words of the index, by which it is found among a million. */
    if (strcmp(e->label, SETPAY_CA_LABEL_CARDHOLDER) == 0)
        SETPAY_TRY(setpay_db_run(db,
                                 "UPDATE enrolments SET ended = 1 WHERE label = 'cardholder' AND"
                                 " ended = 0 AND brand = $1 AND card = $2",
                                 SETPAY_DB_TEXT(e->brand), SETPAY_DB_DIGEST(&e->card)));
    SETPAY_TRY(setpay_db_run(
        db,
        "INSERT INTO enrolments(id, label, brand, party, hosts, card, salt, n, r, p, verifier,"
        " expires, tries) VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)",
        SETPAY_DB_TEXT(e->id), SETPAY_DB_TEXT(e->label), SETPAY_DB_TEXT(e->brand),
        SETPAY_DB_TEXT(e->party), SETPAY_DB_TEXT(e->hosts), SETPAY_DB_DIGEST(&e->card),
        SETPAY_DB_VIEW(setpay_view_of(e->scrypt.salt, sizeof e->scrypt.salt)),
        SETPAY_DB_INT((int64_t)e->scrypt.n), SETPAY_DB_INT(e->scrypt.r), SETPAY_DB_INT(e->scrypt.p),
        SETPAY_DB_DIGEST(&e->verifier), SETPAY_DB_INT(e->expires)));
    (*added)++;
    return SETPAY_OK;
}

static enum setpay_error add_all(struct setpay_db *db, void *arg)
{
    struct adding *adding = arg;

    adding->added = 0;
    for (size_t at = 0; at < adding->count; at++)
        SETPAY_TRY(add_one(db, &adding->enrolments[at], &adding->added));
    return SETPAY_OK;
}

enum setpay_error setpay_ca_enrolment_add(struct setpay_ca *ca,
                                          const struct setpay_ca_enrolment *enrolments,
                                          size_t count, size_t *added,
                                          struct setpay_problem *problem)
{
    struct adding adding = {.enrolments = enrolments, .count = count};

    for (size_t at = 0; at < count; at++) {
        struct setpay_ca_authority authority = {0};
        if (at > 0 && strcmp(enrolments[at].brand, enrolments[at - 1].brand) == 0)
            continue;
        enum setpay_error error =
            setpay_ca_authority_of(ca, enrolments[at].brand, "brand", false, &authority, problem);

        setpay_ca_authority_clear(&authority);
        SETPAY_TRY(error);
    }
    SETPAY_TRY(setpay_store_submit_wait(setpay_ca_registry_store(ca->registry), add_all, &adding));
    *added = adding.added;
    return SETPAY_OK;
}

static enum setpay_error remove_one(struct setpay_db *db, void *arg)
{
    SETPAY_TRY(setpay_db_run(db, "UPDATE enrolments SET ended = 1 WHERE id = $1 AND ended = 0",
                             SETPAY_DB_TEXT((const char *)arg)));
    return setpay_db_changes(db) == 1 ? SETPAY_OK : SETPAY_E_NOT_FOUND;
}

enum setpay_error setpay_ca_enrolment_remove(struct setpay_ca *ca, const char *id,
                                             struct setpay_problem *problem)
{
    enum setpay_error error = setpay_store_submit_wait(setpay_ca_registry_store(ca->registry),
                                                       remove_one, (void *)(uintptr_t)id);

    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no enrolment '%.32s'", id);
    return error;
}

struct listing {
    setpay_ca_enrolment_cb *each;
    void *arg;
};

void setpay_ca_enrolment_read(struct setpay_db_rows *rows, struct setpay_ca_enrolment *e)
{
    struct setpay_view salt = setpay_db_get_view(rows, 6);

    memset(e, 0, sizeof *e);
    setpay_db_get_text(rows, 0, e->id, sizeof e->id);
    setpay_db_get_text(rows, 1, e->label, sizeof e->label);
    setpay_db_get_text(rows, 2, e->brand, sizeof e->brand);
    setpay_db_get_text(rows, 3, e->party, sizeof e->party);
    setpay_db_get_text(rows, 4, e->hosts, sizeof e->hosts);
    setpay_db_get_digest(rows, 5, &e->card);
    if (salt.size == sizeof e->scrypt.salt)
        memcpy(e->scrypt.salt, salt.data, salt.size);
    e->scrypt.n = (uint64_t)setpay_db_get_int(rows, 7);
    e->scrypt.r = (uint32_t)setpay_db_get_int(rows, 8);
    e->scrypt.p = (uint32_t)setpay_db_get_int(rows, 9);
    setpay_db_get_digest(rows, 10, &e->verifier);
    e->expires = setpay_db_get_int(rows, 11);
    e->tries = setpay_db_get_int(rows, 12);
}

static enum setpay_error list(struct setpay_db *db, void *arg)
{
    const struct listing *listing = arg;
    struct setpay_db_rows *rows = NULL;

    SETPAY_TRY(setpay_db_select(
        db, &rows,
        SETPAY_CA_ENROLMENT_COLUMNS
        ", (SELECT count(*) FROM enrolment_uses u WHERE u.id = e.id),"
        " (WITH RECURSIVE line(serial) AS (SELECT c.serial FROM certificates c"
        " JOIN enrolment_uses u ON u.serial = c.parent WHERE u.id = e.id"
        " UNION SELECT n.serial FROM certificates n JOIN line ON n.parent = line.serial)"
        " SELECT count(*) FROM line)"
        " FROM enrolments e WHERE e.ended = 0 ORDER BY e.label, e.brand, e.party, e.id"));
    while (setpay_db_next(rows)) {
        struct setpay_ca_enrolment enrolment;

        setpay_ca_enrolment_read(rows, &enrolment);
        listing->each(listing->arg, &enrolment, setpay_db_get_int(rows, 13),
                      setpay_db_get_int(rows, 14));
    }
    return setpay_db_end(rows);
}

enum setpay_error setpay_ca_enrolment_each(struct setpay_ca *ca, setpay_ca_enrolment_cb *each,
                                           void *arg)
{
    struct listing listing = {.each = each, .arg = arg};

    return setpay_store_read(setpay_ca_registry_reader(ca->registry), list, &listing);
}

struct finding {
    const char *id;
    struct setpay_ca_enrolment *enrolment;
    bool *ended;
};

static enum setpay_error find(struct setpay_db *db, void *arg)
{
    const struct finding *finding = arg;
    struct setpay_db_rows *rows = NULL;

    SETPAY_TRY(setpay_db_one(
        db, &rows, SETPAY_CA_ENROLMENT_COLUMNS ", e.ended FROM enrolments e WHERE e.id = $1",
        SETPAY_DB_TEXT(finding->id)));
    setpay_ca_enrolment_read(rows, finding->enrolment);
    *finding->ended = setpay_db_get_bool(rows, 13);
    return setpay_db_end(rows);
}

enum setpay_error setpay_ca_enrolment_find(struct setpay_ca *ca, const char *id,
                                           struct setpay_ca_enrolment *enrolment, bool *ended,
                                           struct setpay_problem *problem)
{
    struct finding finding = {.id = id, .enrolment = enrolment, .ended = ended};
    enum setpay_error error =
        setpay_store_read(setpay_ca_registry_reader(ca->registry), find, &finding);

    if (error == SETPAY_E_NOT_FOUND)
        return setpay_problem_set(problem, error, "there is no enrolment '%.32s'", id);
    return error;
}

enum setpay_error setpay_ca_enrolment_certificates(struct setpay_ca *ca, const char *id,
                                                   setpay_ca_record_cb *each, void *arg)
{
    return setpay_ca_registry_of_enrolment(ca->registry, id, each, arg);
}
