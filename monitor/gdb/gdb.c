/* SPDX-License-Identifier: MIT */
/*
 * The packets of the remote serial protocol, by their letter. A session begins with the question
 * qSupported, which stops the VM; it ends when the debugger detaches or kills, or the VM ends.
 * From: monitor/term/console.c.   To: monitor/gdb/line.c, target.c, regs.c; gdb.run_line (the
 * commands of the monitor).
 * Spec: Debugging with GDB, "Packets", "Stop Reply Packets", "General Query Packets".
 *
 * A broken packet is asked for again, an unknown one gets the empty answer, and one that cannot be
 * done E01. A few bytes are read and written at a time, so that other VMs lose no time.
 */
#include "monitor/gdb/gdb.h"
#include "arch/options.h"
#include "arch/line.h"
#include "lib/string.h"
#include "monitor/args.h"
#include "monitor/edit.h"
#include "monitor/memory.h"
#define LOG "gdb"
#include "arch/log.h"

#define READ_AGAIN "unset tdesc filename" /* GDB then asks for the description again */
#define GDB_SPEED  115200
#define POLL_BYTES 64
#define MEMORY_MAX (GDB_PACKET_MAX / 2)

static struct {
    struct gdb_line line;
    void (*run_line)(char *line);
    bool session;     /* a debugger is there */
    bool waits;       /* for the VM to stop: the answer to its last packet */
    bool packet;      /* one is in line.in, not answered yet */
    bool name_looked; /* for the VM that the option names */
    unsigned mode;    /* in which registers and code are to be shown: 16, 32, 64; 0: the CPU's */
    unsigned bits;    /* that of the description that the debugger has */
    uint64_t thread;  /* of g, p, m and the like: the last that stopped, or that H has chosen */
} gdb;

/* The rest of the answer to a packet; ANSWERED: none, all of it is there; LATER: no answer yet. */
enum result { ANSWERED, OK, ERROR, UNKNOWN, LATER };

static struct vcpu *current(void) { return target_thread(gdb.thread); }

/* The mode in which the CPU runs: 16, 32 or 64 bits. */
static unsigned cpu_bits(void)
{
    struct vcpu_paging s = {.code64 = true};
    if (current())
        memory_paging(current(), &s);
    return s.code64 ? 64 : s.code32 ? 32 : 16;
}

static unsigned wanted_bits(void) { return gdb.mode ? gdb.mode : cpu_bits(); }

static bool is_wide(void) { return gdb.bits == 64; }

/* --- Words of a packet ------------------------------------------------------------------------ */

static bool take_number(uint64_t *n) { return gdb_number(&gdb.line, n); }
static bool take_char(char c) { return gdb_char(&gdb.line, c); }

static bool take_range(uint64_t *address, uint64_t *size)
{
    return take_number(address) && take_char(',') && take_number(size);
}

/* UINT64_MAX: all of them; 0: any. */
static bool take_thread(uint64_t *id)
{
    if (gdb_word(&gdb.line, "-1")) {
        *id = UINT64_MAX;
        return true;
    }
    return take_number(id) && (*id == 0 || target_thread(*id));
}

/* --- Registers and memory --------------------------------------------------------------------- */

/* False: there is no register n. */
static bool answer_register(uint64_t n)
{
    uint8_t bytes[GDB_REG_MAX];
    size_t size = gdb_reg_size(is_wide(), n);
    bool known = size && gdb_reg_read(current(), is_wide(), n, bytes);
    if (known)
        gdb_answer_hex(&gdb.line, bytes, size);
    for (size_t i = 0; i < size && !known; i++)
        gdb_answer_text(&gdb.line, "xx");
    return size != 0;
}

static enum result read_registers(void)
{
    for (unsigned n = 0; answer_register(n); n++)
        ;
    return ANSWERED;
}

/* Registers that cannot be changed are passed over, without an error. */
static enum result write_registers(void)
{
    uint8_t bytes[GDB_REG_MAX];
    size_t size;
    for (unsigned n = 0; (size = gdb_reg_size(is_wide(), n)); n++) {
        const char *digits = gdb.line.at;
        if (strlen(digits) < 2 * size)
            return ERROR;
        if (gdb_bytes(&gdb.line, bytes, size))
            gdb_reg_write(current(), is_wide(), n, bytes);
        gdb.line.at = digits + 2 * size;
    }
    return OK;
}

