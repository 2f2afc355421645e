/* SPDX-License-Identifier: MIT */
/*
 * A VM from its configuration to its end: memory, vCPUs, virtual devices, physical ones.
 * From: boot/main.c (vm_create_all, vm_run_all).
 * To: guest/life/config.c, load.c (kernel), assign.c (physical devices), step.c, report.c; vmx/run/sched.c.
 */
#include "guest/core/vm.h"
#include "arch/page.h"
#include "arch/panic.h"
#include "lib/printf.h"
#include "arch/trace.h"
#include "arch/trap.h"
#include "lib/string.h"
#include "arch/time.h"
#include "guest/assign/assign.h"
#include "guest/assign/audit.h"
#include "guest/life/check.h"
#include "guest/assign/dma.h"
#include "guest/load/load.h"
#include "guest/load/vacpi.h"
#include "guest/pc/vioapic.h"
#include "vmx/upcalls.h"
#define LOG "vm"
#include "arch/log.h"

#define VM_PAGES     (ALIGN_UP(sizeof(struct vm), PAGE_SIZE) / PAGE_SIZE)
#define CONFIG_PAGES (ALIGN_UP(sizeof(struct vm_config) * VM_MAX, PAGE_SIZE) / PAGE_SIZE)
#define GPA_HIGH_RAM (UINT64_C(1) << 32)

static struct vm *vms[VM_MAX];
static size_t count;
static size_t refused; /* described by a module, but not made */

size_t vm_count(void) { return count; }
struct vm *vm_get(size_t n) { return vms[n]; }

struct vm *vm_find(const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(vms[i]->name, name))
            return vms[i];
    return NULL;
}

/* --- Memory -------------------------------------------------------------------------------------- */

/* INVARIANT: what a device reaches, the CPU of the same VM reaches too, at the same address. */
int vm_map(struct vm *vm, gpa_t at, hpa_t to, uint64_t size, unsigned ept_perm, enum ept_type type,
           bool dma)
{
    int err = ept_map(vm->ept, at, to, size, ept_perm, type);
    if (err || !dma || !vm->domain)
        return err;
    unsigned perm = VTD_READ | ((ept_perm & EPT_PERM_WRITE) ? VTD_WRITE : 0);
    err = vtd_map(vm->domain, at, to, size, perm);
    if (err)
        ept_unmap(vm->ept, at, size); /* vtd_map() has undone its own part */
    return err;
}

void vm_unmap(struct vm *vm, gpa_t at, uint64_t size)
{
    if (vm->domain)
        vtd_unmap(vm->domain, at, size);
    ept_unmap(vm->ept, at, size);
}

static uint64_t low_ram(const struct vm *vm) { return MIN(vm->ram_size, VM_LOW_RAM_MAX); }

int vm_dma_enable(struct vm *vm)
{
    uint64_t low = low_ram(vm);
    vm->domain = vtd_domain_create();
    if (!vm->domain)
        return -ENODEV;
    int err = vtd_map(vm->domain, gpa(0), vm->ram, low, VTD_READ | VTD_WRITE);
    if (!err && vm->ram_size > low)
        err = vtd_map(vm->domain, gpa(GPA_HIGH_RAM), hpa(vm->ram.v + low), vm->ram_size - low,
                      VTD_READ | VTD_WRITE);
    if (err) {
        vtd_domain_destroy(vm->domain);
        vm->domain = NULL;
    }
    return err;
}

void *vm_ram(struct vm *vm, gpa_t at, uint64_t size)
{
    uint64_t low = low_ram(vm), offset = at.v, end = low;
    if (vm->low_part.v && at.v < IDENTITY_FIRST)
        return size <= IDENTITY_FIRST - at.v ? hpa_ptr(hpa(vm->low_part.v + at.v)) : NULL;
    if (at.v >= GPA_HIGH_RAM) {
        offset = at.v - GPA_HIGH_RAM + low;
        end = vm->ram_size;
    }
    if (offset >= end || size > end - offset)
        return NULL;
    return hpa_ptr(hpa(vm->ram.v + offset));
}

