"""A run's two directories, and the few files in them that must outlive everybody.

A *run* is one life of one executor.  Its sandbox is where Mesos has it,
`<work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>/`, with
`latest` beside it.  What we note about the run lies at the same place under `<work_dir>/meta/`, so
that the sandbox holds nothing but the user's files:

* `executor.json`: the `RunSpec`, written before anything is started;
* `pid`: the `Identity` of the run's first process, written by that process before anything else;
* `exit`: its raw wait status in decimal, or `unknown`; the last thing written.

All are written aside and renamed.  Only `exit` is fsynced: after a power cut there are no processes
left for the other two to speak of.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mesos_ref.isolation.messages import RunSpec
from mesos_ref.isolation.processes import Identity

#: As in Mesos: the sandbox is its user's, who may be made its owner, and his group's.
SANDBOX_MODE = 0o750

_spec_decoder = msgspec.json.Decoder(RunSpec)
_identity_decoder = msgspec.json.Decoder(Identity)


class RunDir(msgspec.Struct, frozen=True):
    """The paths of one run; knows where, and reads and writes its notes."""

    sandbox: Path
    meta: Path

    @classmethod
    def of(cls, work_dir: Path, run: RunSpec) -> RunDir:
        """Where this run lives.  Raises ValueError for an id that is no file name."""
        names = [run.agent_id, run.framework_id, run.executor_id, run.container_id]
        for name in names:
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise ValueError(
                    f"{name!r} can't name a directory: an id has no '/' and isn't '..'"
                )
        agent, framework, executor, container = names
        below = Path("slaves", agent, "frameworks", framework)
        below = below / "executors" / executor / "runs" / container
        return cls(sandbox=work_dir / below, meta=work_dir / "meta" / below)

    def create(self, run: RunSpec) -> None:
        """Make both directories, point `latest` here, and note the spec."""
        self.sandbox.mkdir(parents=True, exist_ok=True)
        self.sandbox.chmod(SANDBOX_MODE)
        self.meta.mkdir(parents=True, exist_ok=True)
        write_aside(self.meta / "executor.json", msgspec.json.encode(run))
        aside = self.sandbox.parent / f".latest.{run.container_id}"
        aside.unlink(missing_ok=True)
        aside.symlink_to(run.container_id)
        aside.rename(self.sandbox.parent / "latest")

    def read_spec(self) -> RunSpec:
        """The spec noted at `create`.  Raises OSError, msgspec.MsgspecError."""
        return _spec_decoder.decode((self.meta / "executor.json").read_bytes())

    def write_pid(self, who: Identity) -> None:
        write_aside(self.meta / "pid", msgspec.json.encode(who))

    def read_pid(self) -> Identity | None:
        """The run's first process; None if it never got so far."""
        try:
            return _identity_decoder.decode((self.meta / "pid").read_bytes())
        except FileNotFoundError:
            return None

    def write_exit(self, wait_status: int | None) -> int | None:
        """Note how the run ended, unless that is noted already.  Returns what the note says."""
        if self.is_over():
            return self.read_exit()
        text = "unknown" if wait_status is None else str(wait_status)
        write_durably(self.meta / "exit", f"{text}\n".encode())
        return wait_status

    def read_exit(self) -> int | None:
        """The raw wait status; None if it isn't noted, or noted as unknown."""
        try:
            text = (self.meta / "exit").read_text().strip()
        except FileNotFoundError:
            return None
        return int(text) if text.isdigit() else None

    def is_over(self) -> bool:
        """Whether the end of the run is noted."""
        return (self.meta / "exit").exists()


def write_aside(path: Path, data: bytes) -> None:
    """Replace `path` at one stroke.  A SIGKILL leaves the old content or the new."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(data)
    aside.rename(path)


def write_durably(path: Path, data: bytes) -> None:
    """As `write_aside`, and a power cut after the return changes nothing either."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def all_runs(work_dir: Path) -> Iterator[RunDir]:
    """Every run noted under this work directory, oldest agent id first, in a fixed order."""
    meta = work_dir / "meta"
    for note in sorted(meta.glob("slaves/*/frameworks/*/executors/*/runs/*/executor.json")):
        yield RunDir(sandbox=work_dir / note.parent.relative_to(meta), meta=note.parent)