static enum result read_register(void)
{
    uint64_t n;
    return take_number(&n) && answer_register(n) ? ANSWERED : ERROR;
}

static enum result write_register(void)
{
    uint8_t bytes[GDB_REG_MAX];
    uint64_t n;
    bool done = take_number(&n) && take_char('=') &&
                gdb_bytes(&gdb.line, bytes, gdb_reg_size(is_wide(), n)) &&
                gdb_reg_write(current(), is_wide(), n, bytes);
    return done ? OK : ERROR;
}

static uint8_t memory[MEMORY_MAX];

static enum result read_memory(void)
{
    uint64_t address, size;
    if (!take_range(&address, &size))
        return ERROR;
    size = memory_copy(current(), address, memory, MIN(size, (uint64_t)MEMORY_MAX), false);
    gdb_answer_hex(&gdb.line, memory, size);
    return size ? ANSWERED : ERROR;
}

static enum result write_memory(void)
{
    uint64_t address, size;
    bool done = take_range(&address, &size) && size <= MEMORY_MAX && take_char(':') &&
                gdb_bytes(&gdb.line, memory, size) &&
                memory_copy(current(), address, memory, size, true) == size;
    return done ? OK : ERROR;
}

/* Z sets one, z takes it away. */
static enum result change_breakpoint(void)
{
    bool set = gdb.line.in[0] == 'Z';
    char kind = *gdb.line.at;
    uint64_t address, size;
    if (kind < '0' || kind > '4')
        return UNKNOWN;
    gdb.line.at++;
    bool done = take_char(',') && take_range(&address, &size) &&
                target_break(current(), set, kind, address, size);
    return done ? OK : ERROR;
}

/* --- Threads ---------------------------------------------------------------------------------- */

static enum result choose_thread(void)
{
    uint64_t id;
    bool go = take_char('c');
    if ((!go && !take_char('g')) || !take_thread(&id))
        return ERROR;
    if (!go && id != UINT64_MAX)
        gdb.thread = MAX(id, UINT64_C(1));
    return OK;
}

static enum result thread_alive(void)
{
    uint64_t id;
    return take_number(&id) && target_thread(id) ? OK : ERROR;
}

static enum result list_threads(void)
{
    for (uint64_t id = 1; target_thread(id); id++)
        gdb_answer_text(&gdb.line, "%c%lx", id == 1 ? 'm' : ',', id);
    return ANSWERED;
}

static enum result describe_thread(void)
{
    uint64_t id;
    const struct vcpu *v = take_number(&id) ? target_thread(id) : NULL;
    if (!v)
        return ERROR;
    const char *text = v->state == VCPU_WAIT_SIPI ? "waits for a STARTUP IPI"
                       : v->halted                ? "halted"
                                                  : "active";
    gdb_answer_hex(&gdb.line, text, strlen(text));
    return ANSWERED;
}

/* --- Going on --------------------------------------------------------------------------------- */

static enum result tell_reason(void)
{
    gdb.thread = target_why(&gdb.line, SIGNAL_TRAP);
    return ANSWERED;
}

/* ";action[:thread]..." The first action that names a vCPU counts for it; signals are ignored.
 * The answer comes when the VM has stopped again. */
static enum result go_on(void)
{
    char actions[VM_VCPU_MAX] = {0};
    while (take_char(';')) {
        uint64_t signal, id = UINT64_MAX;
        /* C and S have a signal behind them. */
        char letter = *gdb.line.at, how = (char)(letter | 0x20);
        if (how != 'c' && how != 's')
            return ERROR;
        gdb.line.at++;
        if ((letter != how && !take_number(&signal)) || (take_char(':') && !take_thread(&id)))
            return ERROR;
        for (unsigned i = 0; i < VM_VCPU_MAX; i++)
            if (!actions[i] && (id == UINT64_MAX || MAX(id, UINT64_C(1)) == i + 1))
                actions[i] = how;
    }
    if (*gdb.line.at || !target_go(actions))
        return ERROR;
    gdb.waits = target_thread(1) != NULL;
    return gdb.waits ? LATER : tell_reason(); /* no thread left: a crashed VM has ended now */
}

/* D: the breakpoints go with the debugger, the VM goes on. k and vKill: the VM ends. */
static enum result end_session(void)
{
    gdb.session = false;
    if (gdb.line.in[0] == 'D')
        target_detach();
    else
        target_end("killed by the debugger");
    return OK;
}

