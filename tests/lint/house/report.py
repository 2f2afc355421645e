# SPDX-License-Identifier: MIT
"""
What a check has found: a line each, FILE:LINE: what is wrong. Any finding fails the check.
"""


def report(title, findings):
    """findings: (file, line, what). Prints them, and one line of summary; the exit code."""
    findings = sorted(set(findings))
    for name, line, what in findings:
        print(f"{name}:{line}: {what}")
    print(f"{title}: {f'{len(findings)} findings' if findings else 'clean'}")
    return 1 if findings else 0