static int make_ram(struct vm *vm)
{
    if (identity_wanted(vm))
        return identity_make_ram(vm);
    uint64_t size = vm->config.mem, low = MIN(size, VM_LOW_RAM_MAX);
    void *ram = pages_alloc(size / PAGE_SIZE, SIZE_2M);
    if (!ram)
        return FAIL(ENOMEM, "vm=%s mem=%luM: not that much memory in one piece; %luM are free",
                    vm->name, size >> 20, (page_free_count() * PAGE_SIZE) >> 20);
    vm->ram = ptr_hpa(ram);
    vm->ram_size = size;
    page_mark_guest(vm->ram, size, true);
    int err = vm_map(vm, gpa(0), vm->ram, low, EPT_PERM_ALL, EPT_WB, true);
    if (!err && size > low)
        err = vm_map(vm, gpa(GPA_HIGH_RAM), hpa(vm->ram.v + low), size - low, EPT_PERM_ALL, EPT_WB,
                     true);
    return err;
}

void vm_clear_ram(struct vm *vm)
{
    uint64_t skip = vm->low_part.v ? IDENTITY_FIRST : 0;
    if (skip)
        memset(hpa_ptr(vm->low_part), 0, skip);
    memset(hpa_ptr(hpa(vm->ram.v + skip)), 0, vm->ram_size - skip);
}

static void free_ram(struct vm *vm)
{
    if (!vm->ram_size)
        return;
    if (vm->low_part.v) {
        identity_free_ram(vm);
        return;
    }
    page_mark_guest(vm->ram, vm->ram_size, false);
    pages_free(hpa_ptr(vm->ram), vm->ram_size / PAGE_SIZE);
    vm->ram_size = 0;
}

/* --- Making one ---------------------------------------------------------------------------------- */

/* Firmware would start here, in real mode: a system that goes there wants a reset. */
#define RESET_VECTOR 0xffff0
static const uint8_t reset_code[] = {
    0xba, 0xf9, 0x0c, /* mov dx, VACPI_RESET_PORT */
    0xb0, 0x06,       /* mov al, VACPI_RESET_VALUE */
    0xee,             /* out dx, al */
    0xeb, 0xfe,       /* jmp $ */
};
static_assert(VACPI_RESET_PORT == 0xcf9 && VACPI_RESET_VALUE == 6, "as in reset_code");

int vm_load(struct vm *vm)
{
    const struct vm_config *c = &vm->config;
    struct load l = {
        .vm = vm->name,
        .file = c->kernel->data,
        .size = c->kernel->size,
        .initrd = c->initrd ? c->initrd->data : NULL,
        .initrd_size = c->initrd ? c->initrd->size : 0,
        .cmdline = c->cmdline,
        .ram = vm->low_part.v ? identity_stage(vm) : hpa_ptr(vm->ram),
        .low = low_ram(vm),
        .high = vm->ram_size - low_ram(vm),
        .rsdp = VACPI_BASE,
    };
    if (!l.ram)
        return FAIL(ENOMEM, "vm=%s: no memory to load its kernel", vm->name);
    vacpi_build(l.ram + VACPI_BASE, vm->config.vcpus);
    memcpy(l.ram + RESET_VECTOR, reset_code, sizeof(reset_code));
    int err = load_kernel(&l);
    if (vm->low_part.v)
        identity_unstage(vm, l.ram);
    vm->start.format = l.format;
    vm->start.mode = l.mode;
    vm->start.rip = l.rip;
    vm->start.rsp = l.rsp;
    vm->start.cr3 = l.cr3;
    vm->start.rax = l.rax;
    vm->start.rbx = l.rbx;
    vm->start.rsi = l.rsi;
    vm->start.rdi = l.rdi;
    return err;
}

void vm_start_state(struct vm *vm, struct vcpu *v)
{
    vcpu_set_entry(v, vm->start.mode, vm->start.rip, vm->start.rsp, vm->start.cr3);
    vcpu_set_gpr(v, RAX, vm->start.rax);
    vcpu_set_gpr(v, RBX, vm->start.rbx);
    vcpu_set_gpr(v, RSI, vm->start.rsi);
    vcpu_set_gpr(v, RDI, vm->start.rdi);
}

static int make_vcpus(struct vm *vm)
{
    for (unsigned i = 0; i < vm->config.vcpus; i++) {
        struct vcpu *v = vcpu_create(vm, i, vm->ept, vm->bitmaps);
        if (!v)
            return FAIL(ENOMEM, "vm=%s vcpus=%u: no memory for vCPU %u", vm->name, vm->config.vcpus,
                        i);
        v->pinned = vm->config.pin;
        v->trace_id = TRACE_ID(vm->index, i);
        vm->vcpus[vm->vcpu_count++] = v;
    }
    return 0;
}

