# SPDX-License-Identifier: MIT
"""
pytest's side of the boot cases: one nested machine for the whole session, started in the background
while the quick cases run; a missing need becomes SKIP with its reason.

From: make test (tests/run.py)      To: tests/cases/case.py
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import case as cases                       # noqa: E402
from lab.machines import nested            # noqa: E402
from lab.say import Unusable               # noqa: E402

_servers = []
_ours = set()      # files whose cases this run does, if there is another run


def pytest_addoption(parser):
    parser.addoption("--nested", choices=("no", "first"),
                     help="leave the nested machine's cases out, or begin with them")
    parser.addoption("--share", metavar="FOLDER",
                     help="with another run at the same time: each file is done by one of the two")


def pytest_collection_modifyitems(config, items):
    """The nested cases last: their machine takes most of a minute to come up. Or first, and then
    the others from their end."""
    nested = [item for item in items if _is_nested(item)]
    others = [item for item in items if not _is_nested(item)]
    wanted = config.getoption("--nested")
    if wanted == "no":
        config.hook.pytest_deselected(items=nested)
        nested = []
    if wanted == "first":
        others.sort(key=lambda item: item.path, reverse=True)
    items[:] = nested + others if wanted == "first" else others + nested


def _is_ours(item, folder):
    """The cases of a file belong together; the run that makes the mark first does them."""
    if item.path not in _ours and not _is_nested(item):
        try:
            (Path(folder) / item.path.name).touch(exist_ok=False)
        except FileExistsError:
            return False
        _ours.add(item.path)
    return True


def pytest_runtest_protocol(item, nextitem):
    folder = item.config.getoption("--share")
    if not folder or _is_ours(item, folder):
        return None
    item.session._setupstate.teardown_exact(nextitem)
    return True


def _is_nested(item):
    value = getattr(item, "callspec", None) and item.callspec.params.get("case")
    return getattr(value, "on", None) == "nested" or item.get_closest_marker("nested") is not None


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "nested: runs on the nested machine (of a test function that builds its own Case)")


def pytest_runtestloop(session):
    if any(_is_nested(item) for item in session.items) and not session.config.option.collectonly:
        _server(start=True)


def pytest_runtest_teardown(item, nextitem):
    """An idle Linux keeps a processor of this host as busy as any other: the machine is not kept
    for longer than its cases last."""
    if _is_nested(item) and not (nextitem and _is_nested(nextitem)):
        _close()


def pytest_sessionfinish():
    _close()


def _close():
    while _servers:
        _servers.pop().close()


def _server(start=False):
    if not _servers and nested.why_not() is None:
        _servers.append(nested.Server())
        if start:
            try:
                _servers[0].start()
            except Unusable:
                pass               # the first case that needs it will say why
    return _servers[0] if _servers else None


@pytest.fixture
def boot(tmp_path):
    """boot(Case(...)) runs the case and checks it; what it returns (case.Got) is for
    further checks."""
    def start(case):
        try:
            return cases.run(case, tmp_path, _server() if case.on == "nested" else None)
        except cases.Skip as reason:
            raise pytest.skip.Exception(str(reason)) from None
        except Unusable as problem:
            raise pytest.fail.Exception(str(problem), pytrace=False) from None
        except AssertionError as failure:
            raise pytest.fail.Exception(str(failure), pytrace=False) from None
    return start
