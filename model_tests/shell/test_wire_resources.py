"""Amounts of resources obey the laws of arithmetic, exactly, and survive every trip."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.resources import EMPTY, MAX_SCALAR, ResourceError, Resources, to_milli
from mesos_ref.wire import json, v1

intervals = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 10)).map(lambda pair: (pair[0], sum(pair))),
    max_size=4,
)
amounts = st.builds(
    Resources,
    st.dictionaries(st.sampled_from(["cpus", "mem", "disk"]), st.integers(0, 10**6)),
    st.dictionaries(st.sampled_from(["ports", "cores"]), intervals),
    st.dictionaries(st.sampled_from(["disks"]), st.lists(st.sampled_from("abcd"), max_size=4)),
)


# Laws -----------------------------------------------------------------------------------------


@given(amounts, amounts, amounts)
def test_addition_is_commutative_and_associative(a: Resources, b: Resources, c: Resources) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c) == Resources.total([a, b, c])
    assert a + EMPTY == a == EMPTY + a
    assert hash(a + b) == hash(b + a)


@given(amounts, amounts)
def test_what_is_taken_can_be_given_back(a: Resources, b: Resources) -> None:
    if a.contains(b):
        assert (a - b) + b == a
    else:
        with pytest.raises(ResourceError, match="can't take"):
            a - b
    assert ((a + b) - b).contains(EMPTY)
    assert (a - a) == EMPTY


@given(amounts, amounts, amounts)
def test_inclusion_is_a_partial_order(a: Resources, b: Resources, c: Resources) -> None:
    assert a <= a
    assert a <= a + b
    assert a + b >= b
    assert a >= EMPTY
    if a <= b and b <= a:
        assert a == b
    if a <= b and b <= c:
        assert a <= c


@given(amounts, amounts)
def test_inclusion_agrees_with_counting_one_by_one(a: Resources, b: Resources) -> None:
    """The same question, asked of plain sets of numbers."""

    def holds(outer: Resources, inner: Resources) -> bool:
        numbers = {
            name: {n for low, high in found for n in range(low, high + 1)}
            for name, found in outer.ranges.items()
        }
        return (
            all(outer.milli(name) >= milli for name, milli in inner.scalars.items())
            and all(
                n in numbers.get(name, set())
                for name, found in inner.ranges.items()
                for low, high in found
                for n in range(low, high + 1)
            )
            and all(set(outer.sets.get(n, ())) >= set(items) for n, items in inner.sets.items())
        )

    assert a.contains(b) == holds(a, b)
    assert (a + b).contains(b)
    assert holds(a + b, b)


@given(amounts, amounts)
def test_quantities_add_up_where_nothing_overlaps(a: Resources, b: Resources) -> None:
    united = (a + b).quantities()
    for name in united:
        both = a.quantities().get(name, 0) + b.quantities().get(name, 0)
        assert united[name] == both if name in ("cpus", "mem", "disk") else united[name] <= both
    if a.contains(b):
        rest = (a - b).quantities()
        taken = {n: q - b.quantities().get(n, 0) for n, q in a.quantities().items()}
        assert rest == {n: q for n, q in taken.items() if q}


@given(amounts)
def test_nothing_is_lost_on_a_trip(a: Resources) -> None:
    assert Resources.parse(str(a)) == a
    assert Resources.from_wire(a.to_wire()) == a
    assert Resources.from_wire(a.to_wire(role="r")) == a
    sent = json.encode(v1.Launch(task_infos=(task(a),)))
    heard = json.decode(sent, v1.Launch).task_infos[0].resources
    assert Resources.from_wire(heard) == a
    assert [r.name for r in heard] == sorted(r.name for r in heard)


def task(resources: Resources) -> v1.TaskInfo:
    return v1.TaskInfo(name="t", task_id="t", agent_id="a", resources=resources.to_wire())


@given(st.integers(0, MAX_SCALAR * 1000))
def test_thousandths_survive_the_trip_through_a_double(milli: int) -> None:
    a = Resources({"cpus": milli})
    assert Resources.from_wire(a.to_wire()).milli("cpus") == milli


# Particulars ----------------------------------------------------------------------------------


def test_the_text_form() -> None:
    a = Resources.parse(" cpus:8 ; mem:4096;ports:[31000-31001, 31002-31005];disks:{b,a};gpus(*):0")
    assert str(a) == "cpus:8;disks:{a,b};mem:4096;ports:[31000-31005]"
    assert repr(a) == f"Resources({str(a)!r})"
    assert str(Resources.of(cpus=0.1, mem=1.25)) == "cpus:0.1;mem:1.25"
    assert Resources.parse("cpus:1;cpus:2") == Resources.of(cpus=3)
    assert Resources.parse("") == EMPTY
    assert not EMPTY
    assert a


def test_sums_are_exact() -> None:
    assert Resources.total([Resources.of(cpus=0.1)] * 10) == Resources.of(cpus=1)


@pytest.mark.parametrize(
    ("amount", "milli"),
    [(0.0004, 0), (0.0005, 1), (0.0015, 2), (1.0005, 1001), (0.1 + 0.2, 300), (2, 2000)],
)
def test_scalars_are_rounded_to_three_decimals(amount: float, milli: int) -> None:
    assert to_milli("cpus", amount) == milli


def test_zero_is_nothing() -> None:
    assert Resources.of(cpus=0, mem=0.0001) == EMPTY
    assert Resources.of(cpus=0).to_wire() == ()
    assert Resources({}, {"ports": []}, {"disks": []}) == EMPTY


def test_ranges_are_taken_out_of_the_middle() -> None:
    ports = Resources.parse("ports:[1-10,20-30]")
    rest = ports - Resources.parse("ports:[3-4,10-10,20-30]")
    assert rest.ranges == {"ports": ((1, 2), (5, 9))}
    assert rest.quantities() == {"ports": 7000}


def test_on_the_wire() -> None:
    wire = Resources.parse("cpus:1;ports:[1-2];disks:{a}").to_wire("dev")
    assert json.encode(wire[0]) == (
        b'{"name":"cpus","type":"SCALAR","scalar":{"value":1.0},"allocation_info":{"role":"dev"}}'
    )
    assert [(r.name, r.type) for r in wire] == [
        ("cpus", "SCALAR"),
        ("disks", "SET"),
        ("ports", "RANGES"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cpus", "expected name:value"),
        ("cpus:", "must be a number"),
        ("cpus:many", "must be a number"),
        ("cpus:-1", "must not be negative"),
        ("cpus:nan", "must be a finite number"),
        ("cpus:inf", "must be a finite number"),
        ("cpus:1e13", "at most"),
        ("cpus(role):1", "static reservations"),
        ("ports:[1]", "must be ranges"),
        ("ports:[2-1]", "must be ranges within"),
        ("ports:[0-99999999999999999999]", "must be ranges within"),
    ],
)
def test_bad_text(text: str, why: str) -> None:
    with pytest.raises(ResourceError, match=why):
        Resources.parse(text)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"type": "SCALAR", "scalar": {"value": -0.1}}, "negative"),
        ({"type": "SCALAR", "scalar": {"value": "Infinity"}}, "finite"),
        ({"type": "SCALAR", "scalar": {"value": 1e300}}, "at most"),
        ({"type": "SCALAR"}, "no 'scalar'"),
        ({"type": "RANGES", "scalar": {"value": 1}}, "no 'ranges'"),
        ({"type": "RANGES", "ranges": {"range": [{"begin": 2, "end": 1}]}}, "within"),
        ({"type": "RANGES", "ranges": {"range": [{"begin": 0, "end": 2**64}]}}, "within"),
        ({"type": "TEXT"}, "a text"),
        ({"type": "SCALAR", "scalar": {"value": 1}, "role": "dev"}, "reserved"),
        ({"type": "SCALAR", "scalar": {"value": 1}, "reservation": {}}, "reserved"),
        ({"type": "SCALAR", "scalar": {"value": 1}, "reservations": [{}]}, "reserved"),
        ({"type": "SCALAR", "scalar": {"value": 1}, "disk": {}}, "disk"),
        ({"type": "SCALAR", "scalar": {"value": 1}, "revocable": {}}, "revocable"),
        ({"type": "SCALAR", "scalar": {"value": 1}, "shared": {}}, "shared"),
    ],
)
def test_bad_wire_resources(fields: dict[str, object], why: str) -> None:
    resource = json.from_builtins({"name": "cpus"} | fields, v1.Resource)
    with pytest.raises(ResourceError, match=why):
        Resources.from_wire([resource])


def test_wire_resources_of_one_name_add_up() -> None:
    one = Resources.parse("cpus:0.5;ports:[1-2]").to_wire()
    other = Resources.parse("cpus:0.25;ports:[3-4]").to_wire()
    assert Resources.from_wire([*one, *other]) == Resources.parse("cpus:0.75;ports:[1-4]")


def test_negative_and_infinite_amounts_are_refused() -> None:
    with pytest.raises(ResourceError, match=r"cpus must not be negative, but is -0\.5"):
        Resources({"cpus": -500})
    with pytest.raises(ResourceError, match="finite"):
        Resources.of(cpus=math.nan)


def test_amounts_cannot_be_changed_from_outside() -> None:
    a = Resources.parse("cpus:1;ports:[1-2]")
    with pytest.raises(TypeError):
        a.scalars["cpus"] = 5  # type: ignore[index]
    quantities = a.quantities()
    quantities["cpus"] = 5
    assert a.milli("cpus") == 1000
