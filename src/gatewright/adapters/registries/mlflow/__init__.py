"""Registered models on an MLflow tracking server, by its REST interface."""
