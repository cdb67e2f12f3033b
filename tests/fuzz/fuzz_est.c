/*
 * What an authority reads of an enrolment (rules C1, C2): the body of a request, the name and
 * secret in its Authorization header, and a line of an issuer's file. An output is whole or as it
 * was; what is read back from what was written is the same.
 */
#include "ca/enrolment.h"
#include "ca/est.h"
#include "common/pki/csr.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void try_body(struct setpay_view body)
{
    struct setpay_secret der = {0};
    if (setpay_est_request(body, &der) == SETPAY_OK)
        FUZZ_CHECK(der.size > 0 && der.size <= SETPAY_LIMIT_CSR_BYTES);
    else
        FUZZ_CHECK(der.size == 0);
    setpay_secret_clear(&der);
}

static void try_header(const char *header)
{
    char user[SETPAY_EST_USER_SIZE];
    struct setpay_secret password = {0};
    fuzz_stain(user, sizeof user);
    if (setpay_est_basic(header, user, &password) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(user, sizeof user) && password.size == 0);
        return;
    }
    FUZZ_CHECK(memchr(user, '\0', sizeof user) != NULL && user[0] != '\0');
    FUZZ_CHECK(strchr(user, ':') == NULL && password.size > 0);
    setpay_secret_clear(&password);
}

static void try_secret(struct setpay_view text)
{
    struct setpay_secret once = {0}, twice = {0};
    if (setpay_ca_secret_normalise(text, &once) != SETPAY_OK) {
        FUZZ_CHECK(once.size == 0);
        return;
    }
    FUZZ_CHECK(once.size > 0 && once.size <= text.size);
    FUZZ_CHECK(setpay_ca_secret_normalise(setpay_secret_view(&once), &twice) == SETPAY_OK);
    FUZZ_CHECK(setpay_secret_equal(&once, &twice)); /* it is the one form */
    setpay_secret_clear(&once);
    setpay_secret_clear(&twice);
}

static void try_line(const char *line)
{
    static struct setpay_ca_enrolment read, again; /* zeroes between the fields of both */
    struct setpay_problem problem = {{0}};
    char written[SETPAY_CA_ENROLMENT_LINE_MAX];
    fuzz_stain(&read, sizeof read);
    if (setpay_ca_enrolment_parse(line, &read, &problem) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&read, sizeof read) && problem.text[0] != '\0');
        return;
    }
    FUZZ_CHECK(setpay_brand_is_valid(read.brand) && read.tries == 0);
    FUZZ_CHECK(setpay_ca_enrolment_format(&read, written) == SETPAY_OK);
    FUZZ_CHECK(setpay_ca_enrolment_parse(written, &again, &problem) == SETPAY_OK);
    FUZZ_CHECK(strcmp(read.id, again.id) == 0 && strcmp(read.brand, again.brand) == 0 &&
               setpay_digest_equal(&read.card, &again.card) &&
               setpay_digest_equal(&read.verifier, &again.verifier) &&
               read.scrypt.n == again.scrypt.n && read.expires == again.expires);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_view input = setpay_view_of(data, size);
    uint8_t which = fuzz_take(&input);
    char *text = fuzz_text(input);
    switch (which % 4) {
    case 0:
        try_body(input);
        break;
    case 1:
        try_header(text);
        break;
    case 2:
        try_secret(input);
        break;
    default:
        try_line(text);
    }
    free(text);
    return 0;
}
