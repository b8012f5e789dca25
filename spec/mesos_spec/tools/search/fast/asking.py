"""Each action and each property as a question whose answers are kept in a decision tree.

An *ask* is one action, or one claim, with the names bound that range over nothing of the state; or
one channel, of which is asked whether its mail must be served.  It is answered by running the
specification, and the cells that were read, in order, are the way to the answer in its tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from mesos_spec.kernel import (
    EVERY_KEY,
    Action,
    Bag,
    Cell,
    Cells,
    Closely,
    Crowded,
    Effects,
    Fifo,
    Heads,
    Model,
    Untold,
    show,
)
from mesos_spec.kernel.mail import without_quiet
from mesos_spec.tools.search.blame import Wrong
from mesos_spec.tools.search.checker import WRONG
from mesos_spec.tools.search.fast.claiming import StepClaims
from mesos_spec.tools.search.fast.closely import ClosePacking
from mesos_spec.tools.search.fast.stepping import Answer, Done, Flaw, flaw_of, tried
from mesos_spec.tools.search.memo import unrolled
from mesos_spec.tools.search.worlds import delivered

S = TypeVar("S", bound=Cells)

WATCH, HURRY, CALM = 0, 1, 2  #: asked of every state; of those not cut; and without prompt mail


#: What a step does: the places it writes, with numbers; and claims to check of it, in bundles.
Effect = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, ...], ...]]


@dataclass(eq=False)
class Ask:
    """A question, and its tree: (place, {number: tree}), or an answer."""

    kind: int
    name: str
    run: Callable[[Any], Callable[[dict[int, int], list[int]], Answer]]
    tree: Any = None
    every: set[str] = field(default_factory=set)  #: fields of which it reads every key


class Asker(Generic[S]):
    """All questions of a model, and what effects and letters their answers are made of."""

    def __init__(self, model: Model[S], apart: frozenset[str] = frozenset()) -> None:
        self.model, self.spec = model, model.spec
        self.start = start = model.spec.start(model.bounds)
        self.packing: ClosePacking[S] = ClosePacking(start, apart)
        self.asks_emptiness_of: set[str] = set()  # fields
        self.effects: list[Effect] = []
        self._effect_numbers: dict[Any, int] = {}
        self.letters: dict[tuple[int, Any], int] = {}
        self.asks: list[Ask] = []
        self.evaluations = 0
        self.grown = False  #: whether there are more questions, or others, than when last looked
        bare = [without_quiet(action) for action in self.spec.actions]
        waits = {fields for _, fields in bare if fields}
        self.prompt: tuple[str, ...] = waits.pop() if len(waits) == 1 else ()
        self._ask_claims(start)
        self.claims = StepClaims(self.spec.each_step, start, self.packing)
        for (action, fields), whole in zip(bare, self.spec.actions):
            one, kind = (action, CALM) if fields == self.prompt else (whole, HURRY)
            for given in unrolled(one, start):
                self.asks.append(Ask(kind, one.name, partial(self._try, one, given)))
        self.crowded = model.cut if isinstance(model.cut, Crowded) else None
        self.heads = self._heads()
        self._channels: set[int] = set()
        self._known = 0
        self.notice()

    def _ask_claims(self, start: S) -> None:
        cut = self.model.cut
        if cut is not None and not isinstance(cut, Crowded):
            self.asks.append(Ask(WATCH, "the cut", partial(_is_cut, cut)))
        for claim in self.spec.always:
            for given in unrolled(claim, start):
                self.asks.append(Ask(WATCH, claim.name, partial(_holds, claim, given)))
        for wanted in self.spec.sometimes:
            self.asks.append(Ask(WATCH, wanted.name, partial(_is_seen, wanted)))

    def _heads(self) -> Heads[S] | None:
        """The channels to serve, if they can be asked one by one."""
        heads = self.spec.heads
        if heads is None:
            fields = self.spec.channels
            return Heads(fields, (), lambda s, field, key: True) if fields else None
        if isinstance(heads, Heads) and {*heads.prompt} == {*self.prompt}:
            return heads
        self.asks.append(Ask(HURRY, "heads", partial(self._all_heads, heads)))
        return None

    # ---- cells that come into being ------------------------------------------------------------
    def notice(self) -> None:
        """Take up cells that were not there before: channels to serve, keys that are listed."""
        cells = self.packing.cells
        for place in range(self._known, len(cells)):
            field = cells[place][0]
            for ask in self.asks:
                if field in ask.every:
                    ask.tree, ask.every, self.grown = None, set(), True
            if self.heads is not None and field in self.heads.fields:
                kind = HURRY if field in self.heads.prompt else CALM
                run = partial(self._one_head, self.heads, cells[place])
                self.asks.append(Ask(kind, f"mail in {show(cells[place])}", run))
                self.grown = True
        self._known = len(cells)
        if self.claims.notice():
            for ask in self.asks:
                if ask.kind != WATCH:
                    ask.tree, ask.every = None, set()
            self.grown = True

    def places_of(self, fields: tuple[str, ...]) -> list[int]:
        """The places of the cells of some fields."""
        return [p for p, cell in enumerate(self.packing.cells) if cell[0] in fields]

    # ---- asking ----------------------------------------------------------------------------
    def known(self, ask: Ask, row: list[int]) -> tuple[Answer | None, list[int]]:
        """The answer for a state, if it was asked before, and the places on the way there."""
        path: list[int] = []
        node, end = ask.tree, len(row)
        while type(node) is tuple:
            place = node[0]
            path.append(place)
            node = node[1].get(row[place] if place < end else 0)
        return node, path

    def answer(self, ask: Ask, row: list[int]) -> tuple[Answer, list[int]]:
        """The answer for a state, and the places that were read to know it."""
        found, path = self.known(ask, row)
        return (found, path) if found is not None else self._learn(ask, row)

    def _learn(self, ask: Ask, row: list[int]) -> tuple[Answer, list[int]]:
        self.evaluations += 1
        packing = self.packing
        closely = Closely(packing.fields)
        made, reads = packing.show(packing.widened(tuple(row))).listen(ask.run, closely)
        self.asks_emptiness_of |= closely.asked
        path: dict[int, int] = {}
        for cell in reads:
            places = [packing.place(cell)] if cell[1] is not EVERY_KEY else self._every(ask, cell)
            for place in places:
                path.setdefault(place, row[place] if place < len(row) else 0)
        answer = made(path, row)
        self._keep(ask, path, answer)
        self.notice()
        return answer, [*path]

    def _every(self, ask: Ask, cell: Cell) -> list[int]:
        ask.every.add(cell[0])
        return self.places_of((cell[0],))

    def _keep(self, ask: Ask, path: dict[int, int], answer: Answer) -> None:
        steps = [*path.items()]
        if not steps:
            ask.tree = answer
            return
        if ask.tree is None:
            ask.tree = (steps[0][0], {})
        node = ask.tree
        for at, (place, number) in enumerate(steps):
            if type(node) is not tuple or node[0] != place:
                cell = show(self.packing.cells[place])
                raise Untold(f"{ask.name} reads {cell} or not, and not by the state alone")
            last = at + 1 == len(steps)
            following: Any = answer if last else (steps[at + 1][0], {})
            node = node[1].setdefault(number, following)

    def _try(self, action: Action[S, ...], given: Mapping[str, Any], s: S) -> Any:
        return partial(self._ways, tried(action, given, s))

    def _ways(self, done: Done[S], path: dict[int, int], row: list[int]) -> Answer:
        """The answer to what an action does, where `path` was read to know it."""
        got, made = 0, list[int]()
        for effects in done.ways:
            for cell, message in delivered(effects):
                if self.heads is None or cell[0] in self.heads.fields:
                    got |= self._letter(cell, message, effects[cell][0])
            try:
                made.append(self._effect(effects, path, row))
            except Untold as e:
                raise Untold(f"{done.action.name}: {e}", done.action.source) from e
        return Answer(
            tuple(made), got, taken=len(made), asked=frozenset(done.asked), flaw=done.flaw
        )

    def _effect(self, effects: Effects, path: dict[int, int], row: list[int]) -> int:
        """The number of an effect: the places it writes, but for those it leaves as they were."""
        packing = self.packing
        writes: dict[int, int] = {}
        for cell, (_, value) in effects.items():
            place = packing.place(cell)
            writes[place] = packing.number(place, value)
        checks = self.claims.to_check(self.claims.concerned(effects), row, writes, path)
        known = packing.with_emptiness(path)
        writes = packing.with_emptiness(writes)
        changed = [write for write in writes.items() if known.get(write[0]) != write[1]]
        key = tuple(sorted(changed)), checks
        found = self._effect_numbers.get(key)
        if found is None:
            found = self._effect_numbers[key] = len(self.effects)
            self.effects.append((key[0], self.claims.bundled(checks)))
            for number in checks:
                self.claims.asked[number].effects.append(found)
        return found

    def _letter(self, cell: Cell, message: Any, channel: Any) -> int:
        """The bit of a message in a bag; of a queue the one bit of its head."""
        key = self.packing.place(cell), message if isinstance(channel, Bag) else None
        return 1 << self.letters.setdefault(key, len(self.letters))

    def _letters(self, cell: Cell, channel: Any) -> int:
        if isinstance(channel, Fifo):
            return self._letter(cell, None, channel) if channel.mail else 0
        bits = 0
        for message in channel if isinstance(channel, Bag) else ():
            bits |= self._letter(cell, message, channel)
        return bits

    def _one_head(self, heads: Heads[S], cell: Cell, s: S) -> Any:
        """Whether the mail of one channel must be served."""
        held, channel = getattr(s, cell[0]), s.look(cell)
        if cell[0] in self.packing.fields and isinstance(channel, Fifo):
            empty = held.is_empty(cell[1])  # of a queue nothing more is to be known
        else:
            empty = not (held if cell[1] is None else held[cell[1]])
        must = not empty and heads.is_heard(s, *cell)
        need = self._letters(cell, channel) if must else 0
        return lambda *known: Answer(need=need)

    def _all_heads(self, heads: Any, s: S) -> Any:
        """The same of all channels at once, where the specification has a rule of its own."""
        need = 0
        for cell in heads(s):
            held = getattr(s, cell[0])
            need |= self._letters(cell, held if cell[1] is None else held[cell[1]])
        return lambda *known: Answer(need=need)

    def named_letter(self, bit: int) -> tuple[Cell, Any]:
        """The channel of a letter, and the message if that is a bag's."""
        place, message = next(key for key, number in self.letters.items() if number == bit)
        return self.packing.cells[place], message


def _is_cut(cut: Any, s: Any) -> Any:
    answer = Answer(cut=bool(cut(s)))
    return lambda *known: answer


def _holds(claim: Any, given: Mapping[str, Any], s: Any) -> Any:
    bound = claim.broken(s, given)
    answer = Answer(flaw=None if bound is None else flaw_of(claim.name, bound))
    return lambda *known: answer


def _is_seen(claim: Any, s: Any) -> Any:
    answer = Answer(seen=claim.name if claim.seen(s) else "")
    return lambda *known: answer


def wrong(found: Wrong) -> Flaw:
    """The specification itself is at fault."""
    return Flaw(WRONG, {}, str(found), wrong=found)
