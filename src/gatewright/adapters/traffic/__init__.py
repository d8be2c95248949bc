"""Ways to split live traffic between the arms of a rollout."""
