/* SPDX-License-Identifier: MIT */
/*
 * The packets of the remote serial protocol, by their letter. A debugger is taken to be there from its first
 * question what we can (qSupported) until it detaches, kills or hears of the end; that question stops the VM.
 * From: monitor/console.c.   To: monitor/gdb_line.c, gdb_target.c, gdb_regs.c; command.c ("monitor" in GDB).
 * Spec: Debugging with GDB, "Packets", "Stop Reply Packets", "General Query Packets".
 *
 * Whatever the line says: what is no packet is asked for again, an unknown one gets the empty answer, and what
 * cannot be done E01. The VM of the debugger apart nobody notices: a few bytes are read and written at a time.
 */
#include "monitor/gdb.h"
#include "arch/options.h"
#include "lib/string.h"
#include "arch/uart.h"
#include "monitor/command.h"
#include "monitor/edit.h"
#include "monitor/memory.h"
#define LOG "gdb"
#include "arch/log.h"

#define GDB_SPEED   115200
#define SIGNAL_INT  2
#define SIGNAL_TRAP 5
#define POLL_BYTES  64
#define MEMORY_MAX  (GDB_PACKET_MAX / 2)

static struct {
    struct gdb_line line;
    bool session;     /* a debugger is there */
    bool waits;       /* for the VM to stop: the answer to its last packet */
    bool packet;      /* one is in line.in, not answered yet */
    bool name_looked; /* for the VM that the option names */
    bool wide;        /* what it has been told of the registers */
    uint64_t thread;  /* of g, p, m and their like: the last that stopped, or that H has chosen */
} gdb;

/* What a packet comes to; ANSWERED: the rest is in the answer already. */
enum result { ANSWERED, OK, ERROR, UNKNOWN, LATER };

static struct vcpu *current(void) { return target_thread(gdb.thread); }

/* --- Registers and memory --------------------------------------------------------------------------- */

static bool answer_register(unsigned n)
{
    uint8_t bytes[GDB_REG_MAX];
    bool known;
    size_t size = gdb_reg_read(current(), gdb.wide, n, bytes, &known);
    if (known)
        gdb_answer_hex(&gdb.line, bytes, size);
    for (size_t i = 0; i < size && !known; i++)
        gdb_answer_text(&gdb.line, "xx");
    return size != 0;
}

static enum result read_registers(const char *at)
{
    (void)at;
    for (unsigned n = 0; answer_register(n); n++)
        ;
    return ANSWERED;
}

/* All that can be changed is; the digits of the others are passed over. */
static enum result write_registers(const char *at)
{
    uint8_t bytes[GDB_REG_MAX];
    bool known;
    size_t size;
    for (unsigned n = 0; (size = gdb_reg_read(current(), gdb.wide, n, bytes, &known)); n++) {
        const char *digits = at;
        if (strlen(at) < 2 * size)
            return ERROR;
        if (gdb_bytes(&digits, bytes, size))
            (void)gdb_reg_write(current(), gdb.wide, n, bytes);
        at += 2 * size;
    }
    return OK;
}

static enum result read_register(const char *at)
{
    uint64_t n;
    return gdb_number(&at, &n) && n <= UINT16_MAX && answer_register((unsigned)n) ? ANSWERED
                                                                                  : ERROR;
}

static enum result write_register(const char *at)
{
    uint8_t bytes[GDB_REG_MAX];
    bool known;
    uint64_t n;
    if (!gdb_number(&at, &n) || n > UINT16_MAX || !gdb_char(&at, '='))
        return ERROR;
    size_t size = gdb_reg_read(current(), gdb.wide, (unsigned)n, bytes, &known);
    bool done = size && gdb_bytes(&at, bytes, size) &&
                gdb_reg_write(current(), gdb.wide, (unsigned)n, bytes);
    return done ? OK : ERROR;
}

static uint8_t memory[MEMORY_MAX];

