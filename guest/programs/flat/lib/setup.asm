; SPDX-License-Identifier: MIT
; The setup header of the least that is a Linux for a loader, up to its 32-bit entry; ENTRIES are
; the xloadflags.
; From: guest/programs/flat/bzimage.asm, linux-32.asm (which include it).
; To: guest/load/linux.c.
; Spec: Linux "The Linux/x86 Boot Protocol".

%macro  AT 1
        times %1 - ($ - $$) db 0
%endmacro
PAYLOAD equ     2 * 512                 ; behind the boot sector and one more

        AT      0x1f1
        db      1                       ; setup_sects
        AT      0x1fe
        dw      0xaa55
        AT      0x202
        db      "HdrS"
        dw      0x020c                  ; version
        AT      0x211
        db      1                       ; loadflags: LOADED_HIGH
        AT      0x214
        dd      0x100000                ; code32_start
        AT      0x236
        dw      ENTRIES
        dd      255                     ; cmdline_size
        AT      0x258
        dq      0x100000                ; pref_address
        dd      0x1000                  ; init_size
        AT      PAYLOAD
