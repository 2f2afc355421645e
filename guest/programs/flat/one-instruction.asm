; SPDX-License-Identifier: MIT
; The smallest VM: this file is its only instruction. Hamlet runs it as often as run=N says, and
; prints what it saw: RAX, the instruction's length, the exits, and what one round trip costs.
;   ./hamlet run --vm kernel=build/guests/one-instruction.bin,run=1000
; To: guest/load/flat.c (seven bytes are a kernel), guest/life/step.c, guest/life/report.c.
bits 64
        mov     rax, strict dword 7
