"""Bringing Gatewright into a repository: look, propose, write."""
