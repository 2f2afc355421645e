/* SPDX-License-Identifier: MIT */
/*
 * The registers of a vCPU as GDB counts them: one table for their order, their names in the target
 * description, and where each is kept while the vCPU is stopped.
 * From: monitor/gdb/gdb.c.   To: vmx/show/dump.c, vmx/vcpu/state.c, monitor/memory.c.
 * Spec: Debugging with GDB, "Target Description Format", "i386 Features"; SDM "FXSAVE Area".
 */
#include "arch/x86.h"
#include "lib/string.h"
#include "monitor/gdb/gdb.h"
#include "monitor/memory.h"
#include "vmx/caps.h"
#include "vmx/show/show.h"
#include "vmx/vmcs_fields.h"

#define FPU_STEP      16 /* bytes from one ST or XMM to the next in the FXSAVE area */
#define MXCSR         24
#define MXCSR_DEFINED BITS(15, 0) /* a 1 elsewhere is #GP in Hamlet, when the vCPU is loaded */
#define XSTATE_BV     512 /* behind the FXSAVE area: components not in their initial state */
#define XSTATE_LEGACY (BIT(0) | BIT(1))
/* The flags that a debugger may change: those of POPF. */
#define RFLAGS_EDITED                                                                              \
    (BITS(21, 18) | BIT(16) | BIT(14) | RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF |            \
     RFLAGS_SF | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_OF | BITS(13, 12))

enum place {
    GPR,
    FIELD, /* of the VMCS */
    FPU,   /* at that offset of the FXSAVE area */
    NOWHERE,
};

/* What the description has before a register: its feature, and the types of the feature. */
#define FLAG(name, bit) "<field name=\"" #name "\" start=\"" #bit "\" end=\"" #bit "\"/>"
// clang-format off
static const char core[] =
    "<feature name=\"org.gnu.gdb.i386.core\"><flags id=\"i386_eflags\" size=\"4\">"
    FLAG(CF, 0) FLAG(PF, 2) FLAG(AF, 4) FLAG(ZF, 6) FLAG(SF, 7) FLAG(TF, 8) FLAG(IF, 9)
    FLAG(DF, 10) FLAG(OF, 11) FLAG(NT, 14) FLAG(RF, 16) FLAG(VM, 17) FLAG(AC, 18) FLAG(ID, 21)
    "</flags>";
// clang-format on
static const char sse[] =
    "</feature><feature name=\"org.gnu.gdb.i386.sse\">"
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/><union id=\"vec128\">"
    "<field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
    "<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
    "<field name=\"uint128\" type=\"uint128\"/></union>";
static const char segments[] = "</feature><feature name=\"org.gnu.gdb.i386.segments\">";

