; SPDX-License-Identifier: MIT
; A kernel of several processors as courses teach it, older than ACPI: it finds processors and I/O
; APIC in the MP table, starts the others by INIT and SIPI through the warm-reset vector, masks the
; PICs, takes its ticks from local APICs and its input through the I/O APIC, and runs a shell on
; whichever processor is idle: `echo WORDS`, `cpus`, `ipi`, `halt`. It shows its text on the screen
; and reads the keyboard; with the command line `serial` it uses the serial port for both.
; To: guest/programs/flat/lib/mptable.asm, guest/programs/flat/lib/console.asm;
; guest/pc/vlapic.c, guest/pc/vioapic.c.
; Spec: Intel MultiProcessor Specification "MP Configuration Table"; SDM "Local APIC"; Multiboot "OS
; image format".
bits 32
org 0x100000

MAGIC   equ     0x1badb002
FLAGS   equ     1 << 16 | 1 << 1        ; addresses are valid; tell about memory
CODE    equ     0x08
DATA    equ     0x10
TICK    equ     250000                  ; of the local APIC's timer
BASE    equ     32                      ; vector of the timer, and of IRQ 0
IPI     equ     48
ERROR   equ     51
SPURIOUS equ    63
TRAMPOLINE equ  0x7000
STACK   equ     0x1000                  ; of each processor
CPUS    equ     8
RING    equ     128

; The local APIC's registers.
ID      equ     0x20
TPR     equ     0x80
EOI     equ     0xb0
SVR     equ     0xf0
ESR     equ     0x280
ICR     equ     0x300
ICR_TO  equ     0x310
LVT_TIMER equ   0x320
LVT_LINT0 equ   0x350
LVT_LINT1 equ   0x360
LVT_ERROR equ   0x370
COUNT   equ     0x380
DIVIDE  equ     0x3e0

header: dd      MAGIC, FLAGS, -(MAGIC + FLAGS)
        dd      header, header, 0, bss_end, start

%macro  SAY 1
        mov     esi, %1
        call    print
%endmacro
%macro  OR_DIE 1                        ; if carry is set
        jnc     %%right
        mov     esi, %1
        jmp     die
%%right:
%endmacro
%macro  APIC 2                          ; register, value
        mov     edi, [lapic]
        mov     dword [edi + %1], %2
%endmacro

start:  cld
        mov     esp, stacks + STACK
        mov     esi, [ebx + 16]         ; cmdline
        cmp     byte [esi], "s"
        sete    [serial]
        lgdt    [gdt.pointer]
        jmp     CODE:.flat
.flat:  mov     ax, DATA
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        call    set_idt
        call    clear
        call    mp_find
        OR_DIE  no_table
        call    mp_read
        OR_DIE  bad_table
        mov     al, 0xff                ; the PICs are silent
        out     0x21, al
        out     0xa1, al
        call    lapic_start
        call    ioapic_start
        OR_DIE  bad_ioapic
        mov     ecx, 1                  ; the keyboard
        cmp     byte [serial], 0
        je      .input
        call    uart_start
        mov     ecx, 4                  ; the serial port
.input: call    ioapic_enable
        call    others_start
        jmp     run

die:    call    print
        mov     al, 1
        out     0xf4, al
        hlt

; --- APICs --------------------------------------------------------------------------------------

lapic_start:
        APIC    SVR, 0x100 | SPURIOUS
        APIC    DIVIDE, 0xb             ; by 1
        APIC    LVT_TIMER, 0x20000 | BASE ; periodic
        APIC    COUNT, TICK
        APIC    LVT_LINT0, 0x10000      ; masked
        APIC    LVT_LINT1, 0x10000
        APIC    LVT_ERROR, ERROR
        APIC    ESR, 0
        APIC    ESR, 0
        APIC    EOI, 0
        APIC    ICR_TO, 0
        APIC    ICR, 0x88500            ; INIT de-assert, to all
        call    sent
        APIC    TPR, 0
        ret

sent:   mov     edi, [lapic]
.wait:  test    dword [edi + ICR], 0x1000
        jnz     .wait
        ret

; EAX: the index of this processor.
cpu_index:
        mov     edi, [lapic]
        mov     edx, [edi + ID]
        shr     edx, 24
        xor     eax, eax
.next:  cmp     [ids + eax], dl
        je      .end
        inc     eax
        jmp     .next
