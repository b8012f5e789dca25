"""Testing your own framework against a judged, faulty cluster: what the pytest plugin stands on."""

from mesos_chaos.testing.finding import Finding, Run
from mesos_chaos.testing.site import Site

__all__ = ["Finding", "Run", "Site"]
