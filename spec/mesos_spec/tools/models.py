"""What the tools check: models.  They are written in `mesos_spec.model`, beside what they model."""

from __future__ import annotations

from mesos_spec.model import Counts, Model

__all__ = ["Counts", "Model"]
