"""From what the repository shows, and what its people answer, to a proposal: each value with its reason."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import cast

from gatewright import __version__
from gatewright.config.consistency import NAME
from gatewright.domain.adoption import DataTable, Gap, Guess, LabelFacts, ModelFormat, Repository, Target
from gatewright.domain.errors import UnusableInput
from gatewright.effects.files import safe_join
from gatewright.engine.adoption.inspection import label_facts, table_of
from gatewright.rules.adoption import columns, surroundings
from gatewright.rules.adoption.command import Command, command_of
from gatewright.rules.adoption.data_sets import data_sets
from gatewright.rules.adoption.own_report import OwnReport, own_report
from gatewright.rules.adoption.proposal import Proposal
from gatewright.rules.adoption.training import Script, no_script_gap, training_notebooks, training_scripts

SPLIT = "split"
_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What was said on the command line; None for what was not."""

    model: str | None = None
    target: str | None = None
    command: str | None = None
    format: ModelFormat | None = None
    train_file: str | None = None
    evaluation_file: str | None = None
    split: float | None = None
    seed: int = 0
    label: str | None = None
    id: str | None = None
    attributes: tuple[str, ...] | None = None
    slices: tuple[str, ...] | None = None
    requirements: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, with the guess as its default and the reason; `choices` limit the answer."""

    text: str
    default: str
    why: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One line of what was found: the value and why; `sure` unless it is a guess that nobody confirmed."""

    what: str
    value: str
    why: str
    sure: bool = True


