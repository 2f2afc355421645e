/* SPDX-License-Identifier: MIT */
/*
 * The console, on which two guests, Hamlet and a user at the monitor write at the same time: every
 * line begins with the name of the guest that wrote it, or is Hamlet's own. So a guest can forge no
 * row of the report, and destroy none.
 * From: make fuzz.   To: guest/pc/vuart.c, arch/log.c; lab/report.py reads the lines.
 */
// sources: guest/core/bus.c
// compares: no
// length: 400
#include "tests/fuzz/fuzz.h"
#include "arch/cpu.h"
#include "arch/log.c"
#include "guest/pc/vuart.c"

#define ROW    "hamlet: vm=a exit=7 exits=12"
#define PROMPT "hamlet> "

struct step {
    uint8_t kind, value;
};
FUZZ_RECORDS(0, sizeof(struct step))

struct vm_hooks vm_hooks;
static struct vm vms[2];
static struct vcpu vcpus[2];
static struct cpu cpu0;
static char said[1 << 16];
static size_t said_length;
static unsigned rows;
static char reported[1 << 15]; /* to the port of reports */
static size_t reported_length;

struct cpu *this_cpu(void) { return &cpu0; }
void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }
void vioapic_line(struct vioapic *io, unsigned pin, bool asserted)
{
    (void)io, (void)pin, (void)asserted;
}
void terminal_write(const char *text, size_t size)
{
    for (size_t i = 0; i < size && said_length < sizeof(said) - 1; i++)
        said[said_length++] = text[i];
    said[said_length] = '\0';
}

void out8(uint16_t port, uint8_t v)
{
    must(port == 0xe9);
    if (reported_length < sizeof(reported) - 1)
        reported[reported_length++] = (char)v;
}

/* What a terminal shows: ERASE takes back the line under the cursor. */
static size_t as_shown(char *text)
{
    size_t n = 0;
    for (const char *s = text; *s; s++) {
        if (strncmp(s, ERASE, strlen(ERASE)) == 0) {
            while (n && text[n - 1] != '\n')
                n--;
            s += strlen(ERASE) - 1;
        } else {
            must(*s != '\r' && *s != '\033');
            text[n++] = *s;
        }
    }
    text[n] = '\0';
    return n;
}

static void check(void)
{
    unsigned seen = 0;
    (void)as_shown(said);
    for (char *line = said, *end; *line; line = end) {
        end = strchr(line, '\n');
        bool last = !end;
        end = end ? end : line + strlen(line);
        *end = '\0';
        bool guest = !strncmp(line, "a| ", 3) || !strncmp(line, "b| ", 3);
        bool ours = !strcmp(line, ROW) || !strcmp(line, "[0] vm: said");
        must(!guest || !strchr(line, line[0] == 'a' ? 'B' : 'A'));
        must(guest || ours || (last && !strncmp(line, PROMPT, strlen(PROMPT))));
        seen += !strcmp(line, ROW);
        end += !last;
    }
    must(seen == rows);
    must(reported_length == rows * sizeof(ROW)); /* its line end, and nothing of a guest */
}

/* No guest prints the initial of the other. */
static void out(unsigned n, uint64_t port, uint8_t value)
{
    if (port == UART_DATA && value == (n ? 'A' : 'B'))
        value = n ? 'B' : 'A';
    must(vm_bus_write(&vcpus[n], &vms[n].pio, VUART_PORT + port, 1, value));
}

static void step(const struct step *s)
{
    static const char *const words[] = {ROW,      "\n",   "\r",   "\xe2\x80\xa8",
                                        "\033[K", "\x9b", "\x85", "hamlet: end vms=1 failed=0"};
    unsigned n = s->kind & 1;
    uint64_t value;
    switch (s->kind >> 1 & 7) {
    case 0:
        out(n, UART_DATA, s->value);
        break;
    case 1:
        for (const char *w = words[s->value % ARRAY_COUNT(words)]; *w; w++)
            out(n, UART_DATA, (uint8_t)*w);
        break;
    case 2: /* the guest waits for an answer: what it wrote so far is shown */
        for (unsigned i = 0; i <= VUART_IDLE; i++)
            vm_bus_read(&vcpus[n], &vms[n].pio, VUART_PORT + UART_LSR, 1, &value);
        break;
    case 3:
        if (n)
            log_info("said");
        else
            console_line(ROW);
        rows += !n;
        break;
    case 4:
        console_prompt(PROMPT, s->value & 1 ? strlen(PROMPT) : 0);
        break;
    case 5:
        vuart_type(&vms[n], s->value);
        break;
    case 6:
        out(n, s->value & 7, s->value >> 3);
        break;
    default:
        if (prompt.length)
            console_echo((char)('a' + s->value % 26));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    report_port = 0xe9;
    said_length = rows = reported_length = 0;
    said[0] = '\0';
    for (unsigned i = 0; i < 2; i++) {
        vms[i].name[0] = i ? 'b' : 'a';
        vcpus[i].vm = &vms[i];
        must(vuart_create(&vms[i]) == 0);
    }
    /* so many steps cannot fill `said` */
    for (size_t at = 0; at + sizeof(struct step) <= MIN(size, (size_t)400);
         at += sizeof(struct step))
        step((const struct step *)(data + at));
    for (unsigned i = 0; i < 2; i++)
        vuart_destroy(&vms[i]);
    console_prompt("", 0);
    console_line(ROW);
    rows++;
    check();
    return 0;
}
