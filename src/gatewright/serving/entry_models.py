"""Models that the team's own code loads: the copy of it that the model carries, never the one in the working tree.

The code is read into memory once, proven against the model's listing, and imported from there: its modules win over
any others of their names, and no compiled file is read or written. Several models, with other code under the same
names, can be loaded in one process: whoever works has its own modules in place, those of the other step aside.
What the code imports besides must be installed: a file of the working tree is refused, since nobody would prove it.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gatewright.config.entry import CODE_FOLDER, read_entry
from gatewright.domain.errors import DigestChanged, GatewrightError, UnusableInput
from gatewright.domain.lineage import DataFile
from gatewright.effects.files import digest_listing, list_files, read_bytes
from gatewright.serving.models import MODEL_ERRORS, SIGNATURE_FILE
from gatewright.serving.signature import Signature

_LARGEST = 16 << 20
_INSTALLED = ("site-packages", "dist-packages")


class EntryEstimator:
    """What the team's function returned, called as a fitted estimator."""

    def __init__(self, model: Any, code: CarriedCode, signature: Signature) -> None:
        self._model, self.code = model, code
        known = getattr(model, "classes_", signature.classes)
        has_shares = callable(getattr(model, "predict_proba", None))
        self.classes_ = None if known is None or not has_shares else [int(each) for each in known]

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[Any]:
        """(n, inputs) → (n,) what the model answers."""
        with self.code:
            return np.asarray(self._model.predict(matrix))

    def predict_proba(self, matrix: NDArray[np.float64]) -> NDArray[Any]:
        """(n, inputs) → (n, classes)."""
        with self.code:
            return np.asarray(self._model.predict_proba(matrix))


def load_entry(folder: Path, signature: Signature, told: bytes, *, allow_code: bool) -> tuple[EntryEstimator, str]:
    """The model in `folder`, whose signature.json is `told`, and the digest that it had before and after.

    UnusableInput without consent, and when its function does not load it; DigestChanged when a byte changed meanwhile.
    """
    if not allow_code:
        raise UnusableInput(
            f"{folder} is not loaded: loading it runs the code that it brings",
            fix="allow it in gatewright.yaml: train.allow_code: true, or save the model as skops or ONNX",
        )
    entry = read_entry(folder)
    before = {file.path: file for file in list_files(folder)}
    sources = {
        name.removeprefix(f"{CODE_FOLDER}/"): _proven(folder, file)
        for name, file in before.items()
        if name.startswith(f"{CODE_FOLDER}/")
    }
    if hashlib.sha256(told).hexdigest() != before[SIGNATURE_FILE].sha256:
        raise DigestChanged(f"{folder / SIGNATURE_FILE}", recorded="what was read first", found="other bytes")
    if not any(name in sources for name in entry.files):
        raise UnusableInput(f"{folder} carries no {entry.files[0]}", fix="train the model again")
    code = CarriedCode(folder.absolute() / CODE_FOLDER, sources, Path.cwd())
    with _Foreign(f"{entry} of {folder}"), code:
        function = getattr(importlib.import_module(entry.module), entry.function, None)
        if not callable(function):
            raise UnusableInput(
                f"{entry.module} in {folder} has no function {entry.function}", fix="define it, then train again"
            )
        model = function(folder.absolute())
    if not callable(getattr(model, "predict", None)):
        raise UnusableInput(
            f"{entry} of {folder} returned a {type(model).__name__}, which cannot predict",
            fix="return an object with predict(matrix)",
        )
    digest = digest_listing(before.values())
    after = digest_listing(list_files(folder))
    if after != digest:
        raise DigestChanged(f"the artifact {folder}", recorded=digest, found=after)
    return EntryEstimator(model, code, signature), digest


def _proven(folder: Path, file: DataFile) -> bytes:
    data = read_bytes(folder / file.path, _LARGEST)
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        raise DigestChanged(f"{folder / file.path}", recorded=f"sha256:{file.sha256}", found=f"sha256:{found}")
    return data


