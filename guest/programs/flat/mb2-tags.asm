; SPDX-License-Identifier: MIT
; A Multiboot2 kernel that cannot do without a memory map, ELF sections and an RSDP, wants a frame
; buffer, and has the header that many teaching kernels have: its end tag is two bytes short. It
; prints the types of the tags that it gets, and the strings of modules.
; To: guest/load/multiboot.c, guest/load/info.c.
; Spec: Multiboot2 "OS image format", "Boot information format".
bits 32
org 0x100000

; an ELF file of one segment and two sections, so that there are sections to ask for
elf:    db      0x7f, "ELF", 1, 1, 1
        times   9 db 0
        dw      2, 3
        dd      1, start, 52, sections - elf, 0
        dw      52, 32, 1, 40, 2, 1
        dd      1, 0, elf, elf, end - elf, end - elf, 7, 0x1000
        align   8
header: dd      0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
        dw      1, 0                    ; requests
        dd      8 + 4 * 4, 1, 6, 9, 15
        align   8
        dw      5, 0                    ; a frame buffer
        dd      20, 1024, 768, 32
        align   8
        dw      0, 0, 8                 ; the end: six bytes of eight
header_end:

say:    mov     edx, 0x3f8
.next:  lodsb
        test    al, al
        jz      .end
        out     dx, al
        jmp     .next
.end:   ret

start:  cld
        mov     esp, 0x80000
        mov     esi, tags
        call    say
        lea     edi, [ebx + 8]
.tag:   mov     eax, [edi]
        test    eax, eax
        jz      .end
        mov     edx, 0x3f8
        aam                             ; tens in AH, ones in AL
        add     ax, 0x3030
        xchg    al, ah
        out     dx, al
        xchg    al, ah
        out     dx, al
        mov     al, ' '
        out     dx, al
        cmp     dword [edi], 3          ; a module: its string
        jne     .next
        lea     esi, [edi + 16]
        call    say
        mov     al, ' '
        out     dx, al
.next:  mov     eax, [edi + 4]
        add     eax, 7
        and     eax, ~7
        add     edi, eax
        jmp     .tag
.end:   mov     al, 10
        mov     edx, 0x3f8
        out     dx, al
        xor     al, al
        out     0xf4, al
        hlt
tags:   db      "tags: ", 0
sections:
        times   40 db 0
        dd      0, 3, 0, 0, names - elf, 5, 0, 0, 1, 0
names:  db      "names"
end:
