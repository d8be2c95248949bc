"""Checks of code, dependencies and data before anything is trained. One that could not really run is no pass."""
