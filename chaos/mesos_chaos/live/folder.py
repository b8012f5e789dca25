"""Run directories: one for each scenario and seed, and `latest`."""

from __future__ import annotations

import shutil
from pathlib import Path


def fresh_folder(base: Path, name: str, seed: int) -> Path:
    """An empty directory `base/name/seed`, whatever was there; `base/latest` leads to it."""
    folder = (base / name / str(seed)).absolute()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    latest = base / "latest"
    aside = base / f".latest.{name}.{seed}"
    aside.unlink(missing_ok=True)
    aside.symlink_to(folder)
    aside.replace(latest)
    return folder
