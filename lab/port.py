# SPDX-License-Identifier: MIT
"""
A TCP port of this host that no other program takes before our machine listens on it. It lies
outside the range of ports that the kernel gives to programs that ask for any. A name in the
kernel keeps it from other callers of this function, until this process ends.

From: tests/cases/test_gdb.py, tests/cases/test_tours.py, tests/bench/profile.py
"""

import random
import socket

PORTS = range(20000, 32768)     # Linux' own range begins behind it
_kept = []                      # sockets, each with the name of a port


def free():
    for port in random.sample(PORTS, len(PORTS)):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0hamlet-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _kept.append(name)
        return port
    raise OSError("no free port")
