# SPDX-License-Identifier: MIT
"""
A recorded run as one page that plays it.

From: the launcher `hamlet` (play)
To:   stream.py (all events in one order), story.py (the steps: what each says and changes),
page.py (the page)
"""
