"""Checks of the code before anything is trained. A check that could not really run says so: that is no pass."""
