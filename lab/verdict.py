# SPDX-License-Identifier: MIT
"""
What a run has come to: a row for each VM that was asked for, and one status.

From: the launcher `hamlet`      To: lab/report.py, lab/machines/boot.py (Ended)

A status of the launcher's own is never that of a guest: those of guests are cut off at 255, and one
that would be read as the launcher's is 255, too. The row has the code as it was.
"""

from lab import report

OK, NOT_SHOWN = 0, 1
PANIC, TIMED_OUT, FAILED = report.OWN    # FAILED: no verdict of a guest; machine, tools, words

BY_KEY = "ended at the console"        # monitor/cmd/vm.c
NO_ROW = {"timeout": "its end was not reached in time", "seen": "what was expected came before its "
          "end", "panic": "Hamlet stopped itself", "broken": "the machine broke down",
          "off": "Hamlet said nothing of it"}


def judge(ended, names, expected, seconds, at_terminal=False):
    """(report, status, the line that says why) of a run in which the VMs `names` were asked for,
    and `expected` was, in words, or nothing; `seconds`: the time it had. `at_terminal`: a person
    could end it, and then it ended as that person wanted."""
    seen = report.read(ended.said())
    if ended.how == "timeout":
        _not_in_time(seen)
    for name in names:
        seen.missing(name, NO_ROW[ended.how])
    status, why = _status(ended, seen, expected, seconds)
    if at_terminal and status == seen.status() and _by_key(seen):
        status = OK
    return seen, status, why


def _by_key(seen):
    """Nothing failed but VMs that Ctrl-A x has ended."""
    failed = seen.failed()
    return failed and all(vm.keys.get("why") == BY_KEY for vm in failed)


def _not_in_time(seen):
    """Rows of VMs that Hamlet had to end: where their vCPUs were."""
    for vm in seen.vms.values():
        if vm.keys.get("why") == BY_KEY:
            places = [f"vcpu {index} at rip={said.get('rip', '?')}"
                      for index, said in vm.vcpus.items()]
            vm.exit, vm.keys["why"] = "none", ", ".join([NO_ROW["timeout"], *places])


def _status(ended, seen, expected, seconds):
    refused = [vm.name for vm in seen.vms.values() if vm.exit == "refused"
               or (vm.exit == "none" and ended.how == "off")]
    if ended.how == "panic":
        return PANIC, f"Hamlet stopped itself: {seen.panic}"
    if ended.how == "timeout":
        return TIMED_OUT, f"timeout: the machine was still running after {seconds:.0f} s"
    if ended.how == "seen" and not refused:
        return OK, f"seen: {expected}"
    if ended.how != "seen" and not seen.complete:
        detail = f": {ended.detail}" if ended.detail else ""
        return FAILED, f"the machine ended before Hamlet's end line{detail}"
    if refused:
        return FAILED, f"not started: {', '.join(refused)}"
    if expected:
        return NOT_SHOWN, f"the machine ended without showing: {expected}"
    return seen.status(), ""
