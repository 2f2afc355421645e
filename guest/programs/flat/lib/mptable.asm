; SPDX-License-Identifier: MIT
; Reads the MP table as kernels older than ACPI do: where it may be, whether it is whole, and from
; it processors (`cpus`, `ids`), local and I/O APICs (`lapic`, `ioapic`, `ioapic_id`) and pins of
; the ISA interrupts (`pins`).
; From: guest/programs/flat/mp-shell.asm (which includes it).   To: guest/pc/legacy/mptable.c.
; Spec: Intel MultiProcessor Specification "MP Configuration Table".

; ESI: the floating pointer; carry: there is none.
mp_find:
        movzx   eax, word [0x40e]       ; the EBDA
        shl     eax, 4
        mov     ecx, 1024
        jnz     .first
        movzx   eax, word [0x413]       ; KiB of base memory
        shl     eax, 10
        sub     eax, ecx
.first: mov     esi, eax
        call    .look
        jnc     .end
        mov     esi, 0xf0000
        mov     ecx, 0x10000
.look:  cmp     dword [esi], "_MP_"
        jne     .next
        mov     edx, 16
        call    sum
        jz      .end
.next:  add     esi, 16
        sub     ecx, 16
        jnz     .look
        stc
        ret
.end:   clc
        ret

; ZF: EDX bytes at ESI add up to 0.
sum:    push    edx
        xor     eax, eax
.next:  dec     edx
        add     al, [esi + edx]
        test    edx, edx
        jnz     .next
        test    al, al
        pop     edx
        ret

; ESI: the floating pointer. Carry: no table for us.
mp_read:
        test    byte [esi + 12], 0x80   ; IMCR: interrupts to the APICs
        jz      .none
        mov     al, 0x70
        out     0x22, al
        in      al, 0x23
        or      al, 1
        out     0x23, al
.none:  mov     esi, [esi + 4]
        cmp     dword [esi], "PCMP"
        jne     .bad
        movzx   edx, word [esi + 4]
        call    sum
        jnz     .bad
        mov     eax, [esi + 36]
        mov     [lapic], eax
        lea     ebp, [esi + edx]        ; its end
        add     esi, 44
.entry: cmp     esi, ebp
        jae     .end
        mov     al, [esi]
        cmp     al, 4
        ja      .bad
        test    al, al
        jz      .cpu
        cmp     al, 1
        je      .bus
        cmp     al, 2
        je      .ioapic
        cmp     al, 3
        je      .irq
.next:  add     esi, 8
        jmp     .entry
.cpu:   mov     eax, [cpus]
        mov     dl, [esi + 1]
        mov     [ids + eax], dl
        inc     dword [cpus]
        add     esi, 20
        jmp     .entry
.bus:   cmp     word [esi + 2], "IS"
        jne     .next
        mov     al, [esi + 1]
        mov     [isa], al
        jmp     .next
.ioapic:
        mov     al, [esi + 1]
        mov     [ioapic_id], al
        mov     eax, [esi + 4]
        mov     [ioapic], eax
        jmp     .next
.irq:   mov     al, [isa]
        cmp     [esi + 4], al
        jne     .next
        movzx   eax, byte [esi + 5]
        mov     dl, [esi + 7]
        mov     [pins + eax], dl
        jmp     .next
.end:   cmp     dword [ioapic], 1       ; carry: 0
        ret
.bad:   stc
        ret
