"""Bad input, the list of artifacts, as far as a model is a folder (`gatewright.serving.models.load`)."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LISTED = ("path traversal in archives", "links out", "bombs", "unexpected dotfiles", "pickles", "a bad signature")
MODEL, SIGNATURE = "model.skops", "signature.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadArtifact:
    """`damage` is done to a copy of a good model's folder; `says` follows the path of that folder."""

    name: str
    damage: Callable[[Path], object]
    says: str


def member(name: str, megabytes: int = 0) -> Callable[[Path], None]:
    """One more member in the archive."""

    def damage(folder: Path) -> None:
        with (
            zipfile.ZipFile(folder / MODEL, "a", zipfile.ZIP_DEFLATED) as archive,
            archive.open(name, "w") as target,
        ):
            for _ in range(megabytes):
                target.write(bytes(1 << 20))

    return damage


def signature(old: str, new: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        text = (folder / SIGNATURE).read_text(encoding="utf-8")
        assert text.count(old) == 1
        (folder / SIGNATURE).write_text(text.replace(old, new), encoding="utf-8")

    return damage


def written(name: str, data: bytes = b"") -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)

    return damage


def linked(name: str, target: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return damage


PLAIN = "allowed: each member once, by a plain name"
LINK = "is a link: a model is allowed to hold files and folders only"
HIDDEN = "is hidden: nothing that a model needs has a name with a dot in front"
ROWS = (
    BadArtifact(
        name="path traversal in archives",
        damage=member("../../evil.py"),
        says=f"/{MODEL} holds '../../evil.py', which leads out of it; {PLAIN}",
    ),
    BadArtifact(
        name="path traversal in archives",
        damage=member("/etc/evil"),
        says=f"/{MODEL} holds '/etc/evil', which leads out of it; {PLAIN}",
    ),
    BadArtifact(
        name="path traversal in archives",
        damage=member("schema.json"),
        says=f"/{MODEL} holds 'schema.json', twice; {PLAIN}",
    ),
    BadArtifact(name="links out", damage=linked("notes", "/etc/passwd"), says=f"/notes {LINK}"),
    BadArtifact(name="links out", damage=linked("notes", "/etc"), says=f"/notes {LINK}"),
    BadArtifact(name="links out", damage=linked(SIGNATURE, "/etc/hostname"), says=f"/{SIGNATURE} {LINK}"),
    BadArtifact(name="links out", damage=linked("notes", "notes"), says=f"/notes {LINK}"),
    BadArtifact(
        name="links out", damage=lambda folder: os.mkfifo(folder / "pipe"), says="/pipe is no file: a model is"
    ),
    BadArtifact(name="bombs", damage=member("zeros.npy", 100), says=f"/{MODEL} unpacks to 104,8"),
    BadArtifact(name="unexpected dotfiles", damage=written(".env"), says=f"/.env {HIDDEN}"),
    BadArtifact(name="unexpected dotfiles", damage=written(".git/evil.py"), says=f"/.git {HIDDEN}"),
    BadArtifact(name="pickles", damage=written("model.pkl"), says="/model.pkl is a pickle, which runs any code when"),
    BadArtifact(name="pickles", damage=written("deep/MODEL.JOBLIB"), says="/deep/MODEL.JOBLIB is a pickle"),
    BadArtifact(name="pickles", damage=written(MODEL, b"\x80\x04."), says=f"/{MODEL} is no skops file that can be"),
    BadArtifact(
        name="a bad signature",
        damage=signature("40.0", "NaN"),
        says=f"/{SIGNATURE}:1:219: example.AGE: found nan; allowed: a finite number or null",
    ),
    BadArtifact(
        name="a bad signature",
        damage=signature('"skops"', '"pickle"'),
        says=f"/{SIGNATURE}:1:12: format: found 'pickle'; allowed: skops",
    ),
    BadArtifact(
        name="a bad signature",
        damage=signature('"skops"', '"entry"'),
        says=" is not loaded: loading it runs the code that it brings",
    ),
    BadArtifact(
        name="a bad signature",
        damage=written(SIGNATURE, b'{"format": "skops", "format": "skops"}'),
        says=f"/{SIGNATURE}:1:21: format: found given twice; allowed: once",
    ),
    BadArtifact(
        name="a bad signature",
        damage=written(SIGNATURE, b"[" * 100_000),
        says=f"/{SIGNATURE}:1:51: found what is nested too deeply; allowed: a JSON object",
    ),
    BadArtifact(
        name="a bad signature",
        damage=written(SIGNATURE, b'{"format": '),
        says=f"/{SIGNATURE}:1:12: found what is not JSON: Expecting value; allowed: a JSON object",
    ),
    BadArtifact(
        name="a bad signature",
        damage=written(SIGNATURE, b" " * ((1 << 20) + 1)),
        says=f"/{SIGNATURE} is 1,048,577 bytes large, at most 1,048,576 are read",
    ),
)