static bool take_range(const char **at, uint64_t *address, uint64_t *size)
{
    return gdb_number(at, address) && gdb_char(at, ',') && gdb_number(at, size);
}

static enum result read_memory(const char *at)
{
    uint64_t address, size;
    if (!take_range(&at, &address, &size))
        return ERROR;
    size = memory_copy(current(), address, memory, MIN(size, (uint64_t)MEMORY_MAX), false);
    gdb_answer_hex(&gdb.line, memory, size);
    return size ? ANSWERED : ERROR;
}

static enum result write_memory(const char *at)
{
    uint64_t address, size;
    bool done = take_range(&at, &address, &size) && size <= MEMORY_MAX && gdb_char(&at, ':') &&
                gdb_bytes(&at, memory, size) &&
                memory_copy(current(), address, memory, size, true) == size;
    return done ? OK : ERROR;
}

/* --- Breakpoints ------------------------------------------------------------------------------------ */

static enum result breakpoint(const char *at, bool set)
{
    char kind = *at++;
    uint64_t address, size;
    if (kind < '0' || kind > '4')
        return UNKNOWN;
    if (!gdb_char(&at, ',') || !take_range(&at, &address, &size))
        return ERROR;
    return target_break(current(), set, kind, address, size) ? OK : ERROR;
}

static enum result set_breakpoint(const char *at) { return breakpoint(at, true); }
static enum result clear_breakpoint(const char *at) { return breakpoint(at, false); }

/* --- Threads ---------------------------------------------------------------------------------------- */

/* -1: all of them; 0: any. */
static bool take_thread(const char **at, uint64_t *id)
{
    if (gdb_word(at, "-1")) {
        *id = UINT64_MAX;
        return true;
    }
    return gdb_number(at, id) && (*id == 0 || target_thread(*id));
}

static enum result choose_thread(const char *at)
{
    uint64_t id;
    bool go = gdb_char(&at, 'c');
    if ((!go && !gdb_char(&at, 'g')) || !take_thread(&at, &id))
        return ERROR;
    if (!go && id != UINT64_MAX)
        gdb.thread = MAX(id, UINT64_C(1));
    return OK;
}

static enum result thread_alive(const char *at)
{
    uint64_t id;
    return gdb_number(&at, &id) && target_thread(id) ? OK : ERROR;
}

static enum result list_threads(const char *at)
{
    (void)at;
    for (uint64_t id = 1; target_thread(id); id++)
        gdb_answer_text(&gdb.line, "%c%lx", id == 1 ? 'm' : ',', id);
    return ANSWERED;
}

static enum result describe_thread(const char *at)
{
    uint64_t id;
    const struct vcpu *v = gdb_number(&at, &id) ? target_thread(id) : NULL;
    if (!v)
        return ERROR;
    const char *text = v->state == VCPU_WAIT_SIPI ? "waits for a STARTUP IPI"
                       : v->halted                ? "halted"
                                                  : "active";
    gdb_answer_hex(&gdb.line, text, strlen(text));
    return ANSWERED;
}

/* --- Going on --------------------------------------------------------------------------------------- */

static enum result why(const char *at)
{
    (void)at;
    gdb.thread = target_why(&gdb.line, SIGNAL_TRAP);
    return ANSWERED;
}

/* ";action[:thread]..." The first that names a vCPU counts for it; a signal is nothing here.
 * The answer comes when the VM has stopped again. */
static enum result go_on(const char *at)
{
    char actions[VM_VCPU_MAX] = {0};
    while (gdb_char(&at, ';')) {
        char how = (char)(*at++ | 0x20); /* C and S have a signal behind them */
        uint64_t signal, id = UINT64_MAX;
        bool has_signal = at[-1] == 'C' || at[-1] == 'S';
        if ((how != 'c' && how != 's') || (has_signal && !gdb_number(&at, &signal)) ||
            (gdb_char(&at, ':') && !take_thread(&at, &id)))
            return ERROR;
        for (unsigned i = 0; i < VM_VCPU_MAX; i++)
            if (!actions[i] && (id == UINT64_MAX || MAX(id, UINT64_C(1)) == i + 1))
                actions[i] = how;
    }
    if (*at || !target_go(actions))
        return ERROR;
    gdb.waits = target_thread(1) != NULL;
    return gdb.waits ? LATER : why(at); /* it had crashed, and that was its end */
}

