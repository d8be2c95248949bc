"""The gates: one file each, a pure function from evidence to a GateResult; and what surrounds them."""
