"""Ways to tell people: a webhook, or a command of the team's own."""
