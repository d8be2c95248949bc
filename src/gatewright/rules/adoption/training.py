"""Which script trains the model, and how is it called? Read off its source; nothing is run."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from gatewright.domain.adoption import Gap, Repository

_NAMED = re.compile(r"(^|_)(train|training|fit|trainer)(_|$)")
_NEVER = re.compile(r"(^|/)(tests?|docs?|conftest\.py|setup\.py|test_[^/]*|[^/]*_test\.py)(/|$)")
_SAVERS = {
    "skops.io.dump": "skops", "sio.dump": "skops",
    "joblib.dump": "a pickle", "pickle.dump": "a pickle", "dill.dump": "a pickle", "cloudpickle.dump": "a pickle",
    "torch.save": "a PyTorch pickle", "torch.onnx.export": "onnx", "onnx.save": "onnx", "onnx.save_model": "onnx",
    "to_onnx": "onnx", "convert_sklearn": "onnx",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a script: its flag (empty for a positional one), and whether a value must be given."""

    flag: str
    name: str
    required: bool
    default: str | None = None
    is_switch: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script that seems to train: why, its options, how many words of sys.argv it reads, and what it saves with.

    `reads` are data files whose path stands in the source, `writes` names of model files.
    """

    path: str
    score: int
    why: str
    options: tuple[Option, ...] = ()
    words: int = 0
    savers: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    source: str = ""


def training_scripts(repository: Repository) -> tuple[Script, ...]:
    """Every script that seems to train, the likeliest first."""
    found = [
        script
        for path, text in repository.texts.items()
        if path.endswith(".py") and not _NEVER.search(path) and (script := _read(path, text)) is not None
    ]
    return tuple(sorted(found, key=lambda script: (-script.score, script.path.count("/"), script.path)))


def training_notebooks(repository: Repository) -> tuple[str, ...]:
    """Notebooks by their path, those whose name speaks of training first. They are named only: nothing reads them."""
    found = [path for path in repository.files if path.lower().endswith(".ipynb") and not _NEVER.search(path)]
    named = {path: bool(_NAMED.search(re.sub(r"\W+", "_", PurePosixPath(path).stem.lower()))) for path in found}
    return tuple(sorted(found, key=lambda path: (not named[path], path.count("/"), path)))


def runs_alone(text: str) -> bool:
    """Whether a script can be called without any word of its own; False also for one that cannot be read."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return False
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return not _words(tree) and not any(option.required for option in _options(calls))


def no_script_gap(notebooks: Sequence[str]) -> Gap:
    """That nothing trains, and what to do about it: with notebooks, how one becomes a script."""
    if not notebooks:
        what = "no training script: no Python file calls fit(), saves a model or is called train"
        return Gap(what=what, fix="write one (docs/training.md), or see one work: gatewright init --example")
    more = f" and {len(notebooks) - 3} more" if len(notebooks) > 3 else ""
    which = f"{', '.join(notebooks[:3])}{more}"
    what = f"no training script, only notebooks ({which}): they are not read, and no stage runs one"
    fix = (
        f"jupyter nbconvert --to script {shlex.quote(notebooks[0])}; have the script take the path of its data and its "
    )
    fix += "output folder as options (docs/training.md); then gatewright init --force"
    return Gap(what=what, fix=fix)


def _read(path: str, text: str) -> Script | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {_dotted(call.func) for call in calls}
    signs = []
    if _NAMED.search(PurePosixPath(path).stem.lower()):
        signs.append((3, "its name"))
    if any(isinstance(call.func, ast.Attribute) and call.func.attr in ("fit", "fit_transform") for call in calls):
        signs.append((3, "it calls fit()"))
    savers = tuple(dict.fromkeys(_SAVERS[name] for name in sorted(names) if name in _SAVERS))
    if savers:
        signs.append((2, f"it saves {savers[0] if savers[0].startswith('a ') else f'a model as {savers[0]}'}"))
    if not signs:
        return None
    options = tuple(_options(calls))
    if options or "__main__" in text:
        signs.append((1, "it is a program" if not options else f"it takes {len(options)} options"))
    score = sum(points for points, _ in signs)
    if score < 3:
        return None
    return Script(
        path=path,
        score=score,
        why=", ".join(why for _, why in signs),
        options=options,
        words=_words(tree),
        savers=savers,
        reads=tuple(dict.fromkeys(_texts_like(tree, (".csv", ".parquet", ".tsv", ".jsonl")))),
        source=text,
    )


def _options(calls: list[ast.Call]) -> Iterator[Option]:
    """The options of argparse and click, in the order of the source."""
    for call in sorted(calls, key=lambda call: call.lineno):
        verb = _dotted(call.func).rpartition(".")[2]
        if verb not in ("add_argument", "option", "argument"):
            continue
        told = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if not told or "-h" in told:
            continue
        flag = max((word for word in told if word.startswith("-")), key=len, default="")
        words = {keyword.arg: keyword.value for keyword in call.keywords}
        default = words.get("default")
        switch = _constant(words.get("action")) in ("store_true", "store_false", "count", "version")
        required = _constant(words.get("required")) is True
        if not flag:
            required = default is None and _constant(words.get("nargs")) not in ("?", "*")
        yield Option(
            flag=flag,
            name=(flag or told[0]).lstrip("-").lower().replace("_", "-"),
            required=required,
            default=str(value) if (value := _constant(default)) is not None else None,
            is_switch=switch or _constant(words.get("is_flag")) is True,
        )


def _words(tree: ast.AST) -> int:
    """How many words of sys.argv are read by a number."""
    highest = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _dotted(node.value) in ("sys.argv", "argv"):
            index = _constant(node.slice)
            if isinstance(index, int):
                highest = max(highest, index)
    return highest


def _texts_like(tree: ast.AST, ends: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        value = _constant(node)
        if isinstance(value, str) and "\n" not in value and value.lower().endswith(ends):
            yield value


def _constant(node: ast.AST | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""
