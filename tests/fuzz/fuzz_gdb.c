/* SPDX-License-Identifier: MIT */
/*
 * Whatever comes over the debugger's line, with its sums put right or as it is; and whatever the
 * guest comes to meanwhile.
 */
// sources: monitor/gdb/line.c monitor/gdb/regs.c monitor/gdb/target.c monitor/memory.c
// sources: guest/insn/gwalk.c lib/parse.c lib/text.c
// compares: no
// length: 256
#include "tests/fuzz/fuzz.h"
#include "tests/unit/gdb_stubs.h"
#include "tests/unit/stubs.h"

/* Most inputs would never be a packet: every # gets the sum that belongs to it. */
static size_t with_sums(const uint8_t *data, size_t size, uint8_t *out)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        out[n++] = data[i];
        if (data[i] == '#') {
            out[n++] = (uint8_t)digits[sum >> 4];
            out[n++] = (uint8_t)digits[sum & 15];
        }
        sum = data[i] == '$' ? 0 : (uint8_t)(sum + data[i]);
    }
    return n;
}

/* Packets of every kind, as gdb sends them; mutations of their bytes do the rest. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static const char *const packets[] = {"$g#",
                                          "$m200,40#",
                                          "$M200,4:c0ffee11#",
                                          "$Z0,200,1#",
                                          "$z0,200,1#",
                                          "$c#",
                                          "$s#",
                                          "$vCont;s:1;c:2#",
                                          "$vCont;c#",
                                          "$Z1,210,1#",
                                          "$Z2,300,4#",
                                          "$z1,210,1#",
                                          "$z2,300,4#",
                                          "$Hg2#",
                                          "$Hc1#",
                                          "$T2#",
                                          "$?#",
                                          "$p10#",
                                          "$P10=0102000000000000#",
                                          "$qfThreadInfo#",
                                          "$qsThreadInfo#",
                                          "$qC#",
                                          "$qXfer:features:read:target.xml:0,100#",
                                          "$qRcmd,7674642073#",
                                          "$vCont?#",
                                          "$X200,2:}]#",
                                          "$D#",
                                          "$k#",
                                          "$vKill;1#",
                                          "\003",
                                          "-",
                                          "+",
                                          "$QStartNoAckMode#",
                                          "$qThreadExtraInfo,1#",
                                          "$qAttached#",
                                          "$G00#",
                                          "$Z3,300,8#"};
    uint32_t r = seed;
    const char *packet = packets[fuzz_random(&r) % ARRAY_COUNT(packets)];
    size_t length = strlen(packet), at = 2;
    if (size < 2 || size + length > max || fuzz_random(&r) % 3 == 0)
        return LLVMFuzzerMutate(data, size, max);
    for (size_t skip = 2 + fuzz_random(&r) % size; skip < size && at == 2; skip++)
        at = data[skip] == '$' ? skip : at;
    memmove(data + at + length, data + at, size - at);
    memcpy(data + at, packet, length);
    return size + length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hello[] = "$qSupported#37", bye[] = "$D#44";
    static uint8_t line[3 * 4096 + 16];
    if (size < 2 || size > 4096)
        return 0;
    world_begin(data[0] & 1 ? 64 : data[0] & 4 ? 16 : 32);
    world_type(hello, sizeof(hello) - 1);
    size_t length = data[0] & 2 ? size - 1 : with_sums(data + 1, size - 1, line);
    if (data[0] & 2)
        memcpy(line, data + 1, size - 1);
    for (size_t at = 0, piece; at < length; at += piece) {
        piece = MIN(length - at, (size_t)(data[1] % 64) + 1);
        world_type(line + at, piece);
        if (world.vm.state == VM_RUNNING)
            (void)world_happens(line[at] & 1, (enum debug_event)(line[at] >> 1 & 3),
                                line[at] >> 3 & 3);
    }
    bool alive = world.vm.state == VM_PAUSED || world.vm.state == VM_RUNNING;
    world_type(bye, sizeof(bye) - 1);
    world_type(hello, sizeof(hello) - 1);
    world_type(bye, sizeof(bye) - 1);
    /* a debugger that has gone leaves a VM that runs, and nothing behind */
    must(!alive || world.vm.state == VM_RUNNING || world.vm.state == VM_ENDED);
    for (unsigned i = 0; i < 2; i++)
        must(!world.armed[i].step && !world.armed[i].int3 && !world.armed[i].dr7);
    return 0;
}