static int make_devices(struct vm *vm)
{
    int err = pio_create(vm);
    if (!err)
        err = vuart_create(vm);
    if (!err)
        err = vrtc_create(vm);
    if (!err)
        err = vpower_create(vm);
    if (!err)
        err = vlapic_create(vm);
    if (!err) {
        vm->ioapic = vioapic_create(vm);
        err = vm->ioapic ? 0 : -ENOMEM;
    }
    if (!err) {
        vm->pci = vpci_create(vm);
        err = vm->pci ? 0 : -ENOMEM;
    }
    return err;
}

/* In the order of vm_create(), backwards; also for a VM that was made in part. */
static void give_back(struct vm *vm)
{
    assign_release_all(vm);
    if (vm->pci)
        vpci_destroy(vm->pci);
    if (vm->ioapic)
        vioapic_destroy(vm->ioapic);
    vlapic_destroy(vm);
    vuart_destroy(vm);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        vcpu_destroy(vm->vcpus[i]);
    vm->vcpu_count = 0;
    if (vm->domain)
        vtd_domain_destroy(vm->domain);
    dma_release(vm);
    if (vm->bitmaps)
        bitmaps_destroy(vm->bitmaps);
    if (vm->ept)
        ept_destroy(vm->ept);
    free_ram(vm);
    vm->pci = NULL;
    vm->ioapic = NULL;
    vm->domain = NULL;
    vm->bitmaps = NULL;
    vm->ept = NULL;
}

static int make(struct vm *vm)
{
    vm->ept = ept_create();
    vm->bitmaps = bitmaps_create();
    if (!vm->ept || !vm->bitmaps)
        return FAIL(ENOMEM, "vm=%s: no memory for its tables", vm->name);
    int err = make_ram(vm);
    if (!err)
        err = vm_load(vm);
    if (!err)
        err = make_vcpus(vm);
    if (!err)
        err = make_devices(vm);
    if (!err)
        err = assign_all(vm); /* last: from here on a device may interrupt */
    if (!err) {
        vm_start_state(vm, vm->vcpus[0]);
        err = vm->config.run ? step_prepare(vm) : 0;
    }
    return err;
}

static void name(struct vm *vm, const struct vm_config *config, unsigned index)
{
    memset(vm, 0, sizeof(*vm));
    vm->config = *config;
    memcpy(vm->name, config->name, sizeof(vm->name));
    vm->index = index;
    vm->log_budget = LOG_GUEST_BUDGET;
}

static void keep_promises(const struct vm *vm, const char *when)
{
    if (check_all())
        panic("vm=%s: a promise is broken %s", vm->name, when);
}

static struct vm *vm_create(const struct vm_config *config)
{
    struct vm *vm = pages_alloc(VM_PAGES, PAGE_SIZE);
    if (!vm)
        return NULL;
    name(vm, config, (unsigned)count);
    vm->kills.left = config->kills;
    if (make(vm)) {
        give_back(vm);
        pages_free(vm, VM_PAGES);
        return NULL;
    }
    log_info("vm=%s kernel=%s mem=%luM vcpus=%u ram=0x%lx entry=0x%lx", vm->name, vm->start.format,
             vm->ram_size >> 20, vm->vcpu_count, vm->ram.v, vm->start.rip);
    return vm;
}

unsigned vm_create_all(const struct boot_info *info)
{
    struct vm_config *configs = pages_alloc(CONFIG_PAGES, PAGE_SIZE);
    if (!configs)
        panic("no memory for the configuration");
    assign_init();
    audit_print();
    log_info("free-pages=%zu", page_free_count() + CONFIG_PAGES);
    size_t described = config_read(info, configs, VM_MAX, &refused);
    if (described + refused == 0)
        log_error("no VM: GRUB's entry has no line module2 FILE vm=NAME, so nothing will run");
    for (size_t i = 0; i < described; i++) {
        struct vm *vm = vm_create(&configs[i]);
        if (vm) {
            vms[count++] = vm;
            keep_promises(vm, "before it runs");
        } else {
            refused++;
            log_error("vm=%s is not started", configs[i].name);
        }
    }
    pages_free(configs, CONFIG_PAGES);
    return (unsigned)count;
}

/* --- The end of one ------------------------------------------------------------------------------ */

void vm_end(struct vm *vm, unsigned exit_status)
{
    enum vm_state before = vm->state;
    if (before >= VM_ENDING || !atomic_replace(&vm->state, &before, VM_ENDING))
        return;
    vm->exit_status = exit_status;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sched_request_stop(vm->vcpus[i]);
}