class CarriedCode:
    """The modules of one model: a context in which they, and no others of their names, are imported.

    They stay in place when the context ends, until those of another model are needed: a switch costs microseconds.
    """

    _in_place: ClassVar[CarriedCode | None] = None

    def __init__(self, folder: Path, files: Mapping[str, bytes], working_tree: Path) -> None:
        self._finder = _Finder(folder, files, working_tree)
        self._aside: dict[str, ModuleType] = {}

    def __enter__(self) -> CarriedCode:
        if CarriedCode._in_place is not self:
            if CarriedCode._in_place is not None:
                CarriedCode._in_place.step_aside()
            self._take_place()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, GatewrightError) or not isinstance(error, (Exception, SystemExit)):
            return
        if not isinstance(error, MODEL_ERRORS):  # the team may raise what it likes
            raise RuntimeError(f"{type(error).__name__}: {error}") from error

    def _take_place(self) -> None:
        if taken := sorted(name for name in self._finder.tops if name in sys.modules):
            raise UnusableInput(
                f"the code of the model has the name of a package that is loaded already: {taken[0]}",
                fix="give the module of train.entry another name",
            )
        sys.modules.update(self._aside)
        sys.meta_path.insert(0, self._finder)
        CarriedCode._in_place = self

    def step_aside(self) -> None:
        """Take the modules out of the process's table; the model keeps them for its next call."""
        if CarriedCode._in_place is not self:
            return
        sys.meta_path.remove(self._finder)
        self._aside = {name: sys.modules.pop(name) for name in self._finder.found if name in sys.modules}
        CarriedCode._in_place = None


class _Loader(SourceLoader):
    """Loads the modules of `files`, which lie below `folder`, from memory; nothing compiled is kept."""

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self._folder, self._files = folder, files

    def get_filename(self, fullname: str) -> str:
        name = fullname.replace(".", "/")
        inside = f"{name}/__init__.py" if f"{name}/__init__.py" in self._files else f"{name}.py"
        return str(self._folder / inside)

    def get_data(self, path: str | bytes) -> bytes:
        wanted = Path(path if isinstance(path, str) else path.decode())
        if wanted.is_relative_to(self._folder):
            found = self._files.get(wanted.relative_to(self._folder).as_posix())
            if found is not None:
                return found
        raise FileNotFoundError(f"{wanted} is not among the code that the model carries")


class _Finder(MetaPathFinder):
    """Finds the modules of `files`, which lie below `folder`."""

    def __init__(self, folder: Path, files: Mapping[str, bytes], working_tree: Path) -> None:
        self._folder, self._files = folder, files
        self._loader = _Loader(folder, files)
        self._working_tree = working_tree.resolve()
        self.tops = {name.partition("/")[0].removesuffix(".py") for name in files if name.endswith(".py")}
        self.found: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module if it is carried; None leaves it to other finders, unless they look into the working tree."""
        if fullname.partition(".")[0] not in self.tops:
            if path is None and fullname != "gatewright":
                self._refuse_working_tree(fullname)
            return None
        self.found.add(fullname)
        name = fullname.replace(".", "/")
        is_package = f"{name}/__init__.py" in self._files
        if not is_package and f"{name}.py" not in self._files:
            if not any(each.startswith(f"{name}/") for each in self._files):
                return None  # such as an extension module, which lies beside the sources
            return self._package(ModuleSpec(fullname, None, is_package=True), name)  # one without __init__.py
        spec = spec_from_loader(fullname, self._loader, is_package=is_package)
        return self._package(spec, name) if spec is not None and is_package else spec

    def _package(self, spec: ModuleSpec, name: str) -> ModuleSpec:
        spec.submodule_search_locations = [str(self._folder / name)]
        return spec

    def _refuse_working_tree(self, name: str) -> None:
        """ImportError when the other finders would take `name` from the working tree."""
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, None) if find is not None and finder is not self else None
            if spec is not None:
                places = [*(spec.submodule_search_locations or ()), *([spec.origin] if spec.has_location else [])]
                if any(self._is_of_tree(Path(place)) for place in places if place):
                    raise ImportError(
                        f"{name} lies in the working tree and not in the model: list it in train.entry_code", name=name
                    )
                return

    def _is_of_tree(self, path: Path) -> bool:
        found = path.resolve()
        if not found.is_relative_to(self._working_tree) or found.is_relative_to(Path(sys.prefix).resolve()):
            return False
        return not set(_INSTALLED) & set(found.parts)


class _Foreign:
    """Tells what the team's code raises while it loads a model, of whatever type."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, GatewrightError) or not isinstance(error, (Exception, SystemExit)):
            return
        first = (str(error).splitlines() or [""])[0][:300]
        raise UnusableInput(
            f"{self._what} cannot load the model: {type(error).__name__}: {first}",
            fix="mend the function, and install here what it imports",
        ) from error
