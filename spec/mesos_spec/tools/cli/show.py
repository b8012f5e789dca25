"""Show traces, or a counterexample, as who told whom what: text, JSON, or a Mermaid diagram.

Traces are merged into one order first.  A counterexample (`mesos-spec check --save DIR`) is shown
step by step with what each changed, or as ITF, which Apalache's and Quint's tools read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mesos_spec.tools.cli.common import ExitCode, Misused, say_json

EXAMPLE = """\
for example:
  mesos-spec show runs/latest/trace --to 40
  mesos-spec show runs/latest/trace --mermaid > sequence.mmd
  mesos-spec show a/master.ndjson a/agent.ndjson --json
  mesos-spec show found/die_hard.the_goal_is_not_reached.ndjson
  mesos-spec show found/die_hard.the_goal_is_not_reached.ndjson --itf > die_hard.itf.json
"""


def add(parser: argparse.ArgumentParser) -> None:
    """The arguments of `mesos-spec show`."""
    parser.add_argument(
        "paths",
        metavar="FILE|DIR",
        nargs="+",
        type=Path,
        help="traces of one run, or one behaviour",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--mermaid", action="store_true", help="a Mermaid sequence diagram")
    how.add_argument("--json", action="store_true", help="one JSON document")
    how.add_argument("--itf", action="store_true", help="a counterexample as ITF (JSON)")
    parser.add_argument(
        "--from", dest="first", type=int, default=1, metavar="N", help="record N on"
    )
    parser.add_argument("--to", dest="last", type=int, metavar="N", help="up to record N")


def run(args: argparse.Namespace) -> int:
    """Print the records in their merged order."""
    from mesos_spec.tools.judging.merge import Merger
    from mesos_spec.tools.judging.trace import TraceError, read_traces
    from mesos_spec.tools.report.behaviours import is_behaviour

    if any(map(is_behaviour, args.paths)):
        return _behaviour(args)
    if args.itf:
        raise Misused("--itf is for behaviours of models: a trace does not tell the whole state")
    try:
        traces = read_traces(args.paths)
    except TraceError as error:
        raise Misused(str(error)) from None
    last = args.last if args.last is not None else sum(len(t.records) for t in traces)
    if not 1 <= args.first <= max(last, 1):
        raise Misused(f"--from {args.first} --to {last}: the first record comes before the last")
    rows = [row(at, placed) for at, placed in enumerate(Merger(traces), 1) if at <= last]
    rows = rows[args.first - 1 :]
    if args.json:
        say_json(rows)
    elif args.mermaid:
        print("\n".join(_mermaid(rows)))
    else:
        print("\n".join(_text(rows)))
    return ExitCode.OK


def _behaviour(args: argparse.Namespace) -> int:
    """A behaviour of a model."""
    from mesos_spec.tools.cli.saved import done
    from mesos_spec.tools.report import show
    from mesos_spec.tools.report.itf import as_itf

    if len(args.paths) > 1:
        raise Misused("behaviours are shown one at a time: each is of a model of its own")
    written, model, replayed = done(args.paths[0])
    header, behaviour = written.header, replayed.behaviour
    if args.mermaid:
        print(show.as_mermaid(model.spec, behaviour))
    elif args.json:
        print(show.as_json(behaviour))
    elif args.itf:
        print(as_itf(model, behaviour, why=header.why or header.claim, loop=header.loop))
    else:
        says = header.why or f"{header.claim} is seen" * bool(header.claim) or model.title
        print(f"{model.name}: {says}, after {len(behaviour.steps)} steps:")
        print(show.as_text(behaviour))
        if header.loop is not None:
            print(f"   …  and again from step {header.loop + 1} on, for ever")
    return ExitCode.OK


def row(at: int, placed: Any) -> dict[str, Any]:
    """One record, cut down to who heard, did and sent what."""
    record, header = placed.record, placed.trace.header
    heard = record.heard
    what = None if heard is None else heard.local or _kind(heard.msg)
    return {
        "at": at,
        "who": f"{header.role} {header.node}",
        "seq": record.seq,
        "now_us": record.now,
        "heard": what,
        "heard_from": None if heard is None else heard.sender,
        "heard_id": None if heard is None else heard.id,
        "did": [name for name, _ in record.did],
        "sent": [
            {"to": sent.to, "what": _kind(sent.msg), "id": sent.id}
            for sent in record.sent
            if sent.msg is not None
        ],
    }


def _kind(msg: dict[str, Any] | None) -> str:
    if msg is None:
        return "?"
    kind = str(msg.get("kind") or msg.get("type") or "?")
    status = (msg.get("update") or msg).get("status") if isinstance(msg, dict) else None
    state = status.get("state") if isinstance(status, dict) else None
    return f"{kind} {state}" if state else kind


def _text(rows: list[dict[str, Any]]) -> Iterator[str]:
    for each in rows:
        sent = ", ".join(f"{s['what']} → {s['to']}" for s in each["sent"])
        did = ", ".join(each["did"]) or "–"
        line = f"{each['at']:6}  {each['who']:<24} {each['heard'] or '–':<28} {did}"
        yield f"{line}  ⇒ {sent}" if sent else line


def _mermaid(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Arrows from sender to hearer; a message whose hearing is not shown ends at its party."""
    yield "sequenceDiagram"
    names = {who: f"p{n}" for n, who in enumerate(dict.fromkeys(each["who"] for each in rows))}
    for who, name in names.items():
        yield f"    participant {name} as {who}"
    senders: dict[Any, str] = {}
    for each in rows:
        me = names[each["who"]]
        key = (each["heard_from"], tuple(each["heard_id"] or ()))
        if each["heard_id"] is not None and key in senders:
            yield f"    {senders[key]}->>{me}: {each['heard']}"
        elif each["heard"] is not None:
            yield f"    Note over {me}: {each['heard']}"
        for did in each["did"]:
            yield f"    Note right of {me}: {did}"
        role = each["who"].split(" ", 1)[0]
        for sent in each["sent"]:
            senders[role, tuple(sent["id"] or ())] = me
