"""Watching data: what is new, who claims it, and the run that is started for it."""
