/*
 * seek: looks for marks, in every encoding in which they could hide, through files and through the
 * memory of live processes.
 *
 *     seek MARKS PLACE=file:PATH | PLACE=core:PATH | PLACE=mem:PID ...
 *                                                       one line for each mark found in a place:
 *                                                       place, mark, encoding, where (tabs between)
 *     seek --encodings MARKS                            what it looks for: mark, encoding
 *     seek --copy PID FILE                              a process's memory into a file, for later
 *     seek --hold FILE                                  keeps the file's bytes in memory until its
 *                                                       input ends; says "holding" when it does
 *     seek --dumps COMMAND...                           runs it with core dumps allowed; says
 * "dumped" or "not dumped" once it has died of a signal
 *
 * MARKS holds a line a mark: name, kind, value in hexadecimal. The kind says what it may look like:
 * "digits" are written plain, grouped and BCD-coded besides all that "text" may be; "bytes" are
 * binary; "exact" has its context in it and is looked for as it is, and in hexadecimal.
 *
 * All patterns are looked for in one pass (Aho and Corasick's automaton). A process is stopped
 * while it is read, so that nothing moves meanwhile. In files, base64 is found across line breaks
 * too.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define VALUE_MAX 512
#define PATTERN_MAX (VALUE_MAX * 8)
#define CHUNK_BYTES ((size_t)1024 * 1024)

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, "seek: " __VA_ARGS__);                                                     \
        fputc('\n', stderr);                                                                       \
        exit(2);                                                                                   \
    } while (0)

struct mark {
    char name[64];
    char kind[16];
    uint8_t value[VALUE_MAX];
    size_t size;
};

struct pattern {
    size_t mark;
    char encoding[32];
    size_t size;
    bool found; /* in the place that is read now */
    uint64_t at;
};

static struct mark *marks;
static size_t mark_count;
static struct pattern *patterns;
static size_t pattern_count;

static void *grown(void *list, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return list;
    list = realloc(list, (count == 0 ? 1 : count * 2) * size);
    if (list == NULL)
        FAIL("no memory");
    return list;
}

/* ------------------------------------------------------------------ the automaton */

struct node {
    int32_t next[256];
    int32_t fail;
    int32_t pattern; /* that ends here, or -1 */
    int32_t also;    /* the nearest shorter state that ends one, or 0 */
};

static struct node *nodes;
static size_t node_count;

static int32_t node_new(void)
{
    nodes = grown(nodes, node_count, sizeof *nodes);
    memset(&nodes[node_count], 0, sizeof *nodes);
    nodes[node_count].pattern = -1;
    return (int32_t)node_count++;
}

static void pattern_add(size_t mark, const char *encoding, const uint8_t *bytes, size_t size)
{
    int32_t at = 0;
    if (size < 4) /* would be found everywhere */
        return;
    for (size_t i = 0; i < size; i++) {
        int32_t next = nodes[at].next[bytes[i]];
        if (next == 0) {
            next = node_new();
            nodes[at].next[bytes[i]] = next;
        }
        at = next;
    }
    if (nodes[at].pattern >= 0) /* a palindrome, or digits alone in hexadecimal: said once */
        return;
    patterns = grown(patterns, pattern_count, sizeof *patterns);
    struct pattern *added = &patterns[pattern_count];
    *added = (struct pattern){.mark = mark, .size = size};
    snprintf(added->encoding, sizeof added->encoding, "%s", encoding);
    nodes[at].pattern = (int32_t)pattern_count++;
}

static void automaton_finish(void)
{
    int32_t *queue = malloc(node_count * sizeof *queue);
    size_t first = 0, last = 0;
    if (queue == NULL)
        FAIL("no memory");
    for (int byte = 0; byte < 256; byte++)
        if (nodes[0].next[byte] != 0)
            queue[last++] = nodes[0].next[byte];
    while (first < last) {
        int32_t at = queue[first++];
        int32_t fail = nodes[at].fail;
        nodes[at].also = nodes[fail].pattern >= 0 ? fail : nodes[fail].also;
        for (int byte = 0; byte < 256; byte++) {
            int32_t next = nodes[at].next[byte];
            if (next == 0) {
                nodes[at].next[byte] = nodes[fail].next[byte];
                continue;
            }
            nodes[next].fail = nodes[fail].next[byte];
            queue[last++] = next;
        }
    }
    free(queue);
}