.end:   ret

; All pins masked. Carry: its id is another one than the table says.
ioapic_start:
        mov     edi, [ioapic]
        mov     dword [edi], 0
        mov     eax, [edi + 16]
        shr     eax, 24
        cmp     al, [ioapic_id]
        stc
        jne     .end
        mov     dword [edi], 1
        movzx   ecx, byte [edi + 18]    ; the last pin
        mov     eax, 0x10
.pin:   mov     [edi], eax
        mov     dword [edi + 16], 0x10000
        inc     eax
        mov     [edi], eax
        mov     dword [edi + 16], 0
        inc     eax
        dec     ecx
        jns     .pin
        clc
.end:   ret

; IRQ ECX, edge-triggered, to this processor.
ioapic_enable:
        mov     edi, [lapic]
        mov     edx, [edi + ID]
        mov     edi, [ioapic]
        movzx   eax, byte [pins + ecx]
        lea     eax, [0x11 + 2 * eax]
        mov     [edi], eax
        mov     [edi + 16], edx
        dec     eax
        mov     [edi], eax
        add     ecx, BASE
        mov     [edi + 16], ecx
        ret

others_start:
        mov     esi, trampoline
        mov     edi, TRAMPOLINE
        mov     ecx, trampoline.end - trampoline
        rep movsb
        mov     al, 0x0f                ; CMOS: after a reset, by the vector at 40:67
        out     0x70, al
        mov     al, 0x0a
        out     0x71, al
        mov     dword [0x467], TRAMPOLINE >> 4 << 16
        xor     ebx, ebx
.next:  inc     ebx
        cmp     ebx, [cpus]
        jae     .end
        lea     eax, [ebx + 1]
        imul    eax, STACK
        add     eax, stacks
        mov     [TRAMPOLINE - 4], eax
        movzx   eax, byte [ids + ebx]
        shl     eax, 24
        APIC    ICR_TO, eax
        APIC    ICR, 0xc500             ; INIT
        call    delay
        APIC    ICR, 0x8500
        call    delay
        mov     ebp, 2
.again: APIC    ICR_TO, eax
        APIC    ICR, 0x600 | TRAMPOLINE >> 12
        call    delay
        dec     ebp
        jnz     .again
.wait:  pause
        cmp     [started], ebx
        jb      .wait
        jmp     .next
.end:   ret

delay:  push    eax                     ; some 200 us on a PC
        mov     ecx, 200
.next:  in      al, 0x84
        loop    .next
        pop     eax
        ret

bits 16
trampoline:
        cli
        xor     ax, ax
        mov     ds, ax
        lgdt    [TRAMPOLINE + .pointer - trampoline]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword CODE:other
.pointer:
        dw      gdt.pointer - gdt - 1
        dd      gdt
.end:
bits 32

other:  mov     ax, DATA
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     esp, [TRAMPOLINE - 4]
        lidt    [idt_pointer]
        call    lapic_start
        lock inc dword [started]

; Every processor ends here.
run:    call    cpu_index
        add     al, "0"
        mov     [starting.digit], al    ; the others wait for their turn
        SAY     starting
        sti
.idle:  hlt
        call    shell
        jmp     .idle

; --- interrupts ---------------------------------------------------------------------------------

%macro  GATE 2
        mov     eax, %2
        mov     [idt + 8 * (%1)], ax
        shr     eax, 16
        mov     [idt + 8 * (%1) + 6], ax
        mov     dword [idt + 8 * (%1) + 2], 0x8e00 << 16 | CODE
%endmacro

set_idt:
        GATE    BASE, on_timer
        GATE    BASE + 1, on_keyboard
        GATE    BASE + 4, on_uart
        GATE    IPI, on_ipi
        GATE    ERROR, on_error
        GATE    SPURIOUS, on_spurious
        lidt    [idt_pointer]
        ret

on_timer:
        pushad
        call    cpu_index
        inc     dword [ticks + 4 * eax]
end_of_interrupt:
        APIC    EOI, 0
        popad
on_spurious:
        iretd

on_ipi: pushad
        lock inc dword [answers]
        jmp     end_of_interrupt

on_error:
        pushad
        SAY     apic_error
        jmp     end_of_interrupt

on_uart:
        pushad
.next:  mov     dx, 0x3fd
        in      al, dx
        test    al, 1
        jz      end_of_interrupt
        mov     dx, 0x3f8
        in      al, dx
        call    typed
        jmp     .next

