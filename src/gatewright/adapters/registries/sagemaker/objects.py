"""What lies in S3: archives of models by digest and documents by run, each read back before anybody relies on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from gatewright.adapters.registries.sagemaker.archives import pack, unfold
from gatewright.domain.errors import UnusableInput, WorldFailed
from gatewright.domain.lineage import Artifact
from gatewright.effects.aws import Refused, asking
from gatewright.effects.failpoints import failpoint
from gatewright.effects.files import place_folder
from gatewright.effects.unfinished import unfinished_folder

_PLACE = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:/[A-Za-z0-9!_.*'()-]+)*)/?")
_GONE = ("404", "NoSuchKey", "NotFound")
_CHUNK = 1 << 20


def is_place(text: str) -> bool:
    """A bucket and perhaps a folder in it: s3://BUCKET/FOLDER."""
    return _PLACE.fullmatch(text) is not None


class Objects:
    """The models and documents below `place`. The archive of a model is written once and never replaced."""

    def __init__(self, client: Any, place: str, scratch: Path) -> None:
        found = _PLACE.fullmatch(place)
        assert found is not None
        self._client, self._scratch = client, scratch
        self._bucket, self._folder = found[1], found[2].strip("/")

    def model_url(self, digest: str) -> str:
        """Where the archive of this model is."""
        return self._url(_archive(digest))

    def keep_model(self, folder: Path, artifact: Artifact) -> None:
        """Have the archive of the model in `folder` there, unfolded once again for proof.

        DigestChanged or UnusableInput when something else lies in its place.
        """
        self._scratch.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(self._scratch / "archive") as beside:
            if not self._is_there(_archive(artifact.digest)):
                pack(folder, beside / "model.tar.gz")
                self._upload(_archive(artifact.digest), beside / "model.tar.gz")
            (beside / "proof").mkdir()
            self._unfold(artifact, beside / "read.tar.gz", beside / "proof")

    def lay_model(self, artifact: Artifact, target: Path) -> None:
        """Lay the model at `target`, whole and proven or not at all; UnusableInput when it is not there."""
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        with unfinished_folder(target) as unfinished:
            (unfinished / "model").mkdir()
            self._unfold(artifact, unfinished / "read.tar.gz", unfinished / "model")
            place_folder(unfinished / "model", target)

    def keep_document(self, name: str, content: bytes) -> str:
        """Have `content` there as `name`, read back; its URL. WorldFailed when other bytes come back."""
        if self.document(name) != content:
            failpoint("before-http:sagemaker-document")
            with asking(f"writing {self._url(name)}"):
                self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=content)
            failpoint("after-http:sagemaker-document")
            if self.document(name) != content:
                raise WorldFailed(
                    f"{self._url(name)} came back with other bytes than were written",
                    fix="somebody else writes there: name another place in registry.store",
                )
        return self._url(name)

    def document(self, name: str) -> bytes | None:
        """What is there as `name`; None when nothing is."""
        body = self._body(name)
        if body is None:
            return None
        with asking(f"reading {self._url(name)}"):
            found: bytes = body.read()
            return found

    def _upload(self, name: str, file: Path) -> None:
        failpoint("before-http:sagemaker-upload")
        with asking(f"uploading {self._url(name)}"), file.open("rb") as body:
            self._client.upload_fileobj(body, self._bucket, self._key(name))
        failpoint("after-http:sagemaker-upload")

    def _unfold(self, artifact: Artifact, archive: Path, into: Path) -> None:
        where = self.model_url(artifact.digest)
        body = self._body(_archive(artifact.digest))
        if body is None:
            raise UnusableInput(f"the registry lacks the bytes of {artifact.digest}", fix=f"restore {where}")
        with asking(f"reading {where}"), archive.open("xb") as file:
            for chunk in body.iter_chunks(_CHUNK):
                file.write(chunk)
        unfold(archive, into, digest=artifact.digest, size=artifact.size, where=where)

    def _is_there(self, name: str) -> bool:
        try:
            with asking(f"looking for {self._url(name)}"):
                self._client.head_object(Bucket=self._bucket, Key=self._key(name))
        except Refused as error:
            if error.code in _GONE:
                return False
            raise
        return True

    def _body(self, name: str) -> Any:
        try:
            with asking(f"reading {self._url(name)}"):
                return self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"]
        except Refused as error:
            if error.code in _GONE:
                return None
            raise

    def _key(self, name: str) -> str:
        return f"{self._folder}/{name}" if self._folder else name

    def _url(self, name: str) -> str:
        return f"s3://{self._bucket}/{self._key(name)}"


def _archive(digest: str) -> str:
    return f"models/{digest.removeprefix('sha256:')}.tar.gz"
