# SPDX-License-Identifier: MIT
"""
The processors that Bochs has on each of its machines, and what a Linux there has to know of them.

From: lab/machines/bochs.py, lab/machines/nested.py, lab/nested/image.py, tests/judges/
"""

MODEL = "corei7_skylake_x"
# ips only maps instructions to microseconds, for timers. A tick of the TSC is an instruction, and
# kernels do not believe in a TSC below 100 MHz.
IPS = 120_000_000
# CPUID tells the frequency of the model, which is another one.
LINUX = (f"console=ttyS0 quiet nokaslr mitigations=off tsc=reliable tsc_early_khz={IPS // 1000} "
         "lpj=400000")


def cpu(count=1, model=MODEL):
    """The line of Bochs' configuration."""
    return (f"cpu: model={model}, count={count}, ips={IPS}, reset_on_triple_fault=0, "
            "ignore_bad_msrs=1, cpuid_limit_winnt=0")
