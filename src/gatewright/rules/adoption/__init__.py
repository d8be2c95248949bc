"""Facts about a repository → guesses with reasons: one question per file."""
