/* SPDX-License-Identifier: MIT */
/*
 * The exits of a guest that need its memory: an instruction that is carried out in its place,
 * string port I/O, hypercalls. Its page tables, code, registers and lists are of the input. Nothing
 * but its RAM is read or written (by the address sanitizer), a device sees accesses of proper
 * widths that do not reach over its end, one exit makes a bounded number of them and injects at
 * most one event.
 * Input: a byte of options, then steps.
 * From: make fuzz.
 * To: guest/pc/mmio.c, vmx/exit/io.c, guest/life/hypercall.c, guest/assign/dma.c.
 */
// sources: guest/pc/mmio.c guest/pc/fetch.c guest/pc/linear.c guest/pc/pio.c guest/core/bus.c
// sources: guest/core/memory.c guest/assign/dma.c guest/insn/gwalk.c guest/insn/insn.c
// sources: guest/insn/opcodes.c guest/insn/exec.c guest/life/hypercall.c
// sources: vmx/exit/io.c vmx/vcpu/hottest.c guest/core/config.c
// compares: no
// length: 600
#include "tests/fuzz/fuzz.h"
#include "arch/io.h"
#include "arch/page.h"
#include "arch/paging.h"
#include "guest/assign/assign.h"
#include "guest/assign/dma.h"
#include "guest/core/identity.h"
#include "guest/insn/insn.h"
#include "guest/pc/fetch.h"
#include "guest/pc/pc.h"
#include "lib/hypercall.h"
#include "vmx/exit/exit.h"
#include "vmx/vcpu/inject.h"
#include "vmx/vmcs.h"

/* RAM: code, one table of each level, data, a list for hypercalls at the end; sometimes one page
 * more, at 4 GiB. */
#define RAM_PAGES 9
#define LOW_PAGES 8
enum { CODE, PML4, PDPT, PD, PT, DATA, MORE, LIST };
#define DEVICE    VM_MMIO_BASE
#define END_AT    0x700                    /* a write to the 256 bytes there ends the VM */
#define LAZY      (DEVICE + 2 * PAGE_SIZE) /* the third page is mapped at its first access */
#define PORT      0x100
#define PORTS     16
#define BATCH_MAX (INSN_REP_BATCH * 16) /* accesses of one exit: two operands of eight bytes */

struct step {
    uint8_t kind, more;
    uint16_t at;
    uint32_t value, high;
};
FUZZ_RECORDS(1, sizeof(struct step))

static struct vm vm;
static struct vcpu vcpu;
static struct vcpu_paging state;
static uint8_t *ram, pristine[RAM_PAGES * PAGE_SIZE], device[PAGE_SIZE];
static size_t ram_size;
static uint64_t info, qualification, linear_address;
static unsigned accesses, injected;
static bool may_map;
char image_start[1];

/* --- What the exits ask of the rest ----------------------------------------------------------- */

