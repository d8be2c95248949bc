"""A model as the archive that SageMaker unpacks: written the same each time, unfolded without trust."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path

from gatewright.domain.errors import DigestChanged, UnusableInput, WorldFailed
from gatewright.effects.files import list_files, measure_artifact, safe_join

_CHUNK = 1 << 20


def pack(folder: Path, into: Path) -> None:
    """Write the files of `folder` to the new file `into`: sorted, without owners or times."""
    with (
        into.open("xb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=6) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for file in list_files(folder):
            member = tarfile.TarInfo(file.path)
            member.size, member.mode = file.size, 0o644
            with (folder / file.path).open("rb") as source:
                archive.addfile(member, source)


def unfold(archive: Path, into: Path, *, digest: str, size: int, where: str) -> None:
    """Lay the files of `archive` into the folder `into`, which then holds exactly the model.

    Only regular files are taken, each below `into`, and at most `size` bytes in all. UnusableInput for anything else,
    DigestChanged for other bytes than `digest`; `where` says in errors which archive it was.
    """
    left = size
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                if member.isdir():
                    continue
                if not member.isreg():
                    raise _strange(where, f"{member.name!r} is no regular file")
                left -= member.size
                if left < 0:
                    raise _strange(where, f"it unfolds to more than {size:,} bytes")
                _lay(opened, member, safe_join(into, member.name), where)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _strange(where, f"it cannot be unfolded: {error}") from error
    except OSError as error:
        raise WorldFailed(
            f"the archive {where} cannot be unfolded to {into}: {error.strerror or error}",
            fix="free space or mend the rights, then try again",
        ) from error
    found = measure_artifact(into).digest if any(into.iterdir()) else "nothing"
    if found != digest:
        raise DigestChanged(
            f"the model in {where}", recorded=digest, found=found, fix="restore that object from its older version"
        )


def _lay(opened: tarfile.TarFile, member: tarfile.TarInfo, target: Path, where: str) -> None:
    source = opened.extractfile(member)
    if source is None or target.exists():
        raise _strange(where, f"{member.name!r} is there twice")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        while chunk := source.read(_CHUNK):
            file.write(chunk)


def _strange(where: str, what: str) -> UnusableInput:
    return UnusableInput(f"the archive {where}: {what}", fix="somebody else has written it: restore its older version")
