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


# IA32_ARCH_CAPABILITIES of a processor that has no leak which this register has a bit for, nor
# asks software for help: what Bochs is.
LEAKS_NOTHING = sum(1 << bit for bit in (0, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62))


def cpu(count=1, model=MODEL, threads=1, cores=1):
    """The line of Bochs' configuration; a core has that many threads, a package that many cores."""
    packages = count // (threads * cores)
    return (f"cpu: model={model}, count={packages}:{cores}:{threads}, ips={IPS}, "
            "reset_on_triple_fault=0, "
            "ignore_bad_msrs=1, cpuid_limit_winnt=0")