@dataclass(kw_only=True)
class Survey:
    """Goes through the questions in their order; `ask` is called for what the repository does not say itself.

    `confirmed` says that a person answers.
    """

    root: Path
    repository: Repository
    answers: Answers
    ask: Callable[[Question], str]
    kinds: tuple[str, ...]
    confirmed: bool = False
    seen: list[Seen] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    is_ready: bool = False
    report: OwnReport | None = None

    @property
    def only_gates(self) -> bool:
        """Whether the team's own report is all that there is to work with: training is not what a run needs."""
        return self.report is not None and not self.is_ready

    def named(self) -> tuple[str, Target]:
        """The model's name and the CI system, when nothing else has to be found out."""
        model = self._settle("model", self.answers.model, "the model's name", surroundings.model_name(self.repository))
        if not NAME.fullmatch(model):
            rule = "1 to 64 of a-z, 0-9, - and _, of which the first is a letter or digit"
            raise UnusableInput(f"{model!r} is no name for a model", fix=f"a name is {rule}")
        return model, self._target()

    def propose(self) -> Proposal:
        """Every answer; UnusableInput for one that names what is not there. With `only_gates` nothing more is asked."""
        self.report = own_report(self.repository)
        model, target = self.named()
        script, command = self._training()
        if self.only_gates:
            return self._of_report(model, target)
        train, evaluation, split = self._data(script, model)
        requirements = self._requirements()
        registry, gap = surroundings.registry(self.repository, self.kinds)
        self._note("registry", registry)
        self.gaps += [gap] if gap else []
        form = self.answers.format or (command.format if command else "skops")
        known = Proposal(
            model=model,
            target=target,
            branch=self.repository.branch,
            command=command.argv if command else None,
            format=form,
            lint=_lint(command),
            requirements=requirements,
            install=surroundings.install_commands(self.repository, requirements, form, __version__),
            registry=registry.value,
            train_file=train,
            evaluation_file=evaluation,
            split=split,
            seed=self.answers.seed,
        )
        return self._with_columns(known, script)

    def _of_report(self, model: str, target: Target) -> Proposal:
        """What a job of CI needs that asks the gates alone; the requirements are those of the team's script."""
        guess, _ = surroundings.requirements(self.repository)
        requirements = self.answers.requirements or (guess.value if guess else None)
        if requirements in (None, "none") or self.report is None or self.report.script is None:
            requirements = None
        else:
            self._file(requirements)
            self.seen.append(Seen(what="requirements", value=requirements, why="for the script that evaluates"))
        return Proposal(
            model=model,
            target=target,
            branch=self.repository.branch,
            requirements=requirements,
            install=surroundings.install_commands(self.repository, requirements, None, __version__),
            gaps=tuple(self.gaps),
        )

    def _target(self) -> Target:
        choices = ("github", "gitlab", "jenkins", "none")
        guess = surroundings.ci_system(self.repository)
        value = self._settle("CI system", self.answers.target, "which CI system runs the pipeline", guess, choices)
        return cast("Target", value)

    def _training(self) -> tuple[Script | None, Command | None]:
        if self.answers.command is not None:
            argv = _words(self.answers.command)
            self.seen.append(Seen(what="training", value=shlex.join(argv), why="you said so"))
            self.is_ready = True
            told = Command(
                argv=argv, takes_data=True, takes_output=True, format=self.answers.format or "skops", format_why=""
            )
            return None, told
        scripts = training_scripts(self.repository)
        if not scripts:
            self.gaps.append(no_script_gap(training_notebooks(self.repository)))
            return None, None
        clear = len(scripts) == 1 or scripts[0].score > scripts[1].score
        paths = tuple(script.path for script in scripts)
        guess = Guess(value=scripts[0].path, why=scripts[0].why, sure=clear)
        path = self._settle("training", None, "which script trains the model", guess, paths)
        script = next(script for script in scripts if script.path == path)
        command = command_of(script)
        self.seen.append(Seen(what="command", value=shlex.join(command.argv), why="from its options"))
        if self.answers.format is None:
            self.seen.append(Seen(what="format", value=command.format, why=command.format_why))
        self.gaps += command.gaps
        self.is_ready = not command.gaps
        return script, command

    def _data(self, script: Script | None, model: str) -> tuple[str | None, str | None, float | None]:
        found = data_sets(self.repository, script.reads if script else ())
        none = Guess(value="", why="no CSV or parquet file was found")
        train = self._settle("training data", self.answers.train_file, "the file to train on", found.train or none)
        if not train:
            fix = (
                "gatewright data add NAME-train PATH, and NAME-eval PATH --role eval, with the names in gatewright.yaml"
            )
            self.gaps.append(
                Gap(what="no data: a run needs training data, and an evaluation set with true labels", fix=fix)
            )
            return None, None, None
        self._file(train)
        if self.answers.split is not None:
            return train, None, self.answers.split
        alone = Guess(value=SPLIT, why="there is one data set only: a fifth of its rows is set apart", sure=False)
        evaluation = self._settle(
            "evaluation data",
            self.answers.evaluation_file,
            "the file to evaluate on, or split",
            found.evaluation or alone,
        )
        if evaluation == SPLIT:
            return train, None, _SHARE
        self._file(evaluation)
        if evaluation == train:
            raise UnusableInput(f"{train} is what the model is trained on", fix="name another file, or write split")
        return train, evaluation, None

    def _requirements(self) -> str | None:
        if self.answers.requirements == "none":
            return None
        guess, gap = surroundings.requirements(self.repository)
        if self.answers.requirements is None and guess is None:
            self.gaps += [gap] if gap else []
            return None
        settled = self._settle(
            "requirements",
            self.answers.requirements,
            "the requirements file to audit",
            guess or Guess(value="", why=""),
        )
        self._file(settled)
        return settled

    def _with_columns(self, known: Proposal, script: Script | None) -> Proposal:
        """The proposal with what the data files say."""
        if known.train_file is None:
            return replace(known, gaps=tuple(self.gaps))
        table = table_of(self.root, known.evaluation_file or known.train_file)
        label = self._label(table, script)
        found = columns.id_column(table, label)
        id = self.answers.id or (found.value if found else None)
        self._columns(table, (id,) if id else ())
        facts = self._facts(table, label)
        attributes = self._groups(table, label, facts)
        self._columns(table, self.answers.slices or ())
        slices = self.answers.slices or tuple(guess.value for guess in columns.slice_columns(table, label))
        if slices:
            self.seen.append(Seen(what="slices", value=", ".join(slices), why="columns of few values, each frequent"))
        why = f"another value in each of {table.rows:,} rows" if id else "no column has one: evaluation rows get one"
        self.seen.append(Seen(what="row id", value=id or self._new_id(table), why=why))
        rows = round(table.rows * (known.split or 1.0))
        if facts is not None and (few := columns.rows_gap(rows, facts)):
            fix = "add labelled rows: gatewright data add, with --role eval; or widen gates.overall.margin"
            self.gaps.append(Gap(what=few, fix=fix))
        return replace(
            known,
            label=label or None,
            facts=facts,
            id=id or self._new_id(table),
            adds_id=id is None,
            attributes=attributes,
            slices=slices,
            gaps=tuple(self.gaps),
        )

    def _label(self, table: DataTable, script: Script | None) -> str:
        guess = columns.label_column(table, script.source if script else "")
        label = self._settle(
            "label",
            self.answers.label,
            "the column that is predicted",
            guess or Guess(value="", why=f"none of {_names(table)} looks like one"),
        )
        self._columns(table, (label,) if label else ())
        if not label:
            fix = f"name it: gatewright init --label COLUMN, one of {_names(table)}"
            self.gaps.append(Gap(what="which column is the label", fix=fix))
        return label

    def _facts(self, table: DataTable, label: str) -> LabelFacts | None:
        column = table.column(label)
        if column is None:
            return None
        if why := columns.label_gap(column):
            self.gaps.append(Gap(what=why, fix="write it as whole numbers into the data, one for each class"))
            return None
        facts = label_facts(self.root, table.path, label)
        if facts is not None:
            told = f"classes {', '.join(map(str, facts.classes))}" if facts.classes else "numbers of many values"
            self.seen.append(Seen(what="task", value=facts.task, why=told))
        return facts

    def _groups(self, table: DataTable, label: str, facts: LabelFacts | None) -> tuple[str, ...]:
        if facts is not None and facts.task == "regression":
            return ()
        if self.answers.attributes is not None:
            self._columns(table, self.answers.attributes)
            return self.answers.attributes
        found = columns.attributes(table, label)
        guess = Guess(value=", ".join(each.value for each in found), why=found[0].why if found else "no name sounds so")
        told = self._settle("fairness", None, "columns whose groups must be treated alike, by commas", guess)
        names = tuple(name.strip() for name in told.split(",") if name.strip())
        self._columns(table, names)
        return names

    def _columns(self, table: DataTable, names: tuple[str, ...]) -> None:
        for name in names:
            if table.column(name) is None:
                raise UnusableInput(f"{table.path} has no column {name!r}", fix=f"columns: {_names(table)}")

    def _new_id(self, table: DataTable) -> str:
        return "id" if table.column("id") is None else "gatewright_id"

    def _settle(self, what: str, told: str | None, question: str, guess: Guess, choices: tuple[str, ...] = ()) -> str:
        """What was said, else what is sure, else what is answered."""
        if told is not None:
            self.seen.append(Seen(what=what, value=told, why="you said so"))
            return told
        value = guess.value
        if not guess.sure:
            value = self.ask(Question(text=question, default=guess.value, why=guess.why, choices=choices))
        why = guess.why if value == guess.value else "you said so"
        self.seen.append(Seen(what=what, value=value or "none", why=why, sure=guess.sure or self.confirmed))
        return value

    def _note(self, what: str, guess: Guess) -> None:
        self.seen.append(Seen(what=what, value=guess.value, why=guess.why))

    def _file(self, path: str) -> None:
        if not safe_join(self.root, path).is_file():
            raise UnusableInput(f"{path} does not exist", fix="name a file below the workspace, by its path from there")


def _words(command: str) -> tuple[str, ...]:
    """The words of a command line; UnusableInput for none, and for a quote without its other end."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        words, why = (), f": {error}"
    else:
        why = ", which has no word in it"
    if not words:
        raise UnusableInput(f"the training command is {command!r}{why}", fix='--train-command "python train.py …"')
    return words


def _lint(command: Command | None) -> tuple[str, ...]:
    if command is None or len(command.argv) < 2 or not command.argv[1].endswith(".py"):
        return ()
    folder = PurePosixPath(command.argv[1]).parent
    return (command.argv[1],) if str(folder) == "." else (str(folder),)


def _names(table: DataTable) -> str:
    names = [column.name for column in table.columns]
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
