# SPDX-License-Identifier: MIT
"""
What a mend is.

From: lab/bochs/mends/*.py, lab/bochs/build.py (apply)
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mend:
    name: str
    file: str      # within the Bochs source
    spec: str      # title of the SDM section
    rule: str      # what that section asks for, in our words
    anchor: str    # text that must occur exactly once
    repair: str    # what stands there afterwards
    adds: str = ""  # a file of this folder, copied beside `file`


