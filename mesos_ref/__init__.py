"""The implementation: master, agent, scheduler, executor.  It knows nothing of the spec."""