static void note(int32_t state, uint64_t end)
{
    for (; state != 0; state = nodes[state].also) {
        int32_t number = nodes[state].pattern;
        if (number < 0 || patterns[number].found)
            continue;
        patterns[number].found = true;
        patterns[number].at = end + 1 - patterns[number].size;
    }
}

/* Most of what is searched are zeros, and no pattern has as many in a row. */
#define ZEROS_MAX ((size_t)64)
#define PAGE_BYTES ((size_t)4096)

static bool is_zero_page(const uint8_t *bytes, size_t size)
{
    static const uint8_t zeros[PAGE_BYTES];
    return size >= PAGE_BYTES && memcmp(bytes, zeros, PAGE_BYTES) == 0;
}

static int32_t feed(int32_t state, const uint8_t *bytes, size_t size, uint64_t offset)
{
    for (size_t i = 0; i < size; i++) {
        if (i % PAGE_BYTES == ZEROS_MAX &&
            is_zero_page(bytes + i - ZEROS_MAX, size - i + ZEROS_MAX))
            i += PAGE_BYTES - ZEROS_MAX;
        if (i >= size)
            break;
        state = nodes[state].next[bytes[i]];
        if (nodes[state].pattern >= 0 || nodes[state].also != 0)
            note(state, offset + i);
    }
    return state;
}

/* ------------------------------------------------------------------ the encodings */

static size_t to_hex(const uint8_t *in, size_t size, const char *digits, uint8_t *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = (uint8_t)digits[in[i] >> 4];
        out[2 * i + 1] = (uint8_t)digits[in[i] & 15];
    }
    return 2 * size;
}

/* The characters that these bytes alone decide, where offset bytes stand before them in base64. */
static size_t to_base64(const uint8_t *in, size_t size, size_t offset, bool url, uint8_t *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t first = (offset * 8 + 5) / 6, end = (offset + size) * 8 / 6, count = 0;
    for (size_t at = first; at < end; at++) {
        unsigned value = 0;
        for (size_t bit = at * 6; bit < at * 6 + 6; bit++) {
            size_t from = bit - offset * 8;
            value = value << 1 | ((unsigned)in[from / 8] >> (7 - from % 8) & 1U);
        }
        out[count++] = value < 62    ? (uint8_t)letters[value]
                       : value == 62 ? (url ? '-' : '+')
                                     : (url ? '_' : '/');
    }
    return count;
}

static size_t to_utf16(const uint8_t *in, size_t size, bool little, uint8_t *out)
{
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = little ? in[i] : 0;
        out[2 * i + 1] = little ? 0 : in[i];
    }
    /* The zero at an open end may belong to a neighbour. */
    if (!little)
        memmove(out, out + 1, 2 * size - 1);
    return 2 * size - 1;
}

static size_t to_groups(const uint8_t *in, size_t size, uint8_t between, uint8_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        if (i > 0 && i % 4 == 0)
            out[count++] = between;
        out[count++] = in[i];
    }
    return count;
}

/* Two digits a byte; shift 1: the first digit is the lower half of a byte that begins otherwise. */
static size_t to_bcd(const uint8_t *in, size_t size, size_t shift, uint8_t *out)
{
    size_t count = 0;
    for (size_t i = shift; i + 1 < size; i += 2)
        out[count++] = (uint8_t)((in[i] - '0') << 4 | (in[i + 1] - '0'));
    return count;
}

static void reverse(const uint8_t *in, size_t size, uint8_t *out)
{
    for (size_t i = 0; i < size; i++)
        out[i] = in[size - 1 - i];
}

static void add_named(size_t mark, const char *prefix, const char *name, const uint8_t *bytes,
                      size_t size)
{
    char whole[32];
    snprintf(whole, sizeof whole, "%s%s", prefix, name);
    pattern_add(mark, whole, bytes, size);
}