static uint64_t device_read(struct vcpu *v, void *owner, uint64_t offset, unsigned width)
{
    (void)owner;
    must(v == &vcpu && (width == 1 || width == 2 || width == 4 || width == 8));
    must(offset + width <= PAGE_SIZE && ++accesses <= BATCH_MAX);
    return offset * UINT64_C(0x9e3779b97f4a7c15);
}
static void device_write(struct vcpu *v, void *owner, uint64_t offset, unsigned width,
                         uint64_t value)
{
    must((value & ~WIDTH_MASK(width)) == 0);
    device_read(v, owner, offset, width);
    if (offset / 256 == END_AT / 256)
        vm_end(&vm, 1);
}
void vm_end(struct vm *of, unsigned status) { of->exit_status = status, of->state = VM_ENDING; }
static bool device_map(void *owner)
{
    (void)owner;
    return may_map;
}
uint64_t vmread(enum vmcs_field field)
{
    switch ((unsigned)field) {
    case EXIT_QUALIFICATION:
        return qualification;
    case VM_EXIT_INSTRUCTION_INFO:
        return info;
    case GUEST_LINEAR_ADDRESS:
        return linear_address;
    case GUEST_RFLAGS:
        return state.rflags;
    default:
        must(!"a field that this program does not have");
        return 0;
    }
}
void vmwrite(enum vmcs_field field, uint64_t value)
{
    must(field == GUEST_RFLAGS);
    state.rflags = value;
}
static void inject(uint8_t vector)
{
    must(vector == VECTOR_UD || vector == VECTOR_GP || vector == VECTOR_PF);
    injected++;
}
void vcpu_inject(struct vcpu *v, uint8_t vector) { (void)v, inject(vector); }
void vcpu_inject_error(struct vcpu *v, uint8_t vector, uint32_t code)
{
    (void)v, (void)code, inject(vector);
}
void vcpu_inject_page_fault(struct vcpu *v, uint64_t linear, uint32_t code)
{
    (void)v, (void)linear, (void)code, inject(VECTOR_PF);
}
void *page_alloc(void) { return calloc(1, PAGE_SIZE); }
void page_free(void *page) { free(page); }
void vcpu_paging(const struct vcpu *v, struct vcpu_paging *out)
{
    *out = state;
    out->rsp = v->regs.gpr[RSP];
}
bool vcpu_paging_again(struct vcpu_paging *s, bool bases, bool rsp)
{
    struct vcpu_paging now;
    vcpu_paging(&vcpu, &now);
    s->rflags = now.rflags;
    s->rsp = now.rsp = rsp ? now.rsp : s->rsp;
    for (unsigned i = 0; bases && i < 6; i++)
        s->segment_base[i] = i == INSN_CS ? s->segment_base[i] : now.segment_base[i];
    return memcmp(s, &now, sizeof(now)) == 0;
}
unsigned vcpu_cpl(void) { return state.cpl; }
uint64_t vcpu_gpr(const struct vcpu *v, enum gpr r) { return v->regs.gpr[r]; }
void vcpu_set_gpr(struct vcpu *v, enum gpr r, uint64_t value) { v->regs.gpr[r] = value; }
void vcpu_step_over(const struct vcpu_paging *s, unsigned length)
{
    must(s->rip == state.rip && length >= 1 && length <= INSN_LEN_MAX);
}
static uint8_t vectors[3][512], *vectors_are_out;
void vcpu_vectors_out(struct vcpu *v, uint8_t *vector[3])
{
    must(v == &vcpu && !vectors_are_out);
    vectors_are_out = vectors[0];
    for (unsigned i = 0; i < 3; i++)
        vector[i] = vectors[i];
}
void vcpu_vectors_in(struct vcpu *v)
{
    must(v == &vcpu && vectors_are_out);
    vectors_are_out = NULL;
}
void vcpu_set_rflags(struct vcpu *v, uint64_t value) { (void)v, state.rflags = value | 2; }
void vm_fail(struct vm *of, const char *fmt, ...)
{
    must(fmt[0]);
    vm_end(of, VM_EXIT_CRASH);
}
void vcpu_on_crash(struct vcpu *v, const char *why)
{
    must(v == &vcpu);
    vm_fail(&vm, "%s", why);
}
static bool walks; /* the CPU was reading page tables */
bool delivery_lend(struct vcpu *v, gpa_t at)
{
    must(v == &vcpu && (v->event || walks) && at.v >= DEVICE);
    return may_map;
}
void vtd_fault_poll(void) {}
/* A BAR that the EPT maps: the second page of the device. */
bool ept_translate(const struct ept *ept, gpa_t at, hpa_t *to, unsigned *perm, enum ept_type *type)
{
    (void)ept;
    *to = ptr_hpa(device + at.v % PAGE_SIZE);
    *perm = EPT_PERM_READ | EPT_PERM_WRITE;
    *type = EPT_UC;
    return at.v - (DEVICE + PAGE_SIZE) < PAGE_SIZE;
}
void *mmio_map(hpa_t base, uint64_t size)
{
    must(base.v >= ptr_hpa(device).v && base.v + size <= ptr_hpa(device).v + PAGE_SIZE);
    must(++accesses <= BATCH_MAX);
    return hpa_ptr(base);
}
#define MMIO(width)                                                                                \
    uint##width##_t mmio_read##width(const void *p)                                                \
    {                                                                                              \
        uint##width##_t v;                                                                         \
        memcpy(&v, p, sizeof(v));                                                                  \
        return v;                                                                                  \
    }                                                                                              \
    void mmio_write##width(void *p, uint##width##_t v) { memcpy(p, &v, sizeof(v)); }
MMIO(8)
MMIO(16)
MMIO(32)
MMIO(64)

/* Of the linked files other functions, which no exit calls, need these. */
#define NEVER                                                                                      \
    {                                                                                              \
        must(!"reached by an exit");                                                               \
        return 0;                                                                                  \
    }
