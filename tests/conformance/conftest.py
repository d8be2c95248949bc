"""What a promise that is not kept has found instead is shown, as in the tests of this repository."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    "gatewright.testing.evidence", "gatewright.testing.registries", "gatewright.testing.traffic"
)
