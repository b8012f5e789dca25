"""The tutorial is true: its commands are run as they stand, and print what it says they print.

A box is fenced as `console`, with the terminal it belongs to. Lines after `$ ` are commands, the
others what they print. `meanwhile` boxes are run while the last command before them is; a box
without a command goes on with what its terminal shows; `ctrl-c` presses it first. What differs from
run to run (ids, ports, pids, which master it was, the order of lines) is taken out of both sides.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import trio

from model_tests.live.hosting import live

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial"
FENCE = re.compile(r"^```console ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: Where the tutorial's clusters live, and which command brings them up.
PLACE = "/tmp/first"
UP = "mesos-ref up"

#: What is different each time.
PASSING = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"(pid|kill -9) \d+"), r"\1 <pid>"),
    (re.compile(r"master-\d"), "master-<n>"),
    (re.compile(r" +"), " "),
]


class Box(msgspec.Struct):
    """One box of the tutorial."""

    terminal: str
    is_meanwhile: bool
    presses_ctrl_c: bool
    #: (command, what it prints); the command is empty for what goes on.
    said: list[tuple[str, list[str]]]


def boxes_of(text: str) -> Iterator[Box]:
    """The boxes, in order."""
    for found in FENCE.finditer(text):
        terminal, *words = found[1].split()
        box = Box(terminal, "meanwhile" in words, "ctrl-c" in words, [])
        for line in found[2].splitlines():
            if line.startswith("$ "):
                box.said.append((line.removeprefix("$ "), []))
            else:
                if not box.said:
                    box.said.append(("", []))
                box.said[-1][1].append(line)
        yield box


def lasting(lines: list[str]) -> list[str]:
    """What is the same each time, of some lines, in an order of its own."""
    for pattern, name in PASSING:
        lines = [pattern.sub(name, line).rstrip() for line in lines]
    return sorted(line for line in lines if line)


class Reader:
    """Someone who types what stands there, in as many terminals as it takes."""

    def __init__(self, place: Path, nursery: trio.Nursery) -> None:
        self.place = place
        self.variables = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
        self.last_code = 0
        self._nursery = nursery
        self._up: trio.Process | None = None
        self._shown = ""
        self._expected: list[str] = []

    async def do(self, box: Box, meanwhile: Box | None = None) -> None:
        """Do what a box says, and with its last command under way what the next one says."""
        if box.presses_ctrl_c:
            assert self._up is not None
            self._up.send_signal(signal.SIGINT)
            assert await self._up.wait() == 0
        for command, printed in box.said:
            if command == "":
                self._expected += printed
            elif command.startswith(UP):
                self._expected += printed
                await self._bring_up(command)
            elif meanwhile is not None and (command, printed) == box.said[-1]:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._type, command, printed)
                    await self.do(meanwhile)
            else:
                patient = box.is_meanwhile and (command, printed) in box.said[:2]
                await self._type(command, printed, patient=patient)

    async def _type(self, command: str, printed: list[str], *, patient: bool = False) -> None:
        """Type a command, and compare. Who is `patient` looks again until it is as it should be."""
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.variables[name] = self._here(value)
            return
        expected = lasting([self._here(line) for line in printed])
        while True:
            found = await self._run(command)
            if not patient or lasting(found) == expected:
                break
        assert lasting(found) == expected, f"$ {command}"

    async def _run(self, command: str) -> list[str]:
        """What a command prints."""
        if command == "echo $?":
            return [str(self.last_code)]
        if command.startswith("kill -9 "):
            command = f"kill -9 {self._leader()}"
        done = await trio.run_process(
            ["bash", "-c", self._here(command)],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=self.variables,
        )
        self.last_code = done.returncode
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.stdout.decode().splitlines()

    def _here(self, text: str) -> str:
        return text.replace(PLACE, str(self.place))

    def _leader(self) -> str:
        """The pid of whoever leads, as the first terminal shows it."""
        found = re.search(r"pid (\d+) +leads", self._shown)
        assert found is not None
        return found[1]

    async def _bring_up(self, command: str) -> None:
        """Start the cluster, on free ports, and wait until it says that it is ready."""
        words = ["bash", "-c", f"exec {self._here(command)} --port 0"]
        self._up = await trio.lowlevel.open_process(
            words, stdout=subprocess.PIPE, env=self.variables
        )
        ready = trio.Event()
        self._nursery.start_soon(self._watch, self._up, ready)
        await ready.wait()

    async def _watch(self, up: trio.Process, ready: trio.Event) -> None:
        assert up.stdout is not None
        async with up.stdout:
            while data := await up.stdout.receive_some():
                self._shown += data.decode()
                if "Ctrl-C ends" in self._shown:
                    ready.set()
        ready.set()

    def finish(self) -> None:
        """Compare what the first terminal has shown, from beginning to end."""
        expected = [self._here(line) for line in self._expected]
        assert lasting(self._shown.splitlines()) == lasting(expected)

    def clean_up(self) -> None:
        """A reader who has given up still leaves nothing running."""
        if self._up is not None and self._up.returncode is None:
            self._up.send_signal(signal.SIGINT)


@asynccontextmanager
async def reading(place: Path) -> AsyncIterator[Reader]:
    """A reader, until what it has begun has ended."""
    async with trio.open_nursery() as nursery:
        reader = Reader(place, nursery)
        try:
            yield reader
        finally:
            reader.clean_up()


@pytest.mark.live
@pytest.mark.needs("linux")
@pytest.mark.parametrize("page", sorted(path.name for path in TUTORIAL.glob("*.md")))
def test_the_tutorial_is_true(page: str, tmp_path: Path) -> None:
    boxes = list(boxes_of((TUTORIAL / page).read_text()))
    assert shutil.which("bash") is not None

    @live
    async def read() -> None:
        async with reading(tmp_path / "first") as reader:
            for box, after in zip(boxes, [*boxes[1:], None]):
                if not box.is_meanwhile:
                    meanwhile = after if after is not None and after.is_meanwhile else None
                    await reader.do(box, meanwhile)
        reader.finish()

    read()


def test_boxes_are_read_as_they_are_meant() -> None:
    one = "```console terminal=1\n$ a\nx\n\n$ b\n```\n"
    other = "```console terminal=2 meanwhile\ny\n```\n"
    first, second = boxes_of(f"{one}```sh\n$ no\n```\n{other}")
    assert first.said == [("a", ["x", ""]), ("b", [])]
    assert (second.said, second.is_meanwhile) == ([("", ["y"])], True)
    assert lasting(["b 127.0.0.1:5  x", "", "a pid 7"]) == ["a pid <pid>", "b <address> x"]