static const struct row {
    /* With size 0 the first letter is e in a 32-bit guest; with count > 1 a number follows. */
    const char *name;
    uint8_t count, count32;
    uint8_t size; /* bytes; 0: 8, or 4 in a 32-bit guest */
    enum place place;
    uint32_t at;
    uint8_t kept;     /* bytes at that place, if it is less */
    const char *type; /* NULL: int */
    const char *head; /* of the description, before it */
} rows[] = {
    {"rax", 1, 1, 0, GPR, RAX, 0, NULL, core},
    {"rcx", 1, 1, 0, GPR, RCX, 0, NULL, NULL},
    {"rdx", 1, 1, 0, GPR, RDX, 0, NULL, NULL},
    {"rbx", 1, 1, 0, GPR, RBX, 0, NULL, NULL},
    {"rsp", 1, 1, 0, GPR, RSP, 0, "data_ptr", NULL},
    {"rbp", 1, 1, 0, GPR, RBP, 0, "data_ptr", NULL},
    {"rsi", 1, 1, 0, GPR, RSI, 0, NULL, NULL},
    {"rdi", 1, 1, 0, GPR, RDI, 0, NULL, NULL},
    {"r", 8, 0, 8, GPR, R8, 0, NULL, NULL},
    {"rip", 1, 1, 0, FIELD, GUEST_RIP, 0, "code_ptr", NULL},
    {"eflags", 1, 1, 4, FIELD, GUEST_RFLAGS, 0, "i386_eflags", NULL},
    {"cs", 1, 1, 4, FIELD, GUEST_CS_SELECTOR, 0, NULL, NULL},
    {"ss", 1, 1, 4, FIELD, GUEST_SS_SELECTOR, 0, NULL, NULL},
    {"ds", 1, 1, 4, FIELD, GUEST_DS_SELECTOR, 0, NULL, NULL},
    {"es", 1, 1, 4, FIELD, GUEST_ES_SELECTOR, 0, NULL, NULL},
    {"fs", 1, 1, 4, FIELD, GUEST_FS_SELECTOR, 0, NULL, NULL},
    {"gs", 1, 1, 4, FIELD, GUEST_GS_SELECTOR, 0, NULL, NULL},
    {"st", 8, 8, 10, FPU, 32, 0, "i387_ext", NULL},
    {"fctrl", 1, 1, 4, FPU, 0, 2, NULL, NULL},
    {"fstat", 1, 1, 4, FPU, 2, 2, NULL, NULL},
    {"ftag", 1, 1, 4, NOWHERE, 0, 0, NULL, NULL}, /* FXSAVE keeps half of it */
    {"fiseg", 1, 1, 4, NOWHERE, 0, 0, NULL, NULL},
    {"fioff", 1, 1, 4, FPU, 8, 0, NULL, NULL},
    {"foseg", 1, 1, 4, NOWHERE, 0, 0, NULL, NULL},
    {"fooff", 1, 1, 4, FPU, 16, 0, NULL, NULL},
    {"fop", 1, 1, 4, FPU, 6, 2, NULL, NULL},
    {"xmm", 16, 8, 16, FPU, 160, 0, "vec128", sse},
    {"mxcsr", 1, 1, 4, FPU, MXCSR, 0, NULL, NULL},
    {"fs_base", 1, 0, 8, FIELD, GUEST_FS_BASE, 0, NULL, segments},
    {"gs_base", 1, 0, 8, FIELD, GUEST_GS_BASE, 0, NULL, NULL},
};

/* Register n is the *nth of its row; NULL: there is none. */
static const struct row *find(bool wide, uint64_t n, unsigned *nth)
{
    for (const struct row *r = rows; r < rows + ARRAY_COUNT(rows); r++) {
        unsigned count = wide ? r->count : r->count32;
        *nth = (unsigned)n;
        if (n < count)
            return r;
        n -= count;
    }
    return NULL;
}

static size_t size_of(const struct row *r, bool wide) { return r->size ? r->size : wide ? 8 : 4; }

size_t gdb_reg_size(bool wide, uint64_t n)
{
    unsigned nth;
    const struct row *r = find(wide, n, &nth);
    return r ? size_of(r, wide) : 0;
}

/* --- The description -------------------------------------------------------------------------- */

/* The text is made from its beginning each time; only the part that GDB has asked for is sent. */
struct part {
    struct gdb_line *line;
    size_t skip, left;
};

static void describe(struct part *p, const char *text)
{
    size_t length = strlen(text), skip = MIN(p->skip, length), n = MIN(length - skip, p->left);
    gdb_answer_text(p->line, "%.*s", (int)n, text + skip);
    p->skip -= skip;
    p->left -= n;
}

static void describe_register(struct part *p, const struct row *r, unsigned nth, bool wide)
{
    struct text t = {0};
    unsigned bits = 8 * (unsigned)size_of(r, wide), first = r->place == GPR ? r->at : 0;
    if (r->count > 1)
        text_add(&t, "<reg name=\"%s%u\"", r->name, first + nth);
    else
        text_add(&t, "<reg name=\"%c%s\"", r->size || wide ? *r->name : 'e', r->name + 1);
    text_add(&t, " bitsize=\"%u\" type=\"", bits);
    if (r->type)
        text_add(&t, "%s\"/>", r->type);
    else
        text_add(&t, "int%u\"/>", bits);
    describe(p, t.at);
}

/* GDB takes a description of 16 or 32 bits beside a file of 64 bits, and the other way round, if it
 * names the file's architecture as a compatible one. Without an ABI it has no opinion about 16. */
