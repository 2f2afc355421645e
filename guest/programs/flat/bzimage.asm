; SPDX-License-Identifier: MIT
; The least that is a Linux for a loader: the setup header, and a 64-bit entry that ends with
; success if RSI is the zero page.
; To: guest/load/linux.c.
; Spec: Linux "The Linux/x86 Boot Protocol".
bits 64

%define ENTRIES 1                       ; xloadflags: it has an entry for 64 bits
%include "guest/programs/flat/lib/setup.asm"

        AT      PAYLOAD + 0x200
        xor     eax, eax
        cmp     dword [rsi + 0x202], "HdrS"
        setne   al
        out     0xf4, al
        hlt
