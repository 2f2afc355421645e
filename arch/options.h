/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's own command line: "console=com1,115200 log=info vtd=on ir=on post=hw inv=qi".
 * From: boot/main.c.   To: whoever needs one; constant after options_parse().
 * Not here: a VM's description (guest/life/config.c).
 */
#pragma once
#include "lib/errno.h"
#include "lib/types.h"

enum post_mode { POST_OFF, POST_SW, POST_HW };
enum inv_mode { INV_QI, INV_REG };
enum end_mode { END_POWEROFF, END_HALT, END_REBOOT };

#define OPTIONS_DEVICE_MAX 8

struct options {
    uint16_t console_port;  /* 0: none. console=com1|com2|0xPORT|off[,speed] */
    uint32_t console_speed; /* baud, 115200 */
    uint16_t gdb_port;      /* 0: none. gdb=com2|com1|0xPORT|off[,wait][,VM], at 115200 baud */
    bool gdb_wait;          /* the VM that is debugged waits for the debugger before it begins */
    char gdb_vm[16];        /* its name; "": the first */
    uint8_t log;            /* enum log_level. log=error|info|trace */
    bool vtd;               /* vtd=on|off */
    bool ir;                /* ir=on|off, interrupt remapping */
    uint8_t post;           /* enum post_mode. post=hw|sw|off: the best that may be used */
    uint8_t inv;            /* enum inv_mode. inv=qi|reg */
    bool rmrr_map;          /* rmrr=refuse|map: devices for which the firmware reserves memory */
    bool apicv;             /* apicv=on|off: off shows the software local APIC */
    bool x2apic;            /* x2apic=on|off, the host's own local APICs */
    uint8_t end;            /* enum end_mode. end=poweroff|halt|reboot: after the last VM */
    bool trace;             /* trace=on|off: from the first VM on (arch/trace.h) */
    uint32_t cpus;          /* cpus=N: use at most N CPUs; 0: all */
    bdf_t hidden[OPTIONS_DEVICE_MAX]; /* hide=BDF: not for guests; may stand several times */
    unsigned hidden_count;
    struct {
        bdf_t bdf;
        unsigned count;
    } vfs[OPTIONS_DEVICE_MAX]; /* vfs=BDF,N: N virtual functions; may stand several times */
    unsigned vfs_count;
    uint64_t identity; /* identity=SIZE: RAM kept for a VM with dma=identity, up to this address */
    char ktest[40];    /* ktest=NAME: of the test image, only tests whose names begin so */
};

extern struct options options;

/* Set `options` from the command line. An unknown key or a bad value gets one line in the log, which
 * names the word and the reason, and leaves the default. -EINVAL: there was one. Every other word
 * counts, up to a quotation mark that is not closed or a word that is too long. */
int options_parse(const char *cmdline);
