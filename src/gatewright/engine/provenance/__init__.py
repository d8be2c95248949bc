"""Proof, after the fact and offline: which data, code, report and approval put which bytes into production."""
