"""Traffic through Envoy: a gateway told by files, weights drawn by user, every setting read back."""

from gatewright.adapters.traffic.envoy.gateway import EnvoyGateway
from gatewright.adapters.traffic.envoy.options import Options
from gatewright.adapters.traffic.envoy.traffic import EnvoyTraffic

__all__ = ["EnvoyGateway", "EnvoyTraffic", "Options"]
