/*
 * The table of a program's configuration as text: flags for --help, Markdown for docs/reference.
 *
 * Always true: what is printed comes from the rows alone, so that it can't differ from what the
 * reader takes.
 */
#include "common/base/config_table.h"

#include <stdio.h>
#include <string.h>

#define FLAG_COLUMN 36

static const char *type_word(const struct setpay_option *option)
{
    switch (option->type) {
    case SETPAY_OPTION_TEXT:
        return "TEXT";
    case SETPAY_OPTION_PATH:
    case SETPAY_OPTION_FILE:
    case SETPAY_OPTION_SECRET_FILE:
    case SETPAY_OPTION_MACHINE_FILE:
    case SETPAY_OPTION_FOLDER:
        return "PATH";
    case SETPAY_OPTION_INT:
        return "N";
    case SETPAY_OPTION_BOOL:
        return "yes|no";
    case SETPAY_OPTION_DURATION:
        return "DURATION";
    case SETPAY_OPTION_ADDRESS:
        return "HOST:PORT";
    case SETPAY_OPTION_CHOICE:
        return option->choices;
    }
    return "";
}

/* "--brand.NAME.bin": the section's words joined by points, NAME for the star. */
static void format_flag(const struct setpay_option *option, char *out, size_t size)
{
    size_t first = strcspn(option->section, " ");
    bool repeated = option->section[first] != '\0';

    (void)snprintf(out, size, "--%.*s%s%s%s %s", (int)first, option->section,
                   repeated ? ".NAME" : "", first > 0 ? "." : "", option->name, type_word(option));
}

void setpay_config_print_help(const struct setpay_option *options, FILE *out)
{
    char flag[256];

    for (const struct setpay_option *row = options; row->name != NULL; row++) {
        format_flag(row, flag, sizeof(flag));
        (void)fprintf(out, "  %-*s  %s", FLAG_COLUMN, flag, row->help);
        if (row->required)
            (void)fprintf(out, " (required)");
        else if (row->fallback != NULL)
            (void)fprintf(out, " (default: %s)", row->fallback);
        (void)fprintf(out, "\n");
    }
}

/* A bar inside a cell would end it. */
static void print_cell(const char *text, FILE *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            (void)fputc('\\', out);
        (void)fputc(*text, out);
    }
}

static bool is_first_of_section(const struct setpay_option *options,
                                const struct setpay_option *row)
{
    for (const struct setpay_option *before = options; before != row; before++) {
        if (strcmp(before->section, row->section) == 0)
            return false;
    }
    return true;
}

static void print_row(const struct setpay_option *row, FILE *out)
{
    char expected[SETPAY_CONFIG_EXPECTED_SIZE];

    (void)fprintf(out, "| `%s` | ", row->name);
    print_cell(setpay_config_expected(row, expected), out);
    (void)fprintf(out, " | ");
    if (row->required)
        (void)fprintf(out, "required");
    else if (row->fallback != NULL)
        (void)fprintf(out, "`%s`", row->fallback);
    else
        (void)fprintf(out, "none");
    (void)fprintf(out, " | %s | ", row->reloadable ? "yes" : "no");
    print_cell(row->help, out);
    (void)fprintf(out, " |\n");
}

void setpay_config_print_reference(const struct setpay_option *options, FILE *out)
{
    bool first = true;

    for (const struct setpay_option *section = options; section->name != NULL; section++) {
        if (!is_first_of_section(options, section))
            continue;
        if (!first)
            (void)fprintf(out, "\n");
        first = false;
        if (section->section[0] == '\0')
            (void)fprintf(out, "### At the top of the file\n\n");
        else
            (void)fprintf(out, "### `[%.*s%s]`\n\n", (int)strcspn(section->section, " "),
                          section->section, strchr(section->section, ' ') != NULL ? " NAME" : "");
        (void)fprintf(out, "| Key | Value | Default | On SIGHUP | Meaning |\n"
                           "| --- | --- | --- | --- | --- |\n");
        for (const struct setpay_option *row = section; row->name != NULL; row++) {
            if (strcmp(row->section, section->section) == 0)
                print_row(row, out);
        }
    }
}
