"""Where `gatewright` begins: the one question that pipelines ask all the time is answered before anything is imported.

`gatewright data verify`, when nobody has touched anything since the last one, costs a start of Python and one look at
each file. Whatever is not just that goes to `cli/main.py`.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point of the command."""
    if sys.argv[1:3] == ["data", "verify"] and _verified(sys.argv[3:]):
        sys.exit(0)
    from gatewright.cli.main import main as everything

    everything()


def _verified(words: list[str]) -> bool:
    """Say what `gatewright data verify WORDS` would say, when it is known without a look into any file."""
    from gatewright.store.verified import still_verified

    root, output, names = ".", "text", list[str]()
    rest = iter(words)
    for word in rest:
        if word in ("-C", "--workspace"):
            root = next(rest, "")
        elif word == "--output":
            output = next(rest, "")
        elif word.startswith("--output="):
            output = word.removeprefix("--output=")
        else:
            names.append(word)
    if not root or output not in ("text", "json") or len(names) > 1 or any(name.startswith("-") for name in names):
        return False
    found = still_verified(root, names[0] if names else None)
    if found is None:
        return False
    if output == "json":
        import json

        results = [json.loads(said) for _, _, said in found]
        _say(json.dumps(results, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _say("\n".join(f"verified  {name} {version}" for name, version, _ in found))
    return True


def _say(text: str) -> None:
    """As `say` of cli/output.py, which needs click: a locale loses a mark, a closed pipe ends nothing."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
