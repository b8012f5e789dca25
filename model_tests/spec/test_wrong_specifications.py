"""A specification that is wrong is told so: file, line, what it did, and what would be right."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from mesos_spec.__main__ import main
from mesos_spec.kernel import Bag, Table, Untold
from mesos_spec.kernel.values import check_value

HEAD = '''
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from mesos_spec.kernel import *
from mesos_spec.kernel import action, always, each_step, per, receive, require, sometimes

@dataclass(frozen=True, slots=True)
class Hello:
    """A greeting."""
    to: str

class State(Cells):
    names: Const[tuple[str, ...]] = ("a", "b")
    n: int = 0
    told: object = None
    mail: Per[str, Fifo[Hello]] = per(Fifo())

def names(s):
    return s.names

@action(changes="n")
def count_up(s: State) -> None:
    """One more."""
    require(s.n < 3, "there are less than three")
    s.n += 1

def model(*more, name="toy", **parts):
    spec = Specification(
        name=name, init=parts.pop("init", lambda b: State()), actions=(count_up, *more), **parts
    )
    return Model(name=name, title="A toy.", spec=spec, bounds=None)
'''


class Bad(NamedTuple):
    """A wrong specification: the line at fault ends in `#!`."""

    text: str
    says: tuple[str, ...]


BAD = {
    "it changes what it did not declare": Bad(
        '''
@action(changes="n")
def greet(s: State) -> None:
    """Says hello."""
    require(s.n == 2, "there are two")
    s.mail["a"] += Hello("a")  #!
MODEL = model(greet)
''',
        ("greet changes mail without saying so", "add it to changes="),
    ),
    "a domain without an end": Bad(
        '''
def numbers(s):  #!
    return count()

@action(changes="n", number=numbers)
def choose(s: State, number: int) -> None:
    """Any number."""
    s.n = number
MODEL = model(choose)
''',
        ("the domain of number has given 10,000 values", "give it an end"),
    ),
    "a domain of what cannot be gone through": Bad(
        '''
def numbers(s):  #!
    return s.n

@action(changes="n", number=numbers)
def choose(s: State, number: int) -> None:
    """Any number."""
    s.n = number
MODEL = model(choose)
''',
        ("the domain of number gives 0", "must give the values"),
    ),
    "a domain that raises": Bad(
        '''
def numbers(s):
    return [1, 2, 3][s.n:][:1 // (2 - s.n)]  #!

@action(changes="told", number=numbers)
def choose(s: State, number: int) -> None:
    """Any number."""
    s.told = number
MODEL = model(choose)
''',
        ("ZeroDivisionError",),
    ),
    "a property that raises": Bad(
        '''
@always(name=names)
def all_is_well(s: State, name: str) -> bool:
    """It is."""
    return {0: True, 1: True}[s.n]  #!
MODEL = model(always=(all_is_well,))
''',
        ("all_is_well(name=a) raises KeyError: 2", "an answer in every state", "count_up()"),
    ),
    "a property of steps that raises": Bad(
        '''
@each_step(watches="n")
def it_grows(before: State, after: State) -> bool:
    """It does."""
    return 1 // before.n > 0  #!
MODEL = model(each_step=(it_grows,))
''',
        ("it_grows() raises ZeroDivisionError",),
    ),
    "a name without a domain, which no message carries": Bad(
        '''
@action(changes="told")
def greet(s: State, name: str) -> None:  #!
    """Says hello."""
    s.told = name
MODEL = model(greet)
''',
        ("greet needs name given: there is no domain for it", "read it from the message"),
    ),
    "a domain for what is no parameter": Bad(
        '''
@action(changes="told", nmae=names)  #!
def greet(s: State, name: str) -> None:
    """Says hello."""
    s.told = name
MODEL = model(greet)
''',
        ("greet has a domain for nmae, but no such parameter",),
    ),
    "a field of a message that it has not": Bad(
        '''
@action(changes="mail", name=names)
def greet(s: State, name: str) -> None:
    """Says hello."""
    require(s.n == 1 and len(s.mail[name]) == 0, "it is time")
    s.mail[name] += Hello(name)

@action(changes="mail told", name=names)
def hear(s: State, name: str) -> None:
    """Hears it."""
    hello = receive(s.mail[name], Hello)
    s.mail[name] -= hello
    s.told = hello.too  #!
MODEL = model(greet, hear)
''',
        ("hear fails: AttributeError", "did you mean to?", "greet(name=a)"),
    ),
    "a list in a cell": Bad(
        '''
@action(changes="told")
def greet(s: State) -> None:  #!
    """Says hello."""
    s.told = ["hello"]
MODEL = model(greet)
''',
        ("greet: told is given ['hello']", "a list can change", "write a tuple"),
    ),
    "an object that can change, deep in a cell": Bad(
        '''
@dataclass(unsafe_hash=True)
class Box:
    n: int

@action(changes="told")
def greet(s: State) -> None:  #!
    """Says hello."""
    s.told = Table({"a": (1, Box(1))})
MODEL = model(greet)
''',
        ("told is given", "a Box can change", "@dataclass(frozen=True"),
    ),
    "an initial state with a dict": Bad(
        """
