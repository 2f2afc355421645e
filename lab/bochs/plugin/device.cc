/* SPDX-License-Identifier: MIT */
/*
 * The registers behind the BARs of the lab device. docs/lab.md has them as a table.
 * From: lab/bochs/plugin/pci_function.cc      To: -
 * Spec: QEMU "EDU device" for BAR 0 up to 0x98 and the buffer at 0x40000; the rest is ours
 */
#include "device.h"
#include <algorithm>
#include <cstring>

namespace lab
{

enum : unsigned { /* BAR 0 */
                  ID = 0x00,
                  LIVENESS = 0x04,
                  FACTORIAL = 0x08,
                  STATUS = 0x20,
                  IRQ_STATUS = 0x24,
                  IRQ_RAISE = 0x60,
                  IRQ_ACK = 0x64,
                  DMA_SOURCE = 0x80,
                  DMA_TARGET = 0x88,
                  DMA_COUNT = 0x90,
                  DMA_COMMAND = 0x98,
                  QUEUE_BASE = 0x100,
                  QUEUE_SIZE = 0x108,
                  QUEUE_HEAD = 0x10c,
                  QUEUE_TAIL = 0x110,
                  DMA_ERRORS = 0x114,
                  MESSAGE = 0x118,
                  TROUBLE = 0x200,
                  TROUBLE_END = 0x238,
};
enum : uint32_t { STATUS_FACTORIAL_IRQ = 0x80 };
enum : uint32_t { CAUSE_FACTORIAL = 0x001, CAUSE_DMA = 0x100, CAUSE_QUEUE = 0x200 };
enum : uint64_t { DMA_RUN = 1, DMA_TO_MEMORY = 2, DMA_IRQ = 4 };
enum : unsigned { /* BAR 2 */
                  MSIX_TABLE = 0x000,
                  LIVE = 0x800,
                  MSIX_PBA = 0x1000,
                  MSIX_BEYOND = 0x4000,
                  VECTORS = 4,
};
constexpr uint64_t LARGE_BAR_DEFAULT = 256 << 20, PAGE = 4096;
enum : unsigned {
    IO_WINDOW = 0x00,
    IO_DATA = 0x04,
    IO_RAISE = 0x08,
    IO_ACK = 0x0c,
    IO_CAUSES = 0x10
};

LabDevice::LabDevice(Host &host_, Bus &bus_, unsigned devfn_, const Trouble &trouble_,
                     const Shape &shape, const Bridge *behind_)
    : PciFunction(host_, bus_, devfn_, behind_)
{
    bool express = shape.kind != Shape::CONVENTIONAL;
    set(0x00, 4, 0x11e81234);
    set(0x06, 2, 0x0010); /* capabilities list */
    set(0x08, 4, 0x00ff0010);
    set(0x0e, 1, shape.multifunction ? 0x80 : 0);
    set(0x2c, 4, 0x11001af4);
    set(0x34, 1, 0x40);
    set(0x3d, 1, 1);
    add_bar(0, REGISTERS_SIZE, false);
    if (shape.io)
        add_bar(1, 32, true);
    add_bar(2, TABLE_SIZE, false);
    add_bar(ROM_BAR, 0x1000, false);
    add_msi(0x40, 0x60, trouble_.messages);
    add_msix(0x60, 0x70, VECTORS, 2,
             trouble_.claims == CLAIM_MSIX_BEYOND ? MSIX_BEYOND : MSIX_TABLE, MSIX_PBA);
    if (trouble_.claims == CLAIM_4_GIB) {
        set(0x20, 4, 0x0c); /* 64 bits, prefetchable */
        set(0x24, 4, 0, 0xffffffff);
    }
    pm_offset = 0x70;
    set(0x70, 4, 0x00030001 | (express ? 0x80 << 8 : 0)); /* version 3, no D1, D2 or PME */
    set(0x74, 4, shape.soft_reset ? 0 : 8, 3);
    if (express)
        add_express(0x80, shape.kind, shape.flr);
    set(0x81, 1, trouble_.capability_loop ? 0x40 : 0);
    if (shape.extended) {
        add_error_reporting(0x100);
        add_latency_tolerance(0x150);
        add_serial_number(0x1d0, 0x0123456789abcd00 | devfn);
    }
    if (shape.large_bar) {
        add_wide_bar(4, std::min(shape.large_bar, LARGE_BAR_DEFAULT));
        add_resizable_bar(LARGE_BAR_SIZES, 4, shape.large_bar);
    }
    trouble = trouble_;
    function_reset();
}

void LabDevice::function_reset()
{
    memset(buffer, 0, sizeof(buffer));
    liveness = factorial = status = causes = 0;
    dma_source = dma_target = dma_count = dma_command = 0;
    queue_base = 0;
    queue_size = queue_head = queue_tail = dma_errors = scratch = window = 0;
    jobs.clear();
    storm_due = trouble.storm ? host.now() + trouble.storm : NEVER;
    memory.clear();
}

/* Cause bit to vector: the raised bits 0 to 3 name their vector, DMA is vector 1, the queue 2. */
static unsigned vector_of(uint32_t cause)
{
    if (cause & CAUSE_QUEUE)
        return 2;
    if (cause & CAUSE_DMA)
        return 1;
    return cause ? unsigned(__builtin_ctz(cause)) % VECTORS : 0;
}

void LabDevice::raise(uint32_t cause)
{
    causes |= cause;
    if (causes && !signal(vector_of(cause)))
        set_intx(true);
}

void LabDevice::acknowledge(uint32_t cause)
{
    causes &= ~cause;
    if (!causes)
        set_intx(false);
}

static uint64_t part(uint64_t reg, unsigned offset, unsigned size)
{
    return reg >> 8 * (offset & 7) & bits(8 * size - 1, 0);
}

/* A 4-byte write to the low half clears the high one, as edu does; to the high half it
 * keeps the low. */
static void merge(uint64_t &reg, unsigned offset, uint64_t value, unsigned size)
{
    if (size == 4 && (offset & 4))
        reg = (reg & bits(31, 0)) | value << 32;
    else
        reg = value;
}

/* list */
uint64_t LabDevice::register_read(unsigned offset, unsigned size)
{
    if (size != 4 && (size != 8 || offset < 0x80))
        return ~UINT64_C(0);
    if (offset >= BUFFER && offset + size <= BUFFER + BUFFER_SIZE) {
        uint64_t value = 0;
        memcpy(&value, buffer + offset - BUFFER, size);
        return value;
    }
    if (offset >= TROUBLE && offset < TROUBLE_END)
        return trouble_read(offset);
    switch (offset & ~7u) {
    case DMA_SOURCE:
        return part(dma_source, offset, size);
    case DMA_TARGET:
        return part(dma_target, offset, size);
    case DMA_COUNT:
        return part(dma_count, offset, size);
    case DMA_COMMAND:
        return part(dma_command, offset, size);
    case QUEUE_BASE:
        return part(queue_base, offset, size);
    }
    switch (offset) {
    case ID:
        return 0x010000ed;
    case LIVENESS:
        return uint32_t(~liveness);
    case FACTORIAL:
        return factorial;
    case STATUS:
        return status;
    case IRQ_STATUS:
        return causes;
    case QUEUE_SIZE:
        return queue_size;
    case QUEUE_HEAD:
        return queue_head;
    case QUEUE_TAIL:
        return queue_tail;
    case DMA_ERRORS:
        return dma_errors;
    default:
        return bits(8 * size - 1, 0);
    }
}

/* list */
void LabDevice::register_write(unsigned offset, uint64_t value, unsigned size)
{
    if (size != 4 && (size != 8 || offset < 0x80))
        return;
    if (offset >= BUFFER && offset + size <= BUFFER + BUFFER_SIZE) {
        memcpy(buffer + offset - BUFFER, &value, size);
        return;
    }
    if (offset >= TROUBLE && offset < TROUBLE_END)
        return trouble_write(offset, value);
    if (!(dma_command & DMA_RUN)) /* the job that runs keeps its registers */
        switch (offset & ~7u) {
        case DMA_SOURCE:
            return merge(dma_source, offset, value, size);
        case DMA_TARGET:
            return merge(dma_target, offset, value, size);
        case DMA_COUNT:
            return merge(dma_count, offset, value, size);
        case DMA_COMMAND:
            merge(dma_command, offset, value, size);
            if (dma_command & DMA_RUN)
                job_start({dma_source, dma_target, dma_count, dma_command, 0, 0, 0});
            return;
        case QUEUE_BASE:
            return merge(queue_base, offset, value, size);
        }
    switch (offset) {
    case LIVENESS:
        liveness = uint32_t(value);
        break;
    case FACTORIAL:
        for (factorial = 1; value > 1; --value)
            factorial *= uint32_t(value);
        if (status & STATUS_FACTORIAL_IRQ)
            raise(CAUSE_FACTORIAL);
        break;
    case STATUS:
        status = value & STATUS_FACTORIAL_IRQ;
        break;
    case IRQ_RAISE:
        raise(uint32_t(value));
        break;
    case IRQ_ACK:
        acknowledge(uint32_t(value));
        break;
    case QUEUE_SIZE:
        queue_size = value & 0xffff;
        queue_head = queue_tail = 0;
        break;
    case QUEUE_TAIL:
        queue_tail = queue_size ? uint32_t(value) % queue_size : 0;
        queue_fetch();
        break;
    case DMA_ERRORS:
        dma_errors = 0;
        break;
    case MESSAGE:
        signal(uint32_t(value));
        break;
    }
}

uint64_t LabDevice::trouble_read(unsigned offset) const
{
    const uint64_t words[] = {trouble.dma_delay | uint64_t(trouble.dma_split) << 32,
                              trouble.forged_sid,
                              trouble.msi_address_xor,
                              trouble.msi_data_xor | uint64_t(trouble.storm) << 32,
                              trouble.capability_loop ? bit(32) : 0,
                              0,
                              0};
    return words[(offset - TROUBLE) / 8] >> 8 * (offset & 7);
}

void LabDevice::trouble_write(unsigned offset, uint64_t value)
{
    uint32_t word = uint32_t(value);
    host.trace(text("device trouble offset=0x%x value=0x%llx", offset, (unsigned long long)value));
    switch (offset - TROUBLE) {
    case 0x00:
        trouble.dma_delay = word;
        break;
    case 0x04:
        trouble.dma_split = word;
        break;
    case 0x08:
        trouble.forged_sid = word;
        break;
    case 0x10:
        trouble.msi_address_xor = value;
        break;
    case 0x18:
        trouble.msi_data_xor = word;
        break;
    case 0x1c:
        trouble.storm = word;
        storm_due = word ? host.now() + word : NEVER;
        break;
    case 0x20:
        trouble.dead = word & 1;
        break;
    case 0x24:
        trouble.capability_loop = word & 1;
        set(0x81, 1, word & 1 ? 0x40 : 0);
        break;
    case 0x28: /* as a driver resets many a device: software that only watches config space sees
                  nothing of it */
        host.trace(text("device %s reset by its register", bdf_text(sid()).c_str()));
        reset();
        break;
    case 0x2c:
        record_errors(word, 0);
        break;
    case 0x30:
        record_errors(0, word);
        break;
    }
}

void LabDevice::job_start(Job job)
{
    job.due = host.now() + trouble.dma_delay;
    jobs.push_back(job);
}

/* Read the next entries of the queue in memory: source, target, count, command, status, tag. */
void LabDevice::queue_fetch()
{
    struct {
        uint64_t source, target;
        uint32_t count, command, status, tag;
    } entry;
    while (queue_head != queue_tail) {
        uint64_t at = queue_base + sizeof(entry) * queue_head;
        if (!read_memory(at, &entry, sizeof(entry))) {
            ++dma_errors;
            queue_tail = queue_head;
            return raise(CAUSE_QUEUE);
        }
        job_start({entry.source, entry.target, entry.count, entry.command | DMA_RUN, 0, 0,
                   at + offsetof(decltype(entry), status)});
        queue_head = (queue_head + 1) % queue_size;
    }
}

/* Move the next piece. True: the job is finished. */
bool LabDevice::job_step(Job &job)
{
    bool to_memory = job.command & DMA_TO_MEMORY;
    uint64_t inside = (to_memory ? job.source : job.target) - BUFFER + job.done;
    uint64_t outside = (to_memory ? job.target : job.source) + job.done;
    uint64_t n = job.count - job.done;
    if (trouble.dma_split)
        n = std::min<uint64_t>(n, trouble.dma_split);
    bool fits = inside <= BUFFER_SIZE && n <= BUFFER_SIZE - inside, ok = fits;
    if (fits && n)
        ok = to_memory ? write_memory(outside, buffer + inside, n)
                       : read_memory(outside, buffer + inside, n);
    host.trace(text("device %s dma %s address=0x%llx n=%llu %s", bdf_text(sid()).c_str(),
                    to_memory ? "write" : "read", (unsigned long long)outside,
                    (unsigned long long)n, ok ? "ok" : "refused"));
    dma_errors += !ok;
    job.done += n;
    if (job.done < job.count && fits)
        return false;
    if (job.status_address) {
        uint32_t done = ok ? 1 : 2;
        write_memory(job.status_address, &done, sizeof(done));
        if (job.command & DMA_IRQ)
            raise(CAUSE_QUEUE);
    } else {
        dma_command &= ~uint64_t(DMA_RUN);
        if (job.command & DMA_IRQ)
            raise(CAUSE_DMA);
    }
    return true;
}

void LabDevice::tick()
{
    uint64_t now = host.now();
    while (!jobs.empty() && jobs.front().due <= now) {
        Job job = jobs.front();
        jobs.pop_front();
        if (!job_step(job)) {
            job.due = now + std::max(1u, trouble.dma_delay);
            jobs.push_front(job);
        }
    }
    if (storm_due <= now && !trouble.dead) {
        storm_due = now + std::max(1u, trouble.storm);
        raise(CAUSE_FACTORIAL);
    }
}

uint64_t LabDevice::next_due() const
{
    return std::min(storm_due, jobs.empty() ? NEVER : jobs.front().due);
}

/* The option ROM: signature, a far return as its initialization, and the PCI data structure. */
static uint8_t rom_byte(unsigned offset)
{
    static const uint8_t head[] = {0x55, 0xaa, 0x02, 0xcb},
                         pcir[] = {'P', 'C', 'I', 'R',  0x34, 0x12, 0xe8, 0x11, 0, 0,    0x18, 0,
                                   0,   0,   0,   0xff, 2,    0,    1,    0,    0, 0x80, 0,    0};
    static const char words[] = "Hamlet lab device";
    if (offset < sizeof(head))
        return head[offset];
    if (offset == 0x18)
        return 0x1c;
    if (offset >= 0x1c && offset < 0x1c + sizeof(pcir))
        return pcir[offset - 0x1c];
    if (offset >= 0x40 && offset < 0x40 + sizeof(words))
        return uint8_t(words[offset - 0x40]);
    return 0;
}

uint64_t LabDevice::memory_read(uint64_t offset, unsigned size) const
{
    uint64_t value = 0;
    auto page = memory.find(offset / PAGE);
    if (page != memory.end())
        memcpy(&value, &page->second[offset % PAGE], size);
    return value;
}

void LabDevice::memory_write(uint64_t offset, uint64_t value, unsigned size)
{
    std::vector<uint8_t> &page = memory[offset / PAGE];
    page.resize(PAGE + sizeof(value)); /* an access may begin at its last byte */
    memcpy(&page[offset % PAGE], &value, size);
}

uint64_t LabDevice::bar_read(unsigned index, uint64_t offset, unsigned size)
{
    const uint64_t ones = bits(8 * size - 1, 0);
    tick();
    if (index == 0)
        return register_read(unsigned(offset), size) & ones;
    if (index == 4)
        return memory_read(offset, size);
    if (index == ROM_BAR) {
        uint64_t value = 0;
        for (unsigned i = 0; i < size; ++i)
            value |= uint64_t(rom_byte(unsigned(offset) + i)) << 8 * i;
        return value;
    }
    if (index == 1) {
        switch (offset) {
        case IO_WINDOW:
            return window;
        case IO_DATA:
            return register_read(window, 4) & ones;
        case IO_CAUSES:
            return causes & ones;
        default:
            return ones;
        }
    }
    if (offset < 16 * VECTORS)
        return msix_read(unsigned(offset), size);
    if (offset >= MSIX_PBA)
        return offset < MSIX_PBA + 8 ? part(msix_pending, unsigned(offset), size) : 0;
    return offset == LIVE ? scratch : offset == LIVE + 4 ? uint32_t(~scratch) : 0;
}

void LabDevice::bar_write(unsigned index, uint64_t offset, uint64_t value, unsigned size)
{
    tick();
    if (index == 0)
        return register_write(unsigned(offset), value, size);
    if (index == 4)
        return memory_write(offset, value, size);
    if (index == 1 && offset == IO_WINDOW)
        window = uint32_t(value) & 0xffffc;
    else if (index == 1 && offset == IO_DATA)
        register_write(window, value, 4);
    else if (index == 1 && offset == IO_RAISE)
        raise(uint32_t(value));
    else if (index == 1 && offset == IO_ACK)
        acknowledge(uint32_t(value));
    else if (index == 2 && offset < 16 * VECTORS && (size == 4 || size == 8))
        msix_write(unsigned(offset), value, size);
    else if (index == 2 && offset == LIVE)
        scratch = uint32_t(value);
}

} /* namespace lab */
