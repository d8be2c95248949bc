"""`evalset export`: the files for annotators, whole or not at all, the same at every call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gatewright.effects.files import write_atomic
from gatewright.rules.labelling.queue import Batch, Deal, batches
from gatewright.store.samples import SampleFolder


def export(folder: SampleFolder, deal: Deal, to: Path | None = None) -> tuple[Path, Sequence[Batch]]:
    """Write the batches into `to`, by default the sample's own folder, and make the one for labels."""
    facts, rows = folder.facts(), folder.rows()
    target = to or folder.export
    written = list(batches(rows, facts, deal))
    for batch in written:
        write_atomic(target / batch.name, batch.text.encode())
    folder.labels.mkdir(parents=True, exist_ok=True)
    return target, written
