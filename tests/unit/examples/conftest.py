"""The demo's files import their neighbours by bare name, as Python does when it runs the folder."""

from __future__ import annotations

import sys
from pathlib import Path

DEMO = Path(__file__).resolve().parents[3] / "examples" / "employment" / "demo"
if str(DEMO) not in sys.path:
    sys.path.append(str(DEMO))
