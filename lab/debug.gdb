# SPDX-License-Identifier: MIT
# Hamlet itself under the emulator's debugger: from the first instruction of its own on. `to FUNCTION`
# then goes to the places that the tours name.
# From: Makefile (debug).   To: lab/walk.py
set pagination off
source lab/walk.py
hbreak hamlet_main
continue
