; SPDX-License-Identifier: MIT
; A kernel with a note that names a PVH entry: an ELF file of 64 bits that starts in 32-bit mode,
; and ends with success if EBX has the start information. Its other entry is no code.
; To: guest/load/elf.c (the note), guest/load/info.c (the start information).
; Spec: ELF "ELF Header", "Program Header", "Note Section"; Xen "x86/HVM direct boot ABI".
bits 32
org 0x100000

%define AT(place) (place) - file
LOAD    equ     1
NOTE    equ     4
PVH     equ     18                      ; XEN_ELFNOTE_PHYS32_ENTRY
MAGIC   equ     0x336ec578

file:   db      0x7f, "ELF", 2, 1, 1    ; 64 bits, little endian
        times 9 db 0
        dw      2, 62                   ; an executable, x86-64
        dd      1
        dq      file, AT(programs), 0   ; the entry of those who do not know the note
        dd      0
        dw      64, 56, 2, 0, 0, 0
programs:
        dd      LOAD, 7
        dq      0, file, file, AT(end), AT(end), 0x1000
        dd      NOTE, 4
        dq      AT(note), note, note, note_end - note, note_end - note, 4
note:   dd      4, 4, PVH
        db      "Xen", 0
        dd      start
note_end:

start:  xor     eax, eax
        cmp     dword [ebx], MAGIC
        setne   al
        out     0xf4, al
        hlt
end:
