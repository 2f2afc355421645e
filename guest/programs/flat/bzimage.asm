; SPDX-License-Identifier: MIT
; The least that is a Linux for a loader: the setup header, and a 64-bit entry that ends with
; success if RSI is the zero page.
; To: guest/load/linux.c.
; Spec: Linux "The Linux/x86 Boot Protocol".
bits 64

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
        dw      1                       ; xloadflags: it has an entry for 64 bits
        dd      255                     ; cmdline_size
        AT      0x258
        dq      0x100000                ; pref_address
        dd      0x1000                  ; init_size

        AT      PAYLOAD + 0x200
        xor     eax, eax
        cmp     dword [rsi + 0x202], "HdrS"
        setne   al
        out     0xf4, al
        hlt
