"""How a nursery is asked: it has loaded what takes seconds to import, and forks a child for each request.

The folder is open to its owner only, the socket in it, too; each side also asks the kernel who the other is, because a
request carries the asker's environment. A request is four bytes of length, then JSON, and one open file: where the
child writes. The answers are lines of JSON: `{"pid": …}` once the child runs, `{"code": …}` when all of it has ended,
or `{"refused": …}` alone. The child ends when the asker hangs up.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_SOCKET = "socket"
_PATIENCE_S = 2.0
_LIMIT = 8 << 20
_LENGTH = struct.Struct("!I")
_PEER = struct.Struct("3i")


class Refused(Exception):
    """A nursery that is not there, does not answer, or will not do it; the text says which."""


def listen(folder: Path) -> socket.socket:
    """The socket of a new nursery in `folder`, for its owner only. OSError where there can be none."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    folder.chmod(0o700)
    (folder / _SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _short_name(folder) as name:
            listener.bind(name)
    finally:
        os.umask(mask)
    listener.listen(16)
    return listener


def remove_socket(folder: Path) -> None:
    """What a nursery that has ended leaves behind."""
    (folder / _SOCKET).unlink(missing_ok=True)


def receive(connection: socket.socket) -> tuple[dict[str, Any], int]:
    """The request and the file that came with it. Refused for anything but a whole request of this user."""
    connection.settimeout(_PATIENCE_S)
    if peer(connection)[1] != os.geteuid():
        raise Refused("it was asked by another user")
    try:
        head, files, _, _ = socket.recv_fds(connection, _LENGTH.size, 4)
        if len(files) != 1 or len(head) != _LENGTH.size:
            for file in files:
                os.close(file)
            raise Refused("a request is a length, JSON and one file")
        request = _receive_document(connection, *_LENGTH.unpack(head))
    except (OSError, ValueError) as error:
        raise Refused(f"it could not read the request: {error}") from error
    return request, files[0]


def _receive_document(connection: socket.socket, length: int) -> dict[str, Any]:
    if length > _LIMIT:
        raise ValueError(f"{length:,} bytes, at most {_LIMIT:,}")
    data = bytearray()
    while len(data) < length:
        more = connection.recv(min(length - len(data), 1 << 16))
        if not more:
            raise ValueError("it ended too early")
        data += more
    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError("it is no object")
    return document


def tell(connection: socket.socket, words: Mapping[str, object]) -> None:
    """One answer; an asker that has hung up does not hear it."""
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(words).encode() + b"\n")


def hung_up(connection: socket.socket) -> bool:
    """Whether the asker does not want it any more."""
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def peer(connection: socket.socket) -> tuple[int, int]:
    """Process and user at the other end."""
    pid, user, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return pid, user


class Child:
    """A child that a nursery forked for us, seen as a `subprocess.Popen`; leaving the block ends it.

    `lost`: the nursery, or what watches over the child, ended without telling how the child did.
    """

    def __init__(self, connection: socket.socket, stdout: IO[bytes]) -> None:
        self._connection = connection
        self._said = b""
        self.stdout: IO[bytes] | None = stdout
        self.pid = 0
        self.returncode: int | None = None
        self.lost = False

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        if self.stdout is not None:
            self.stdout.close()

    def connect(self, folder: Path, expected: tuple[int, int]) -> None:
        """Reach the nursery in `folder`; Refused unless process and user there are the expected ones."""
        self._connection.settimeout(_PATIENCE_S)
        with _short_name(folder) as name:
            self._connection.connect(name)
        if peer(self._connection) != expected:
            raise Refused("somebody else listens there")

    def say(self, data: bytes, output: int) -> None:
        """The request, with the file that the child shall write to."""
        socket.send_fds(self._connection, [_LENGTH.pack(len(data))], [output])
        self._connection.sendall(data)

    def poll(self) -> int | None:
        """How it ended; below zero the signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; subprocess.TimeoutExpired when that takes longer."""
        while self.returncode is None:
            words = self.hear(timeout)
            self.lost = "code" not in words
            self.returncode = int(words.get("code", -signal.SIGKILL))
        return self.returncode

    def terminate(self) -> None:
        """Hang up; what the child started is ended with it."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)

    def hear(self, timeout: float | None) -> dict[str, Any]:
        """The next answer; empty when there will be none."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._said:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._connection.settimeout(left)
            try:
                data = self._connection.recv(4096)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired("a child of the nursery", timeout or 0.0) from None
            except OSError:
                data = b""
            if not data:
                return {}
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        words: dict[str, Any] = json.loads(line)
        return words


def ask(folder: Path, *, pid: int, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], known: str) -> Child:
    """Have the nursery with this pid in `folder` fork a child that works as if started in `cwd` under `env`.

    `known`: our surroundings; it must have the same. Refused after two seconds without an answer.
    """
    request = {"surroundings": known, "arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
    data = json.dumps(request).encode()
    reading, writing = os.pipe()
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, writing)
        child = Child(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), os.fdopen(reading, "rb", buffering=0))
        given_up = undo.enter_context(contextlib.ExitStack())
        given_up.enter_context(child)
        try:
            child.connect(folder, (pid, os.geteuid()))
            child.say(data, writing)
            answer = child.hear(_PATIENCE_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Refused(f"it does not answer: {error}") from error
        if "pid" not in answer:
            raise Refused(str(answer.get("refused", "it hung up")))
        child.pid = int(answer["pid"])
        given_up.pop_all()
        return child


@contextlib.contextmanager
def _short_name(folder: Path) -> Iterator[str]:
    """A name for the socket that fits into the 108 bytes of an address, however long the folder's path is."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{_SOCKET}"
    finally:
        os.close(handle)
