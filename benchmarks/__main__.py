"""All benchmarks, one after the other, each a process of its own: `python benchmarks`. Then one summary."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from measuring import RESULTS, progress

NAMES = (
    "pipeline_overhead",
    "model_server",
    "weight_changes",
    "evaluation",
    "many_rollouts",
    "validation",
    "no_change",
)


def main() -> int:
    began = time.time()
    failed = []
    for name in NAMES:
        progress(f"==> {name}")
        script = Path(__file__).with_name(f"{name}.py")
        if subprocess.run([sys.executable, str(script)], stdout=subprocess.DEVNULL, check=False).returncode:
            failed.append(name)
    for name in NAMES:
        file = RESULTS / f"{name}.json"
        if not file.exists() or file.stat().st_mtime < began:
            print(f"\n{name}: NOT MEASURED, see above")
            continue
        document = json.loads(file.read_text("utf-8"))
        machine = document["machine"]
        print(
            f"\n{document['table']}\n\n({document['at']}, {machine['cpus']} CPUs, load at the end {machine['load'][0]})"
        )
    print(f"\n{time.time() - began:.0f} s in all; the figures are in {RESULTS.name}/*.json")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
