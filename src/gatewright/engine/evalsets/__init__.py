"""Evaluation sets that follow production: sampled, labelled, imported, checked."""
