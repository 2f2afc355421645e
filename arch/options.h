/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own command line: "console=com1,115200 log=info vtd=on ir=on post=hw inv=qi".
 * Constant after options_parse(). Not here: a VM's description (guest/life/config.c).
 * From: boot/main.c.   To: arch/options.c.
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

enum post_mode { POST_OFF, POST_SW, POST_HW };
enum inv_mode { INV_QI, INV_REG };
enum end_mode { END_AUTO, END_POWEROFF, END_HALT, END_REBOOT, END_MONITOR, END_KEY };
enum smt_mode { SMT_AUTO, SMT_ON, SMT_OFF };
enum console { CONSOLE_AUTO, CONSOLE_SCREEN, CONSOLE_PCI, CONSOLE_PORT };

#define OPTIONS_DEVICE_MAX 8

/* Each member: its option, and the files that read it. */
struct options {
    /* console=auto|screen|pci|com1|com2|0xPORT|off[,SPEED], an enum console; its port, 0: none;
     * baud, from 1200 on, 115200 by default. boot/console.c; monitor/gdb.c (not the same port for
     * both) */
    uint8_t console;
    uint16_t console_port;
    uint32_t console_speed;
    /* report=PORT: the lines "hamlet: ...", and a trace as it is made, go to this port, too, which
     * takes a byte at any time, as 0xE9 of an emulator does; 0: none. boot/main.c,
     * monitor/cmd/trace.c */
    uint16_t report;
    /* gdb=com2|com1|0xPORT|off[,wait][,VM]: the port, 0: none, at 115200 baud; the VM to debug, "":
     * the first; wait: that VM waits for the debugger before it begins; "*": each of them does, and
     * a debugger gets one after the other. monitor/gdb/ */
    uint16_t gdb_port;
    bool gdb_wait;
    char gdb_vm[16];
    /* log=error|info|trace, an enum log_level. boot/main.c */
    uint8_t log;
    /* vtd=on|off, ir=on|off (interrupt remapping), inv=qi|reg (enum inv_mode). vtd/init.c */
    bool vtd, ir;
    uint8_t inv;
    /* post=hw|sw|off, an enum post_mode: the best way that may be used. vmx/caps.c, vtd/init.c */
    uint8_t post;
    /* rmrr=refuse|map: devices for which the firmware reserves memory.
     * guest/core/reserved.c, guest/assign/audit.c */
    bool rmrr_map;
    /* apicv=on|off; off: guests get the software local APIC. ipiv=on|off; off: an IPI exits at its
     * sender. vmx/caps.c */
    bool apicv, ipiv;
    /* mitigations=auto|off: what is done about known leaks of the CPU. smt=auto|on|off, an enum
     * smt_mode: all threads of a core are used, or one; auto: one if a leak asks for it.
     * arch/leaks.c */
    bool mitigations;
    uint8_t smt;
    /* x2apic=on|off: the host's own local APICs. arch/apic.c */
    bool x2apic;
    /* end=auto|poweroff|halt|reboot|monitor|key, an enum end_mode: after the last VM; monitor: the
     * user looks around, and powers off; key: power off when one is pressed; auto: poweroff with a
     * serial port, key with a screen alone, halt with neither. boot/main.c, monitor/term/console.c
     */
    uint8_t end;
    /* screen=lines|draw: guests' text screens. monitor/term/console.c */
    bool draw;
    /* trace=on|off: from the first VM on. monitor/term/console.c */
    bool trace;
    /* check=on|off: before the first VM, what this PC has. boot/main.c */
    bool check;
    /* cpus=N: use at most N CPUs; 0: all. boot/main.c */
    uint32_t cpus;
    /* hide=BDF, several times: no guest gets that device. guest/assign/audit.c */
    bdf_t hidden[OPTIONS_DEVICE_MAX];
    unsigned hidden_count;
    /* vfs=BDF,N, several times: enable N virtual functions. boot/main.c */
    struct {
        bdf_t bdf;
        unsigned count;
    } vfs[OPTIONS_DEVICE_MAX];
    unsigned vfs_count;
    /* identity=SIZE: RAM up to this address is kept for a VM with dma=identity.
     * guest/core/identity.c */
    uint64_t identity;
    /* ktest=NAME: of the test image, only the tests whose names begin so. arch/ktest.c */
    char ktest[40];
};

extern struct options options;

/* Set `options` from the command line. For an unknown key or a bad value one line in the log names
 * the word and the reason, and the default stays. -EINVAL: there was such a word. All other words
 * count, up to a quotation mark that is not closed or a word that is too long. */
int options_parse(const char *cmdline);
