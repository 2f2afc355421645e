# SPDX-License-Identifier: MIT
"""
The launcher's own numbers, and the files that it will write: what is wrong with them is said before
anything is started, as a run that cannot be written down is lost.

From: the launcher `hamlet`, tests/bench/ (check_file)      To: lab/say.py (Unusable); what Hamlet
and the machine judge is in lab/precheck.py and lab/machines/
"""

import os

from lab.say import Unusable

PORT = (1, 65535, "a port is 1 to 65535")
# option: least, most, in words
NUMBERS = {"cpus": (1, None, "1 at least"), "jobs": (1, None, "1 at least"),
           "megs": (8, None, "8 MiB at least, which Hamlet and a small guest need"),
           "gdb": PORT, "debug": PORT}
FILES = ("screen", "log", "trace", "json", "junit")


def check(options):
    """Unusable, in one line, for the first word that is wrong."""
    for name, (least, most, text) in NUMBERS.items():
        value = getattr(options, name, None)
        if value is not None and (value < least or (most and value > most)):
            raise Unusable(f"--{name} {value}: {text}")
    timeout = getattr(options, "timeout", None)
    if timeout is not None and not timeout > 0:     # nor what is no number
        raise Unusable(f"--timeout {timeout:g}: more than 0 seconds")
    for name in FILES:
        if getattr(options, name, None):
            check_file(f"--{name} ", getattr(options, name))
    if options.command == "iso":
        check_file("", options.file)
        if options.file.exists() and not options.file.is_file():
            raise Unusable(f"{options.file}: no ordinary file; dd writes the ISO to a device")
    elif options.command == "play":
        check_file("--output ", options.output)


def check_file(option, path):
    """Unusable, if it cannot be written. It is not made yet: a run that does not begin leaves
    none."""
    if path.is_dir():
        raise Unusable(f"{option}{path}: is a folder")
    if not path.parent.is_dir():
        raise Unusable(f"{option}{path}: no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Unusable(f"{option}{path}: cannot be written here")
