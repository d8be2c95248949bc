"""From the rows of an evaluation to numbers per slice: counts, metrics, paired estimates."""