int ept_map(struct ept *e, gpa_t at, hpa_t to, uint64_t n, unsigned perm, enum ept_type type)
{
    (void)e, (void)at, (void)to, (void)n, (void)perm, (void)type;
    NEVER
}
void ept_unmap(struct ept *e, gpa_t at, uint64_t n) { (void)e, (void)at, (void)n; }
int vtd_map(struct vtd_domain *d, gpa_t at, hpa_t to, uint64_t n, unsigned perm)
{
    (void)d, (void)at, (void)to, (void)n, (void)perm;
    NEVER
}
void vtd_unmap(struct vtd_domain *d, gpa_t at, uint64_t n) { (void)d, (void)at, (void)n; }
struct vtd_domain *vtd_domain_create_untranslated(void) NEVER
    void vtd_domain_destroy(struct vtd_domain *d)
{
    (void)d;
}
bool identity_wanted(const struct vm *of)
{
    (void)of;
    NEVER
}
bool identity_has(const struct vm *of)
{
    (void)of;
    NEVER
}
int identity_take(struct vm *of, uint64_t size)
{
    (void)of, (void)size;
    NEVER
}
void identity_give_back(struct vm *of) { (void)of; }
void *pages_alloc(size_t count, uint64_t align)
{
    (void)count, (void)align;
    NEVER
}
void pages_free(void *first, size_t count) { (void)first, (void)count; }
size_t page_free_count(void) NEVER void page_mark_guest(hpa_t base, uint64_t size, bool guest)
{
    (void)base, (void)size, (void)guest;
}

/* --- The guest -------------------------------------------------------------------------------- */

static void put_entry(unsigned table, unsigned i, uint64_t entry)
{
    memcpy(pristine + table * PAGE_SIZE + 8 * i, &entry, sizeof(entry));
}

/* Linear pages: RAM where it is, three of a device, a hole, none, one to read, one for users. */
static void make_pristine(void)
{
    uint64_t rw = PTE_P | PTE_RW;
    put_entry(PML4, 0, PDPT * PAGE_SIZE | rw | PTE_US);
    put_entry(PDPT, 0, PD * PAGE_SIZE | rw | PTE_US);
    put_entry(PD, 0, PT * PAGE_SIZE | rw | PTE_US);
    put_entry(PD, 1, DEVICE | rw | PTE_PS); /* and all that lies there as a large page */
    for (unsigned i = 0; i < LOW_PAGES; i++)
        put_entry(PT, i, i * PAGE_SIZE | rw);
    for (unsigned i = 0; i < 3; i++)
        put_entry(PT, 8 + i, (DEVICE + i * PAGE_SIZE) | rw | PTE_US);
    put_entry(PT, 11, 0x50000000 | rw);
    put_entry(PT, 13, DATA * PAGE_SIZE | PTE_P);
    put_entry(PT, 14, DATA * PAGE_SIZE | rw | PTE_US);
    put_entry(PT, 15, (UINT64_C(1) << 32) | rw);
}

static void begin(uint8_t options)
{
    static uint8_t *blocks[2];
    bool has_high = options & 16;
    if (!ram) {
        make_pristine();
        for (unsigned i = 0; i < 2; i++) /* by themselves: the sanitizer sees their ends */
            blocks[i] = aligned_alloc(PAGE_SIZE, (LOW_PAGES + i) * PAGE_SIZE);
        vm.pins = calloc(RAM_PAGES, sizeof(*vm.pins));
        must(vm_bus_add(&vm.mmio,
                        VM_TRAPPED(DEVICE, PAGE_SIZE, "a", device_read, device_write, NULL)) == 0);
        must(vm_bus_add(&vm.mmio, &(struct vm_range){
                                      .base = LAZY, .size = PAGE_SIZE, .map = device_map}) == 0);
        must(vm_bus_add(&vm.pio, VM_TRAPPED(PORT, PORTS, "b", device_read, device_write, NULL)) ==
             0);
        must(pio_create(&vm) == 0);
        must(fetch_create(&vm) == 0);
    }
    memset(vm.fetches, 0, PAGE_SIZE); /* RAM has moved, which it never does under Hamlet */
    ram = blocks[has_high];
    ram_size = (LOW_PAGES + has_high) * PAGE_SIZE;
    memcpy(ram, pristine, ram_size);
    vm.ram[0] = (struct vm_ram){0, ptr_hpa(ram), LOW_PAGES * PAGE_SIZE};
    vm.ram[1] = (struct vm_ram){UINT64_C(1) << 32, ptr_hpa(ram + LOW_PAGES * PAGE_SIZE),
                                has_high * PAGE_SIZE};
    memset(vm.pins, 0, RAM_PAGES * sizeof(*vm.pins));
    vm.pinned_count = 0;
    vm.state = VM_RUNNING;
    vcpu = (struct vcpu){.vm = &vm};
    may_map = options & 1;
    bool paging = options & 2, long_mode = options & 4;
    state = (struct vcpu_paging){.cr0 = CR0_PE | (paging || long_mode ? CR0_PG | CR0_WP : 0),
                                 .cr3 = (long_mode ? PML4 : PD) * PAGE_SIZE,
                                 .cr4 = long_mode ? CR4_PAE : 0,
                                 .efer = long_mode ? EFER_LME | EFER_LMA : 0,
                                 .rflags = 2,
                                 .stack_size = long_mode ? 8 : 4,
                                 .code64 = long_mode,
                                 .code32 = !long_mode && !(options & 8)};
}

