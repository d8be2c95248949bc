"""Runners of the team's own commands."""
