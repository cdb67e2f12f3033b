/*
 * An issuer's file of disputes, and a list of what issuers paid: what parses holds what its header
 * promises, what does not leaves nothing behind and says why. Input: a file; the same with an end
 * that holds, since no mutation would ever get beyond a digest; and the same as a list.
 */
#include "common/wire/lines.h"
#include "gateway/clearing/incoming.h"
#include "gateway/issuer/dispute_file.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_start();
    return 0;
}

static void check(struct setpay_view bytes)
{
    struct setpay_dispute_file file;
    struct setpay_problem problem = {{0}};
    fuzz_stain(&file, sizeof(file));
    if (setpay_dispute_file_parse(bytes, &file, &problem) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&file, sizeof(file)) && problem.text[0] != '\0');
        return;
    }
    for (size_t i = 0; i < file.row_count; i++) {
        const struct setpay_dispute_row *row = &file.rows[i];
        FUZZ_CHECK(row->number > (i == 0 ? 0 : file.rows[i - 1].number));
        FUZZ_CHECK(row->amount.minor > 0 && row->amount.minor <= SETPAY_MONEY_MAX_MINOR);
        FUZZ_CHECK((row->closed[0] == '\0') == (row->outcome == SETPAY_DISPUTE_OPEN));
        FUZZ_CHECK(strcmp(row->opened, file.to) <= 0 && strcmp(row->closed, file.to) <= 0);
    }
    setpay_dispute_file_clear(&file);
}

static void check_list(struct setpay_view bytes)
{
    struct setpay_incoming_list list;
    struct setpay_problem problem = {{0}};
    fuzz_stain(&list, sizeof(list));
    if (setpay_incoming_parse(bytes, &list, &problem) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&list, sizeof(list)) && problem.text[0] != '\0');
        return;
    }
    FUZZ_CHECK(list.count > 0);
    for (size_t i = 0; i < list.count; i++)
        FUZZ_CHECK(list.rows[i].amount.minor > 0 && list.rows[i].issuer[0] != '\0' &&
                   list.rows[i].reference[0] != '\0');
    setpay_incoming_list_clear(&list);
}

/* How many lines begin with "row,". */
static size_t row_count(const uint8_t *data, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i + 4 <= size; i++)
        count += (i == 0 || data[i - 1] == '\n') && memcmp(data + i, "row,", 4) == 0;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setpay_buffer sealed;
    check(setpay_view_of(data, size));
    check_list(setpay_view_of(data, size));
    setpay_buffer_init(&sealed, SETPAY_DISPUTE_FILE_MAX);
    FUZZ_CHECK(setpay_buffer_append(&sealed, setpay_view_of(data, size)) == SETPAY_OK);
    FUZZ_CHECK(setpay_lines_seal(&sealed, 0, row_count(data, size)) == SETPAY_OK);
    check(setpay_buffer_view(&sealed));
    setpay_buffer_clear(&sealed);
    return 0;
}
