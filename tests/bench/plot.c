/*
 * A plot is a list of groups, each of a few values that are stacked, drawn as horizontal bars with
 * their names at the left and their sums at the right.
 */
#include "tests/bench/plot.h"

#include "tests/bench/fail.h"

#include <string.h>

#define WIDTH 860
#define LEFT 250
#define RIGHT 90
#define BAR 22
#define GAP 10
#define TOP 70
#define PARTS_MAX 5
#define BARS_MAX 24

struct bar {
    char name[64];
    double parts[PARTS_MAX];
};

struct plot {
    const char *title;
    const char *unit;
    const char *const *part_names; /* NULL: one part without a name */
    size_t part_count;
    struct bar bars[BARS_MAX];
    size_t bar_count;
};

static const char *const colours[PARTS_MAX] = {"#31688e", "#35b779", "#e7a13d", "#b5507a",
                                               "#888888"};

static double sum_of(const struct plot *plot, const struct bar *bar)
{
    double sum = 0;
    for (size_t i = 0; i < plot->part_count; i++)
        sum += bar->parts[i];
    return sum;
}

static void draw_bar(FILE *file, const struct plot *plot, size_t index, double scale)
{
    const struct bar *bar = &plot->bars[index];
    int y = TOP + (int)index * (BAR + GAP);
    double x = LEFT;
    (void)fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 8,
                  y + BAR - 6, bar->name);
    for (size_t i = 0; i < plot->part_count; i++) {
        double width = bar->parts[i] * scale;
        (void)fprintf(file,
                      "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", x,
                      y, width, BAR, colours[i]);
        x += width;
    }
    (void)fprintf(file, "<text x=\"%.1f\" y=\"%d\">%.0f</text>\n", x + 6, y + BAR - 6,
                  sum_of(plot, bar));
}

static void draw(const struct plot *plot, const char *dir, const char *name)
{
    char path[512];
    double most = 1;
    int height = TOP + (int)plot->bar_count * (BAR + GAP) + 10;
    BENCH_NEED(snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path);
    FILE *file = fopen(path, "we");
    if (file == NULL)
        BENCH_FAIL("%s can't be written", path);
    for (size_t i = 0; i < plot->bar_count; i++)
        most = sum_of(plot, &plot->bars[i]) > most ? sum_of(plot, &plot->bars[i]) : most;
    (void)fprintf(file,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                  "font-family=\"sans-serif\" font-size=\"13\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
                  "<text x=\"12\" y=\"24\" font-size=\"16\">%s (%s)</text>\n",
                  WIDTH, height, plot->title, plot->unit);
    for (size_t i = 0; plot->part_names != NULL && i < plot->part_count; i++)
        (void)fprintf(file,
                      "<rect x=\"%d\" y=\"40\" width=\"12\" height=\"12\" fill=\"%s\"/>"
                      "<text x=\"%d\" y=\"51\">%s</text>\n",
                      LEFT + (int)i * 118, colours[i], LEFT + 17 + (int)i * 118,
                      plot->part_names[i]);
    for (size_t i = 0; i < plot->bar_count; i++)
        draw_bar(file, plot, i, (WIDTH - LEFT - RIGHT) / most);
    (void)fputs("</svg>\n", file);
    if (fclose(file) != 0)
        BENCH_FAIL("%s can't be written", path);
}

static struct bar *add_bar(struct plot *plot, const char *name)
{
    BENCH_NEED(plot->bar_count < BARS_MAX);
    struct bar *bar = &plot->bars[plot->bar_count++];
    (void)snprintf(bar->name, sizeof bar->name, "%s", name);
    return bar;
}

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void plot_loads(const json_t *all, const char *dir)
{
    static const char *const parties[] = {"merchantd", "gatewayd", "issuersim", "shoppers"};
    struct plot rates = {.title = "Whole purchases", .unit = "a second", .part_count = 1};
    struct plot costs = {.title = "CPU of one purchase, by process",
                         .unit = "microseconds",
                         .part_names = parties,
                         .part_count = 4};
    size_t i;
    const json_t *load;
    json_array_foreach(json_object_get(all, "loads"), i, load)
    {
        const char *name = json_string_value(json_object_get(load, "name"));
        add_bar(&rates, name)->parts[0] = number(load, "per_second");
        struct bar *bar = add_bar(&costs, name);
        for (size_t k = 0; k < 4; k++)
            bar->parts[k] = number(json_object_get(load, "cpu_us"), parties[k]);
    }
    draw(&rates, dir, "purchases.svg");
    draw(&costs, dir, "cpu.svg");
}

void bench_plot_all(const json_t *all, const char *dir)
{
    static const char *const kinds[] = {"public keys", "store", "kernel", "not attributed"};
    static const char *const keys[] = {"public_key_us", "store_us", "kernel_us", "rest_us"};
    struct plot where = {.title = "Where the CPU of a returning cardholder's purchase goes",
                         .unit = "microseconds",
                         .part_names = kinds,
                         .part_count = 4};
    size_t i;
    const json_t *row;
    plot_loads(all, dir);
    json_array_foreach(json_object_get(all, "where"), i, row)
    {
        struct bar *bar = add_bar(&where, json_string_value(json_object_get(row, "daemon")));
        for (size_t k = 0; k < 4; k++)
            bar->parts[k] = number(row, keys[k]);
    }
    draw(&where, dir, "where.svg");
}