/* --- Questions -------------------------------------------------------------------------------- */

static void answer_hex_line(const char *line, size_t length)
{
    gdb_answer_hex(&gdb.line, line, length);
    gdb_answer_hex(&gdb.line, "\n", 1);
}

/* "monitor COMMAND" in GDB. The console shows the answer, too, and not only the part that fits. */
static enum result run_command(void)
{
    char line[EDIT_LINE_MAX + 1];
    size_t size = strlen(gdb.line.at) / 2, before = gdb.line.out_length;
    if (size > EDIT_LINE_MAX || !gdb_bytes(&gdb.line, line, size))
        return ERROR;
    line[size] = '\0';
    console_copy = answer_hex_line;
    gdb.run_line(line);
    console_copy = NULL;
    return gdb.line.out_length == before ? OK : ANSWERED;
}

/* Its first part is asked for first: from then on the debugger has this one. */
static enum result send_description(void)
{
    uint64_t offset, size;
    if (!take_range(&offset, &size))
        return ERROR;
    if (offset == 0)
        gdb.bits = wanted_bits();
    gdb_describe(&gdb.line, gdb.bits, offset, MIN(size, (uint64_t)GDB_PACKET_MAX - 1));
    return ANSWERED;
}

/* A debugger begins: the state of the one before is dropped. With a file of 64 bits it is shown 64
 * from the start, whatever the CPU is in: breakpoints may be set at all addresses of the kernel. */
static enum result begin_session(void)
{
    gdb.thread = 1;
    gdb.mode = target_file_is_wide() ? 64 : 0;
    gdb.bits = wanted_bits();
    memory_bars = false;
    target_forget_breaks();
    gdb_answer_text(&gdb.line, "PacketSize=%x;qXfer:features:read+;vContSupported+",
                    GDB_PACKET_MAX);
    return ANSWERED;
}

/* The first match counts: "vCont?" has to stand before "vCont". */
static const struct {
    const char *name;
    bool of_vcpu; /* E01 after the VM has ended */
    enum result (*run)(void);
    const char *answer; /* always the same, where there is nothing to run */
} packets[] = {
    {"?", false, tell_reason, NULL},
    {"g", true, read_registers, NULL},
    {"G", true, write_registers, NULL},
    {"p", true, read_register, NULL},
    {"P", true, write_register, NULL},
    {"m", true, read_memory, NULL},
    {"M", true, write_memory, NULL},
    {"Z", true, change_breakpoint, NULL},
    {"z", true, change_breakpoint, NULL},
    {"H", true, choose_thread, NULL},
    {"T", true, thread_alive, NULL},
    {"vCont?", false, NULL, "vCont;c;C;s;S"},
    {"vCont", true, go_on, NULL},
    {"vKill", false, end_session, NULL},
    {"k", false, end_session, NULL},
    {"D", false, end_session, NULL},
    {"qSupported", false, begin_session, NULL},
    {"qXfer:features:read:target.xml:", false, send_description, NULL},
    {"qAttached", false, NULL, "1"}, /* to quit is to detach */
    {"qfThreadInfo", false, list_threads, NULL},
    {"qsThreadInfo", false, NULL, "l"}, /* no more than qfThreadInfo has listed */
    {"qThreadExtraInfo,", false, describe_thread, NULL},
    {"qRcmd,", false, run_command, NULL},
};

static enum result dispatch(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(packets); i++) {
        if (!gdb_word(&gdb.line, packets[i].name))
            continue;
        if (packets[i].of_vcpu && !current())
            return ERROR;
        if (packets[i].run)
            return packets[i].run();
        gdb_answer_text(&gdb.line, "%s", packets[i].answer);
        return ANSWERED;
    }
    return UNKNOWN;
}

/* --- The line --------------------------------------------------------------------------------- */

/* Only qSupported, the first packet of a debugger, may stop a VM that runs. */
static void answer_packet(void)
{
    bool first = strncmp(gdb.line.in, "qSupported", strlen("qSupported")) == 0;
    gdb.waits &= !first;
    if (first && (!gdb.session || !target_thread(1)))
        target_next();
    gdb.session |= first;
    bool heard = gdb.session && !gdb.waits;
    if (heard && !target_at_rest()) {
        target_pause();
        return;
    }
    gdb.packet = false;
    gdb_answer_begin(&gdb.line);
    enum result result = heard ? dispatch() : ERROR;
    if (result == LATER) { /* only the acknowledgement */
        gdb.line.out_length = gdb.line.answer;
        return;
    }
    if (result == OK || result == ERROR)
        gdb_answer_text(&gdb.line, result == OK ? "OK" : "E01");
    gdb_answer_end(&gdb.line);
}