/* --- The steps -------------------------------------------------------------------------------- */

/* Somewhere in RAM or in the device, often close to the end of a page. */
static uint64_t address(uint32_t random)
{
    return random & 8 ? (random & 0x1f000) - (random & 7) : random & 0xffff;
}

/* After an IN the vCPU stops by the request of vm_end(), and not by the action. */
static void check_exit(enum exit_action action, bool in)
{
    must(action == RESUME_SAME || action == RESUME_NEXT || action == RESUME_OVER ||
         action == STOP_VM);
    must(action == STOP_VM ? vm_is_ending(&vm) : in || !vm_is_ending(&vm));
    must(injected <= 1 && (injected == 0 || action == RESUME_SAME));
}

/* What a vCPU's last fetch has left does not change what the next one finds. */
static void check_fetch(void)
{
    struct linear a = {.v = &vcpu};
    struct fetched f;
    const struct insn *found = fetch_again(&a);
    if (found) {
        struct insn kept = *found;
        must((found = fetch_insn(&a, &f)) && memcmp(&kept, found, sizeof(kept)) == 0);
    }
}

/* The count of a REP goes down by what was done; RESUME_NEXT ends it. */
static void port_access(const struct step *s)
{
    static const uint8_t sizes[] = {0, 1, 3};
    uint64_t count = vcpu.regs.gpr[RCX];
    info = FIELD_SET(INFO_IO_ADDRESS_SIZE, s->more % 3);
    qualification = sizes[s->more / 3 % 3] | (s->at & 0x38) |
                    FIELD_SET(QUAL_IO_PORT, PORT - 4 + (s->at >> 8) % 24);
    if ((s->at & 7) == 7)
        qualification = (qualification & BITS(15, 0)) | FIELD_SET(QUAL_IO_PORT, s->value >> 16);
    linear_address = s->at & BIT(6) ? s->high : vcpu.regs.gpr[s->at & 8 ? RDI : RSI];
    enum exit_action action = exit_io_instruction(&vcpu);
    check_exit(action, s->at & 8);
    uint64_t mask = WIDTH_MASK(2u << s->more % 3);
    if (!(qualification & QUAL_IO_STRING) || !(qualification & QUAL_IO_REP))
        must(vcpu.regs.gpr[RCX] == count);
    else
        must((vcpu.regs.gpr[RCX] & mask) <= (count & mask) &&
             (action != RESUME_NEXT || !(vcpu.regs.gpr[RCX] & mask)));
}

/* A list of pages, some of them RAM, to be pinned or unpinned. */
static void fill_list(const struct step *s)
{
    static const uint16_t counts[] = {0, 1, 2, 9, HC_PAGES_MAX - 1, HC_PAGES_MAX, HC_PAGES_MAX + 1};
    struct hypercall_pages *list = (void *)(ram + LIST * PAGE_SIZE);
    list->count = s->more < ARRAY_COUNT(counts) ? counts[s->more] : s->at;
    for (unsigned i = 0; i < HC_PAGES_MAX && !(s->at & 1); i++)
        list->address[i] = s->high % ram_size;
    if (s->at & 4)
        list->address[s->at / 8 % HC_PAGES_MAX] = s->value;
}

static void hypercall(uint64_t number, uint64_t argument)
{
    uint64_t before[16], pins = 0;
    vcpu.exit_count[EXIT_VMCALL]++;
    vcpu.regs.gpr[RAX] = number;
    vcpu.regs.gpr[RBX] = argument;
    memcpy(before, vcpu.regs.gpr, sizeof(before));
    enum exit_action action = vcpu_on_vmcall(&vcpu, number, argument);
    check_exit(action, false);
    uint64_t answer = vcpu.regs.gpr[RAX];
    must(memcmp(before + 1, vcpu.regs.gpr + 1, sizeof(before) - sizeof(before[0])) == 0);
    must(action == RESUME_NEXT);
    if (number == HC_HOST_ADDRESS)
        must(answer == HC_UNKNOWN || answer - ptr_hpa(ram).v < ram_size);
    if (number == HC_DMA_MAP || number == HC_DMA_UNMAP)
        must(answer == HC_UNKNOWN || answer <= HC_PAGES_MAX);
    for (unsigned i = 0; i < RAM_PAGES; i++)
        pins += vm.pins[i] != 0;
    must(vm.pinned_count == pins);
}

