"""Finding the leader by asking masters, and going where `--connect-to` says."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from mesos_ref.agent.events import LeaderSeen
from mesos_ref.agent.leaders import AskedLeaders, WatchedLeaders, read_redirect
from mesos_ref.cli import agent as command
from mesos_ref.election.interface import Candidate
from mesos_ref.election.single import SingleElection
from mesos_ref.http.client import Answer, HttpClient
from mesos_ref.http.messages import Request, Response
from mesos_ref.ports.detour import Detours, parse_detour
from mesos_ref.resources import Resources
from mesos_ref.wire.v1 import Address, MasterInfo
from model_tests.shell.memory_net import MemoryNet, run_virtually, serving


def redirect(epoch: object, location: str = "//m1:5050", link: str | None = "m1:6000") -> Response:
    headers = {"Location": location, "Mesos-Ref-Epoch": str(epoch)}
    return Response(307, headers=headers | ({} if link is None else {"Mesos-Ref-Link": link}))


def test_the_newest_epoch_that_any_master_names_counts() -> None:
    says: dict[str, Response] = {}
    seen: list[LeaderSeen] = []

    async def first(request: Request) -> Response:
        assert request.target == "/redirect"
        return says["first"]

    async def second(request: Request) -> Response:
        return says["second"]

    async def post(event: LeaderSeen) -> None:
        seen.append(event)

    async def main() -> None:
        net = MemoryNet()
        async with serving(first, net=net) as a, serving(second, net=net) as b:
            masters = [f"http://m:{a.port}", f"http://m:{b.port}", "http://m:1"]  # one is dead
            leaders = AskedLeaders(HttpClient(net), masters)
            says["first"] = Response.text(503, "No leader elected")
            says["second"] = redirect(3)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leaders.watch, post)
                await trio.sleep(3.5)
                assert seen == [LeaderSeen(3, "http://m1:5050")], "once, though asked thrice"
                assert await leaders.locate("http://m1:5050") == ("m1", 6000)
                says["first"] = redirect(2, "//old:1")
                await trio.sleep(3)
                assert len(seen) == 1, "an older word is no news"
                says["first"] = redirect(4, "//m2:7000", link=None)
                await trio.sleep(3)
                assert seen[1:] == [LeaderSeen(4, "http://m2:7000")]
                assert await leaders.locate("http://m2:7000") == ("m2", 7000)
                nursery.cancel_scope.cancel()

    run_virtually(main)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"location": "//h:1"},
        {"location": "//h:1", "mesos-ref-epoch": "-1"},
        {"location": "//h:1", "mesos-ref-epoch": "²"},
        {"location": "ftp://h:1", "mesos-ref-epoch": "1"},
        {"location": "//h:x", "mesos-ref-epoch": "1"},
    ],
)
def test_what_is_no_redirect_of_ours_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_redirect(Answer(307, headers, b""))
    with pytest.raises(ValueError, match="200"):
        read_redirect(Answer(200, headers, b""))


def test_an_election_tells_where_links_go() -> None:
    address = Address(ip="10.0.0.1", port=5050)
    info = MasterInfo(id="m", ip=0, port=5050, address=address)
    seen: list[LeaderSeen] = []

    async def post(event: LeaderSeen) -> None:
        seen.append(event)

    async def main() -> None:
        leaders = WatchedLeaders(SingleElection(Candidate(info, "10.0.0.1:6050"), epoch=7))
        with trio.move_on_after(1):
            await leaders.watch(post)
        assert seen == [LeaderSeen(7, "http://10.0.0.1:5050")]
        assert await leaders.locate("http://10.0.0.1:5050") == ("10.0.0.1", 6050)
        with pytest.raises(OSError, match="no address"):
            await leaders.locate("http://[")

    run_virtually(main)


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("file:/tmp/x", WatchedLeaders),
        ("host:5050", AskedLeaders),
        ("host", AskedLeaders),
        ("http://host:5050", AskedLeaders),
        ("http://a:1,b:2", AskedLeaders),
        ("[::1]:5050", AskedLeaders),
    ],
)
def test_what_master_may_say(where: str, kind: type) -> None:
    assert isinstance(command.leaders(where, MemoryNet()), kind)


# Words on the command line ------------------------------------------------------------------------


def test_attributes_are_numbers_or_text() -> None:
    rack, level = command.attributes("rack:a b; level:2.5;")
    assert (rack.name, rack.type, rack.text and rack.text.value) == ("rack", "TEXT", "a b")
    assert (level.name, level.type, level.scalar and level.scalar.value) == ("level", "SCALAR", 2.5)


@pytest.mark.parametrize(
    ("read", "text", "why"),
    [
        (command.attributes, "rack", "'rack' is no attribute"),
        (command.attributes, ":x", "':x' is no attribute"),
        (command.resources, "cpus:lots", "lots"),
        (command.resources, "cpus(role):4", "cpus"),
        (command.isolation, "nowhere", "'nowhere' is no isolation that is installed: posix"),
        (command.detour, "a:1", "'a:1' is no detour"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    read: Callable[[str], object], text: str, why: str
) -> None:
    with pytest.raises(ArgumentTypeError, match=re.escape(why)):
        read(text)


def test_an_agent_offers_what_its_machine_has(tmp_path: Path) -> None:
    found = Resources.from_wire(command.machine_resources(tmp_path))
    assert found.milli("cpus") >= 1000
    assert found.milli("mem") > 0
    assert found.milli("disk") > 0
    assert found.ranges == {"ports": ((31000, 32000),)}


# Detours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "meant", "actual"),
    [
        ("a:1:b:2", ("a", 1), ("b", 2)),
        ("127.0.0.1:5050:127.0.0.1:6000", ("127.0.0.1", 5050), ("127.0.0.1", 6000)),
        ("[::1]:1:b:2", ("::1", 1), ("b", 2)),
        ("a:1:[::1]:2", ("a", 1), ("::1", 2)),
    ],
)
def test_detours_are_read(text: str, meant: tuple[str, int], actual: tuple[str, int]) -> None:
    assert parse_detour(text) == (meant, actual)


@pytest.mark.parametrize(
    "text", ["", "a:1", "a:1:b", "a:1:b:x", "a:1:b:2:c", "a:1:b:70000", "a:1:b:2x", "[::1:1:b:2"]
)
def test_what_is_no_detour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="FROMHOST:FROMPORT:TOHOST:TOPORT"):
        parse_detour(text)


def test_only_what_is_meant_takes_a_detour() -> None:
    async def main() -> None:
        net = MemoryNet()
        there, elsewhere = await net.listen("m", 5050), await net.listen("m", 6000)
        detours = Detours(net, {("m", 5050): ("m", 6000)})
        await detours.connect("m", 5050)
        assert (await elsewhere.accept()).peer
        await detours.connect("other", 5050)
        assert (await there.accept()).peer
        assert (await detours.listen("m", 7000)).port == 7000

    run_virtually(main)


def test_who_names_no_leader_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong address would otherwise look like an agent that does nothing."""
    says = [Response.text(503, "No leader elected")]

    async def answer(request: Request) -> Response:
        return says[0]

    async def post(event: LeaderSeen) -> None:
        says[0] = Response.text(404, "Nothing is found")

    async def main() -> None:
        net = MemoryNet()
        async with serving(answer, net=net) as a:
            leaders = AskedLeaders(HttpClient(net), [f"http://m:{a.port}", "http://m:1"])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(leaders.watch, post)
                await trio.sleep(10)
                says[0] = redirect(3)
                await trio.sleep(10)
                nursery.cancel_scope.cancel()

    run_virtually(main)
    told = [record.getMessage() for record in caplog.records if "names no leader" in record.msg]
    assert len(told) == 3, told
    assert [each for each in told if "http://m:1 " in each]
    assert "404 b'Nothing is found'" in told[-1]
