"""The election's core: three contenders, any schedule, any pause; one leader at a time.

The world here is what the kernel promises of files and locks.  Each contender has a clock of its
own; what it looks up is true at that moment, and what it makes of it may come much later.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mesos_ref.election import core as election
from mesos_ref.election.core import ElectionCore
from mesos_ref.election.interface import Elected, Lost
from mesos_ref.step import Effect

LEASE_US = 1_000
LOOK_US = 100


class Files:
    """Epochs with their holder (None: let go) and stamp."""

    def __init__(self) -> None:
        self.holders: dict[int, str | None] = {}
        self.stamps: dict[int, int] = {}

    def newest(self) -> int:
        return max(self.holders, default=0)


class Process:
    """A contender: its core, its clock's offset, and what is under way."""

    def __init__(self, name: str, offset_us: int) -> None:
        self.name = name
        self.offset_us = offset_us
        self.core = ElectionCore(LEASE_US, LOOK_US)
        self.wanted: deque[Effect] = deque()
        self.answers: deque[election.Event] = deque()
        self.news: list[Elected | Lost] = []

    def do(self, files: Files, now_us: int) -> None:
        """One deed on the files; the answer is heard some other time."""
        effect = self.wanted.popleft()
        match effect:
            case election.Look():
                newest = files.newest()
                held = files.holders.get(newest) is not None
                seen = election.Looked(now_us, newest, held, files.stamps.get(newest))
                self.answers.append(seen)
            case election.Claim():
                won = effect.epoch not in files.holders
                if won:
                    files.holders[effect.epoch] = self.name
                self.answers.append(election.Claimed(effect.epoch, won))
            case election.Renew():
                files.stamps[effect.epoch] = effect.stamp
                self.answers.append(election.Renewed(effect.epoch, now_us, files.newest()))
            case election.Release():
                if files.holders.get(effect.epoch) == self.name:
                    files.holders[effect.epoch] = None
            case election.Prune():
                for epoch in [epoch for epoch in files.holders if epoch <= effect.up_to]:
                    del files.holders[epoch]
                    files.stamps.pop(epoch, None)
            case election.Announce():
                self.news.append(effect.news)
            case _:
                raise AssertionError(f"unknown to this world: {effect}")

    def hear(self, event: election.Event, now_us: int) -> None:
        step = self.core.handle(event, now_us)
        assert step.did or not step.effects
        for effect in step.effects:
            if isinstance(effect, election.Announce):
                self.news.append(effect.news)
            else:
                self.wanted.append(effect)


