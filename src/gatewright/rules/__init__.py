"""The judgements: pure functions, one question per file; what they need to know is handed in."""
