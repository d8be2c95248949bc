"""From production traffic to labelled evaluation rows: what to sample, how to ask, what the answers are worth."""
