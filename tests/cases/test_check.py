# SPDX-License-Identifier: MIT
"""
What `./hamlet run --check` says of nine processors, word for word, and that each of them runs the
guest that tests a machine.

From: make test      To: tests/cases/check_texts.py, monitor/cmd/machine.c
"""

import check_texts
import pytest
from case import Case


@pytest.mark.parametrize("letter", check_texts.MODELS, ids=check_texts.MODELS.values())
def test_processor(letter, boot):
    got = boot(check_texts.a_case(letter))
    wrong = check_texts.difference(letter, got.text)
    if wrong:
        pytest.fail(f"{wrong}\n\nif each of these lines is meant: make check-texts", pytrace=False)


@pytest.mark.parametrize("option, said", [
    ("ir=off", "translation=on interrupt-remapping=off posting=by software because: ir=off"),
    ("vtd=off", "translation=off interrupt-remapping=off posting=by software because: no VT-d "
                "unit is in use")])
def test_option(boot, option, said):
    """What a user has switched off is a reason, too."""
    boot(Case(f"check-{option}", append=f"console=com1 check=on {option}",
              expect=[rf"^{said}$", r"^hamlet: end "]))


def test_the_file_is_as_written(tmp_path, monkeypatch):
    """No line is lost or moves when the nine texts become one, and it was not mended by hand."""
    texts = {letter: check_texts.expected(letter) for letter in check_texts.MODELS}
    before = check_texts.FILE.read_text()
    monkeypatch.setattr(check_texts, "FILE", tmp_path / "texts")
    check_texts.write(texts)
    assert check_texts.FILE.read_text() == before
    assert texts == {letter: check_texts.expected(letter) for letter in check_texts.MODELS}
    assert all(len(text) > 50 for text in texts.values())
