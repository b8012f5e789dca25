"""The house itself: what a wheel carries, that commands start, that documents tell the truth."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent

#: Where each import package lives in the checkout.
PACKAGES = {
    "mesos_ref": ROOT / "mesos_ref",
    "mesos_spec": ROOT / "spec" / "mesos_spec",
    "mesos_chaos": ROOT / "chaos" / "mesos_chaos",
}


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Run a command to its end; its output.  Fails the test, with all it said, if it fails."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command} ended {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@cache
def project() -> dict[str, Any]:
    """pyproject.toml's own account of the project."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


# --- what is shipped ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built without an index."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    return next(folder.glob("*.whl"))


def test_a_wheel_holds_our_three_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {*PACKAGES, f"mesos_ref-{project()['version']}.dist-info"}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_all_of_a_package(wheel: Path, package: str) -> None:
    """Code, types and data: what a checkout finds beside its code, an installation finds too."""
    names = set(zipfile.ZipFile(wheel).namelist())
    folder = PACKAGES[package]
    kept = [
        path.relative_to(folder.parent).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    assert f"{package}/py.typed" in kept
    assert [path for path in kept if path not in names] == []


def test_a_wheel_holds_the_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert f"mesos_ref-{project()['version']}.dist-info/licenses/LICENSE" in names


def test_a_wheel_can_be_imported(wheel: Path, tmp_path: Path) -> None:
    """As a user would have it: unpacked somewhere else, with nothing of this checkout near it."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    imports = "import " + ", ".join(PACKAGES)
    where = "[m.__file__ for m in (" + ", ".join(PACKAGES) + ")]"
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {imports}; print(*{where})"
    found = run(sys.executable, "-I", "-c", code, cwd=tmp_path).split()
    assert [Path(file).parent for file in found] == [tmp_path / package for package in PACKAGES]


# --- commands ----------------------------------------------------------------------------------


@pytest.mark.parametrize("script", project()["scripts"])
def test_a_command_explains_itself(script: str, tmp_path: Path) -> None:
    """The installed command, from a folder that is not the checkout."""
    said = run(Path(sysconfig.get_path("scripts"), script), "--help", cwd=tmp_path)
    assert script in said


# --- documents ---------------------------------------------------------------------------------

DOCUMENTS = [
    path.relative_to(ROOT).as_posix()
    for folder in (ROOT, ROOT / "docs", ROOT / "spec", ROOT / "chaos", ROOT / "model_tests")
    for path in sorted(folder.glob("*.md") if folder == ROOT else folder.rglob("*.md"))
]


def targets() -> dict[str, str]:
    """The Makefile's targets, and how each is explained."""
    text = (ROOT / "Makefile").read_text()
    return dict(re.findall(r"^([a-z-]+):.*## (.+)$", text, re.MULTILINE))


def commands(document: str) -> set[str]:
    """The `make x` of a document, in code only: prose may make anything."""
    code = re.findall(r"^```.*?^```|`[^`\n]+`", document, re.MULTILINE | re.DOTALL)
    found = {
        name for piece in code for name in re.findall(r"(?:^|[`\s])make ([a-z][a-z-]*)", piece)
    }
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_command_that_a_document_names_exists(document: str) -> None:
    missing = commands((ROOT / document).read_text()) - targets().keys()
    assert missing == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_inside_the_project_leads_somewhere(document: str) -> None:
    here = ROOT / document
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)", here.read_text())
    assert [link for link in links if not (here.parent / link).exists()] == []


def test_commands_are_found_in_code_and_not_in_prose() -> None:
    text = "We make sure.\n`make demo`, or:\n```sh\ncd x && make test ARGS=1\n$ make docs\n```\n"
    assert commands(text) == {"demo", "test", "docs"}


def test_every_target_is_explained() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (?!\$)(.+)$", text, re.MULTILINE)
    assert set(" ".join(phony).split()) == targets().keys()
    said = run("make", "help")
    assert [name for name in targets() if f"make {name}" not in said] == []


def test_the_readme_gives_the_two_commands() -> None:
    assert {"demo", "test"} <= commands((ROOT / "README.md").read_text())


def test_ci_runs_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert re.search(r"\bmake test\b", script)
    assert "MESOS_REF_NO_SKIPS=1" in script
    assert "system-deps" in script.partition("make test")[0]
    assert re.search(r"\bmake bulk\b", script), "what `make test` leaves out"


def test_the_changelog_speaks_of_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings
    assert headings[0].startswith(("Unreleased", project()["version"]))


def test_no_document_or_setting_names_a_package_index() -> None:
    """pip takes its index from whoever runs it."""
    for name in ("Makefile", "pyproject.toml", ".ci/run", ".ci/venv"):
        text = (ROOT / name).read_text()
        assert re.search(r"index-url|find-links|trusted-host|https?://", text) is None, name