void vm_fail(struct vm *vm, const char *fmt, ...)
{
    if (vm_is_ending(vm))
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(vm->why, sizeof(vm->why), fmt, args);
    va_end(args);
    vm_end(vm, VM_EXIT_CRASH);
}

void vm_crash(struct vcpu *v, const char *why)
{
    struct vm *vm = v->vm;
    vcpu_dump(v);
    vm->dumped = true;
    if (vm_debug(v, DEBUG_CRASH, 0) != STOP_VM)
        vm_fail(vm, "%s", why);
    else /* a debugger looks at it first, and ends it */
        snprintf(vm->why, sizeof(vm->why), "%s", why);
}

/* A PC whose processors are all in HLT with interrupts off has been left by its system: its end. */
static bool all_dead(const struct vm *vm, const struct vcpu *besides)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        const struct vcpu *v = vm->vcpus[i];
        if (v != besides && !v->halted_masked && v->state != VCPU_WAIT_SIPI)
            return false;
    }
    return true;
}

enum exit_action vm_dead_halt(struct vcpu *v)
{
    if (!all_dead(v->vm, v))
        return RESUME_NEXT;
    vm_end(v->vm, VM_EXIT_SHUTDOWN);
    return STOP_VM;
}

static bool all_stopped(const struct vm *vm)
{
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        if (vm->vcpus[i]->state != VCPU_STOPPED)
            return false;
    return true;
}

static void start(struct vm *vm)
{
    uint64_t seconds = vm->config.timeout;
    bool held = vm_hooks.hold && vm_hooks.hold(vm);
    vm->state = held ? VM_PAUSED : VM_RUNNING;
    if (seconds)
        vm->deadline = rdtsc() + seconds * time_tsc_khz() * 1000;
    kills_plan(vm);
    vm->step_tsc = rdtsc();
    for (unsigned i = 1; i < vm->vcpu_count; i++)
        vcpu_init_signal(vm->vcpus[i]);
    if (!held)
        sched_start(vm->vcpus[0]);
}

/* All of it anew, but for who it is and how often it was killed. */
static void live_again(struct vm *vm)
{
    struct vm_config config = vm->config;
    unsigned index = vm->index;
    typeof(vm->kills) kills = vm->kills;
    name(vm, &config, index);
    vm->kills = kills;
    if (make(vm)) {
        give_back(vm);
        vm->exit_status = VM_EXIT_CRASH;
        vm->state = VM_ENDED;
        log_error("vm=%s is not started again", vm->name);
        return;
    }
    start(vm);
}

/* Its vCPUs have left their CPUs: look whether every promise held, tell, give back, look again. */
static void bury(struct vm *vm)
{
    bool again = vm->kills.left;
    keep_promises(vm, "while it ran");
    if (!again)
        report_vm(vm);
    give_back(vm);
    vm->state = VM_ENDED;
    keep_promises(vm, "after its end");
    kills_count(vm);
    if (again)
        live_again(vm);
}

/* Called once a tick (SCHED_TICK_US), between two turns of the scheduler on the bootstrap processor. */
static void look_after(struct vm *vm)
{
    if (vm->state == VM_RUNNING && vm->deadline && rdtsc() >= vm->deadline)
        vm_fail(vm, "timeout=%u: still running", vm->config.timeout);
    vm_follow_up(vm);
    if (vm->state == VM_RUNNING && all_dead(vm, NULL))
        vm_end(vm, VM_EXIT_SHUTDOWN); /* two that halted at once did not see each other */
    if (vm->state == VM_RUNNING && kills_due(vm))
        vm_fail(vm, "killed");
    if (vm->state == VM_ENDING && all_stopped(vm))
        bury(vm);
}

static bool all_ended(void)
{
    bool ended = true;
    for (size_t i = 0; i < count; i++) {
        look_after(vms[i]);
        ended = ended && vms[i]->state == VM_ENDED;
    }
    if (vm_hooks.poll)
        vm_hooks.poll(); /* last: what was typed before is done */
    trap_tell_nmi();
    return ended;
}

unsigned vm_run_all(void)
{
    unsigned failed = (unsigned)refused;
    for (size_t i = 0; i < count; i++)
        start(vms[i]);
    sched_run(all_ended);
    while (count > 0) {
        struct vm *vm = vms[--count];
        failed += vm->exit_status > 1;
        pages_free(vm, VM_PAGES);
    }
    log_info("free-pages=%zu", page_free_count()); /* as many as before the first VM was made */
    return failed;
}
