"""The specification's language: what it lets a body do, and what it refuses.

Each rule of the language is broken once here, on purpose, and must be told by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_spec.kernel import (
    ABSENT,
    EVERY_KEY,
    Action,
    Bag,
    Cells,
    Const,
    Disabled,
    Fifo,
    Per,
    Specification,
    Table,
    Untold,
    action,
    always,
    each_step,
    per,
    receive,
    receive_any,
    redo,
    require,
    undo,
)
from mesos_spec.kernel.cells import Effects


@dataclass(frozen=True, slots=True)
class Coin:
    """A message."""

    worth: int


@dataclass(frozen=True, slots=True)
class Note:
    """A message of another kind."""

    worth: int


class State(Cells):
    """A bank with a slot: one of each kind of field."""

    limit: Const[int]
    open: bool = True
    slot: Per[str, Fifo[Coin | Note]] = per(Fifo())
    tray: Per[str, Bag[Coin | Note]] = per(Bag())
    saved: Per[str, Table[int, int]] = per(Table())
    born: Per[str, int]


def fresh(**fields: Any) -> State:
    """A bank where a has a coin and a note on their way."""
    mail: Fifo[Coin | Note] = Fifo([Coin(1), Note(5)])
    made: dict[str, Any] = {"limit": 9, "slot": Per({"a": mail}), "born": Per({"a": 1970})}
    return State(**(made | fields))


def people(s: State) -> Iterable[str]:
    """Everybody who has mail."""
    return s.slot.keys()


@action(changes="slot saved", by="bank", cites=("X-1",), who=lambda s: ["a", "b"])
def take_coin(s: State, who: str) -> None:
    """The oldest message is a coin, and is saved."""
    coin = receive(s.slot[who], Coin)
    require(s.open, "the bank is open")
    require(coin.worth <= s.limit, "the coin is not too large")
    s.slot[who] -= coin
    s.saved[who] += {coin.worth: 1}


# ---- states --------------------------------------------------------------------------------
def test_a_cell_that_holds_its_default_is_no_cell() -> None:
    s = fresh(slot=Per({"a": Fifo(), "b": Fifo()}))
    assert s == fresh(slot=Per())
    assert hash(s) == hash(fresh(slot=Per()))
    assert s.slot["nobody"] == Fifo()
    assert s.slot.keys() == []


def test_writing_the_default_back_removes_the_cell() -> None:
    s = fresh(slot=Per({"a": Fifo([Coin(1)])}))
    after = take_coin(s, "a")
    assert after.slot.keys() == []
    assert after.saved.items() == [("a", Table({1: 1}))]
    assert undone(after) == fresh(slot=Per())


def undone(s: State) -> State:
    """`s` with nothing saved."""
    new = s.copy()
    redo(new, {("saved", "a"): (None, Table())})
    return new


def test_keys_come_in_order() -> None:
    s = fresh(born=Per({"c": 1, "a": 2, "b": 3}))
    assert s.born.keys() == ["a", "b", "c"]
    assert s.born.items() == [("a", 2), ("b", 3), ("c", 1)]


def test_a_cell_without_a_default_must_have_been_written() -> None:
    with pytest.raises(Untold, match="born has no cell for 'b', and no default"):
        fresh().born["b"]
    assert fresh().look(("born", "b")) is ABSENT


def test_a_field_is_not_gone_through_by_accident() -> None:
    with pytest.raises(TypeError):
        assert "a" in fresh().born  # type: ignore[misc]
    with pytest.raises(TypeError):
        list(fresh().born)  # type: ignore[call-overload]


def test_a_state_is_made_with_the_fields_it_has() -> None:
    with pytest.raises(Untold, match="no field shut"):
        fresh(shut=True)
    with pytest.raises(Untold, match="without a value for limit, born"):
        State()  # type: ignore[call-arg]
    with pytest.raises(Untold, match="make it from Per"):
        fresh(born={"a": 1})


def test_a_field_may_not_hide_a_method() -> None:
    class Bad(Cells):
        copy: int  # type: ignore[assignment]

    with pytest.raises(Untold, match="may not be called copy"):
        Bad(copy=1)


def test_copies_are_written_independently() -> None:
    s = fresh()
    t = s.copy()
    take_coin.apply(t, {"who": "a"})
    assert s == fresh()
    take_coin.apply(s, {"who": "a"})
    assert s == t
    assert hash(s) == hash(t) != hash(fresh())
    kept = s.copy()
    undo(s, {("saved", "a"): (Table(), None)})
    assert kept == t


def test_listening_notes_what_is_read_in_order() -> None:
    s = fresh()
    answer, reads = s.listen(lambda s: (s.saved["b"], s.open, s.slot["a"].mail[0], s.limit))
    assert answer == (Table(), True, Coin(1), 9)
    assert list(reads) == [("saved", "b"), ("open", None), ("slot", "a")]
    _, reads = s.listen(lambda s: s.born.keys())
    assert list(reads) == [("born", EVERY_KEY)]
    _, reads = s.listen(lambda s: s.limit)
    assert reads == {}


def test_an_inner_listener_is_overheard() -> None:
    s = fresh()
    (_, inner), outer = s.listen(lambda s: (s.open, s.listen(lambda s: s.saved["a"]))[1])
    assert list(inner) == [("saved", "a")]
    assert list(outer) == [("open", None), ("saved", "a")]


# ---- actions -------------------------------------------------------------------------------
def test_an_action_is_pure_from_outside() -> None:
    s = fresh()
    after = take_coin(s, "a")
    assert s == fresh()
    assert after.slot["a"] == Fifo([Note(5)])
    assert take_coin(s, who="a") == after


def test_apply_is_the_call_in_place_and_can_be_taken_back() -> None:
    s = fresh()
    effects = take_coin.apply(s, {"who": "a"})
    assert s == take_coin(fresh(), "a")
    assert hash(s) == hash(take_coin(fresh(), "a"))
    assert effects == {
        ("slot", "a"): (Fifo([Coin(1), Note(5)]), Fifo([Note(5)])),
        ("saved", "a"): (Table(), Table({1: 1})),
    }
    assert s.before(effects) == fresh()
    assert fresh().after(effects) == s
    undo(s, effects)
    assert s == fresh()
    redo(s, effects)
    assert s == take_coin(fresh(), "a")


def test_a_disabled_action_changes_nothing_and_names_its_guard() -> None:
    s = fresh(open=False)
    with pytest.raises(Disabled, match="the bank is open"):
        take_coin.apply(s, {"who": "a"})
    with pytest.raises(Disabled, match="the next message is Coin"):
        take_coin(s, "b")
    assert s == fresh(open=False)


def test_explain_gives_the_guards_in_order_with_what_they_read() -> None:
    assert take_coin.explain(fresh(limit=0), {"who": "a"}) == [
        ("the next message is Coin", True),
        ("the bank is open", True),
        ("the coin is not too large", False),
    ]
    first, second = take_coin.guards(fresh(open=False), {"who": "a"})
    assert first.read == {("slot", "a"): Fifo([Coin(1), Note(5)])}
    assert second.read == {("open", None): False}


def test_an_action_knows_what_was_said_of_it() -> None:
    assert (take_coin.name, take_coin.by, take_coin.after) == ("take_coin", "bank", None)
    assert take_coin.cites == ("X-1",)
    assert take_coin.changes == {"slot", "saved"}
    assert take_coin.doc == "The oldest message is a coin, and is saved."
    assert list(take_coin.bindings(fresh())) == [{"who": "a"}, {"who": "b"}]
    assert list(take_coin.bindings(fresh(), {"who": "z"})) == [{"who": "z"}]


def test_reads_after_a_write_see_the_write() -> None:
    @action(changes="saved")
    def twice(s: State) -> None:
        s.saved["a"] += {1: 1}
        s.saved["a"] += {2: len(s.saved["a"])}

    effects = twice.apply(s := fresh(), {})
    assert s.saved["a"] == Table({1: 1, 2: 1})
    assert effects == {("saved", "a"): (Table(), Table({1: 1, 2: 1}))}
    (_, reads) = fresh().listen(lambda s: twice.apply(s, {}))
    assert reads == {("saved", "a"): Table()}


def test_what_is_read_of_a_write_is_no_read_of_the_state() -> None:
    @action(changes="saved")
    def blind(s: State) -> None:
        s.saved["a"] = Table({1: 1})
        s.saved["a"] += {2: 2}

    _, reads = fresh().listen(lambda s: blind.apply(s, {}))
    assert reads == {}


def test_a_bag_gives_whichever_message_is_named() -> None:
    @action(changes="tray", who=lambda s: ["a"], message=lambda s, who: s.tray[who])
    def take(s: State, who: str, message: Coin | Note) -> None:
        note = receive_any(s.tray[who], message, Note)
        s.tray[who] -= note

    s = fresh(tray=Per({"a": Bag([Coin(1), Note(2), Note(2)])}))
    assert [b["message"] for b in take.bindings(s)] == [Coin(1), Note(2)]
    assert take(s, "a", Note(2)).tray["a"] == Bag([Coin(1), Note(2)])
    with pytest.raises(Disabled, match="the message is Note"):
        take(s, "a", Coin(1))
    with pytest.raises(Disabled, match="the message is in flight"):
        take(s, "a", Note(3))


def test_an_action_may_be_asked_inside_another() -> None:
    @action(changes="open")
    def closes(s: State) -> None:
        require(take_coin(s, "a") != s, "a coin could be taken")
        require(s.open, "the bank is open")
        s.open = False

    assert not closes(fresh()).open
    assert closes.explain(fresh(), {}) == [
        ("a coin could be taken", True),
        ("the bank is open", True),
    ]


# ---- rules ---------------------------------------------------------------------------------
@action(changes="slot")
def frame(s: State) -> None:
    s.slot["a"] = Fifo()
    s.open = False


@action(changes="slot")
def late(s: State) -> None:
    s.slot["a"] = Fifo()
    require(s.open, "the bank is open")


@action(changes="slot")
def jumps_the_queue(s: State) -> None:
    s.slot["a"] -= Note(5)


@action(changes="tray")
def takes_what_is_not_there(s: State) -> None:
    s.tray["a"] -= Note(5)


@action(changes="slot")
def nonsense(s: State) -> None:
    s.slot["b"] += Coin(1)
    s.nonsense = 1  # type: ignore[attr-defined]


@action(changes="slot")
def constant(s: State) -> None:
    s.limit = 10


@action(changes="slot")
def wholesale(s: State) -> None:
    s.slot = Per()


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (frame, r"frame changes open without saying so: add it to changes="),
        (late, r"late asks 'the bank is open' after it has written slot\[a\]: move every require"),
        (jumps_the_queue, r"jumps_the_queue: slot\[a\]: Note.* not the oldest: Coin\(worth=1\) is"),
        (takes_what_is_not_there, r"takes_what_is_not_there: .*Note\(worth=5\).* not in flight"),
        (nonsense, r"nonsense sets nonsense, which is no field; they are open, slot"),
        (constant, r"constant sets limit, which is a constant"),
        (wholesale, r"slot is written as a whole: name a key"),
    ],
    ids=lambda x: x.name if isinstance(x, Action) else "",
)
def test_a_broken_rule_is_told_and_nothing_is_changed(bad: Action[State, []], told: str) -> None:
    s = fresh()
    with pytest.raises(Untold, match=told):
        bad.apply(s, {})
    assert s == fresh()
    with pytest.raises(Untold, match=told):
        bad(s)


def test_a_body_that_fails_changes_nothing() -> None:
    @action(changes="slot")
    def fails(s: State) -> None:
        s.slot["a"] = Fifo()
        s.saved["a"][7]

    s = fresh()
    with pytest.raises(KeyError):
        fails.apply(s, {})
    assert s == fresh()


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.slot.__setitem__("a", Fifo()),
        lambda s: setattr(s, "open", False),
        lambda s: take_coin(s, "a").slot.__setitem__("a", Fifo()),
    ],
)
def test_a_finished_state_is_not_written(write: Callable[[State], None]) -> None:
    with pytest.raises(Untold, match="of a finished state is written"):
        write(fresh())


def test_domains_are_for_names_that_are_there() -> None:
    def body(s: State, who: str, what: str) -> None:
        """Nothing."""

    with pytest.raises(Untold, match="a domain for whom, but no such parameter"):
        action(changes="", whom=people)(body)
    with pytest.raises(Untold, match="domain of who needs"):
        action(changes="", who=lambda s, what: [what], what=people)(body)
    free = action(changes="", who=people)(body)
    with pytest.raises(Untold, match="needs what given"):
        list(free.bindings(fresh()))
    assert list(free.bindings(fresh(), {"what": 1})) == [{"what": 1, "who": "a"}]


# ---- specifications ------------------------------------------------------------------------
@always(who=people)
def nobody_is_rich(s: State, who: str) -> bool:
    """Nobody has saved two things."""
    return len(s.saved[who]) < 2


@each_step(watches="saved", who=lambda s: s.saved.keys())
def savings_only_grow(before: State, after: State, who: str) -> bool:
    """What is saved stays saved."""
    return set(before.saved[who]) <= set(after.saved[who])


def test_a_claim_names_whom_it_is_broken_for() -> None:
    s = fresh(saved=Per({"a": Table({1: 1, 2: 2}), "b": Table({3: 3})}))
    assert nobody_is_rich.broken(s) == {"who": "a"}
    assert nobody_is_rich.broken(fresh()) is None
    assert savings_only_grow.broken(s, s) is None
    assert savings_only_grow.broken(s, fresh(saved=Per({"b": Table({4: 4})}))) == {"who": "b"}


def specified(**parts: Any) -> Specification[State]:
    """A specification of the bank."""
    whole: dict[str, Any] = {"name": "bank", "init": lambda limit: fresh(limit=limit)}
    return Specification(**(whole | {"actions": (take_coin,)} | parts))


def test_a_specification_is_in_order_or_told() -> None:
    assert specified().action("take_coin") is take_coin
    assert specified().start(3).limit == 3
    with pytest.raises(Untold, match="two of the name take_coin"):
        specified(actions=(take_coin, take_coin))
    with pytest.raises(Untold, match="late has no docstring"):
        specified(actions=(late,))
    with pytest.raises(Untold, match="has no action draw; it has"):
        specified().action("draw")
    with pytest.raises(Untold, match="channels= names mailbox"):
        specified(channels=("mailbox",)).start(3)


def test_an_action_that_announces_no_field_is_told_at_the_start() -> None:
    @action(changes="slots")
    def misspelt(s: State) -> None:
        """Nothing."""

    with pytest.raises(Untold, match="misspelt: changes= names slots, which is no field"):
        specified(actions=(misspelt,)).start(3)


@given(st.lists(st.sampled_from(["call", "apply", "undo"]), max_size=12))
def test_in_place_and_pure_stay_together(moves: list[str]) -> None:
    """Whatever is done, taken back, and looked at in between: apply is the call."""
    mail: Fifo[Coin | Note] = Fifo([Coin(n) for n in range(6)])
    pure = live = fresh(slot=Per({"a": mail}))
    live = live.copy()
    past: list[State] = []
    done: list[Effects] = []
    for move in moves:
        if move == "undo" and done:
            undo(live, done.pop())
            pure = past.pop()
        elif pure.slot["a"].mail:
            past.append(pure)
            pure = take_coin(pure, "a")
            done.append(take_coin.apply(live, {"who": "a"}))
            assert live.before(done[-1]) == past[-1]
        assert live == pure
        assert hash(live) == hash(pure)
        if move == "call":
            live.copy()
