"""What the daemons' command lines have in common: words for values, lines for people and machines.

A value that can't be is refused with the value and what would be right, before anything starts.
"""

import argparse
import gc
import json
import logging
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

#: Nothing that lives long is looked at again by the garbage collector, and it looks rarely.
_GC_THRESHOLDS = (200_000, 50, 1000)


def port(text: str) -> int:
    """A TCP port; 0 stands for any free one."""
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: 0 to 65535")


def name(text: str) -> str:
    """A node's name: it becomes part of file names."""
    if 1 <= len(text) <= 64 and all(c.isascii() and (c.isalnum() or c in "-_.") for c in text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is no name: 1 to 64 of a-z, A-Z, 0-9, '-', '_', '.'"
    )


def folder(text: str) -> Path:
    """A folder, made if it is missing."""
    path = Path(text).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} can't be a folder: {error}") from None
    return path


def number(least: float, unit: str = "") -> Callable[[str], float]:
    """A number of at least `least`."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if least <= value < 1e9:
            return value
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of {unit or 'at least'} ≥ {least:g}"
        )

    return read


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options of every daemon."""
    parser.add_argument(
        "--trace", metavar="DIR", type=folder, help="write a trace into this folder"
    )
    parser.add_argument("--json", action="store_true", help="print lines for machines")
    parser.add_argument("--verbose", action="store_true", help="log more than what is notable")


def set_up_logging(node: str, verbose: bool) -> None:
    """One short line on stderr for each notable thing."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format=f"%(asctime)s {node} %(levelname).1s %(message)s",
        datefmt="%H:%M:%S",
    )


def set_up_memory() -> None:
    """For a process with many long-lived objects: call it when everything is imported."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def set_up_files() -> None:
    """Allow as many connections as the machine lets this process have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # some systems have a limit beyond the limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def release() -> str:
    """Our own version."""
    try:
        return version("mesos-ref")
    except PackageNotFoundError:
        return "0"


def speaker(as_json: bool, sentences: dict[str, str]) -> Callable[[str, dict[str, Any]], None]:
    """What prints a line on stdout when something begins: a sentence, or its facts as JSON.

    `sentences` has a format string by what is announced; what is not in it is printed as JSON only.
    """

    def speak(what: str, facts: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):  # nobody listens any more; no reason to end
            if as_json:
                print(json.dumps({"event": what, **facts}), flush=True)
            elif what in sentences:
                print(sentences[what].format(**facts), flush=True)

    return speak
