; SPDX-License-Identifier: MIT
; The console of a kernel of several processors: text on the screen, or to the serial port if the
; byte at `serial` is 1; keys of the PS/2 keyboard. What prints has the lock at `console_lock`.
; From: guest/programs/flat/mp-shell.asm (which includes it).
; To: guest/pc/legacy/screen.c, guest/pc/legacy/keyboard.c, guest/pc/vuart.c.
; Spec: IBM VGA "CRT Controller Registers"; PC16550D data sheet.

SCREEN  equ     0xb8000
ROWS    equ     25
COLUMNS equ     80

%macro  PORT 2                          ; a value to a port
        mov     dx, %1
        mov     al, %2
        out     dx, al
%endmacro

; With interrupts off: an interrupt takes it, too.
lock_console:
        mov     edx, 1
.again: xchg    [console_lock], edx
        test    edx, edx
        jz      .end
        pause
        jmp     .again
.end:   ret

print:  pushfd
        cli
        call    lock_console
.next:  lodsb
        test    al, al
        jz      .end
        call    put
        jmp     .next
.end:   mov     dword [console_lock], 0
        popfd
        ret

put:    cmp     byte [serial], 0
        je      put_screen
        mov     ah, al
        mov     dx, 0x3fd
.wait:  in      al, dx
        test    al, 0x20
        jz      .wait
        mov     al, ah
        mov     dx, 0x3f8
        out     dx, al
        ret

; The cursor is where the text goes on, and is kept by the VGA alone.
put_screen:
        pushad
        mov     cl, al
        mov     dx, 0x3d4
        mov     al, 0x0e
        out     dx, al
        inc     edx
        in      al, dx
        movzx   edi, al
        shl     edi, 8
        dec     edx
        mov     al, 0x0f
        out     dx, al
        inc     edx
        in      al, dx
        movzx   eax, al
        or      edi, eax
        cmp     cl, 10
        je      .line
        mov     ch, 0x07
        mov     [SCREEN + 2 * edi], cx
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
        xor     edi, edi                ; from the top again
.there: mov     dx, 0x3d4
        mov     eax, edi
        mov     al, 0x0e
        out     dx, ax
        mov     eax, edi
        shl     eax, 8
        mov     al, 0x0f
        out     dx, ax
        popad
        ret

clear:  mov     edi, SCREEN
        mov     ecx, ROWS * COLUMNS
        mov     ax, 0x0720
        rep stosw
        mov     dx, 0x3d4
        mov     ax, 0x000e
        out     dx, ax
        mov     ax, 0x000f
        out     dx, ax
        ret

; MCR stays 0: OUT2, which lets interrupts through on a PC, is not set.
uart_start:
        PORT    0x3fa, 0                ; no FIFOs
        PORT    0x3fb, 0x80
        PORT    0x3f8, 12               ; 9600 baud
        PORT    0x3f9, 0
        PORT    0x3fb, 3                ; 8 bits
        PORT    0x3fc, 0
        PORT    0x3f9, 1                ; an interrupt for what is received
        mov     dx, 0x3fa
        in      al, dx
        mov     dx, 0x3f8
        in      al, dx
        ret

; AL: the key that was pressed. Carry: none was, but one let go.
key:    xor     eax, eax
        in      al, 0x60
        cmp     al, letters_end - letters
        cmc
        jc      .end
        mov     al, [letters + eax]
.end:   ret

letters:
        db      0, 27, "1234567890-=", 8, 9, "qwertyuiop[]", 10, 0, "asdfghjkl;'`", 0, "\"
        db      "zxcvbnm,./", 0, "*", 0, " "
letters_end:
