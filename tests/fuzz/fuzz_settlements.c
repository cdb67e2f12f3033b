/*
 * A gateway's file of a merchant's settlements: what parses is built to the same bytes, what does
 * not leaves nothing behind and says why. Input: a file; and the same with an end that holds, since
 * no mutation would ever get beyond a digest.
 */
#include "common/wire/lines.h"
#include "common/wire/settlement_file.h"
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
    struct setpay_settlement_file file;
    struct setpay_problem problem = {{0}};
    struct setpay_buffer again;
    fuzz_stain(&file, sizeof(file));
    if (setpay_settlement_file_parse(bytes, &file, &problem) != SETPAY_OK) {
        FUZZ_CHECK(fuzz_is_stained(&file, sizeof(file)) && problem.text[0] != '\0');
        return;
    }
    setpay_buffer_init(&again, SETPAY_SETTLEMENT_FILE_MAX);
    for (size_t i = 0; i < file.count; i++)
        FUZZ_CHECK(setpay_settlement_report_build(&file.reports[i], &again) == SETPAY_OK);
    FUZZ_CHECK(setpay_view_equal(setpay_buffer_view(&again), bytes));
    setpay_buffer_clear(&again);
    setpay_settlement_file_clear(&file);
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
    setpay_buffer_init(&sealed, SETPAY_SETTLEMENT_FILE_MAX);
    FUZZ_CHECK(setpay_buffer_append(&sealed, setpay_view_of(data, size)) == SETPAY_OK);
    FUZZ_CHECK(setpay_lines_seal(&sealed, 0, row_count(data, size)) == SETPAY_OK);
    check(setpay_buffer_view(&sealed));
    setpay_buffer_clear(&sealed);
    return 0;
}
