"""Programs that read, lint and run pipelines: locked npm packages and rsync, unpacked into .venv, not installed.

`python tests/pipelines/node/install.py` fetches them (`make test` does). Where that cannot be done it says why, and the
tests that need them are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[2] / ".venv" / "node"
PACKAGES = FOLDER / "node_modules"
PROGRAMS = PACKAGES / ".bin"
RSYNC = FOLDER / "debian" / "usr" / "bin" / "rsync"
NODE = 20
JAVA = 17
_LOCKED = ("package.json", "package-lock.json", ".npmrc")
_LIMIT_S = 300


def missing() -> str:
    """What keeps the tests from running pipelines, or nothing."""
    return lacking() or ("" if installed() else "the npm packages are not installed: make test installs them")


def lacking() -> str:
    """What this machine lacks, or nothing."""
    for program in ("node", "npm", "java", "git", "bash"):
        if shutil.which(program) is None:
            return f"there is no {program} here"
    node = _said("node", "--version").removeprefix("v").partition(".")[0]
    if not node.isdigit() or int(node) < NODE:
        return f"node is {node}, {NODE} or newer is needed"
    java = _said("java", "-version").partition('version "')[2].partition(".")[0]
    return "" if java.isdigit() and int(java) >= JAVA else f"java is {java or 'broken'}, {JAVA} or newer is needed"


def installed() -> bool:
    """Whether exactly the locked packages are there."""
    lock = FOLDER / "package-lock.json"
    return (PACKAGES / ".done").is_file() and lock.read_bytes() == (HERE / "package-lock.json").read_bytes()


def rsync() -> Path | None:
    """The rsync that gitlab-ci-local calls, if there is one."""
    found = shutil.which("rsync")
    return Path(found) if found else (RSYNC if os.access(RSYNC, os.X_OK) else None)


def install() -> str:
    """Unpack the locked packages, with the hashes of the lock and no script of theirs; the reason if that failed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in _LOCKED:
        shutil.copyfile(HERE / name, FOLDER / name)
    if why := _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", folder=FOLDER):
        return why
    (PACKAGES / ".done").touch()
    return "" if rsync() else _unpack_rsync()


def _unpack_rsync() -> str:
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            return f"there is no {program} here: put rsync into PATH"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if _run("apt-get", "-q", "download", "rsync", folder=folder):
            # Package lists of our own: those of the machine may be missing, and are not ours to change.
            (folder / "lists" / "partial").mkdir(parents=True)
            (folder / "cache" / "archives" / "partial").mkdir(parents=True)
            own = ("-q", "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache")
            for words in (("update",), ("download", "rsync")):
                if why := _run("apt-get", *own, *words, folder=folder):
                    return why
        (package,) = folder.glob("rsync_*.deb")
        if why := _run("dpkg-deb", "-x", str(package), str(FOLDER / "debian"), folder=folder):
            return why
    return _run(str(RSYNC), "--version", folder=FOLDER)


def _run(*words: str, folder: Path) -> str:
    """Run a command; what went wrong, or nothing."""
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{words[0]} took longer than {_LIMIT_S} s"
    said = (done.stderr or done.stdout).strip().splitlines() or [f"it ended with {done.returncode}"]
    return "" if done.returncode == 0 else f"{Path(words[0]).name}: {said[0]}"


def _said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def main() -> int:
    """Install unless all is there; 1 and the reason when that cannot be."""
    why = lacking() or ("" if installed() and rsync() else install())
    if why:
        print(f"note: pipelines cannot be run here, so their tests are skipped: {why}", file=sys.stderr)
    return 1 if why else 0


if __name__ == "__main__":
    sys.exit(main())
