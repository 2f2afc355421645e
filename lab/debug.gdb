# SPDX-License-Identifier: MIT
# Hamlet itself under the emulator's debugger: from the first instruction of its own on.
# From: Makefile (debug)
set pagination off
hbreak hamlet_main
continue