#define HEAD(architecture)                                                                         \
    "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>"                   \
    "<architecture>" architecture "</architecture><osabi>none</osabi>"                             \
    "<compatible>i386</compatible><compatible>i386:x86-64</compatible>"

void gdb_describe(struct gdb_line *l, unsigned bits, size_t offset, size_t size)
{
    struct part p = {l, offset, size};
    bool wide = bits == 64;
    size_t mark = l->out_length; /* m: there may be more, l: that was the last */
    gdb_answer_text(l, "m");
    const struct row *r;
    unsigned nth;
    describe(&p, wide ? HEAD("i386:x86-64") : bits == 32 ? HEAD("i386") : HEAD("i8086"));
    for (unsigned n = 0; (r = find(wide, n, &nth)); n++) {
        if (r->head && nth == 0)
            describe(&p, r->head);
        describe_register(&p, r, nth, wide);
    }
    describe(&p, "</feature></target>");
    if (p.left == size)
        l->out[mark] = 'l';
}

/* --- Their values ----------------------------------------------------------------------------- */

static uint8_t *fpu_at(struct vcpu *v, const struct row *r, unsigned nth)
{
    return (uint8_t *)v->fpu + r->at + nth * FPU_STEP;
}

/* GDB knows no segments: what it shows as RIP is where the instruction is, CS.base + RIP, as
 * breakpoints are. */
static uint64_t linear_rip(struct vcpu *v)
{
    struct vcpu_paging s;
    memory_paging(v, &s);
    return s.segment_base[SEG_CS] + s.rip;
}

static void write_rip(struct vcpu *v, uint64_t value)
{
    struct vcpu_paging s;
    memory_paging(v, &s);
    value -= s.segment_base[SEG_CS];
    /* SDM "Checks on Guest RIP, RFLAGS, and SSP" */
    vcpu_set_rip(v, s.code64 ? value : LO32(value));
}

bool gdb_reg_read(struct vcpu *v, bool wide, uint64_t n, uint8_t bytes[GDB_REG_MAX])
{
    unsigned nth;
    const struct row *r = find(wide, n, &nth);
    uint64_t value = 0;
    if (!r || r->place == NOWHERE)
        return false;
    memset(bytes, 0, GDB_REG_MAX);
    if (r->place == FPU) {
        memcpy(bytes, fpu_at(v, r, nth), r->kept ? r->kept : r->size);
        return true;
    }
    if (r->place == GPR)
        value = vcpu_gpr(v, (enum gpr)(r->at + nth));
    else if (r->at == GUEST_RIP)
        value = linear_rip(v);
    else if (!vcpu_vmcs_field(v, r->at, &value))
        return false;
    memcpy(bytes, &value, MIN(size_of(r, wide), sizeof(value)));
    return true;
}

static bool write_field(struct vcpu *v, uint32_t field, uint64_t value)
{
    uint64_t old;
    if (!vcpu_vmcs_field(v, field, &old))
        return false;
    if (field == GUEST_RIP)
        write_rip(v, value);
    else if (field == GUEST_RFLAGS)
        vcpu_set_rflags(v, (old & ~RFLAGS_EDITED) | (value & RFLAGS_EDITED));
    else /* a selector alone: VM entry checks it against the rest of the segment */
        return value == old;
    return true;
}

bool gdb_reg_write(struct vcpu *v, bool wide, uint64_t n, const uint8_t bytes[GDB_REG_MAX])
{
    unsigned nth;
    const struct row *r = find(wide, n, &nth);
    uint64_t value = 0;
    if (!r || r->place == NOWHERE)
        return false;
    memcpy(&value, bytes, MIN(size_of(r, wide), sizeof(value)));
    if (r->place == FIELD)
        return write_field(v, r->at, value);
    if (r->place == GPR) {
        vcpu_set_gpr(v, (enum gpr)(r->at + nth), value);
        return true;
    }
    if (r->at == MXCSR && (value & ~MXCSR_DEFINED))
        return false;
    memcpy(fpu_at(v, r, nth), bytes, r->kept ? r->kept : r->size);
    if (vmx_caps.xcr0)
        *(uint64_t *)((char *)v->fpu + XSTATE_BV) |= XSTATE_LEGACY;
    return true;
}
