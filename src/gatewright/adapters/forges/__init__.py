"""Where code is reviewed and deployments are shown: port `Forge`, and notifiers that keep a rollout's deployment."""