static void add_all(size_t number, const char *prefix, const uint8_t *value, size_t size)
{
    uint8_t out[PATTERN_MAX] = {0};
    const char *kind = marks[number].kind;
    bool digits = strcmp(kind, "digits") == 0, text = digits || strcmp(kind, "text") == 0;
    add_named(number, prefix, "plain", value, size);
    add_named(number, prefix, "hex", out, to_hex(value, size, "0123456789abcdef", out));
    add_named(number, prefix, "HEX", out, to_hex(value, size, "0123456789ABCDEF", out));
    if (strcmp(kind, "exact") == 0)
        return;
    for (size_t offset = 0; offset < 3; offset++) {
        char name[16];
        snprintf(name, sizeof name, "base64-%zu", offset);
        add_named(number, prefix, name, out, to_base64(value, size, offset, false, out));
        snprintf(name, sizeof name, "base64url-%zu", offset);
        add_named(number, prefix, name, out, to_base64(value, size, offset, true, out));
    }
    if (text) {
        add_named(number, prefix, "utf16le", out, to_utf16(value, size, true, out));
        add_named(number, prefix, "utf16be", out, to_utf16(value, size, false, out));
    }
    if (digits) {
        uint8_t turned[PATTERN_MAX] = {0};
        add_named(number, prefix, "blanks", out, to_groups(value, size, ' ', out));
        add_named(number, prefix, "dashes", out, to_groups(value, size, '-', out));
        for (size_t shift = 0; shift < 2; shift++) {
            size_t count = to_bcd(value, size, shift, out);
            reverse(out, count, turned);
            add_named(number, prefix, shift == 0 ? "bcd" : "bcd-shifted", out, count);
            add_named(number, prefix, shift == 0 ? "bcd-turned" : "bcd-shifted-turned", turned,
                      count);
        }
    }
}

static size_t from_hex(const char *text, uint8_t *out)
{
    size_t size = 0;
    for (; text[0] != '\0' && text[1] != '\0'; text += 2) {
        const char digits[3] = {text[0], text[1], '\0'};
        char *end;
        unsigned long byte = strtoul(digits, &end, 16);
        if (size == VALUE_MAX || *end != '\0')
            FAIL("a value is not hexadecimal, or longer than %d bytes", VALUE_MAX);
        out[size++] = (uint8_t)byte;
    }
    return size;
}

static void read_marks(const char *path)
{
    FILE *file = fopen(path, "re");
    char line[VALUE_MAX * 2 + 128], hex[VALUE_MAX * 2 + 1];
    if (file == NULL)
        FAIL("%s: %s", path, strerror(errno));
    (void)node_new();
    while (fgets(line, sizeof line, file) != NULL) {
        marks = grown(marks, mark_count, sizeof *marks);
        struct mark *mark = &marks[mark_count];
        if (sscanf(line, "%63s %15s %1024s", mark->name, mark->kind, hex) != 3)
            FAIL("%s: not a mark: %s", path, line);
        mark->size = from_hex(hex, mark->value);
        add_all(mark_count, "", mark->value, mark->size);
        if (strcmp(mark->kind, "exact") != 0) {
            uint8_t turned[VALUE_MAX] = {0};
            reverse(mark->value, mark->size, turned);
            add_all(mark_count, "reversed-", turned, mark->size);
        }
        mark_count++;
    }
    fclose(file);
    if (mark_count == 0)
        FAIL("%s holds no marks", path);
    automaton_finish();
}

/* ------------------------------------------------------------------ places */

/* Two automata over the same bytes: as they are, and without the line breaks of base64. */
struct twice {
    int32_t state;
    int32_t joined;
};

static void feed_twice(struct twice *twice, const uint8_t *bytes, size_t size, uint64_t offset)
{
    static uint8_t joined[CHUNK_BYTES];
    size_t kept = 0;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != '\n' && bytes[i] != '\r')
            joined[kept++] = bytes[i];
    twice->state = feed(twice->state, bytes, size, offset);
    twice->joined = feed(twice->joined, joined, kept, offset);
}

