"""Toys made into models, and what may go wrong in the post office, for tests to find."""

from __future__ import annotations

from typing import Any

from mesos_spec.examples.post_office import Bye, Post, customers
from mesos_spec.kernel import Specification, action, require
from mesos_spec.kernel.model import Model


def modelled(spec: Specification[Any], bounds: Any = None, **more: Any) -> Model[Any]:
    """A model of a toy."""
    return Model(name=spec.name, title="A toy", spec=spec, bounds=bounds, **more)


@action(changes="got", customer=customers)
def lose(s: Post, customer: str) -> None:
    """A stamp is lost."""
    require(s.got[customer] == 2, "there is one to lose")
    s.got[customer] -= 1


@action(changes="queue", by="customer", customer=customers)
def leave(s: Post, customer: str) -> None:
    """A customer gives up."""
    require(s.asked[customer] == 1, "the customer has asked")
    s.queue[customer] += Bye()
