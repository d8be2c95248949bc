"""Whoever starts the run of a change of data: port `Trigger`."""
