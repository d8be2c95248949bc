"""Versions in the model registry of SageMaker, their bytes and documents in S3."""
