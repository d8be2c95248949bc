"""What the last `data verify` proved, for as long as nobody touches pointer files or data: `.gatewright/verified`.

One line for each version: its pointer file and that file's sha256, how its data stood (`effects/standing.py`), and what
`verify` said. It is only ever a shortcut: lost, damaged, of another release, or different in anything, all is verified
again. Like the standing, it is read without importing much.
"""

from __future__ import annotations

import os
from hashlib import sha256

from gatewright import __version__
from gatewright.effects.standing import standing

FORM = "gatewright/verified/1"
_FILE = os.path.join(".gatewright", "verified")
_POINTERS = os.path.join("data", "versions")


def still_verified(root: str, name: str | None) -> list[tuple[str, str, str]] | None:
    """Name, version and what `verify` said (as JSON) of each version (of `name`), when all of it still holds.

    In the order of the full verification. None when it has to look again; also when there is no version at all.
    """
    pointers = pointer_digests(root)
    wanted = {key for key in pointers or () if name is None or key.startswith(f"{name}/")}
    known = _read(root)
    if not wanted or pointers is None or known is None:
        return None
    stood: dict[str, str] = {}
    found = []
    for key, pointer, stands, uri, said in known:
        if key not in wanted:
            continue
        if uri not in stood:
            now = standing(root, uri)
            stood[uri] = now[0] if now else ""
        if pointers[key] != pointer or stood[uri] != stands:
            return None
        wanted.discard(key)
        folder, _, version = key.partition("/")
        found.append((folder, version, said))
    return None if wanted else found


def keep_verified(root: str, proven: list[tuple[str, str, str, str, str]]) -> None:
    """Remember what a full verification has proven, instead of all that was known.

    Each is `name/version`, sha256 of the pointer file, digest of the standing, uri, and what `verify` said as JSON in
    one line. A folder that does not exist or cannot be written keeps nothing.
    """
    from tempfile import mkstemp

    lines = ("\t".join(each) for each in proven)
    plain = (line for line in lines if line.count("\t") == 4 and "\n" not in line)
    text = "\n".join(plain).encode("utf-8", "surrogateescape")
    folder = os.path.join(root, os.path.dirname(_FILE))
    try:
        handle, unfinished = mkstemp(prefix="verified-", dir=folder)
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_head(text) + text)
        os.replace(unfinished, os.path.join(root, _FILE))
    except OSError:
        os.unlink(unfinished)  # a full disk costs the shortcut, not the work


def pointer_digests(root: str) -> dict[str, str] | None:
    """sha256 of every pointer file by `name/version`; None where a folder or file is not what it should be."""
    found = {}
    try:
        with os.scandir(os.path.join(root, _POINTERS)) as folders:
            names = [folder.name for folder in folders if folder.is_dir()]
        for name in names:
            folder = os.path.join(root, _POINTERS, name)
            for file in os.listdir(folder):
                if file.endswith(".yaml") and not file.startswith("."):
                    with open(os.path.join(folder, file), "rb") as pointer:
                        found[f"{name}/{file.removesuffix('.yaml')}"] = sha256(pointer.read()).hexdigest()
    except OSError:
        return None
    return found


def _head(text: bytes) -> bytes:
    return f"{FORM} {__version__} {sha256(text).hexdigest()}\n".encode()


def _read(root: str) -> list[tuple[str, str, str, str, str]] | None:
    try:
        with open(os.path.join(root, _FILE), "rb") as file:
            head, text = file.readline(), file.read()
    except OSError:
        return None
    if head != _head(text):
        return None
    parts = [line.split("\t") for line in text.decode("utf-8", "surrogateescape").split("\n")]
    return [(key, pointer, stands, uri, said) for key, pointer, stands, uri, said in parts] if text else []