/* A line that the debugger prints, before it hears why the VM rests: the CPU has changed its mode,
 * and the debugger asks for a description only if its user wants it to. */
static void tell_mode(void)
{
    if (wanted_bits() == gdb.bits)
        return;
    struct text t = text_of("the CPU runs %u-bit code now; to see it so: " READ_AGAIN, cpu_bits());
    gdb_answer_begin(&gdb.line);
    gdb_answer_text(&gdb.line, "O");
    answer_hex_line(t.at, strlen(t.at));
    gdb_answer_end(&gdb.line);
}

/* Answer the packet that let the VM go on, if it rests again or has ended. */
static bool tell_why(void)
{
    bool over = target_vm() && target_vm()->state >= VM_ENDING;
    if (!over && !target_at_rest())
        return false;
    gdb.waits = false;
    gdb.session &= !over;
    gdb.line.out_length = gdb.line.out_sent = 0;
    gdb.thread = target_stopped();
    if (!over)
        tell_mode();
    gdb_answer_begin(&gdb.line);
    target_why(&gdb.line, SIGNAL_INT);
    gdb_answer_end(&gdb.line);
    return true;
}

/* Read until a packet is complete; the next one waits on the line until that is answered. */
static void listen(void)
{
    for (unsigned i = 0; i < POLL_BYTES && !gdb.packet; i++) {
        int byte = line_read();
        enum gdb_event event = byte < 0 ? GDB_NOTHING : gdb_line_take(&gdb.line, (uint8_t)byte);
        gdb.packet = event == GDB_PACKET;
        if (event == GDB_INTERRUPT && gdb.waits)
            target_pause();
    }
}

static bool send_some(void)
{
    struct gdb_line *l = &gdb.line;
    l->out_sent += line_write((const uint8_t *)l->out + l->out_sent, l->out_length - l->out_sent);
    return l->out_sent == l->out_length;
}

void gdb_poll(void)
{
    if (!line_port())
        return;
    if (!gdb.name_looked && !target_vm())
        log_error("gdb=: no VM that can be debugged has the name %s", options.gdb_vm);
    gdb.name_looked = true;
    if (!send_some())
        return;
    if (!gdb.waits || !tell_why()) {
        listen();
        if (gdb.packet)
            answer_packet();
    }
    (void)send_some();
}

void gdb_init(void (*run_line)(char *line))
{
    gdb.run_line = run_line;
    if (!options.gdb_port)
        return;
    if (options.gdb_port == options.console_port)
        log_error("gdb=: that port is the console's");
    else if (!line_open(options.gdb_port, GDB_SPEED))
        log_error("gdb=: no serial port at 0x%x", options.gdb_port);
    else
        target_init();
}

void cmd_gdb(struct args *a)
{
    struct vm *vm;
    if (args_peek(a)) {
        if (!args_vm(a, &vm) || !args_end(a))
            return;
        if (gdb.session)
            complain(a, "a debugger is there: let it detach first");
        else if (vm->config.run)
            complain(a, "run=: it has the monitor trap flag already");
        else
            target_choose(vm);
    }
    if (!line_port())
        complain(a, "no port: gdb=com2 on Hamlet's command line opens one");
    else
        say("port=0x%x vm=%s debugger=%s", line_port(), target_vm() ? target_vm()->name : "-",
            gdb.session ? "yes" : "no");
}

void cmd_mode(struct args *a)
{
    static const struct {
        const char *name;
        unsigned bits;
    } modes[] = {{"cpu", 0}, {"16", 16}, {"32", 32}, {"64", 64}};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++)
        if (args_is(a, modes[i].name))
            gdb.mode = modes[i].bits;
    if (args_end(a))
        say("cpu=%u shown=%u%s", cpu_bits(), gdb.bits,
            wanted_bits() == gdb.bits ? "" : "; to see it so: " READ_AGAIN);
}

void cmd_bars(struct args *a)
{
    bool on = args_is(a, "on");
    if (on || args_is(a, "off"))
        memory_bars = on;
    if (args_end(a))
        say("bars=%s", memory_bars ? "on: a device may do something when GDB reads it" : "off");
}
