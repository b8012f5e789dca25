"""The implementation: master, agent, scheduler and executor.  It knows nothing of the specification."""
