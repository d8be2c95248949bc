"""Traffic through an endpoint of SageMaker: a production variant for each arm, weights asked for and read back."""

from gatewright.adapters.traffic.sagemaker.options import Options
from gatewright.adapters.traffic.sagemaker.traffic import SagemakerTraffic

__all__ = ["Options", "SagemakerTraffic"]
