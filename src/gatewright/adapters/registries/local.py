"""The local registry: content-addressed folders beside the state database."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from annotated_types import MinLen

from gatewright.domain.errors import DigestChanged
from gatewright.domain.lineage import Artifact, ModelVersion
from gatewright.effects.files import copy_tree_atomic, measure_artifact, read_bytes, safe_join, write_atomic
from gatewright.effects.model_store import ModelStore
from gatewright.ports import Context, Registration

ATTACHED = "attached"
_LARGEST = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`store`: a folder or URL (s3://bucket/models) where models lie by digest, for jobs on other machines."""

    store: Annotated[str, MinLen(1)] | None = None


class LocalRegistry:
    """Ports `Registry`, `CarriesModels` and `Attaching` on files and the state database.

    Without a store all is in `.gatewright`.
    """

    def __init__(self, options: Options, context: Context) -> None:
        self._context = context
        self._folder = context.root / ".gatewright" / "registry"
        self._models = ModelStore(options.store, context.root) if options.store else None

    def register(self, registration: Registration) -> ModelVersion:
        """Copy the artifact to its digest and number it; the same digest gives the version it already has."""
        candidate = registration.candidate
        artifact = candidate.artifact
        if existing := self.find(candidate.model, artifact.digest):
            return existing
        stored = self._store(artifact)
        self.keep(stored)
        self._context.database.repeat(lambda: self._number(registration, stored))
        found = self.find(candidate.model, artifact.digest)
        assert found is not None
        return found

    def keep(self, artifact: Artifact) -> None:
        """Have it in the store, if there is one."""
        if self._models is not None:
            self._models.keep(self._context.root / artifact.uri, artifact.digest)

    def bring(self, artifact: Artifact) -> None:
        """Lay it at its uri, if there is a store."""
        if self._models is not None:
            self._models.bring(artifact.digest, self._context.root / artifact.uri)

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        """Keep it below `attached`, where no digest looks, and in the store, if there is one."""
        path = self._place(version, name)
        if self._models is not None:
            self._models.keep_file(path, content)
        target = safe_join(self._folder, path)
        if not target.is_file() or read_bytes(target, _LARGEST) != content:
            write_atomic(target, content, called="attached")

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        """What is kept here, else in the store."""
        path = self._place(version, name)
        target = safe_join(self._folder, path)
        if target.is_file():
            return read_bytes(target, _LARGEST)
        return self._models.file(path) if self._models is not None else None

    def _place(self, version: ModelVersion, name: str) -> str:
        return f"{ATTACHED}/{version.model}/{version.artifact.digest.removeprefix('sha256:')}/{name}"

    def _number(self, registration: Registration, stored: Artifact) -> None:
        candidate = registration.candidate
        with self._context.database.transaction("register") as connection:
            number = connection.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM versions WHERE model = ?", (candidate.model,)
            ).fetchone()[0]
            connection.execute(
                "INSERT OR IGNORE INTO versions (model, number, digest, uri, size, data_digest, commit_id, "
                "report_digest, run, registered_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    candidate.model,
                    number,
                    stored.digest,
                    stored.uri,
                    stored.size,
                    registration.data_digest,
                    candidate.commit,
                    registration.report_digest,
                    registration.run,
                    self._context.clock.now().isoformat(),
                ),
            )

    def find(self, model: str, digest: str) -> ModelVersion | None:
        """The version of `model` with this artifact digest."""
        return self._one("SELECT * FROM versions WHERE model = ? AND digest = ?", model, digest)

    def numbered(self, model: str, number: int) -> ModelVersion | None:
        """The version of `model` with this number."""
        return self._one("SELECT * FROM versions WHERE model = ? AND number = ?", model, number)

    def serving(self, model: str) -> ModelVersion | None:
        """The version that production serves; None before the first deployment."""
        return self._one("SELECT versions.* FROM versions JOIN serving USING (model, number) WHERE model = ?", model)

    def mark_serving(self, model: str, version: ModelVersion | None) -> None:
        """Make `version` the baseline; None leaves the model without one."""
        self._context.database.repeat(lambda: self._mark(model, version))

    def _mark(self, model: str, version: ModelVersion | None) -> None:
        with self._context.database.transaction("serving") as connection:
            if version is None:
                connection.execute("DELETE FROM serving WHERE model = ?", (model,))
                return
            connection.execute(
                "INSERT INTO serving (model, number, since) VALUES (?, ?, ?) ON CONFLICT (model) DO UPDATE SET "
                "since = iif(number = excluded.number, since, excluded.since), number = excluded.number",
                (version.model, version.number, self._context.clock.now().isoformat()),
            )

    def _store(self, artifact: Artifact) -> Artifact:
        target = self._folder / artifact.digest.removeprefix("sha256:")
        copy_tree_atomic(self._context.root / artifact.uri, target)
        stored = replace(measure_artifact(target), uri=target.relative_to(self._context.root).as_posix())
        if stored.digest != artifact.digest:
            shutil.rmtree(target, ignore_errors=True)  # it would stand in the way of the right bytes
            raise DigestChanged(f"the model in {target}", recorded=artifact.digest, found=stored.digest)
        return stored

    def _one(self, sql: str, *parameters: str | int) -> ModelVersion | None:
        row = self._context.database.row(sql, parameters)
        return _version(row) if row else None


def _version(row: sqlite3.Row) -> ModelVersion:
    return ModelVersion(
        model=row["model"],
        number=row["number"],
        artifact=Artifact(uri=row["uri"], digest=row["digest"], size=row["size"]),
        data=row["data_digest"],
        commit=row["commit_id"],
        report=row["report_digest"],
        run=row["run"],
        registered_at=datetime.fromisoformat(row["registered_at"]),
    )