/* Breakpoints go with the debugger, the VM goes on. */
static enum result detach(const char *at)
{
    (void)at;
    gdb.session = false;
    target_detach();
    return OK;
}

static enum result end(const char *at)
{
    (void)at;
    gdb.session = false;
    target_end("killed by the debugger");
    return OK;
}

/* --- Questions -------------------------------------------------------------------------------------- */

static void answer_hex_line(const char *line, size_t length)
{
    gdb_answer_hex(&gdb.line, line, length);
    gdb_answer_hex(&gdb.line, "\n", 1);
}

/* "monitor COMMAND" in GDB: the console shows the answer as well, and all of it. */
static enum result run_command(const char *at)
{
    char line[EDIT_LINE_MAX + 1];
    size_t size = strlen(at) / 2;
    if (size > EDIT_LINE_MAX || !gdb_bytes(&at, (uint8_t *)line, size))
        return ERROR;
    line[size] = '\0';
    size_t before = gdb.line.out_length;
    console_copy = answer_hex_line;
    command_run(line);
    console_copy = NULL;
    return gdb.line.out_length == before ? OK : ANSWERED;
}

static enum result send_description(const char *at)
{
    uint64_t offset, size;
    if (!take_range(&at, &offset, &size))
        return ERROR;
    gdb_describe(&gdb.line, gdb.wide, offset, MIN(size, (uint64_t)GDB_PACKET_MAX - 1));
    return ANSWERED;
}

/* A debugger begins, with nothing left of the one before. */
static enum result begin_session(const char *at)
{
    (void)at;
    gdb.session = true;
    gdb.thread = 1;
    gdb.wide = target_is_wide();
    target_forget_breaks();
    gdb_answer_text(&gdb.line, "PacketSize=%x;qXfer:features:read+;vContSupported+",
                    GDB_PACKET_MAX);
    return ANSWERED;
}

static enum result text(const char *answer)
{
    gdb_answer_text(&gdb.line, "%s", answer);
    return ANSWERED;
}

/* To quit is to detach. */
static enum result is_attached(const char *at) { return (void)at, text("1"); }
static enum result no_more_threads(const char *at) { return (void)at, text("l"); }
static enum result ways_to_go(const char *at) { return (void)at, text("vCont;c;C;s;S"); }

/* A name that begins with another's stands before it. */
static const struct {
    const char *name;
    bool of_vcpu; /* E01 after the VM has ended */
    enum result (*run)(const char *at);
} packets[] = {
    {"?", false, why},
    {"g", true, read_registers},
    {"G", true, write_registers},
    {"p", true, read_register},
    {"P", true, write_register},
    {"m", true, read_memory},
    {"M", true, write_memory},
    {"Z", true, set_breakpoint},
    {"z", true, clear_breakpoint},
    {"H", true, choose_thread},
    {"T", true, thread_alive},
    {"vCont?", false, ways_to_go},
    {"vCont", true, go_on},
    {"vKill", false, end},
    {"k", false, end},
    {"D", false, detach},
    {"qSupported", false, begin_session},
    {"qXfer:features:read:target.xml:", false, send_description},
    {"qAttached", false, is_attached},
    {"qfThreadInfo", false, list_threads},
    {"qsThreadInfo", false, no_more_threads},
    {"qThreadExtraInfo,", false, describe_thread},
    {"qRcmd,", false, run_command},
};

static enum result dispatch(const char *packet)
{
    for (size_t i = 0; i < ARRAY_COUNT(packets); i++)
        if (gdb_word(&packet, packets[i].name))
            return packets[i].of_vcpu && !current() ? ERROR : packets[i].run(packet);
    return UNKNOWN;
}

