; SPDX-License-Identifier: MIT
;
; The letters that arch/screen.c draws: 16 bytes each, from the space to the tilde. When Hamlet is
; built, lab/font.py takes them from a font of GRUB.
; From: arch/screen.c (screen_font).

section .rodata
global screen_font
screen_font:
    incbin "arch/font.bin"
