"""Loading a model: the bytes that are digested are the bytes that are loaded, and only trusted types come alive."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import skops.io
from numpy.typing import NDArray

from gatewright.config.mlmodel import MLMODEL_FILE, read_mlmodel
from gatewright.domain.errors import StageFailed, UnusableInput
from gatewright.domain.lineage import DataFile
from gatewright.effects.files import digest_listing, list_files, read_bytes
from gatewright.serving.signature import Signature, parse_signature
from gatewright.serving.trees import check_trees

MODEL_FILE = "model.skops"
SIGNATURE_FILE = "signature.json"
PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
_MODEL_LIMIT = 2 << 30
_SIGNATURE_LIMIT = 1 << 20
_HARMLESS_EXPANSION, _MOST_EXPANSION = 64 << 20, 100

# What a model's code may raise; named, because only the process edges catch everything.
MODEL_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    Warning,
)

_LOSSES = (
    "AbsoluteError", "ExponentialLoss", "HalfBinomialLoss", "HalfGammaLoss", "HalfMultinomialLoss", "HalfPoissonLoss",
    "HalfSquaredError", "HalfTweedieLoss", "HalfTweedieLossIdentity", "HuberLoss", "PinballLoss",
)  # fmt: skip
_LINKS = ("HalfLogitLink", "IdentityLink", "Interval", "LogLink", "LogitLink", "MultinomialLogit")

# Beyond what skops trusts by itself: parts of fitted scikit-learn estimators. None of them runs code of the file's
# choice; trees are checked after loading (trees.py). KDTree and BallTree stay out: their arrays cannot be checked.
TRUSTED = frozenset(
    (
        "numpy.dtype",
        "numpy.nan_to_num",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        *(f"sklearn._loss.link.{name}" for name in _LINKS),
        *(f"sklearn._loss.loss.{name}" for name in _LOSSES),
        *(f"sklearn._loss._loss.Cy{name}" for name in _LOSSES),
    )
)


class PredictionFailed(StageFailed):
    """The model raised, or answered something that its signature does not allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model in memory. `digest` is that of the artifact's bytes as they were read."""

    digest: str
    signature: Signature
    estimator: Any

    @property
    def short_digest(self) -> str:
        """The first twelve hex digits: enough for people and headers."""
        return self.digest.removeprefix("sha256:")[:12]

    def predict(self, matrix: NDArray[np.float64]) -> NDArray[np.int64] | NDArray[np.float64]:
        """(n, inputs) with NaN for missing → (n,) classes (int64) or values (float64); PredictionFailed otherwise."""
        try:
            output = np.asarray(self.estimator.predict(matrix))
        except MODEL_ERRORS as error:
            raise PredictionFailed(f"the model raised {type(error).__name__}: {_first_line(error)}") from error
        if output.shape != (len(matrix),):
            raise PredictionFailed(f"the model answered shape {output.shape} to {len(matrix)} rows")
        if output.dtype.kind not in "biuf":
            raise PredictionFailed(f"the model answered {output.dtype}; allowed: numbers")
        classes = self.signature.classes
        if classes is None:
            if not np.isfinite(output).all():
                raise PredictionFailed("the model answered a number that is not finite")
            return output.astype(np.float64, copy=False)
        if strange := set(output.tolist()).difference(classes):
            raise PredictionFailed(f"the model answered {sorted(strange)[0]!r}; allowed: {list(classes)}")
        return output.astype(np.int64, copy=False)

    def probabilities(self, matrix: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """(n, classes) in the order of the signature's classes; None from a model that knows none.

        PredictionFailed for an answer that is no probability.
        """
        classes = self.signature.classes
        known = getattr(self.estimator, "classes_", None)
        if classes is None or known is None or not callable(getattr(self.estimator, "predict_proba", None)):
            return None
        try:
            output = np.asarray(self.estimator.predict_proba(matrix), dtype=np.float64)
            order = [list(known).index(name) for name in classes]
        except MODEL_ERRORS as error:
            raise PredictionFailed(f"predict_proba raised {type(error).__name__}: {_first_line(error)}") from error
        if output.shape != (len(matrix), len(classes)) or not ((output >= 0.0) & (output <= 1.0)).all():
            raise PredictionFailed(f"predict_proba answered shape {output.shape}, or numbers outside of 0 to 1")
        return output[:, order]

    def warm_up(self, times: int) -> None:
        """Predict the signature's example, so that the first real request is no slower than the rest."""
        example = np.array([self.signature.example])
        for _ in range(times):
            self.predict(example)


def load(folder: Path, *, allow_code: bool = False) -> LoadedModel:
    """The model in `folder`; UnusableInput for a pickle, an untrusted type, a bad signature or a damaged file.

    `allow_code`: a model may bring pickles and code of its own, as the configuration says.
    """
    if not folder.is_dir():
        what = f"a model is a folder with {SIGNATURE_FILE} and {MODEL_FILE}, model.onnx, {MLMODEL_FILE} or entry.json"
        raise UnusableInput(f"{folder} is no folder", fix=what)
    _refuse_strangers(folder, pickles=allow_code)  # before anything is read: a link could lead anywhere
    told = read_bytes(folder / SIGNATURE_FILE, _SIGNATURE_LIMIT)
    signature = parse_signature(told, str(folder / SIGNATURE_FILE))
    _refuse_strangers(folder, pickles=allow_code and signature.format in ("mlflow", "entry"))
    if signature.format == "mlflow":
        return _of_mlflow(folder, signature, told, allow_code)
    if signature.format == "entry":
        from gatewright.serving.entry_models import load_entry

        estimator, digest = load_entry(folder, signature, told, allow_code=allow_code)
        return LoadedModel(digest=digest, signature=signature, estimator=estimator)
    path = folder / signature.model_file
    model = read_bytes(path, _MODEL_LIMIT)
    digest = _digest(folder, {path.name: model, SIGNATURE_FILE: told})
    estimator = _revived(model, path, signature, signature.format)
    return LoadedModel(digest=digest, signature=signature, estimator=estimator)


def _refuse_strangers(folder: Path, *, pickles: bool) -> None:
    for path in sorted(folder.rglob("*")):
        if stranger := _stranger(path, pickles=pickles):
            raise UnusableInput(f"{path} is {stranger[0]}", fix=stranger[1])


def _of_mlflow(folder: Path, signature: Signature, told: bytes, allow_code: bool) -> LoadedModel:
    found = read_mlmodel(folder)
    if found.file is None:
        from gatewright.serving.mlflow_models import load_pyfunc

        estimator, digest = load_pyfunc(folder, found, signature, allow_code=allow_code)
        return LoadedModel(digest=digest, signature=signature, estimator=estimator)
    path = folder / found.file
    model = read_bytes(path, _MODEL_LIMIT)
    digest = _digest(folder, {found.file: model, SIGNATURE_FILE: told})
    return LoadedModel(digest=digest, signature=signature, estimator=_revived(model, path, signature, found.kind))


def _revived(data: bytes, path: Path, signature: Signature, kind: str) -> Any:
    if kind == "onnx":
        from gatewright.serving.onnx_models import revive_onnx

        return revive_onnx(data, path, signature)
    return _revive(data, path)


def _stranger(path: Path, *, pickles: bool = False) -> tuple[str, str] | None:
    """Why no model holds such a file, and what to do; None if it may."""
    if path.suffix.lower() in PICKLES and not pickles:
        return "a pickle, which runs any code when it is loaded", "save the model with skops.io.dump"
    if path.is_symlink():
        return "a link: a model is allowed to hold files and folders only", "replace the link by the file itself"
    if path.name.startswith("."):
        return "hidden: nothing that a model needs has a name with a dot in front", "remove it, or rename it"
    if not path.is_file() and not path.is_dir():
        return "no file: a model is allowed to hold files and folders only", "remove it"
    return None


def _digest(folder: Path, loaded: dict[str, bytes]) -> str:
    """The artifact's digest, in which the files that are loaded count with the bytes in memory, not those on disk."""
    others = [file for file in list_files(folder) if file.path not in loaded]
    held = [
        DataFile(path=name, size=len(data), sha256=hashlib.sha256(data).hexdigest()) for name, data in loaded.items()
    ]
    return digest_listing([*others, *held])


def _revive(data: bytes, path: Path) -> Any:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            _check_archive(archive, path, size=len(data))
        untrusted = set(skops.io.get_untrusted_types(data=data))
        if refused := sorted(untrusted - TRUSTED):
            raise UnusableInput(
                f"{path} holds types that are not trusted: {', '.join(refused)}",
                fix="build the model from scikit-learn estimators",
            )
        estimator = skops.io.loads(data, trusted=sorted(untrusted))
        check_trees(estimator, data)
    except (zipfile.BadZipFile, *MODEL_ERRORS) as error:
        raise UnusableInput(
            f"{path} is no skops file that can be loaded: {type(error).__name__}: {_first_line(error)}",
            fix="save the model with skops.io.dump, and the same versions of scikit-learn and skops",
        ) from error
    if not callable(getattr(estimator, "predict", None)):
        raise UnusableInput(
            f"{path} holds a {type(estimator).__name__}, which cannot predict", fix="save a fitted estimator"
        )
    return estimator


def _check_archive(archive: zipfile.ZipFile, path: Path, *, size: int) -> None:
    """UnusableInput for members that unpack to far more than the file's `size`, lead out of it, or stand twice."""
    entries = archive.infolist()
    expanded = sum(entry.file_size for entry in entries)
    most = min(_MODEL_LIMIT, max(_HARMLESS_EXPANSION, _MOST_EXPANSION * size))
    if expanded > most:
        raise UnusableInput(
            f"{path} unpacks to {expanded:,} bytes; at most {most:,} are loaded from {size:,}",
            fix="save the model with skops.io.dump, as it is",
        )
    seen = set[str]()
    for entry in entries:
        name = PurePosixPath(entry.filename)
        if name.is_absolute() or ".." in name.parts or "\\" in entry.filename or entry.filename in seen:
            what = "twice" if entry.filename in seen else "which leads out of it"
            raise UnusableInput(
                f"{path} holds {entry.filename!r}, {what}; allowed: each member once, by a plain name",
                fix="save the model with skops.io.dump, as it is",
            )
        seen.add(entry.filename)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:300]