class Election(RuleBasedStateMachine):
    """Whoever the scheduler favours: nobody shares an epoch, and two never lead at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_us = 0
        self.files = Files()
        self.made = 0
        self.running: dict[str, Process] = {}
        self.elected: list[int] = []
        for offset_us in (0, 7_777, 123_456):
            self.start(offset_us)

    def start(self, offset_us: int) -> None:
        self.made += 1
        name = f"m{self.made}"
        self.running[name] = Process(name, offset_us)

    def pick(self, n: int) -> Process:
        return sorted(self.running.items())[n % len(self.running)][1]

    def clock(self, process: Process) -> int:
        return self.now_us + process.offset_us

    @rule(n=st.integers(0, 2), turns=st.integers(1, 6))
    def goes_on(self, n: int, turns: int) -> None:
        """A process gets some turns: does, hears, or ticks."""
        process = self.pick(n)
        for _ in range(turns):
            self.turn(process)

    def turn(self, process: Process) -> None:
        now_us = self.clock(process)
        at = process.core.next_deadline
        before = len(process.news)
        if process.wanted:
            process.do(self.files, now_us)
        elif process.answers:
            process.hear(process.answers.popleft(), now_us)
        elif at is not None and at <= now_us:
            process.hear(election.Tick(), now_us)
        for news in process.news[before:]:
            if isinstance(news, Elected):
                self.elected.append(news.epoch)
        self.one_leads_at_a_time()

    @rule(us=st.integers(1, 400))
    def time_passes(self, us: int) -> None:
        self.now_us += us

    @rule(n=st.integers(0, 2))
    def somebody_stirs(self, n: int) -> None:
        """Hearsay, or a death."""
        process = self.pick(n)
        process.hear(election.Stirred(), self.clock(process))

    @rule(rounds=st.integers(1, 15))
    def all_go_on(self, rounds: int) -> None:
        self.others_go_on(rounds, [])

    @rule(
        stopped=st.lists(st.integers(0, 2), min_size=1, max_size=2, unique=True),
        turns_before=st.integers(0, 5),
        rounds=st.integers(1, 15),
        turns_after=st.integers(0, 6),
    )
    def some_are_stopped(
        self, stopped: list[int], turns_before: int, rounds: int, turns_after: int
    ) -> None:
        """One or two stop in the middle of something; then they go on, the first one first."""
        self.goes_on(stopped[0], turns_before)
        self.others_go_on(rounds, stopped)
        for n in stopped:
            self.goes_on(n, turns_after)

    def others_go_on(self, rounds: int, stopped: list[int]) -> None:
        for _ in range(rounds):
            self.now_us += 90
            for n in range(len(self.running)):
                for _ in range(4):
                    if n not in stopped:
                        self.turn(self.pick(n))

    @rule(n=st.integers(0, 2), offset_us=st.integers(0, 50_000))
    def dies_and_another_starts(self, n: int, offset_us: int) -> None:
        process = self.pick(n)
        del self.running[process.name]
        for epoch, holder in self.files.holders.items():
            if holder == process.name:
                self.files.holders[epoch] = None
        self.start(offset_us)

    @invariant()
    def epochs_are_never_shared_and_always_grow(self) -> None:
        assert self.elected == sorted(set(self.elected))

    def one_leads_at_a_time(self) -> None:
        """Asked after every turn: rules are long."""
        leaders = [p.name for p in self.running.values() if p.core.leads_at(self.clock(p))]
        assert len(leaders) <= 1

    @invariant()
    def news_are_elected_then_lost(self) -> None:
        for process in self.running.values():
            kinds = [type(news) for news in process.news]
            assert kinds in ([], [Elected], [Elected, Lost])


TestElection = Election.TestCase


@given(seed=st.integers(0, 2**32))
def test_long_schedules(seed: int) -> None:
    """The same world, some thousand turns at a time: sleeps of any length anywhere, and deaths."""
    random = Random(seed)
    world = Election()
    asleep_until_us = dict.fromkeys(range(3), 0)
    sleepy = 0
    for turn in range(10_000):
        if turn % 100 == 0:
            sleepy = random.randrange(4)  # 3: nobody
        world.now_us += random.choice((0, 0, 10, 30))
        n = random.randrange(3)
        if asleep_until_us[n] > world.now_us:
            continue
        world.turn(world.pick(n))
        if random.random() < (0.3 if n == sleepy else 0.005):
            asleep_until_us[n] = world.now_us + random.choice((50, 300, 600, 900, 1_100, 3_000))
        if random.random() < 0.0005:
            world.dies_and_another_starts(n, random.randrange(50_000))
        world.epochs_are_never_shared_and_always_grow()
    world.news_are_elected_then_lost()
    assert len(world.elected) > 1


# One contender, rule by rule ---------------------------------------------------------------------


class Asked(NamedTuple):
    """What a core wants after an event."""

    core: ElectionCore
    effects: tuple[Effect, ...]


def after(*events: tuple[int, election.Event]) -> Asked:
    core = ElectionCore(LEASE_US, LOOK_US)
    effects: tuple[Effect, ...] = ()
    for now_us, event in events:
        effects = core.handle(event, now_us).effects
    return Asked(core, effects)


def looked(began_us: int, newest: int, stamp: int | None, is_held: bool = True) -> election.Looked:
    return election.Looked(began_us, newest, is_held, stamp)


TICK = election.Tick()
LEADING: list[tuple[int, election.Event]] = [
    (0, TICK),
    (0, looked(0, 0, None, False)),
    (10, election.Claimed(1, True)),
    (30, election.Renewed(1, 20, 1)),
]


def test_the_first_takes_epoch_one_and_is_told_once_it_is_known() -> None:
    assert after((0, TICK)).effects == (election.Look(),)
    assert after(*LEADING[:2]).effects == (election.Claim(1),)
    assert after(*LEADING[:3]).effects == (election.Renew(1, 1),)
    core, effects = after(*LEADING)
    assert effects == (election.Announce(Elected(1)),)
    assert core.leads_at(1_019)
    assert not core.leads_at(1_020), "the lease runs from when the stamp's writing began"
    assert core.next_deadline == 20 + LEASE_US // 3
    assert core.handle(TICK, 353).effects == (election.Renew(1, 2),)


def test_a_leader_that_is_stirred_looks_at_once_but_not_more_often_than_others_look() -> None:
    """Whoever stirs it may lie, and may do it all the time."""
    core = after(*LEADING).core
    assert core.handle(election.Stirred(), 50).effects == ()
    assert core.next_deadline == 20 + LOOK_US
    assert core.handle(election.Stirred(), 60).effects == ()
    assert core.next_deadline == 20 + LOOK_US
    assert core.handle(election.Stirred(), 150).effects == (election.Renew(1, 2),)
    assert core.handle(election.Stirred(), 151).effects == ()
    assert core.handle(election.Renewed(1, 155, 1), 160).effects == ()
    assert core.leads_at(1_154)
    assert core.handle(election.Stirred(), 300).effects == (election.Renew(1, 3),)
    lost = core.handle(election.Renewed(1, 305, 2), 310).effects
    assert election.Announce(Lost(1, "epoch 2 has begun")) in lost


def test_a_free_lock_is_taken_over_at_once() -> None:
    assert after((0, TICK), (5, looked(0, 7, 3, False))).effects == (election.Claim(8),)


@pytest.mark.parametrize("stamp", [3, None])
def test_a_stamp_that_stands_still_for_a_lease_is_taken_over(stamp: int | None) -> None:
    watching: list[tuple[int, election.Event]] = [(0, TICK), (5, looked(0, 7, stamp)), (110, TICK)]
    assert after(*watching, (1_100, looked(1_004, 7, stamp))).effects == ()
    assert after(*watching, (1_100, looked(1_005, 7, stamp))).effects == (election.Claim(8),)
    assert after(*watching, (1_100, looked(1_005, 7, 4))).effects == ()
    assert after(*watching, (1_100, looked(1_005, 8, stamp))).effects == ()


def test_a_contender_that_slept_does_not_blame_the_holder() -> None:
    asked = after((0, TICK), (5, looked(0, 7, 3)), (9_000, TICK), (9_001, looked(9_000, 7, 30)))
    assert asked.effects == ()


def test_a_lost_claim_means_watching() -> None:
    core, effects = after((0, TICK), (0, looked(0, 7, 3, False)), (9, election.Claimed(8, False)))
    assert effects == ()
    assert core.next_deadline == 9 + LOOK_US


@pytest.mark.parametrize(
    ("event", "now_us", "why"),
    [
        (election.Renewed(1, 400, 2), 410, "epoch 2 has begun"),
        (election.Renewed(1, 400, 1), 1_020, "the lease was over"),
        (TICK, 1_020, "the lease was over"),
        (election.RenewFailed(1, "disk full"), 410, "disk full"),
    ],
)
def test_how_the_lead_is_lost(event: election.Event, now_us: int, why: str) -> None:
    core, (announce, release) = after(*LEADING, (400, TICK), (now_us, event))
    assert isinstance(announce, election.Announce)
    assert isinstance(announce.news, Lost)
    assert announce.news.epoch == 1
    assert why in announce.news.why
    assert release == election.Release(1)
    assert core.is_over
    assert core.handle(TICK, 2_000).effects == ()


def test_a_winner_that_slept_before_it_was_known_tries_again() -> None:
    core, effects = after(*LEADING[:3], (1_000, election.Renewed(1, 20, 1)))
    assert effects == (election.Release(1),)
    assert not core.is_over
    assert core.handle(TICK, 2_000).effects == (election.Look(),)
    assert core.handle(election.Renewed(1, 2_000, 1), 2_001).effects == (), "an answer too late"


def test_a_winner_of_an_old_epoch_yields() -> None:
    assert after(*LEADING[:3], (30, election.Renewed(1, 20, 9))).effects == (election.Release(1),)


def test_old_epochs_are_pruned() -> None:
    events: list[tuple[int, election.Event]] = [
        (0, TICK),
        (0, looked(0, 19, None, False)),
        (10, election.Claimed(20, True)),
        (30, election.Renewed(20, 20, 20)),
    ]
    assert after(*events).effects == (election.Announce(Elected(20)), election.Prune(12))


@given(lease_us=st.integers(-5, 5), look_us=st.integers(-5, 5))
def test_a_lease_must_be_longer_than_a_look(lease_us: int, look_us: int) -> None:
    if 0 < look_us <= lease_us:
        ElectionCore(lease_us, look_us)
    else:
        with pytest.raises(ValueError, match="no use"):
            ElectionCore(lease_us, look_us)