def begin(bounds):  #!
    return State(told={})
MODEL = model(init=begin)
""",
        ("toy begins with told = {}", "write a Table"),
    ),
    "equal values of different kinds": Bad(
        '''
class Left(NamedTuple):
    n: int

class Right(NamedTuple):
    n: int

@action(changes="told")
def turn_left(s: State) -> None:
    """Left."""
    s.told = Left(1)

@action(changes="told")
def turn_right(s: State) -> None:  #!
    """Right."""
    s.told = Right(1)
MODEL = model(turn_left, turn_right)
''',
        ("turn_right: told holds Left(n=1) and Right(n=1)", "would merge states"),
    ),
    "a misspelt field is read": Bad(
        '''
@action(changes="told")
def greet(s: State) -> None:
    """Says hello."""
    require(s.nn == 2, "there are two")  #!
    s.told = "a"
MODEL = model(greet)
''',
        ("greet fails: AttributeError", "did you mean"),
    ),
    "a misspelt field is written": Bad(
        '''
@action(changes="told")
def greet(s: State) -> None:
    """Says hello."""
    s.tolled = "a"  #!
MODEL = model(greet)
''',
        ("greet sets tolled, which is no field; they are n, told, mail",),
    ),
    "a misspelt field in changes=": Bad(
        '''
@action(changes="tolld")
def greet(s: State) -> None:  #!
    """Says hello."""
    s.told = "a"
MODEL = model(greet)
''',
        ("greet: changes= names tolld", "did you mean told?"),
    ),
    "a guard after an effect": Bad(
        '''
@action(changes="told n")
def greet(s: State) -> None:
    """Says hello."""
    s.told = "a"
    require(s.n == 2, "there are two")  #!
MODEL = model(greet)
''',
        ("greet asks 'there are two' after it has written told", "above the first assignment"),
    ),
    "a message that is no frozen dataclass": Bad(
        '''
class Bye(NamedTuple):
    to: str

@action(changes="mail")
def greet(s: State) -> None:
    """Says bye."""
    require(s.n == 1 and not len(s.mail["a"]), "it is time")
    s.mail["a"] += Bye("a")  #!
MODEL = model(greet)
''',
        ("Bye may not be a message", "@dataclass(frozen=True"),
    ),
    "two of one name": Bad(
        '''
@action(changes="n")
def fall(s: State) -> None:
    """To zero."""
    s.n = 0
first = fall

@action(changes="n")
def fall(s: State) -> None:  #!
    """To zero again."""
    s.n = 0
MODEL = model(first, fall)
''',
        ("toy has two of the name fall: rename one",),
    ),
    "no docstring": Bad(
        """
@action(changes="n")
def silent(s: State) -> None:  #!
    s.n = 0
MODEL = model(silent)
""",
        ("silent has no docstring",),
    ),
    "a file that is no Python": Bad(
        """
