"""A run on one page of HTML, which needs nothing but itself.

The picture is drawn here, as SVG; the script on the page only shows what stands behind a record:
what was heard, done and sent, and all that its node shows after it, which is what the specification
says it must (the judge has compared them).  Everything a trace holds is quoted: it is from outside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import msgspec

from mesos_spec.tools.judging.trace import Trace
from mesos_spec.tools.judging.verdict import Verdict
from mesos_spec.tools.report.timeline import Mark, Stretch, Timeline, timeline

MOST_RECORDS = 4_000
LANE_PX, LEFT_PX, TOP_PX = 74, 150, 34
ROWS, ROW_PX = 5, 8  #: of bars under a lane
LEAST_PX, MOST_PX, RECORD_PX = 1_000, 24_000, 7

STYLE = """
body{font:14px/1.45 system-ui,sans-serif;margin:1.2rem;color:#222;background:#fff}
h1{font-size:1.3rem}h2{font-size:1.05rem}pre{background:#f6f6f4;padding:.7rem;overflow:auto}
#picture{overflow-x:auto;border:1px solid #ccc}svg{display:block}
.life{stroke:#bbb;stroke-width:6}.life:hover{stroke:#888}
.arrow{stroke:#4a78b5;stroke-width:1;opacity:.5}.lost{stroke:#c33;stroke-width:1.6}
.mark{fill:#345;cursor:pointer}.mark:hover,.mark.on{fill:#e60}
.offers{fill:#d9b44a}.tasks{fill:#6a9f58}.fault{fill:#c33;opacity:.14}.wrong{fill:#c00}
.name{font-weight:600}.axis{fill:#777;font-size:11px}
.conforms{color:#2a7}.violates{color:#c00}.unknown{color:#b70}
table{border-collapse:collapse}
td,th{padding:.1rem .6rem;text-align:left;border-bottom:1px solid #eee}
#behind{display:grid;grid-template-columns:1fr 1fr;gap:1rem}
"""

SCRIPT = """
const data = JSON.parse(document.getElementById('data').textContent);
const shown = (at) => {
  const view = {}, mine = data[at].life;
  for (let i = 0; i <= at; i++) {
    const one = data[i];
    if (one.life !== mine) continue;
    if (one.whole) { for (const k in view) delete view[k]; Object.assign(view, one.whole); }
    for (const [k, v] of Object.entries(one.view || {})) {
      if (v === null) delete view[k]; else view[k] = v;
    }
  }
  return view;
};
const text = (id, what) => { document.getElementById(id).textContent = what; };
let on = null;
document.querySelectorAll('.mark').forEach((mark) => mark.addEventListener('click', () => {
  if (on) on.classList.remove('on');
  (on = mark).classList.add('on');
  const at = Number(mark.dataset.at), {view, whole, ...rest} = data[at];
  text('record', JSON.stringify(rest, null, 1));
  text('state', JSON.stringify(shown(at), null, 1));
}));
"""


def page(
    traces: Iterable[Trace], verdict: Verdict, *, title: str, commands: Sequence[str] = ()
) -> str:
    """The page of a run that was judged; `commands` are what to type to see more of it."""
    line = timeline(traces, MOST_RECORDS)
    outcome = verdict.outcome.value
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f"<h1>{escape(title)}: <span class={outcome}>{outcome}</span></h1>",
        f"<pre>{escape(verdict.text())}</pre>",
        f"<div id=picture>{_svg(line, verdict)}</div>",
        _left_out(line),
        "<p>Circles are records (click one), lines are messages; red ones nobody heard. Bars: "
        "offers (yellow) and tasks (green) that the node shows. Red bands: faults.</p>",
        "<div id=behind><div><h2>The record</h2><pre id=record>none chosen</pre></div>",
        "<div><h2>The state after it</h2><pre id=state></pre></div></div>",
        _coverage(verdict),
        f"<h2>See more</h2><pre>{escape(chr(10).join(commands))}</pre>" if commands else "",
        f'<script type="application/json" id=data>{_data(line)}</script>',
        f"<script>{SCRIPT}</script></html>",
    ]
    return "\n".join(filter(None, parts))


def _left_out(line: Timeline) -> str:
    if not line.left_out:
        return ""
    return f"<p>The first {len(line.marks):,} records; {line.left_out:,} more are not drawn.</p>"


def _data(line: Timeline) -> str:
    """The records, as JSON that may stand in a script."""
    records = [_record(mark) for mark in line.marks]
    text = json.dumps(records, ensure_ascii=True, separators=(",", ":"), default=str)
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def _record(mark: Mark) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(mark.record)
    kept = {key: value for key, value in plain.items() if value is not None and value != []}
    if "heard" in kept:
        kept["heard"] = {key: value for key, value in kept["heard"].items() if value is not None}
    return {"by": mark.trace.who, "life": mark.trace.header.incarnation, **kept}


def _coverage(verdict: Verdict) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}<td>{times:,}" for name, times in verdict.taken.most_common()
    )
    never = escape(", ".join(verdict.never)) or "none"
    return (
        f"<h2>Actions</h2><details><summary>{len(verdict.taken)} seen, {len(verdict.never)} never"
        f"</summary><table><tr><th>action<th>times{rows}</table><p>never: {never}</p></details>"
    )


# ---- the picture -------------------------------------------------------------------------------
def _svg(line: Timeline, verdict: Verdict) -> str:
    wide = min(MOST_PX, max(LEAST_PX, RECORD_PX * len(line.marks)))
    per_s = wide / (line.ends_s or 1.0)

    def x(at_s: float) -> float:
        return round(LEFT_PX + at_s * per_s, 1)

    def y(lane: int) -> int:
        return TOP_PX + lane * LANE_PX + 12

    high = TOP_PX + len(line.lanes) * LANE_PX
    wrong = {(v.place) for v in verdict.violations}
    parts = [f'<svg width="{LEFT_PX + wide + 40}" height="{high}" role=img>']
    parts += [_axis(n, x, line.ends_s) for n in range(11)]
    for at_s, says in line.faults:
        parts.append(
            f'<rect class=fault x="{x(at_s) - 3}" y=0 width=6 height="{high}">'
            f"<title>{escape(f'{at_s:.2f} s: {says}')}</title></rect>"
        )
    for lane, name in enumerate(line.lanes):
        parts.append(f'<text class=name x=6 y="{y(lane) + 4}">{escape(name)}</text>')
    for life in line.lives:
        parts.append(
            f'<line class=life x1="{x(life.from_s)}" x2="{x(life.to_s)}" y1="{y(life.lane)}" '
            f'y2="{y(life.lane)}"><title>{escape(life.name)}</title></line>'
        )
    parts += _bars(line.held, x, y)
    for arrow in line.arrows:
        near = line.marks[arrow.sender]
        far = None if arrow.hearer is None else line.marks[arrow.hearer]
        to = (x(near.at_s) + 9, y(near.lane) - 9) if far is None else (x(far.at_s), y(far.lane))
        parts.append(
            f'<line class="{"arrow" if far else "lost"}" x1="{x(near.at_s)}" y1="{y(near.lane)}" '
            f'x2="{to[0]}" y2="{to[1]}"><title>{escape(arrow.says)}</title></line>'
        )
    for at, mark in enumerate(line.marks):
        bad = " wrong" if mark.trace.place(mark.record) in wrong else ""
        says = escape(f"{mark.at_s:.3f} s {mark.says}")
        parts.append(
            f'<circle class="mark{bad}" data-at={at} cx="{x(mark.at_s)}" cy="{y(mark.lane)}" '
            f"r={5 if bad else 3}><title>{says}</title></circle>"
        )
    return "".join([*parts, "</svg>"])


def _axis(n: int, x: Any, ends_s: float) -> str:
    at_s = ends_s * n / 10
    return f'<text class=axis x="{x(at_s)}" y=14>{at_s:.2f} s</text>'


def _bars(held: list[Stretch], x: Any, y: Any) -> list[str]:
    """Each offer and task in the first row under its lane that is free."""
    free: dict[tuple[int, int], float] = {}
    parts = []
    for one in held:
        row = next((r for r in range(ROWS) if free.get((one.lane, r), -1.0) < one.from_s), ROWS - 1)
        free[one.lane, row] = one.to_s
        kind = one.name.partition("/")[0]
        parts.append(
            f'<rect class={kind} x="{x(one.from_s)}" y="{y(one.lane) + 8 + row * (ROW_PX + 1)}" '
            f'width="{max(1.0, round(x(one.to_s) - x(one.from_s), 1))}" height={ROW_PX}>'
            f"<title>{escape(one.name)}</title></rect>"
        )
    return parts
