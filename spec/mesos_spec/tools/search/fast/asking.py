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
    Crowded,
    Disabled,
    Effects,
    Fifo,
    Heads,
    Model,
    Untold,
    show,
    undo,
)
from mesos_spec.kernel.mail import without_quiet
from mesos_spec.tools.search.blame import Wrong, failure
from mesos_spec.tools.search.checker import WRONG
from mesos_spec.tools.search.memo import unrolled
from mesos_spec.tools.search.questions import Packing
from mesos_spec.tools.search.worlds import Broken, Raised, delivered

S = TypeVar("S", bound=Cells)

WATCH, HURRY, CALM = 0, 1, 2  #: asked of every state; of those not cut; and without prompt mail


@dataclass(frozen=True, slots=True)
class Flaw:
    """What an answer says is wrong, in the state that was asked or in a step from it."""

    claim: str
    bound: Mapping[str, Any]
    why: str
    step: tuple[str, Mapping[str, Any]] | None = None
    wrong: Wrong | None = None


@dataclass(slots=True)
class Answer:
    """What follows from the cells that were read."""

    effects: tuple[int, ...] = ()  #: numbers of effects, one for each way on
    got: int = 0  #: letters that are taken, as bits
    need: int = 0  #: letters that must be taken, as bits
    cut: bool = False
    seen: str = ""  #: the SOMETIMES property that holds
    flaw: Flaw | None = None
    taken: int = 0
    asked: frozenset[tuple[str, bool]] = frozenset()
    told: bool = False  #: whether the search has taken note of it


@dataclass(eq=False)
class Ask:
    """A question, and its tree: (place, {number: tree}), or an answer."""

    kind: int
    name: str
    run: Callable[[Any], Callable[[dict[int, int]], Answer]]
    tree: Any = None
    every: set[str] = field(default_factory=set)  #: fields of which it reads every key


class Asker(Generic[S]):
    """All questions of a model, and what effects and letters their answers are made of."""

    def __init__(self, model: Model[S]) -> None:
        self.model, self.spec = model, model.spec
        self.start = start = model.spec.start(model.bounds)
        self.packing: Packing[S] = Packing(start)
        self.effects: list[tuple[tuple[int, int], ...]] = []
        self._effect_numbers: dict[tuple[tuple[int, int], ...], int] = {}
        self.letters: dict[tuple[int, Any], int] = {}
        self.asks: list[Ask] = []
        self.evaluations = 0
        self.grown = False  #: whether there are more questions, or others, than when last looked
        bare = [without_quiet(action) for action in self.spec.actions]
        waits = {fields for _, fields in bare if fields}
        self.prompt: tuple[str, ...] = waits.pop() if len(waits) == 1 else ()
        self._ask_claims(start)
        self._steps = [(claim, unrolled(claim, start)) for claim in self.spec.each_step]
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
        made, reads = packing.show(packing.widened(tuple(row))).listen(ask.run)
        path: dict[int, int] = {}
        for cell in reads:
            places = [packing.place(cell)] if cell[1] is not EVERY_KEY else self._every(ask, cell)
            for place in places:
                path.setdefault(place, row[place] if place < len(row) else 0)
        answer = made(path)
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

    # ---- questions -------------------------------------------------------------------------
    def _try(self, action: Action[S, ...], given: Mapping[str, Any], s: S) -> Any:
        """In which ways an action goes on."""
        asked: set[tuple[str, bool]] = set()
        ways: list[Effects] = []
        flaw: Flaw | None = None

        def hear(guard: str, held: bool) -> None:
            asked.add((guard, bool(held)))

        for bound in action.bindings(s, given):
            try:
                effects = action.apply(s, bound, hear)
            except Disabled:
                continue
            except Exception as e:
                raised = Raised(action.name, bound, failure(e))
                flaw = flaw or Flaw(action.name, bound, raised.says, wrong=raised.error)
                continue
            undo(s, effects)
            broken = self._broken_by(s, s.after(effects), effects)
            if broken is not None:
                flaw = flaw or _flaw(*broken, (action.name, bound))
            ways.append(effects)
        return partial(self._ways, action, ways, frozenset(asked), flaw)

    def _broken_by(self, before: S, after: S, effects: Effects) -> Broken | None:
        """The first EACH_STEP property that this step breaks."""
        wrote = {name for name, _ in effects}
        for claim, bindings in self._steps:
            if claim.at:
                bound = claim.broken_by(before, after, effects)
                if bound is not None:
                    return claim.name, bound
            elif not wrote.isdisjoint(claim.watches):
                for given in bindings:
                    bound = claim.broken(before, after, given)
                    if bound is not None:
                        return claim.name, bound
        return None

    def _ways(
        self,
        action: Action[S, ...],
        ways: list[Effects],
        asked: frozenset[tuple[str, bool]],
        flaw: Flaw | None,
        path: dict[int, int],
    ) -> Answer:
        got = 0
        for effects in ways:
            for cell, message in delivered(effects):
                if self.heads is None or cell[0] in self.heads.fields:
                    got |= self._letter(cell, message, effects[cell][0])
        try:
            made = tuple(self._effect(effects, path) for effects in ways)
        except Untold as e:
            raise Untold(f"{action.name}: {e}", action.source) from e
        return Answer(made, got, taken=len(ways), asked=asked, flaw=flaw)

    def _effect(self, effects: Effects, path: dict[int, int]) -> int:
        """The number of an effect: the places it writes, but for those it leaves as they were."""
        packing = self.packing
        writes: dict[int, int] = {}
        for cell, (_, value) in effects.items():
            place = packing.place(cell)
            number = packing.number(place, value)
            if path.get(place) != number:
                writes[place] = number
        key = tuple(sorted(writes.items()))
        found = self._effect_numbers.get(key)
        if found is None:
            found = self._effect_numbers[key] = len(self.effects)
            self.effects.append(key)
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
        held = getattr(s, cell[0])
        channel = held if cell[1] is None else held[cell[1]]
        must = len(channel) > 0 and heads.is_heard(s, *cell)
        need = self._letters(cell, channel) if must else 0
        return lambda path: Answer(need=need)

    def _all_heads(self, heads: Any, s: S) -> Any:
        """The same of all channels at once, where the specification has a rule of its own."""
        need = 0
        for cell in heads(s):
            held = getattr(s, cell[0])
            need |= self._letters(cell, held if cell[1] is None else held[cell[1]])
        return lambda path: Answer(need=need)

    def named_letter(self, bit: int) -> tuple[Cell, Any]:
        """The channel of a letter, and the message if that is a bag's."""
        place, message = next(key for key, number in self.letters.items() if number == bit)
        return self.packing.cells[place], message


def _flaw(
    claim: str, bound: Mapping[str, Any], step: tuple[str, Mapping[str, Any]] | None = None
) -> Flaw:
    names = ", ".join(f"{name}={value}" for name, value in bound.items())
    return Flaw(claim, bound, f"{claim} does not hold" + (f" for {names}" if names else ""), step)


def _is_cut(cut: Any, s: Any) -> Any:
    answer = Answer(cut=bool(cut(s)))
    return lambda path: answer


def _holds(claim: Any, given: Mapping[str, Any], s: Any) -> Any:
    bound = claim.broken(s, given)
    answer = Answer(flaw=None if bound is None else _flaw(claim.name, bound))
    return lambda path: answer


def _is_seen(claim: Any, s: Any) -> Any:
    answer = Answer(seen=claim.name if claim.seen(s) else "")
    return lambda path: answer


def wrong(found: Wrong) -> Flaw:
    """The specification itself is at fault."""
    return Flaw(WRONG, {}, str(found), wrong=found)
