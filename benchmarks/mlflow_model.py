"""Leaves a skops model as an MLflow model, run by the peers' interpreter: `mlflow_model.py MODEL.skops FOLDER`."""

from __future__ import annotations

import sys

import mlflow.sklearn
import skops.io

source, target = sys.argv[1:]
untrusted = skops.io.get_untrusted_types(file=source)
estimator = skops.io.load(source, trusted=untrusted)
mlflow.sklearn.save_model(estimator, target, serialization_format="cloudpickle", pip_requirements=["scikit-learn"])
