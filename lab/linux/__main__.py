# SPDX-License-Identifier: MIT
"""
python3 -m lab.linux FOLDER [MODULE...]: what `make linux` boots, written to FOLDER; the modules are
in its initrd.

From: Makefile      To: lab/linux/__init__.py
"""

import sys

from lab.linux import build
from lab.say import Unusable

try:
    build(sys.argv[1], sys.argv[2:])
except Unusable as problem:
    sys.exit(f"make linux: {problem}")