static void seek_file(const char *path)
{
    static uint8_t chunk[CHUNK_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct twice twice = {0, 0};
    uint64_t offset = 0;
    ssize_t got;
    if (fd < 0)
        FAIL("%s: %s", path, strerror(errno));
    while ((got = read(fd, chunk, sizeof chunk)) > 0) {
        feed_twice(&twice, chunk, (size_t)got, offset);
        offset += (uint64_t)got;
    }
    if (got < 0)
        FAIL("%s: %s", path, strerror(errno));
    close(fd);
}

/* The memory in a core: what stands in its notes are the registers of each thread, in which vector
 * instructions leave what they moved last. */
static void seek_core(const char *path)
{
    static uint8_t chunk[CHUNK_BYTES];
    FILE *file = fopen(path, "re");
    Elf64_Ehdr head;
    if (file == NULL || fread(&head, sizeof head, 1, file) != 1 ||
        memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_phentsize != sizeof(Elf64_Phdr))
        FAIL("%s is no core of 64 bits", path);
    for (unsigned i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr part;
        struct twice twice = {0, 0};
        if (fseeko(file, (off_t)(head.e_phoff + i * sizeof part), SEEK_SET) != 0 ||
            fread(&part, sizeof part, 1, file) != 1 ||
            fseeko(file, (off_t)part.p_offset, SEEK_SET) != 0)
            FAIL("%s is cut short", path);
        for (uint64_t at = 0, got; part.p_type == PT_LOAD && at < part.p_filesz; at += got) {
            size_t want = part.p_filesz - at < sizeof chunk ? part.p_filesz - at : sizeof chunk;
            got = fread(chunk, 1, want, file);
            if (got == 0)
                FAIL("%s is cut short", path);
            feed_twice(&twice, chunk, got, part.p_offset + at);
        }
    }
    fclose(file);
}

typedef int32_t piece_fn(int32_t state, const uint8_t *bytes, size_t size, uint64_t offset);

/* Gives use what is mapped and readable, piece by piece; state is 0 where a mapping begins. False
 * where the kernel does not let us. */
static bool read_memory(pid_t pid, piece_fn *use)
{
    static uint8_t chunk[CHUNK_BYTES];
    char path[64], line[512];
    bool readable = false;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    if (maps == NULL || memory < 0)
        return false;
    while (fgets(line, sizeof line, maps) != NULL) {
        char *rest;
        uint64_t begin = strtoull(line, &rest, 16);
        uint64_t end = *rest == '-' ? strtoull(rest + 1, &rest, 16) : begin;
        if (strncmp(rest, " r", 2) != 0 || strstr(line, "[vvar]") != NULL ||
            strstr(line, "[vsyscall]") != NULL)
            continue;
        int32_t state = 0;
        while (begin < end) {
            size_t want = end - begin < sizeof chunk ? (size_t)(end - begin) : sizeof chunk;
            ssize_t got = pread(memory, chunk, want, (off_t)begin);
            if (got <= 0) /* beyond the end of a mapped file */
                break;
            state = use(state, chunk, (size_t)got, begin);
            begin += (uint64_t)got;
            readable = true;
        }
    }
    fclose(maps);
    close(memory);
    return readable;
}

static pid_t pid_of(const char *text)
{
    char *end;
    long pid = strtol(text, &end, 10);
    if (end == text || *end != '\0' || pid <= 0 || pid > INT32_MAX)
        FAIL("not the id of a process: %s", text);
    return (pid_t)pid;
}

static char state_of(pid_t pid)
{
    char path[64], text[512] = "", state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return '?';
    if (fgets(text, sizeof text, file) != NULL && strrchr(text, ')') != NULL)
        sscanf(strrchr(text, ')') + 1, " %c", &state);
    fclose(file);
    return state;
}

/* T: by a signal, t: by a debugger. */
static bool is_stopped(pid_t pid)
{
    char state = state_of(pid);
    return state == 'T' || state == 't';
}

static bool read_process(pid_t pid, piece_fn *use)
{
    bool was_stopped = is_stopped(pid);
    if (!was_stopped) {
        if (kill(pid, SIGSTOP) != 0)
            return false;
        for (int i = 0; i < 2000 && !is_stopped(pid); i++)
            usleep(1000);
    }
    bool readable = read_memory(pid, use);
    if (!was_stopped)
        kill(pid, SIGCONT);
    return readable;
}

/* PLACE=file:PATH, PLACE=core:PATH or PLACE=mem:PID. */
static int seek_place(const char *spec)
{
    const char *equals = strchr(spec, '=');
    if (equals == NULL)
        FAIL("not a place: %s", spec);
    for (size_t i = 0; i < pattern_count; i++)
        patterns[i].found = false;
    if (strncmp(equals, "=file:", 6) == 0) {
        seek_file(equals + 6);
    } else if (strncmp(equals, "=core:", 6) == 0) {
        seek_core(equals + 6);
    } else if (strncmp(equals, "=mem:", 5) != 0) {
        FAIL("not a place: %s", spec);
    } else if (!read_process(pid_of(equals + 5), feed)) {
        printf("%.*s\t-\tunreadable\t%s\n", (int)(equals - spec), spec, equals + 1);
        return 1;
    }
    for (size_t i = 0; i < pattern_count; i++)
        if (patterns[i].found)
            printf("%.*s\t%s\t%s\t%s@%" PRIx64 "\n", (int)(equals - spec), spec,
                   marks[patterns[i].mark].name, patterns[i].encoding, equals + 1, patterns[i].at);
    return 0;
}

/* ------------------------------------------------------------------ helpers of the test */

static FILE *copied;

/* Pages of zeros, which are most, are left out. */
static int32_t copy_piece(int32_t state, const uint8_t *bytes, size_t size, uint64_t offset)
{
    (void)offset;
    for (size_t at = 0; at < size; at += PAGE_BYTES) {
        size_t count = size - at < PAGE_BYTES ? size - at : PAGE_BYTES;
        if (!is_zero_page(bytes + at, count) && fwrite(bytes + at, 1, count, copied) != count)
            FAIL("writing failed: %s", strerror(errno));
    }
    return state;
}

static int copy(pid_t pid, const char *path)
{
    copied = fopen(path, "we");
    if (copied == NULL)
        FAIL("%s: %s", path, strerror(errno));
    bool readable = read_process(pid, copy_piece);
    if (fclose(copied) != 0)
        FAIL("%s: %s", path, strerror(errno));
    return readable ? 0 : 1;
}

static int hold(const char *path)
{
    FILE *file = fopen(path, "re");
    uint8_t *held = malloc(CHUNK_BYTES);
    if (file == NULL || held == NULL)
        FAIL("%s: %s", path, strerror(errno));
    size_t size = fread(held, 1, CHUNK_BYTES, file);
    fclose(file);
    printf("holding %zu\n", size);
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return held[0] == 0 && size == 0; /* so that it is in use until now */
}

static int dumps(char **command)
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        struct rlimit limit;
        getrlimit(RLIMIT_CORE, &limit);
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_CORE, &limit);
        execvp(command[0], command);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
        FAIL("%s did not die of a signal", command[0]);
    puts(WCOREDUMP(status) ? "dumped" : "not dumped");
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;
    if (argc == 3 && strcmp(argv[1], "--hold") == 0)
        return hold(argv[2]);
    if (argc >= 3 && strcmp(argv[1], "--dumps") == 0)
        return dumps(argv + 2);
    if (argc == 4 && strcmp(argv[1], "--copy") == 0)
        return copy(pid_of(argv[2]), argv[3]);
    if (argc == 3 && strcmp(argv[1], "--encodings") == 0) {
        read_marks(argv[2]);
        for (size_t i = 0; i < pattern_count; i++)
            printf("%s\t%s\n", marks[patterns[i].mark].name, patterns[i].encoding);
        return 0;
    }
    if (argc < 3)
        FAIL("usage: seek MARKS PLACE=file:PATH|core:PATH|mem:PID ...");
    read_marks(argv[1]);
    for (int i = 2; i < argc; i++)
        if (seek_place(argv[i]) != 0)
            status = 1;
    return status;
}