/* --- The line --------------------------------------------------------------------------------------- */

static void answer(bool heard)
{
    gdb_answer_begin(&gdb.line);
    enum result result = heard ? dispatch(gdb.line.in) : ERROR;
    if (result == LATER) { /* only the acknowledgement */
        gdb.line.out_length = gdb.line.answer;
        return;
    }
    if (result == OK)
        gdb_answer_text(&gdb.line, "OK");
    else if (result == ERROR)
        gdb_answer_text(&gdb.line, "E01");
    gdb_answer_end(&gdb.line);
}

/* Only a debugger that introduces itself may stop a VM that runs. */
static void answer_packet(void)
{
    const char *packet = gdb.line.in;
    bool first = gdb_word(&packet, "qSupported");
    gdb.waits &= !first;
    bool heard = first || (gdb.session && !gdb.waits);
    if (heard && !target_at_rest()) {
        target_pause();
        return;
    }
    gdb.packet = false;
    answer(heard);
}

/* The VM has come to something, or to its end. */
static bool tell_why(void)
{
    bool over = target_vm() && target_vm()->state >= VM_ENDING;
    if (!over && !target_at_rest())
        return false;
    gdb.waits = false;
    gdb.session &= !over;
    gdb.line.out_length = gdb.line.out_sent = 0;
    gdb_answer_begin(&gdb.line);
    gdb.thread = target_why(&gdb.line, SIGNAL_INT);
    gdb_answer_end(&gdb.line);
    return true;
}

static void listen(void)
{
    for (unsigned i = 0; i < POLL_BYTES && !gdb.packet; i++) {
        int byte = uart_line_read();
        enum gdb_event event = byte < 0 ? GDB_NOTHING : gdb_line_take(&gdb.line, (uint8_t)byte);
        gdb.packet = event == GDB_PACKET;
        if (event == GDB_INTERRUPT && gdb.waits)
            target_pause();
    }
}

static bool send(void)
{
    struct gdb_line *l = &gdb.line;
    l->out_sent +=
        uart_line_write((const uint8_t *)l->out + l->out_sent, l->out_length - l->out_sent);
    return l->out_sent == l->out_length;
}

static void look_for_name(void)
{
    gdb.name_looked = true;
    if (!target_vm())
        log_error("gdb=: no VM that can be debugged has the name %s", options.gdb_vm);
}

void gdb_poll(void)
{
    if (!uart_line_port())
        return;
    if (!gdb.name_looked)
        look_for_name();
    if (!send())
        return;
    if (!gdb.waits || !tell_why()) {
        if (!gdb.packet)
            listen();
        if (gdb.packet)
            answer_packet();
    }
    (void)send();
}

void gdb_init(void)
{
    if (!options.gdb_port)
        return;
    if (options.gdb_port == options.console_port)
        log_error("gdb=: that port is the console's");
    else if (!uart_line_open(options.gdb_port, GDB_SPEED))
        log_error("gdb=: no serial port at 0x%x", options.gdb_port);
    else
        target_init();
}

static void run_gdb(struct args *a)
{
    struct vm *vm;
    if (a->next < a->count) {
        if (!args_vm(a, &vm) || !args_end(a))
            return;
        if (gdb.session || vm->config.run)
            complain(a, "%s",
                     gdb.session ? "a debugger is there: let it detach first"
                                 : "run=: it has the monitor trap flag already");
        else
            target_choose(vm);
    }
    if (!uart_line_port())
        say("no port: gdb=com2 on Hamlet's command line opens one");
    else
        say("port=0x%x vm=%s debugger=%s", uart_line_port(), target_vm() ? target_vm()->name : "-",
            gdb.session ? "yes" : "no");
}

const struct command command_gdb = {"gdb", run_gdb, "[NAME]",
                                    "the port for a debugger, and which VM it gets", "gdb alpha"};
