"""Numbered SQL files of the join of predictions and labels, applied in order, each once."""
