"""The training command of a script, with Gatewright's placeholders; and what the script does not leave yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gatewright.domain.adoption import Gap, ModelFormat
from gatewright.rules.adoption.training import Option, Script

_DATA = {
    "data", "data-path", "data-file", "data-dir", "data-folder", "dataset", "train", "train-data", "train-file",
    "train-path", "train-dir", "training-data", "input", "input-path", "input-file", "input-data", "csv", "parquet",
}  # fmt: skip
_OUTPUT = {
    "output-dir", "output", "out", "out-dir", "outdir", "output-folder", "output-path", "model-dir", "save-dir",
    "artifact-dir", "artifacts", "artifacts-dir", "model-out", "model-output", "model-path", "model-file", "save-path",
    "output-file", "model",
}  # fmt: skip
_FILES = {"model-path", "model-file", "output-file", "save-path", "model-out"}
_OTHERS = {
    "data-version": "{data.version}",
    "dataset-version": "{data.version}",
    "experiment-name": "{run.id}",
    "experiment": "{run.id}",
    "run-id": "{run.id}",
    "run-name": "{run.id}",
    "model-name": "{model}",
}
_SIGNATURE = "signature.json"
_EXPORTS = {"a PyTorch pickle": "torch.onnx.export(model, example, output / 'model.onnx')"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The argv list, whether it hands over data and output, and what is missing besides."""

    argv: tuple[str, ...]
    takes_data: bool
    takes_output: bool
    format: ModelFormat
    format_why: str
    gaps: tuple[Gap, ...] = field(default=())


def command_of(script: Script) -> Command:
    """How to call `script`, and every reason why it cannot yet be stage train."""
    form, why, gaps = _format(script)
    words = ["python", script.path]
    done = set[str]()
    for option in script.options:
        found = _value(option, done, form)
        if found is None:
            if option.required and not option.is_switch:
                what = f"{script.path} demands {option.flag or option.name}, whose value only you know"
                gaps.append(Gap(what=what, fix="add it to train.command in gatewright.yaml"))
            continue
        kind, value = found
        done.add(kind)
        words += [option.flag, value] if option.flag else [value]
    if not script.options and script.words:
        words += ["{data.path}", "{output.dir}"][: script.words]
        done |= set(["data", "output"][: script.words])
    gaps += _unheard(script, done)
    if _SIGNATURE not in script.source:
        gaps.append(
            Gap(
                what=f"{script.path} writes no {_SIGNATURE}: what the model takes and answers",
                fix="add the lines that `gatewright init` prints below; docs/training.md explains each field",
            )
        )
    return Command(
        argv=tuple(words),
        takes_data="data" in done,
        takes_output="output" in done,
        format=form,
        format_why=why,
        gaps=tuple(gaps),
    )


def _value(option: Option, done: set[str], form: ModelFormat) -> tuple[str, str] | None:
    if option.is_switch:
        return None
    if option.name in _DATA and "data" not in done:
        return "data", "{data.path}"
    if option.name in _OUTPUT and "output" not in done:
        is_file = option.name in _FILES or (option.default is not None and bool(PurePosixPath(option.default).suffix))
        return "output", f"{{output.dir}}/model.{form}" if is_file else "{output.dir}"
    if option.name in _OTHERS:
        return option.name, _OTHERS[option.name]
    return None


def _unheard(script: Script, done: set[str]) -> list[Gap]:
    gaps = []
    if "data" not in done:
        reads = (
            f"it reads {script.reads[0]}, whatever the data version is" if script.reads else "it takes no such option"
        )
        gaps.append(
            Gap(
                what=f"{script.path} cannot be told which data to train on: {reads}",
                fix='let it take an option --data, and add --data, "{data.path}" to train.command',
            )
        )
    if "output" not in done:
        gaps.append(
            Gap(
                what=f"{script.path} cannot be told where to leave the model",
                fix='let it take an option --output-dir, and add --output-dir, "{output.dir}" to train.command',
            )
        )
    return gaps


def _format(script: Script) -> tuple[ModelFormat, str, list[Gap]]:
    if "skops" in script.savers or "model.skops" in script.source:
        return "skops", f"{script.path} saves with skops", []
    if "onnx" in script.savers or ".onnx" in script.source:
        return "onnx", f"{script.path} saves ONNX", []
    saved = next(iter(script.savers), None)
    what = f"{script.path} saves {saved}, which runs any code when it is loaded" if saved else ""
    if saved in _EXPORTS:
        fix = f"export it: {_EXPORTS[saved]}, and install 'gatewright[onnx]'"
        return "onnx", f"{script.path} uses PyTorch, which exports ONNX", [Gap(what=what, fix=fix)]
    what = what or f"nothing in {script.path} shows how it saves the model"
    fix = (
        "scikit-learn: skops.io.dump(model, output / 'model.skops'); others: model.onnx, and train.format: onnx; or "
        "keep it, and load it by a function of yours: train.format: entry (docs/training.md)"
    )
    return "skops", "the default", [Gap(what=what, fix=fix)]
