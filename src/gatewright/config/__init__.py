"""Files that people write, gatewright.yaml above all: read strictly, each problem with its position."""
