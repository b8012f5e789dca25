"""The fast search against the plain one, its oracle: same states, steps, depth, findings."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesos_spec.examples import die_hard, post_office, two_phase_commit
from mesos_spec.kernel import (
    Action,
    Bag,
    Cells,
    Crowded,
    Fifo,
    Heads,
    Model,
    Per,
    Quiet,
    Specification,
    action,
    always,
    each_step,
    per,
    require,
    sometimes,
)
from mesos_spec.models import named, of_scale
from mesos_spec.tools.search.checker import Limits, Result, check
from mesos_spec.tools.search.fast import two
from mesos_spec.tools.search.fast.driver import FastSearch, kernel_named
from mesos_spec.tools.search.fast.saved import Unfit
from model_tests.spec.searches import search

NUMBA = importlib.util.find_spec("numba") is not None
KERNELS = ["numpy", *(["numba"] if NUMBA else [])]
EACH = pytest.mark.parametrize("kernel", KERNELS)


def agree(model: Model[Any], kernel: str, oracle: Result[Any] | None = None) -> Result[Any]:
    """Search a model with the plain search (or take what it found) and with a kernel; compare."""
    plain = oracle or check(model, plain=True, max_states=4000)
    if plain.stopped:
        return plain
    fast = check(model, engine=kernel)
    assert fast.finished == plain.finished, (fast.broken, plain.broken)
    if plain.broken is not None:
        assert fast.broken is not None
        assert len(fast.broken.steps) <= len(plain.broken.steps) <= len(fast.broken.steps) + 1
        return fast
    assert fast.counts == plain.counts
    assert fast.deadlocks == plain.deadlocks
    assert {*fast.taken} == {*plain.taken}
    assert {*fast.guards} == {*plain.guards}
    assert fast.one_sided == plain.one_sided
    shortest = {name: len(found.steps) for name, found in plain.witnesses.items()}
    assert {name: len(found.steps) for name, found in fast.witnesses.items()} == shortest
    if plain.deadlock is not None:
        assert fast.deadlock is not None
        assert len(fast.deadlock.steps) == len(plain.deadlock.steps)
    return fast


# ---- specifications by numbers ---------------------------------------------------------------
@dataclass(frozen=True)
class Note:
    """Something said."""

    n: int


class Net(Cells):
    """Registers, queues that are served first, queues, and bags."""

    held: Per[int, int] = per(0)
    first: Per[int, Fifo[Note]] = per(Fifo())
    queue: Per[int, Fifo[Note]] = per(Fifo())
    bag: Per[int, Bag[Note]] = per(Bag())
    many: Per[int, frozenset[int]] = per(frozenset())


@dataclass(frozen=True)
class Deed:
    """An action by numbers: what it reads, what it asks, what it writes."""

    what: str
    here: int
    there: int
    value: int
    asks: int

    def body(self, s: Net, who: int) -> None:
        """Something happens."""
        here, there = (self.here + who) % 3, (self.there + who * s.held[0]) % 3
        require(s.held[here] != self.asks, "the register is not so")
        match self.what:
            case "set":
                s.held[there] = (s.held[there] + self.value) % 4
            case "blind":
                s.held[there] = self.value
            case "send first":
                require(len(s.first[there]) < 3, "there is room")
                s.first[there] += Note(self.value)
            case "send":
                require(len(s.queue[there]) < 4, "there is room")
                s.queue[there] += Note(self.value + s.held[here])
            case "post":
                require(len(s.bag[there]) < 3, "there is room")
                s.bag[there] += Note(self.value)
            case "hear first":
                require(len(s.first[here]) > 0, "something is there")
                s.first[here] -= s.first[here].mail[0]
            case "hear":
                require(len(s.queue[here]) > 0, "something is there")
                heard = s.queue[here].mail[0]
                s.queue[here] -= heard
                s.held[there] = heard.n % 4
            case "fetch":
                for note in s.bag[here]:
                    if note.n % 2 == self.asks % 2:
                        s.bag[here] -= note
                        break
                else:
                    require(False, "something is there for us")
            case "rest":
                require(s.queue.is_empty(here), "nobody waits")
                s.held[there] = (s.held[there] + s.first.is_empty(there)) % 4
            case "tidy":
                s.queue[here] = Fifo()
                kept = s.many[there] if s.bag.is_empty(here) else frozenset[int]()
                s.many[there] = kept if s.queue.is_empty(here) else frozenset([here])
            case _:
                s.many[there] |= {k + self.value for k in s.held.keys()}  # noqa: SIM118


KINDS = [
    *("set", "blind", "send first", "send", "post", "hear first", "hear", "fetch", "list"),
    *("rest", "tidy"),
]
small = st.integers(0, 2)
deeds = st.builds(Deed, st.sampled_from(KINDS), small, small, st.integers(1, 3), small)


def who(s: Net) -> Iterable[int]:
    """Two, whatever the state."""
    return (0, 1)


def who_is_there(s: Net) -> Iterable[int]:
    """As many as the first register says."""
    return range(s.held[0] % 3)


def net(deeds: list[Deed], claims: frozenset[str], prompt: bool, crowded: bool) -> Model[Net]:
    """A model of these deeds, of which some claims are made."""

    @always()
    def registers_differ(s: Net) -> bool:
        """Not all registers are at three."""
        return not all(s.held[i] == 3 for i in range(3))

    @always(i=lambda s: range(3))
    def sets_are_small(s: Net, i: int) -> bool:
        """No set has four members."""
        return len(s.many[i]) < 4

    @each_step(watches="held", i=lambda s: s.held.keys())
    def no_register_falls_by_two(before: Net, after: Net, i: int) -> bool:
        """A register does not go down by exactly two while the next is one."""
        return before.held[i] - after.held[i] != 2 or after.held[(i + 1) % 3] != 1

    @sometimes()
    def something_is_posted(s: Net) -> bool:
        """A bag holds two notes."""
        return any(len(s.bag[i]) > 1 for i in range(3))

    def made(n: int, deed: Deed) -> Action[Net, ...]:
        def body(s: Net, one: int) -> None:
            """Something happens."""
            deed.body(s, one)

        body.__name__ = f"deed{n}"
        domain: Any = who_is_there if deed.asks == 2 else who
        if prompt and deed.what != "hear first":
            domain = Quiet(domain, ("first",))
        return action("held first queue bag many", one=domain)(body)

    fields = ("first", "queue", "bag")

    def is_heard(s: Net, field: str, key: int) -> bool:
        return s.held[key] != 3

    heads = Heads(fields, ("first",) if prompt else (), is_heard)
    spec: Specification[Net] = Specification(
        name="net",
        init=lambda bounds: Net(),
        actions=tuple(made(n, deed) for n, deed in enumerate(deeds)),
        always=(registers_differ, sets_are_small) if "always" in claims else (),
        each_step=(no_register_falls_by_two,) if "each step" in claims else (),
        sometimes=(something_is_posted,),
        heads=heads if "heads" in claims else None,
    )
    cut: Any = Crowded(("queue", "bag"), 2) if crowded else (lambda s: s.held[1] == 2)
    quiescent = (lambda s: s.held[0] != 1) if "deadlock" in claims else None
    return Model(name="net", title="A net", spec=spec, bounds=None, cut=cut, quiescent=quiescent)


some_claims = st.frozensets(st.sampled_from(["always", "each step", "heads", "deadlock"]))


@EACH
@given(st.lists(deeds, min_size=1, max_size=5), some_claims, st.booleans(), st.booleans())
@settings(max_examples=60)
def test_generated_specifications_are_searched_alike(
    kernel: str, deeds: list[Deed], claims: frozenset[str], prompt: bool, crowded: bool
) -> None:
    agree(net(deeds, claims, prompt, crowded), kernel)


# ---- specifications of our own ---------------------------------------------------------------
def model_of(spec: Specification[Any], bounds: Any, **more: Any) -> Model[Any]:
    """A model of an example."""
    return Model(name=spec.name, title="An example", spec=spec, bounds=bounds, **more)


@EACH
def test_examples_are_searched_alike(kernel: str) -> None:
    found = agree(model_of(die_hard.SPEC, 4), kernel)
    assert found.broken is not None
    assert len(found.broken.steps) == 6
    assert agree(model_of(die_hard.SPEC, 9), kernel).states == 16
    assert agree(model_of(two_phase_commit.SPEC, ("a", "b", "c")), kernel).steps == 1145
    served = post_office.everybody_is_served
    assert agree(model_of(post_office.SPEC, ("a", "b"), quiescent=served), kernel).ok


@EACH
@pytest.mark.parametrize("name", ["offers", "kills", "burials", "replacements"])
def test_models_are_searched_alike(kernel: str, name: str) -> None:
    agree(named(name), kernel, search(name))


@pytest.mark.nightly
@EACH
@pytest.mark.parametrize("name", ["executors", "misfits", "succession", "removal-and-restarts"])
def test_larger_models_are_searched_alike(kernel: str, name: str) -> None:
    agree(named(name), kernel, search(name))


# ---- what is broken ----------------------------------------------------------------------------
@EACH
def test_a_counterexample_can_be_walked(kernel: str) -> None:
    @always()
    def nobody_is_asked_for(s: Any) -> bool:
        """No task was ever asked for, which is wrong."""
        return not any(s.asked_for.keys())

    model = named("offers")
    wrong = replace(model, spec=replace(model.spec, always=(nobody_is_asked_for,)))
    plain, fast = check(wrong), check(wrong, engine=kernel)
    assert plain.broken is not None
    assert fast.broken is not None
    assert len(fast.broken.steps) == len(plain.broken.steps)
    s = fast.broken.first
    for step in fast.broken.steps:
        s = model.spec.action(step.action)(s, **step.bound)
    assert not nobody_is_asked_for.holds(s)


@EACH
def test_a_specification_that_raises_is_told_its_line(kernel: str) -> None:
    @action(changes="held", one=who)
    def divide(s: Net, one: int) -> None:
        """Goes wrong once the register is two."""
        s.held[one] = 4 // (2 - s.held[one])

    @action(changes="held", one=who)
    def count(s: Net, one: int) -> None:
        """Each register goes up to six."""
        require(s.held[one] < 6, "the register is not full")
        s.held[one] += 1

    @always()
    def a_claim_that_raises(s: Net) -> bool:
        """Goes wrong at once."""
        return bool(1 // s.held[0])

    @always()
    def a_claim_that_raises_later(s: Net) -> bool:
        """Goes wrong once the register is four."""
        return bool(1 // (4 - s.held[0]) < 2)

    @each_step(watches="held")
    def a_claim_of_steps_that_raises(before: Net, after: Net) -> bool:
        """Goes wrong where both registers have become four."""
        return bool(1 // (8 - after.held[0] - after.held[1]) < 2)

    spec = Specification(name="net", init=lambda bounds: Net(), actions=(divide,))
    for wrong in (
        spec,
        replace(spec, always=(a_claim_that_raises,)),
        replace(spec, actions=(count,), always=(a_claim_that_raises_later,)),
        replace(spec, actions=(count,), each_step=(a_claim_of_steps_that_raises,)),
    ):
        plain = check(model_of(wrong, None), plain=True)
        fast = check(model_of(wrong, None), engine=kernel)
        assert plain.broken is not None
        assert fast.broken is not None
        assert fast.broken.why == plain.broken.why
        assert fast.broken.wrong == plain.broken.wrong
        assert len(fast.broken.steps) == len(plain.broken.steps)


# ---- limits ------------------------------------------------------------------------------------
@EACH
def test_a_search_that_is_stopped_says_so(kernel: str) -> None:
    model = named("kills")
    by_depth = check(model, engine=kernel, max_depth=5)
    assert (by_depth.finished, by_depth.stopped) == (False, "depth 5 is enough")
    assert by_depth.depth == 5
    assert by_depth.states == check(model, max_depth=5).states
    by_states = check(model, engine=kernel, max_states=100)
    assert (by_states.finished, by_states.stopped) == (False, "100 states are enough")
    by_memory = check(model, engine=kernel, max_memory_mb=1)
    assert (by_memory.finished, by_memory.stopped) == (False, "1 MB are enough")
    by_hand = check(model, engine=kernel, stop=lambda: "interrupted")
    assert (by_hand.finished, by_hand.stopped) == (False, "interrupted")


def test_an_engine_there_is_not_is_told() -> None:
    with pytest.raises(ValueError, match="no engine is called 'fast'; there are auto, plain"):
        check(named("kills"), engine="fast")


# ---- on disk -----------------------------------------------------------------------------------
@EACH
@pytest.mark.parametrize("name", ["kills", "replacements"])
def test_a_search_is_resumed_from_disk(kernel: str, name: str, tmp_path: Path) -> None:
    model, file = named(name), tmp_path / "search"
    whole = search(name)
    states = 0
    for share in (5, 3, 2):
        part = check(
            model,
            engine=kernel,
            max_states=whole.states // share,
            resume=file if states else None,
            keep=file,
        )
        assert not part.finished
        assert part.states > states
        states = part.states
    rest = check(model, engine=kernel, resume=file)
    agree(model, kernel, whole)
    assert rest.counts == whole.counts
    assert rest.deadlocks == whole.deadlocks
    assert {*rest.guards} == {*whole.guards}
    assert {*rest.taken} == {*whole.taken}
    assert {n: len(w.steps) for n, w in rest.witnesses.items()} == {
        n: len(w.steps) for n, w in whole.witnesses.items()
    }


def test_another_process_resumes_it(tmp_path: Path) -> None:
    """Sets have another order there, and hashes are others."""
    file = tmp_path / "search"
    check(named("kills"), engine="numpy", max_states=300, keep=file)
    command = [sys.executable, "-m", "mesos_spec", "check", "kills", "--engine", "numpy"]
    command += ["--resume", str(file), "--json"]
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(command, capture_output=True, env=env, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["models"]
    assert found["states"] == search("kills").states


def test_only_a_search_of_the_same_text_is_resumed(tmp_path: Path) -> None:
    file = tmp_path / "search"
    check(named("kills"), engine="numpy", max_states=50, keep=file)
    with pytest.raises(Unfit, match="is a search of kills, not of offers"):
        check(named("offers"), engine="numpy", resume=file)
    other = replace(named("kills"), bounds=named("kills").bounds._replace(room=3))
    with pytest.raises(Unfit, match="another text of the specification"):
        check(other, engine="numpy", resume=file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(Unfit, match="cannot be read as a search"):
        check(named("kills"), engine="numpy", resume=file)
    with pytest.raises(ValueError, match="only a search of numpy or numba can be resumed"):
        check(named("kills"), engine="memo", resume=file)


def test_a_file_cannot_bring_functions_along(tmp_path: Path) -> None:
    file = tmp_path / "search"
    check(named("kills"), engine="numpy", max_states=50, keep=file)
    with np.load(file) as held:
        parts = {name: held[name] for name in held.files}
    for sly in (b"cos\nsystem\n(S'true'\ntR.", b"cmesos_spec.models\nnamed\n(S'kills'\ntR."):
        with file.open("wb") as out:
            np.savez(out, **{**parts, "values": np.frombuffer(sly, np.uint8)})
        with pytest.raises(Unfit, match="no class of the specification"):
            check(named("kills"), engine="numpy", resume=file)


# ---- models of millions ----------------------------------------------------------------------
SCALE = [model.name for model in of_scale.MODELS]


@pytest.mark.parametrize("name", SCALE)
def test_large_models_begin_alike(name: str) -> None:
    found = [check(named(name), engine=engine, max_depth=5) for engine in ("memo", *KERNELS)]
    assert len({result.counts for result in found}) == 1
    assert all(result.broken is None and result.stopped for result in found)
    assert found[0].states > 200


@EACH
def test_what_is_looked_up_is_there(kernel: str) -> None:
    search = FastSearch(named(SCALE[0]), Limits(max_states=3000), kernel_named(kernel))
    search.run()
    machine = search.machine
    checks = machine.tables.check_of
    assert checks.n > 100
    assert checks.held[: checks.n].max() < machine.passed.roots.n, "a check has no tree"
    assert machine.trees.roots.n == len(machine.groups) == machine.tables.groups
    assert machine.tables.touches.n == machine.tables.keep.n == len(machine.asker.effects)


@EACH
def test_two_cores_find_the_same_under_the_same_numbers(
    kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(two, "AHEAD", 1 << 10)  # so that much is collected ahead
    monkeypatch.setattr(two, "PART", 1 << 4)  # and both look up rows
    searches = [
        FastSearch(named("succession"), Limits(), kernel_named(kernel), jobs=jobs)
        for jobs in (1, 2)
    ]
    one, both = (made.run() for made in searches)
    assert (searches[1].two is not None) == (kernel == "numba")
    assert both.ok
    assert one.counts == both.counts == one.model.expect
    assert {*one.guards} == {*both.guards}
    assert searches[0].levels == searches[1].levels
    for number in range(0, one.states, 97):
        assert searches[0].state(number) == searches[1].state(number)


@pytest.mark.nightly
@pytest.mark.parametrize("name", SCALE)
def test_large_models_count_what_is_pinned(name: str) -> None:
    result = check(named(name), engine=KERNELS[-1])
    assert result.ok
    assert result.counts == result.model.expect
    assert result.states >= 3_000_000