MODEL = = 1  #!
""",
        ("SyntaxError",),
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=list(BAD))
@pytest.mark.parametrize("how", [[], ["--plain"]], ids=["memo", "plain"])
def test_the_line_and_the_remedy_are_named(
    bad: Bad, how: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if how and "merge states" in bad.says[-1]:
        return  # only who remembers values sees them side by side
    path = tmp_path / "bad.py"
    path.write_text(HEAD + bad.text)
    lines = path.read_text().splitlines()
    [line] = [n for n, text in enumerate(lines, 1) if text.endswith("#!")] or [len(HEAD)]
    assert main(["check", f"{path}:MODEL", *how]) == 5
    captured = capsys.readouterr()
    said = captured.out + captured.err
    for words in (f"{path}:{line}", *bad.says):
        assert words in said, said


def test_what_is_no_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "good.py"
    path.write_text(HEAD + "MODEL = model()\nOTHER = model(name='other')\n")
    for name, words in {
        f"{path}:MODLE": "did you mean MODEL",
        f"{path}:names": "names is a function, and no Model",
        f"{tmp_path}/none.py": "there is no such file",
        "mesos_spec.none:MODEL": "No module named 'mesos_spec.none'",
        "mesos_spec.ids:MODEL": "no model is called 'MODEL'",
        "mesos_spec.bounds:Program": "Program is a type, and no Model",
    }.items():
        assert main(["check", name]) == 5
        assert words in capsys.readouterr().err
    assert main(["step", str(path)]) == 5
    assert f"name one: {path}:MODEL, {path}:OTHER" in capsys.readouterr().err
    assert main(["check", str(path)]) == 0
    assert "2 of 2 models are checked" in capsys.readouterr().out


@pytest.mark.parametrize("value", [1, "a", None, (1, (2,)), Table({1: frozenset({2})}), Bag()])
def test_what_cannot_change_may_be_kept(value: object) -> None:
    check_value(value)


@pytest.mark.parametrize("value", [[1], (1, {2}), (Table(), [2]), object(), lambda: 1])
def test_what_can_change_may_not(value: object) -> None:
    with pytest.raises(Untold, match="can change"):
        check_value(value)


# ---- without an end ------------------------------------------------------------------------
ENDLESS = {
    "a counter": (
        '''
@action(changes="n")
def count_on(s: State) -> None:  #!
    """Never ends."""
    s.n += 1
MODEL = model(count_on)
''',
        ("n grows all along a walk of 240 steps", "by count_on. Bound it"),
    ),
    "a channel nobody hears": (
        '''
@action(changes="mail", name=names)
def greet(s: State, name: str) -> None:  #!
    """Says hello, and hello, and hello."""
    s.mail[name] += Hello(name)

@action(changes="n")
def reset(s: State) -> None:
    """To zero."""
    s.n = 0
MODEL = model(greet, reset)
''',
        ("mail[", "(the size of mail: 0 → ", "by greet. Bound it"),
    ),
}


@pytest.mark.parametrize(("text", "says"), ENDLESS.values(), ids=list(ENDLESS))
def test_a_model_without_an_end_is_told_what_grows(
    text: str, says: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.py"
    path.write_text(HEAD + text)
    [line] = [n for n, one in enumerate(path.read_text().splitlines(), 1) if one.endswith("#!")]
    assert main(["check", f"{path}:MODEL", "--max-states", "300"]) == 5
    said = capsys.readouterr().out
    for words in (f"{path}:{line}", *says):
        assert words in said, said


def test_a_model_that_is_only_large_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "large.py"
    text = '''
def numbers(s):
    return range(500)

@action(changes="n", number=numbers)
def choose(s: State, number: int) -> None:
    """Any of many."""
    s.n = number
MODEL = model(choose)
'''
    path.write_text(HEAD + text)
    assert main(["check", f"{path}:MODEL", "--max-states", "300"]) == 2
    assert "unknown: 300 states are enough" in capsys.readouterr().out