on_keyboard:
        pushad
        call    key
        jc      end_of_interrupt
        call    typed
        jmp     end_of_interrupt

; AL into the ring, and shown.
typed:  cmp     al, 13
        jne     .lock
        mov     al, 10
.lock:  call    lock_console
        mov     edx, [written]
        and     edx, RING - 1
        mov     [ring + edx], al
        inc     dword [written]
        cmp     al, 10
        jne     .show
        lock inc dword [lines]
.show:  call    put
        mov     dword [console_lock], 0
        ret

; --- the shell ----------------------------------------------------------------------------------

; By one processor at a time: a prompt, or a line that is complete.
shell:  mov     eax, 1
        xchg    [shell_lock], eax
        test    eax, eax
        jnz     .end
        cmp     byte [prompted], 0
        jne     .line
        mov     byte [prompted], 1
        SAY     prompt
.line:  cmp     dword [lines], 0
        je      .unlock
        lock dec dword [lines]
        mov     edi, command
.next:  mov     eax, [taken]
        inc     dword [taken]
        and     eax, RING - 1
        mov     al, [ring + eax]
        stosb
        cmp     al, 10
        jne     .next
        mov     byte [edi], 0
        call    execute
        mov     byte [prompted], 0
.unlock:
        mov     dword [shell_lock], 0
.end:   ret

execute:
        cmp     dword [command], "echo"
        je      .echo
        cmp     dword [command], "cpus"
        je      .cpus
        cmp     dword [command], 10 << 24 | "ipi"
        je      .ipi
        cmp     dword [command], "halt"
        je      .halt
        SAY     unknown
        ret
.echo:  SAY     command + 5
        ret
.halt:  mov     dx, 0x604
        mov     ax, 0x2000
        out     dx, ax
        ret

; Each ticks three times more.
.cpus:  xor     ebx, ebx
.cpu:   mov     eax, [ticks + 4 * ebx]
        add     eax, 3
.tick:  pause
        cmp     [ticks + 4 * ebx], eax
        jb      .tick
        inc     ebx
        cmp     ebx, [cpus]
        jb      .cpu
        add     bl, "0"
        mov     [they_tick], bl
        SAY     they_tick
        ret

.ipi:   mov     dword [answers], 0
        APIC    ICR_TO, 0
        APIC    ICR, 0xc0000 | IPI      ; to all but itself
        mov     ebx, [cpus]
        dec     ebx
.answer:
        pause
        cmp     [answers], ebx
        jb      .answer
        add     bl, "0"
        mov     [they_answer], bl
        SAY     they_answer
        ret

; --- data ---------------------------------------------------------------------------------------

starting:
        db      "cpu"
.digit: db      "0: starting", 10, 0
prompt: db      "$ ", 0
unknown: db     "what?", 10, 0
they_tick: db   "0 cpus tick", 10, 0
they_answer: db "0 answered", 10, 0
no_table: db    "no MP table", 10, 0
bad_table: db   "an MP table that is not understood", 10, 0
bad_ioapic: db  "an I/O APIC with another id", 10, 0
apic_error: db  "an error of the APIC", 10, 0

%include "guest/programs/flat/lib/mptable.asm"
%include "guest/programs/flat/lib/console.asm"

        align   8
gdt:    dq      0, 0x00cf9a000000ffff, 0x00cf92000000ffff
.pointer:
        dw      $ - gdt - 1
        dd      gdt
idt_pointer:
        dw      64 * 8 - 1
        dd      idt

        align   16
bss     equ     $                       ; zeroed by the loader
cpus    equ     bss
lapic   equ     bss + 4
ioapic  equ     bss + 8
started equ     bss + 12
console_lock equ bss + 16
shell_lock equ  bss + 20
written equ     bss + 24
taken   equ     bss + 28
lines   equ     bss + 32
answers equ     bss + 36
serial  equ     bss + 40
isa     equ     bss + 41
ioapic_id equ   bss + 42
prompted equ    bss + 43
ids     equ     bss + 48
pins    equ     ids + CPUS
ticks   equ     pins + 256
ring    equ     ticks + 4 * CPUS
command equ     ring + RING
idt     equ     command + RING + 8
stacks  equ     idt + 64 * 8
bss_end equ     stacks + (CPUS + 1) * STACK
