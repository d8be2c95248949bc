"""The statistical gates: one file a gate, each a pure function from evidence to a GateResult."""
