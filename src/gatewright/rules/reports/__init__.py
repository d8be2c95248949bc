"""evaluation-report.json: its form, its writing, its reading, and the summary numbers in it."""
