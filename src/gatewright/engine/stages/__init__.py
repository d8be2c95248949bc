"""The six stages, one file each; `evaluate` and `gate` are the two halves of the third."""
