"""`python -m gatewright.adapters.checks.pandera_child MODULE:NAME PATH`: what a pandera schema finds, as JSON.

Exit code 0 for nothing, 1 for findings, 2 when schema, pandera or data cannot be used. Values are never printed.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

# Without it pandera looks at the columns of a lazy frame, but not at one row.
os.environ["PANDERA_VALIDATION_DEPTH"] = "SCHEMA_AND_DATA"


def main(argv: list[str]) -> int:
    """Validate PATH by MODULE:NAME and print the findings."""
    reference, path = argv
    module, _, name = reference.partition(":")
    try:
        from pandera.errors import SchemaErrors

        schema: Any = import_module(module)
        for part in name.split("."):
            schema = getattr(schema, part)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "; pip install 'pandera[polars]'" if getattr(error, "name", "") == "pandera" else ""
        print(f"{reference} cannot be loaded ({type(error).__name__}: {error}){hint}", file=sys.stderr)
        return 2
    from gatewright.effects.tables import scan

    try:
        schema.validate(scan(Path(path)).frame.collect(), lazy=True)
    except SchemaErrors as error:
        print(json.dumps({"findings": _findings(error)}))
        return 1
    print(json.dumps({"summary": f"{reference}: nothing found"}))
    return 0


def _findings(error: Any) -> list[dict[str, Any]]:
    cases = error.failure_cases.select("column", "check").rows()
    counts = Counter((str(column) if column else "", str(check)) for column, check in cases)
    return [
        {"rule": check, "column": column, "what": f"fails {check}", "count": count}
        for (column, check), count in sorted(counts.items())
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
