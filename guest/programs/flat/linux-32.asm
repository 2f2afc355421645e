; SPDX-License-Identifier: MIT
; As bzimage.asm, of a Linux that has no entry for 64 bits: it starts in 32-bit mode.
; To: guest/load/linux.c.
; Spec: Linux "The Linux/x86 Boot Protocol".
bits 32

%define ENTRIES 0                       ; xloadflags: none for 64 bits
%include "guest/programs/flat/lib/setup.asm"

        xor     eax, eax
        cmp     dword [esi + 0x202], "HdrS"
        setne   al
        out     0xf4, al
        hlt