/* Opcodes that guest/insn/ knows, with a memory operand whose address is that of the step. */
static void instruction(const struct step *s)
{
    static const uint8_t opcodes[][3] = {{0x88, 0x07},
                                         {0x89, 0x07},
                                         {0x8a, 0x07},
                                         {0x8b, 0x07},
                                         {0xa4},
                                         {0xa5},
                                         {0xaa},
                                         {0xab},
                                         {0xac},
                                         {0xad},
                                         {0x86, 0x07},
                                         {0x87, 0x07},
                                         {0x0f, 0xb6, 0x07},
                                         {0x0f, 0xab, 0x07},
                                         {0xf6, 0x17},
                                         {0x31, 0x07},
                                         {0x3b, 0x07},
                                         {0xc7, 0x07},
                                         {0xa7},
                                         {0xae},
                                         {0xff, 0x37},
                                         {0x0f, 0xb1, 0x07},
                                         {0x0f, 0x11, 0x07},
                                         {0x0f, 0x28, 0x07}};
    static const uint8_t prefixes[] = {0x90, 0xf3, 0x66, 0x67, 0x48, 0xf0, 0x64, 0xf2};
    state.rip = s->at & 0xfff;
    if (s->more & 1) {
        uint8_t code[4] = {prefixes[s->more >> 1 & 7]};
        memcpy(code + 1, opcodes[s->value % ARRAY_COUNT(opcodes)], 3);
        bool bare = code[0] == 0x90;
        memcpy(ram + MIN(state.rip, PAGE_SIZE - 4u), code + bare, sizeof(code) - bare);
        vcpu.regs.gpr[RDI] = address(s->high);
    }
    uint64_t how = s->more & 0x80 ? QUAL_EPT_LINEAR_VALID : QUAL_EPT_LINEAR_VALID | QUAL_EPT_LINEAR;
    how |= s->more & 0x40 ? QUAL_EPT_FETCH : QUAL_EPT_READ;
    walks = !(how & QUAL_EPT_LINEAR);
    check_fetch();
    bool told = (how & QUAL_EPT_LINEAR) && (s->more & 0x20);
    uint64_t linear = vcpu.regs.gpr[RDI];
    vcpu.event = s->more & 0x20 && s->at & 0x1000 ? EVENT_VALID : 0;
    check_exit(vcpu_on_gpa(&vcpu, gpa(DEVICE + s->value % 0x4000), how, told ? &linear : NULL),
               false);
    vcpu.event = 0;
}

static void step(const struct step *s)
{
    uint64_t wide = (uint64_t)s->high << 32 | s->value;
    accesses = injected = 0;
    switch (s->kind % 10) {
    case 0:
    case 1:
        instruction(s);
        break;
    case 2:
    case 3:
        port_access(s);
        break;
    case 4:
        hypercall(s->at & 0x8000 ? s->high : s->at % 16, (uint64_t)(s->more & 2) << 31 | s->value);
        break;
    case 5:
        vcpu.regs.gpr[s->more & 15] = s->at & 1 ? wide : address(s->value);
        break;
    case 6:
        memcpy(ram + MIN(s->at % ram_size, ram_size - sizeof(wide)), &wide, sizeof(wide));
        break;
    case 7:
        fill_list(s);
        hypercall(s->at & 2 ? HC_DMA_MAP : HC_DMA_UNMAP, LIST * PAGE_SIZE);
        break;
    case 8:
        state.rflags = (s->value & (RFLAGS_DF | RFLAGS_AC | RFLAGS_CF)) | 2;
        state.cpl = s->more & 3;
        break;
    default:
        state.segment_base[s->more % 6] = s->at;
        state.cr4 ^= s->value & (CR4_SMEP | CR4_SMAP | CR4_PSE);
        state.cr0 ^= s->value & CR0_WP;
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct step s;
    if (size < 1)
        return 0;
    begin(data[0]);
    for (size_t at = 1; at + sizeof(s) <= size && !vm_is_ending(&vm); at += sizeof(s)) {
        memcpy(&s, data + at, sizeof(s));
        step(&s);
    }
    return 0;
}
