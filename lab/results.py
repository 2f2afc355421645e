# SPDX-License-Identifier: MIT
"""
Results for programs: what a run has come to as JSON, and results of any kind as JUnit XML and TAP.

From: the launcher `hamlet`, lab/suite.py      To: lab/report.py (Report)
"""

import re
from dataclasses import dataclass
from xml.etree import ElementTree


def of_run(seen, status, why, machine, seconds):
    """A dict of plain values, for json.dumps()."""
    return {"status": status, "why": why, "machine": machine, "seconds": round(seconds, 1),
            "panic": seen.panic, "complete": seen.complete,
            "vms": [_of_vm(vm) for vm in seen.vms.values()]}


def _of_vm(vm):
    reasons = {key[6:]: int(count) for key, count in vm.keys.items() if key.startswith("exits.")}
    rest = {key: value for key, value in vm.keys.items()
            if key != "exit" and not key.startswith("exits.")}
    return {"name": vm.name, "exit": vm.exit, "status": vm.status(), **rest, "reasons": reasons,
            "devices": vm.devices, "vcpus": vm.vcpus, "screen": vm.screen()}


@dataclass
class Result:
    name: str
    seconds: float = 0
    failed: str = ""     # why; "": it passed
    skipped: str = ""    # why it did not run
    text: str = ""       # the console


def junit(suite, results):
    """JUnit XML, as CI systems read it."""
    root = ElementTree.Element("testsuite", {
        "name": suite, "tests": str(len(results)), "errors": "0",
        "failures": str(sum(bool(result.failed) for result in results)),
        "skipped": str(sum(bool(result.skipped) for result in results)),
        "time": f"{sum(result.seconds for result in results):.1f}"})
    for result in results:
        case = ElementTree.SubElement(root, "testcase", {
            "classname": suite, "name": result.name, "time": f"{result.seconds:.1f}"})
        for kind, why in (("failure", result.failed), ("skipped", result.skipped)):
            if why:
                ElementTree.SubElement(case, kind, {"message": _of_xml(why)})
        if result.text:
            ElementTree.SubElement(case, "system-out").text = _of_xml(result.text)
    return ElementTree.tostring(root, "unicode", xml_declaration=True) + "\n"


def _of_xml(text):
    """Without the characters that XML 1.0 cannot hold; a guest may print any."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text)


def tap(number, result):
    """A line of TAP, and for a failure its reason in lines that begin with #."""
    end = f" # SKIP {result.skipped}" if result.skipped else ""
    line = f"{'not ok' if result.failed else 'ok'} {number} - {result.name}{end}"
    return "\n".join([line, *(f"# {_of_tap(why)}" for why in result.failed.split("\n") if why)])


def _of_tap(line):
    """Without the ends of lines that Unicode knows: a guest may print any."""
    return "".join(c if c.isprintable() else "?" for c in line)
