"""The commands around a cluster, without processes: whom they ask, how they print and exit."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from mesos_ref.cli import COMMANDS, main, parser_for, ps, run, showing, up
from mesos_ref.cluster.asking import Masters, Nobody, Operator, Unanswered
from mesos_ref.cluster.member import Member
from mesos_ref.cluster.process import how, tail
from mesos_ref.cluster.spec import ClusterSpec
from mesos_ref.http.client import HttpClient, parse_url
from mesos_ref.http.messages import Request, Response
from mesos_ref.http.server import serve
from mesos_ref.scheduler.items import Progress
from mesos_ref.scheduler.run import Verdict
from model_tests.shell.memory_cluster import cluster
from model_tests.shell.memory_net import MemoryNet, run_virtually

# --- asking whoever leads ----------------------------------------------------------------------

Answerer = Callable[[], Response]


def asked(
    masters: dict[int, Answerer], where: str, check: Callable[[Operator], Awaitable[None]]
) -> None:
    """Run `check` where these masters answer, by port, as they do."""

    async def main() -> None:
        net = MemoryNet()
        async with trio.open_nursery() as nursery:
            for port, answer in masters.items():

                async def handle(request: Request, answer: Answerer = answer) -> Response:
                    assert (request.method, request.path) == ("POST", "/api/v1")
                    return answer()

                listener = await net.listen("memory", port)
                nursery.start_soon(serve, listener, handle)
            await check(Operator(HttpClient(net), Masters.named(where)))
            nursery.cancel_scope.cancel()

    run_virtually(main)


def answers(**content: Any) -> Answerer:
    """A leader."""
    return lambda: Response.json(200, msgspec.json.encode({"type": "GET_X", "get_x": content}))


def redirects(port: int) -> Answerer:
    """A master that does not lead."""
    return lambda: Response(307, headers={"Location": f"//memory:{port}/api/v1"})


def says(status: int, text: str) -> Answerer:
    """Anything else."""
    return lambda: Response.text(status, text)


def test_a_redirect_is_followed_and_a_dead_master_passed_over() -> None:
    async def check(operator: Operator) -> None:
        assert await operator.ask("GET_X") == {"who": 3}
        assert operator.leader == "http://memory:3"

    asked({2: redirects(3), 3: answers(who=3)}, "memory:1,http://memory:2/", check)


@given(st.text(max_size=20) | st.from_regex(r"(https?|ftp)?:?/{0,3}[\[\]a-z:.]*:\d*/?"))
def test_whatever_is_said_names_masters_or_is_refused(text: str) -> None:
    with suppress(ValueError):
        masters = Masters.named(text)
        if not text.startswith("file:"):
            urls = trio.run(masters.candidates)
            assert [parse_url(url) for url in urls]


@pytest.mark.parametrize("location", ["", "https://h", "http://[", "nowhere"])
def test_a_redirect_to_nowhere_is_said(location: str) -> None:
    async def check(operator: Operator) -> None:
        with pytest.raises(Unanswered, match="redirects to"):
            await operator.ask("GET_X")

    asked({1: lambda: Response(307, headers={"Location": location})}, "memory:1", check)


def test_a_fail_over_is_waited_for() -> None:
    tries: list[int] = []

    def leads_later() -> Response:
        tries.append(1)
        return (answers(n=len(tries)) if len(tries) == 5 else says(503, "No leader elected"))()

    async def check(operator: Operator) -> None:
        assert await operator.ask("GET_X") == {"n": 5}

    asked({1: leads_later}, "memory:1", check)


def test_what_can_not_be_had_is_said_in_a_sentence() -> None:
    class Case(NamedTuple):
        masters: dict[int, Answerer]
        said: str
        error: type[Unanswered]

    cases = [
        Case({}, "no master answers at http://memory:1: can't connect to memory:1", Unanswered),
        Case({1: says(503, "")}, "http://memory:1 knows of no leader now", Nobody),
        Case({1: redirects(2)}, "the leader was said to be http://memory:2, but: can't", Nobody),
        Case({1: redirects(1)}, "http://memory:1 redirects, and so does whom it names", Nobody),
        Case({1: says(401, "Who?")}, "http://memory:1 answered GET_X with 401: Who?", Unanswered),
        Case({1: says(200, "hi")}, "http://memory:1 is no master: GET_X was answered", Unanswered),
        Case({1: lambda: Response.json(200, b'{"get_x":1}')}, "is no master", Unanswered),
    ]
    for case in cases:

        async def check(operator: Operator, case: Case = case) -> None:
            with pytest.raises(Unanswered) as caught:
                await operator.ask("GET_X")
            assert case.said in str(caught.value)
            assert type(caught.value) is case.error

        asked(case.masters, "memory:1", check)


def test_an_election_nobody_has_won_is_no_leader(tmp_path: Path) -> None:
    async def check(operator: Operator) -> None:
        with pytest.raises(Nobody, match="no master leads now"):
            await operator.ask("GET_X")

    asked({}, f"file:{tmp_path}/leader", check)


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("http://h:1", ("http://h:1",)),
        ("h:1", ("http://h:1",)),
        ("http://h", ("http://h:5050",)),
        (" h:1, http://g:2/ ", ("http://h:1", "http://g:2")),
        ("http://[::1]:3", ("http://[::1]:3",)),
    ],
)
def test_masters_are_named_by_address(text: str, urls: Sequence[str]) -> None:
    assert Masters.named(text).urls == urls


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "zz://x", "https//x", "h:1,file:x", "ftp://h:1", "https://h:1", "h/x:1"],
)
def test_what_names_no_master_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"right would be"):
        Masters.named(text)


# --- printing ----------------------------------------------------------------------------------


def shown(
    capsys: pytest.CaptureFixture[str], rows: list[showing.Row], *, as_json: bool = False
) -> list[str]:
    showing.show(rows, ("task", "cpus"), as_json=as_json, none="no tasks")
    return capsys.readouterr().out.splitlines()


def test_people_get_a_table_and_programs_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[showing.Row] = [
        {"task": "a" * 300, "cpus": 0.5, "more": 1},
        {"task": "[b]", "cpus": 12.0, "more": 2},
    ]
    head, first, second = shown(capsys, rows)
    assert head.split() == ["TASK", "CPUS"]
    assert first.split() == ["a" * 300, "0.5"], "nothing is cut where no screen is"
    assert second == f"{'[b]':300}    12", "what a task is called is no markup"
    assert [msgspec.json.decode(line) for line in shown(capsys, rows, as_json=True)] == rows


def test_nothing_is_no_line_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, []) == ["no tasks"]
    assert shown(capsys, [], as_json=True) == []


def test_what_a_master_answers_is_listed(tmp_path: Path) -> None:
    """The real answers of a real master: no field is missing."""

    async def main() -> None:
        async with cluster(tmp_path) as made:
            operator = Operator(HttpClient(made.net), Masters.named("memory:5050"))
            while not (state := await operator.ask("GET_STATE"))["get_agents"]["agents"]:  # noqa: ASYNC110
                await trio.sleep(0.1)
            [agent] = state["get_agents"]["agents"]
            assert showing.agent_address(agent).startswith("memory:4")
            assert showing.amount(agent["total_resources"], "cpus") == 4.0
            assert ps.tasks_of(state) == []

    run_virtually(main)


# --- the command line --------------------------------------------------------------------------


def parsed(*words: str) -> argparse.Namespace:
    return parser_for(words).parse_args(words)


@pytest.mark.parametrize("name", [*COMMANDS])
def test_help_teaches_by_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert "exit codes: 0" in text
    if name not in ("master", "agent"):
        assert f"\n  mesos-ref {name}" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "COMMAND"),
        (["run", "--instances", "0", "--", "x"], "'0' is no number of 1 to 1000000"),
        (["run", "--master", "x", "--", "x"], "'x' names no master"),
        (["run", "--cpus", "-1", "--", "x"], "'-1' is no number"),
        (["up", "--masters", "0"], "'0' is no number of 1 to 99"),
        (["up", "--lease-s", "0.1"], "'0.1' is no number"),
        (["up", "--offer-timeout-s", "soon"], "'soon' is no number"),
        (["ps", "--master", "nonsense"], "right would be http://host:port"),
        (["logs"], "TASK"),
    ],
)
def test_wrong_use_is_refused_with_what_would_be_right(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 5
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("name", "code"), [("ps", 2), ("run", 2), ("up", 0), ("agent", 0)])
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), BaseExceptionGroup("a nursery", [KeyboardInterrupt()])]
)
def test_who_is_interrupted_before_it_begins_says_so(
    name: str,
    code: int,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(argv: Sequence[str]) -> None:
        raise error

    monkeypatch.setattr("mesos_ref.cli.parser_for", interrupt)
    assert main([name]) == code
    assert capsys.readouterr().err == "mesos-ref: interrupted\n"


def test_an_agent_is_no_master() -> None:
    async def check(operator: Operator) -> None:
        with pytest.raises(Unanswered, match="is no master"):
            await operator.ask("GET_STATE")

    state = msgspec.json.encode({"type": "GET_STATE", "get_state": {"get_tasks": {}}})
    asked({1: lambda: Response.json(200, state)}, "memory:1", check)


def test_the_environment_says_which_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MESOS_REF_MASTER", raising=False)
    assert parsed("ps").master.urls == ("http://127.0.0.1:5050",)
    monkeypatch.setenv("MESOS_REF_MASTER", "h:1,h:2")
    assert parsed("ps").master.urls == ("http://h:1", "http://h:2")
    assert parsed("run", "--", "x").master == "h:1,h:2"
    assert parsed("ps", "--master", "h:3").master.urls == ("http://h:3",)


# --- run ---------------------------------------------------------------------------------------


def test_each_instance_is_an_item_that_knows_its_number() -> None:
    args = parsed("run", "--instances", "2", "--name", "n", "--cpus", "1", "--", "echo $INSTANCE")
    one, two = run.items_of(args)
    assert one.command.splitlines() == ["INSTANCE=1; export INSTANCE", "echo $INSTANCE"]
    assert (two.name, two.cpus, two.mem_mb) == ("n-2", 1.0, 32.0)


def test_several_words_reach_the_command_as_they_are() -> None:
    [item] = run.items_of(parsed("run", "--", "echo", "a b", "$INSTANCE"))
    assert item.command.splitlines()[1] == "echo 'a b' '$INSTANCE'"


class Ending(NamedTuple):
    """How work may end, what is said of it, and the exit code."""

    verdict: Verdict | None
    said: str
    code: int


def verdict(done: int, given_up: Sequence[str] = (), unsettled: Sequence[str] = ()) -> Verdict:
    return Verdict(
        progress=Progress(
            wanted=3, done=done, given_up=len(given_up), running=0, waiting=0, attempts=5, lost=2
        ),
        given_up=tuple(given_up),
        unsettled=tuple(unsettled),
        twice=(),
        framework_id="f",
    )


ENDINGS = [
    Ending(verdict(3), "3 instances finished (5 tasks, 2 of them in vain)", 0),
    Ending(
        verdict(2, ["run-1"]),
        "2 of 3 instances finished (5 tasks, 2 of them in vain);"
        " given up, as each failed 3 times: run-1",
        1,
    ),
    Ending(
        verdict(2, [], ["run-3"]),
        "2 of 3 instances finished (5 tasks, 2 of them in vain); cut short, 1 unsettled",
        2,
    ),
    Ending(None, "0 of 3 instances finished (0 tasks); the same line goes on with the rest", 2),
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_how_work_ended_is_said_and_is_the_exit_code(
    ending: Ending, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("run", "--instances", "3")
    for more in ((), ("--json",)):
        work = run.Work(parsed(*words, *more, "--", "x"), lambda progress: None)
        work.verdict = ending.verdict
        assert work.report() == ending.code
    text, line = capsys.readouterr().out.splitlines()
    assert text == ending.said
    facts = msgspec.json.decode(line)
    assert facts["complete"] == (ending.code == 0)
    assert facts["done"] == (0 if ending.verdict is None else ending.verdict.progress.done)


# --- up ----------------------------------------------------------------------------------------


def test_options_become_a_cluster_and_its_members_options(tmp_path: Path) -> None:
    words = ["--masters", "2", "--agents", "1", "--cpus", "0.5", "--mem", "64", "--port", "7000"]
    words += ["--lease-s", "0.5", "--offer-timeout-s", "3", "--ping-timeout-s", "9", "--verbose"]
    spec = up.spec_of(parsed("up", *words), tmp_path)
    assert spec.names("master") == ["master-1", "master-2"]
    master, agent = spec.options_of("master-2"), spec.options_of("agent-1")
    assert master == {
        "name": "master-2",
        "host": "127.0.0.1",
        "election": f"file:{tmp_path}/election/leader",
        "lease-s": 0.5,
        "offer-timeout-s": "3",
        "verbose": True,
    }
    assert agent == {
        "name": "agent-1",
        "host": "127.0.0.1",
        "master": f"file:{tmp_path}/election/leader",
        "work-dir": tmp_path / "agent-1",
        "resources": "cpus:0.5;mem:64",
        "reconfiguration-policy": "any",
        "ping-timeout-s": "9",
        "registration-backoff-s": "0.05",
        "verbose": True,
    }
    for kind, options in (("master", master), ("agent", agent)):
        again = [f"--{k}" if v is True else f"--{k}={v}" for k, v in options.items()]
        parsed(kind, *again)  # the daemons know every one of them


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"masters": 0}, "masters must be 1 to 99, but is 0"),
        ({"agents": 100}, "agents must be 0 to 99, but is 100"),
        ({"masters": 3, "port": 65534}, "3 masters don't fit above port 65534"),
    ],
)
def test_a_cluster_that_can_not_be_is_refused(
    fields: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=said):
        ClusterSpec(work_dir=tmp_path, **fields)


# --- members -----------------------------------------------------------------------------------


def test_a_member_is_heard_when_it_speaks_and_not_when_it_stammers(tmp_path: Path) -> None:
    member = Member("master", "master-1", "127.0.0.1", tmp_path / "log")
    for line in (b"", b"hello", b"[]", b'{"event": "elsewhere"}', b"\xff"):
        member.hear(line)
        assert member.port == 0
    member.hear(b'{"event": "serving", "port": 7, "link_port": 8}')
    assert (member.url, member.link_port) == ("http://127.0.0.1:7", 8)
    assert member.fate == "was never started"


def test_ends_are_put_in_words(tmp_path: Path) -> None:
    assert [how(code) for code in (None, 0, 75, -9, -99)] == [
        "is running",
        "ended with status 0",
        "ended with status 75",
        "was killed by SIGKILL",
        "was killed by signal 99",
    ]
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_text("".join(f"line {n}\n" for n in range(5000)))
    assert tail(log, lines=2) == "line 4998\nline 4999"
