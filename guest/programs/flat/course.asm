; SPDX-License-Identifier: MIT
; A kernel of the classic kind, as courses teach it: Multiboot2 with an end tag that is cut off,
; GDT, IDT, both PICs remapped, the PIT at 100 Hz, text at 0xB8000, keys from the PS/2 keyboard. It
; knows neither a serial port nor an APIC. It measures its clock against the TSC, echoes a line,
; then ends; with the line "Reset" it asks the keyboard controller for a reset.
; To: guest/load/multiboot.c, guest/pc/legacy/ (every chip).
bits 32
org 0x100000

SCREEN  equ     0xb8000
ROWS    equ     25
COLUMNS equ     80
BASE    equ     0x20                    ; first vector of the PICs

header: dd      0xe85250d6, 0, header_end - header, -(0xe85250d6 + (header_end - header))
        dw      2, 0
        dd      24, header, header, 0, bss_end
        dw      3, 0
        dd      12, start
        align   8
        dw      0, 0, 8                 ; six bytes of eight
header_end:

start:  mov     esp, stack
        lgdt    [gdt_pointer]
        jmp     0x08:.flat
.flat:  mov     ax, 0x10
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        call    clear
        mov     esi, hello
        call    print
        call    set_idt
        call    remap
        mov     al, 0x36                ; channel 0, both bytes, mode 3
        out     0x43, al
        mov     ax, 11932               ; 100 Hz
        out     0x40, al
        mov     al, ah
        out     0x40, al
        sti
        mov     esi, ready
        call    print
        call    measure
        mov     esi, prompt
        call    print
.wait:  hlt
        jmp     .wait

; --- text ---------------------------------------------------------------------------------------

clear:  mov     edi, SCREEN
        mov     ecx, ROWS * COLUMNS
        mov     ax, 0x0720
        rep stosw
        mov     dword [cursor], 0
        ret

print:  lodsb
        test    al, al
        jz      .end
        call    put
        jmp     print
.end:   ret

put:    pushad
        mov     edi, [cursor]
        cmp     al, 10
        je      .line
        mov     ah, 0x07
        mov     [SCREEN + 2 * edi], ax
        inc     edi
        jmp     .moved
.line:  mov     eax, edi
        xor     edx, edx
        mov     ecx, COLUMNS
        div     ecx
        sub     edi, edx
        add     edi, COLUMNS
.moved: cmp     edi, ROWS * COLUMNS
        jb      .there
        push    edi
        mov     esi, SCREEN + 2 * COLUMNS
        mov     edi, SCREEN
        mov     ecx, (ROWS - 1) * COLUMNS / 2
        rep movsd
        mov     ecx, COLUMNS
        mov     ax, 0x0720
        rep stosw
        pop     edi
        sub     edi, COLUMNS
.there: mov     [cursor], edi
        mov     dx, 0x3d4               ; the cursor follows
        mov     al, 0x0f
        mov     ah, [cursor]
        out     dx, ax
        mov     al, 0x0e
        mov     ah, [cursor + 1]
        out     dx, ax
        popad
        ret

; --- interrupts ---------------------------------------------------------------------------------

set_idt:
        mov     edi, idt
        mov     ecx, 48
        mov     eax, nothing
.gate:  mov     [edi], ax
        mov     word [edi + 2], 0x08
        mov     word [edi + 4], 0x8e00
        mov     edx, eax
        shr     edx, 16
        mov     [edi + 6], dx
        add     edi, 8
        loop    .gate
        mov     eax, timer
        mov     [idt + 8 * BASE], ax
        mov     eax, keyboard
        mov     [idt + 8 * (BASE + 1)], ax
        lidt    [idt_pointer]
        ret

; The masks of the BIOS stay, as in many a kernel.
remap:  in      al, 0x21
        mov     bl, al
        in      al, 0xa1
        mov     bh, al
        mov     al, 0x11
        out     0x20, al
        out     0xa0, al
        mov     al, BASE
        out     0x21, al
        mov     al, BASE + 8
        out     0xa1, al
        mov     al, 4
        out     0x21, al
        mov     al, 2
        out     0xa1, al
        mov     al, 1
        out     0x21, al
        out     0xa1, al
        mov     al, bl
        out     0x21, al
        mov     al, bh
        out     0xa1, al
        ret

nothing:
        iret

timer:  push    eax
        inc     dword [ticks]
        mov     al, 0x20
        out     0x20, al
        pop     eax
        iret

keyboard:
        pushad
        xor     eax, eax
        in      al, 0x60
        mov     bl, al
        mov     al, 0x20
        out     0x20, al
        cmp     bl, 0x2a                ; shift pressed, released
        je      .shift
        cmp     bl, 0xaa
        je      .plain
        movzx   ebx, bl
        cmp     ebx, letters_end - letters
        jae     .end
        mov     al, [letters + ebx]
        cmp     byte [shift], 0
        je      .put
        sub     al, 0x20
.put:   mov     edi, [line_used]
        mov     [line + edi], al
        inc     dword [line_used]
        call    put
        cmp     al, 10
        jne     .end
        call    answer
        jmp     .end
.shift: mov     byte [shift], 1
        jmp     .end
.plain: mov     byte [shift], 0
.end:   popad
        iret

answer: cmp     dword [line], "Rese"
        jne     .quit
        mov     al, 0xfe
        out     0x64, al
        jmp     $
.quit:  mov     esi, bye
        call    print
        xor     al, al
        out     0xf4, al
        jmp     $

; --- the clock ----------------------------------------------------------------------------------

; 50 ticks of 100 Hz are half of the TSC's frequency, which CPUID has; to 1 %.
measure:
        call    edge
        rdtsc
        mov     esi, eax
        mov     edi, [ticks]
        add     edi, 50
.wait:  hlt
        cmp     [ticks], edi
        jb      .wait
        rdtsc
        sub     eax, esi
        mov     esi, eax                ; the measured half
        mov     eax, 0x15
        cpuid
        push    eax
        mov     eax, ecx
        mul     ebx
        pop     ecx
        shl     ecx, 1
        div     ecx                     ; what it should be
        mov     ecx, eax
        sub     eax, esi
        jns     .more
        neg     eax
.more:  xchg    eax, ecx
        xor     edx, edx
        mov     ebx, 100
        div     ebx
        cmp     ecx, eax
        mov     esi, right
        jb      .say
        mov     esi, wrong
.say:   call    print
        ret

edge:   mov     eax, [ticks]
.wait:  hlt
        cmp     [ticks], eax
        je      .wait
        ret

; --- data ---------------------------------------------------------------------------------------

hello:  db      "Hello from kernel_main!", 10, "GDT is installed!", 10, 0
ready:  db      "IRQs remapped! PIT at 100 Hz!", 10, 0
right:  db      "the clock is right to 1 %", 10, 0
wrong:  db      "the clock is WRONG", 10, 0
prompt: db      "> ", 0
bye:    db      "good bye", 10, 0
letters:
        db      0, 27, "1234567890-=", 8, 9, "qwertyuiop[]", 10, 0, "asdfghjkl;'`", 0, "\"
        db      "zxcvbnm,./", 0, "*", 0, " "
letters_end:

        align   8
gdt:    dq      0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_pointer:
        dw      $ - gdt - 1
        dd      gdt
idt_pointer:
        dw      48 * 8 - 1
        dd      idt
ticks:  dd      0
cursor: dd      0
line_used:
        dd      0
shift:  db      0
        align   16
idt     equ     $
line    equ     idt + 48 * 8
stack   equ     line + 0x4000
bss_end equ     stack
