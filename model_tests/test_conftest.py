"""The promises of conftest.py, each seen kept and seen broken in a pytest session of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

SETTINGS = """
[pytest]
markers =
    needs: as in the real settings
"""


def session(folder: Path, test: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run `test` as a whole pytest session under our conftest; its exit status and output."""
    shutil.copy(CONFTEST, folder)
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "test_it.py").write_text("import os, subprocess, sys, time, pytest\n" + test)
    ours = {k: v for k, v in os.environ.items() if k not in ("CI", "MESOS_REF_NO_SKIPS")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, "test_it.py"],
        cwd=folder,
        env=ours | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


def lives(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


#: Starts something that outlives it, prints its process id, and does not wait for it.
LEAVES_ONE = """
def test_it():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("CHILD", child.pid)
    child.returncode = 0
"""

#: The same, but the process is an orphan in a session of its own: only its environment tells.
LEAVES_AN_ORPHAN = """
def test_it():
    code = '''
import subprocess, sys
nowhere = subprocess.DEVNULL
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"],
                       start_new_session=True, stdout=nowhere, stderr=nowhere).pid)
'''
    print("CHILD", subprocess.check_output([sys.executable, "-W", "ignore", "-c", code], text=True))
"""

#: Ends what it starts.
LEAVES_NONE = """
def test_it():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    child.kill()
    child.wait()
"""


@pytest.mark.needs("linux")
@pytest.mark.parametrize("test", [LEAVES_ONE, LEAVES_AN_ORPHAN], ids=["child", "orphan"])
def test_a_process_left_behind_fails_the_session_and_is_ended(tmp_path: Path, test: str) -> None:
    status, said = session(tmp_path, test, "-rP", "-s")
    assert status == 1, said
    assert "the tests left processes running" in said
    assert "time.sleep(600)" in said
    assert "1 passed, 1 error" in said
    child = int(said.partition("CHILD")[2].split()[0])
    assert not lives(child)


#: Ends the processes that it spawns; the one that Python begins beside them lives on.
LEAVES_PYTHONS_OWN = """
def test_it():
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(abs, -1).result() == 1
"""


@pytest.mark.parametrize("test", [LEAVES_NONE, LEAVES_PYTHONS_OWN], ids=["none", "pythons own"])
def test_a_session_that_ends_what_it_starts_passes(tmp_path: Path, test: str) -> None:
    status, said = session(tmp_path, test)
    assert status == 0, said


LACKING = """
@pytest.mark.needs("curl")
def test_it():
    pass
"""

SKIPS_ITSELF = """
pytest.skip("not today", allow_module_level=True)
"""

EXPECTED_TO_FAIL = """
@pytest.mark.xfail(reason="a known bug")
def test_it():
    assert False
"""


def test_what_a_machine_lacks_is_said_with_its_remedy(tmp_path: Path) -> None:
    status, said = session(tmp_path, LACKING, PATH="/nowhere")
    assert status == 0, said
    assert "1  this machine lacks curl: make system-deps" in said


@pytest.mark.parametrize("test", [LACKING, SKIPS_ITSELF], ids=["needs", "module"])
def test_where_nothing_may_be_left_out_a_skip_fails(tmp_path: Path, test: str) -> None:
    status, said = session(tmp_path, test, PATH="/nowhere", MESOS_REF_NO_SKIPS="1")
    assert status not in (0, 5), said
    assert "MESOS_REF_NO_SKIPS is set" in said


def test_an_expected_failure_is_not_a_skip(tmp_path: Path) -> None:
    status, said = session(tmp_path, EXPECTED_TO_FAIL, MESOS_REF_NO_SKIPS="1")
    assert status == 0, said


def test_a_need_nobody_knows_is_an_error(tmp_path: Path) -> None:
    status, said = session(tmp_path, LACKING.replace("curl", "crul"))
    assert status == 1
    assert "needs('crul'): conftest.py knows" in said


LONG = """
@pytest.mark.slow
def test_one():
    pass
def test_other():
    pass
"""


def test_a_file_that_takes_long_begins_before_others_and_stays_whole(tmp_path: Path) -> None:
    (tmp_path / "test_before.py").write_text("def test_it(): pass")
    asked = ("-q", "--collect-only", "-W", "ignore", "test_before.py")
    status, said = session(tmp_path, LONG, *asked)
    assert status == 0, said
    found = [line for line in said.splitlines() if "::" in line]
    assert found == ["test_it.py::test_one", "test_it.py::test_other", "test_before.py::test_it"]


DRAWS = """
from hypothesis import given, strategies as st
seen = []
@given(st.integers(0, 10**9))
def test_it(n):
    seen.append(n)
def test_last():
    print("DREW", len(seen), sum(seen))
"""


def drew(folder: Path, *arguments: str, **environment: str) -> tuple[int, int]:
    """How many examples a session drew, and their sum."""
    shutil.rmtree(folder / ".hypothesis", ignore_errors=True)
    status, said = session(folder, DRAWS, "-s", *arguments, **environment)
    assert status == 0, said
    count, total = said.partition("DREW")[2].split()[:2]
    return int(count), int(total)


def test_ci_draws_the_same_examples_every_time_and_another_seed_draws_others(
    tmp_path: Path,
) -> None:
    first, again = drew(tmp_path, CI="true"), drew(tmp_path, CI="true")
    assert first == again
    assert first[0] == 100
    assert drew(tmp_path, "--hypothesis-seed=1", CI="true") != first


def test_a_failure_says_how_to_see_it_again(tmp_path: Path) -> None:
    status, said = session(tmp_path, "def test_it(): assert False", "-q", "--hypothesis-seed=7")
    assert status == 1
    assert "again: pytest --hypothesis-profile=dev --hypothesis-seed=7" in said
