"""CI/CD for machine-learning models: from a data change to live traffic, with a gate at every joint."""

from __future__ import annotations

__version__ = "0.1.0"
