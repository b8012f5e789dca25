"""Small specifications of things that are not Mesos, with answers known elsewhere."""
