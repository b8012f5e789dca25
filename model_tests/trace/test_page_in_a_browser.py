"""The page of a run in a real browser: what a click shows is what the trace holds.

The browser is Debian's chromium, driven by Playwright, and has no network: a page that asked for
anything but itself would be seen here.  What stands beside a record is found a second time, from
the traces alone.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Dialog, Page, sync_playwright

from mesos_chaos.plan import load_scenario
from mesos_chaos.sim.traces import read, written_by
from mesos_spec.bounds import Bounds
from mesos_spec.tools.judging.judge import judge
from mesos_spec.tools.judging.trace import Trace
from mesos_spec.tools.judging.whole import WHOLE
from mesos_spec.tools.report.page import page
from mesos_spec.tools.report.timeline import timeline

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow]

EVIL = "</title></script><img src=x onerror=alert(1)><script>alert(2)</script>"


@cache
def traces() -> list[Trace]:
    """A small run in which an agent is killed."""
    return read(written_by(load_scenario("agent_killed")[1]))


def written(to: Path, of: list[Trace], title: str = "a run") -> str:
    """The address of the page of a run, in a file."""
    to.write_text(page(of, judge(traces(), WHOLE, Bounds()), title=title), encoding="utf-8")
    return to.as_uri()


class Seen:
    """What a page did beside being shown: errors, dialogs, and what it asked for."""

    def __init__(self, browser_page: Page) -> None:
        self.page = browser_page
        self.wrong: list[str] = []
        self.asked: list[str] = []
        browser_page.on("pageerror", lambda error: self.wrong.append(str(error)))
        browser_page.on("console", lambda said: self.wrong.append(said.text))
        browser_page.on("dialog", self._dialog)
        browser_page.on("request", lambda request: self.asked.append(request.url))

    def _dialog(self, dialog: Dialog) -> None:
        self.wrong.append(dialog.message)
        dialog.dismiss()

    def text(self, what: str) -> Any:
        return json.loads(self.page.locator(what).inner_text())


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser that is here for all of this module's tests."""
    with sync_playwright() as driver:
        # Root, as which CI runs, has no sandbox; the pages are our own.
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def seen(chromium: Any) -> Iterator[Seen]:
    """A page of its own, which reaches nothing."""
    context = chromium.new_context(offline=True, viewport={"width": 1400, "height": 900})
    yield Seen(context.new_page())
    context.close()


def shows(of: list[Trace], at: int) -> dict[str, Any]:
    """What the node of the record that is drawn as number `at` shows after it."""
    mark = timeline(of, 10_000).marks[at]
    state: dict[str, Any] = {}
    for record in mark.trace.records:
        if record.whole is not None:
            state = dict(msgspec.to_builtins(record.whole))
        for key, value in msgspec.to_builtins(record.view or {}).items():
            state.pop(key, None)
            if value is not None:
                state[key] = value
        if record.seq == mark.record.seq:
            return state
    raise AssertionError(f"{mark.record.seq} is in no record of {mark.trace.who}")


def test_a_click_shows_the_record_and_the_state_after_it(seen: Seen, tmp_path: Path) -> None:
    seen.page.goto(written(tmp_path / "run.html", traces()))
    marks = timeline(traces(), 10_000).marks
    assert seen.page.locator(".mark").count() == len(marks) > 100
    assert seen.page.locator("#record").inner_text() == "none chosen"
    met = 0
    for at in range(0, len(marks), 7):
        seen.page.locator(f'.mark[data-at="{at}"]').dispatch_event("click")
        record = seen.text("#record")
        assert (record["by"], record["seq"]) == (marks[at].trace.who, marks[at].record.seq)
        assert record["life"] == marks[at].trace.header.incarnation
        state = shows(traces(), at)
        assert seen.text("#state") == state
        met += bool(state)
    assert met > 10, "records with something to show were among them"
    assert not seen.wrong


def test_a_pointer_finds_a_record_and_the_one_before_is_let_go(seen: Seen, tmp_path: Path) -> None:
    seen.page.goto(written(tmp_path / "run.html", traces()))
    last = len(timeline(traces(), 10_000).marks) - 1
    met = []
    for at in (last, 0):
        seen.page.locator(f'.mark[data-at="{at}"]').click(force=True)
        assert seen.page.locator(".mark.on").count() == 1
        chosen = seen.page.locator(".mark.on").get_attribute("data-at")
        met.append(chosen)
        record = seen.text("#record")
        mark = timeline(traces(), 10_000).marks[int(chosen or -1)]
        assert (record["by"], record["seq"]) == (mark.trace.who, mark.record.seq)
    assert met[0] != met[1]
    seen.page.locator("summary").first.click()
    assert seen.page.locator("details table").first.is_visible(), "coverage folds out"


def test_the_page_asks_for_nothing_but_itself(seen: Seen, tmp_path: Path) -> None:
    address = written(tmp_path / "run.html", traces())
    seen.page.goto(address)
    seen.page.locator(".mark").first.dispatch_event("click")
    assert seen.asked == [address]
    assert not seen.wrong


def test_what_a_trace_holds_is_not_run(seen: Seen, tmp_path: Path) -> None:
    first = traces()[0]
    header = msgspec.structs.replace(first.header, node=EVIL, incarnation=EVIL)
    record = msgspec.structs.replace(first.records[0], fault={"kind": EVIL})
    planted = Trace(path=EVIL, header=header, records=[record, *first.records[1:]])
    address = written(tmp_path / "run.html", [planted, *traces()[1:]], title=EVIL)
    seen.page.goto(address)
    marks = timeline([planted, *traces()[1:]], 10_000).marks
    at = next(n for n, mark in enumerate(marks) if mark.record.fault)
    seen.page.locator(f'.mark[data-at="{at}"]').dispatch_event("click")
    assert seen.text("#record")["life"] == EVIL, "it is shown as it is"
    assert seen.page.title() == EVIL
    assert seen.page.locator("img").count() == 0
    assert (seen.wrong, seen.asked) == ([], [address])
