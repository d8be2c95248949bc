"""gatewright.yaml: short forms, contradictions, plugins, and every problem at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gatewright.config.problems import MOST_TOLD
from gatewright.config.project import read_project
from gatewright.domain.errors import ConfigError
from gatewright.domain.gate import SliceGate
from gatewright.domain.project import ChecksSection, Plugin, SliceSpec
from gatewright.domain.rollout import LiveSlice
from tests.unit.config.installed import EnvoyOptions, Installed, LocalOptions, complete_example, read, told

START = """\
model: employment
data: {train: acs-train, evaluation: acs-eval}
train: {command: [python, train.py, "{data.path}"]}
evaluation: {label: employed, slices: [SEX]}
fairness: {attributes: [SEX]}
gates: {mode: point}
"""


def changed(old: str, new: str) -> str:
    assert START.count(old) == 1
    return START.replace(old, new)


def test_short_forms(tmp_path: Path) -> None:
    slices = "[SEX, [SEX, RAC1P], {column: AGEP, bins: [18, 65.5]}]"
    project = read(tmp_path, changed("slices: [SEX]", f"slices: {slices}"))
    assert project.evaluation.slices == (
        SliceSpec(columns=("SEX",)),
        SliceSpec(columns=("SEX", "RAC1P")),
        SliceSpec(columns=("AGEP",), bins=(18.0, 65.5)),
    )


def test_slices_of_live_traffic_have_the_same_short_forms(tmp_path: Path) -> None:
    project = read(tmp_path, START + "rollout: {slices: [SEX, [SEX, {column: AGEP, bins: [18, 65.5]}]]}\n")
    assert project.rollout.slices == (
        LiveSlice(columns=("SEX",)),
        LiveSlice(columns=("SEX", "AGEP"), bins=(18.0, 65.5)),
    )


def test_none_leaves_out(tmp_path: Path) -> None:
    project = read(tmp_path, changed("{mode: point}", "{mode: point, latency: none}") + "checks: {lint: none}\n")
    assert project.gates is not None
    assert project.gates.latency is None
    assert project.gates.slices == SliceGate()
    assert project.checks.lint is None
    assert project.checks.dependencies is not None
    project = read(tmp_path, changed("{mode: point}", "none") + "checks: none\n")
    assert project.gates is None
    assert project.checks == ChecksSection(lint=None, dependencies=None)


def test_plugins_are_read_by_their_own_type(tmp_path: Path) -> None:
    project = read(tmp_path, START)
    assert project.registry == Plugin(kind="local", options=LocalOptions())
    assert project.serving == Plugin(kind="envoy", options=EnvoyOptions())
    project = read(tmp_path, START + "serving: {kind: envoy, port: 9000}\n")
    assert project.serving.options == EnvoyOptions(port=9000)


def test_digest_is_of_what_the_file_says(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        (tmp_path / "g.yaml").write_text(text)
        return read_project(tmp_path / "g.yaml", Installed())[1]

    assert digest(START) == digest("# a comment\n" + START.replace(", evaluation:", ",\n  evaluation:"))
    assert digest(START) != digest(changed("acs-eval", "acs-eval-2"))


CASES = [
    # types and words (the table of the reader has the rest)
    (changed("model: employment", "modl: employment"), "1:1  unknown word 'modl': did you mean 'model'? allowed: "),
    (START + "notfy: []\n", "7:1  unknown word 'notfy': did you mean 'notify'? allowed: model, data, "),
    (changed("{mode: point}", "{}"), "6:8 gates is empty: to leave it out, write gates: none"),
    (changed("{mode: point}", "[]"), "6:8 gates is empty: to leave it out, write gates: none"),
    (changed(" {mode: point}", ""), "6:7 gates is empty: to leave it out, write gates: none"),
    (changed("gates: {mode: point}\n", ""), "1:1 gates is missing: write a mapping with the keys: mode, "),
    (changed("{mode: point}", "{mode: point, latency: }"), "6:31 gates.latency is empty: to leave it out, write "),
    (changed("{mode: point}", "{mode: exact}"), "6:15 gates.mode 'exact' is not one of: statistical, point"),
    (
        changed("{mode: point}", "{golden: {margin: 0.01}}"),
        "6:9 gates.golden.version is missing: write a whole number greater than 0",
    ),
    (
        changed("{mode: point}", "{waivers: [{gate: slices, reason: r, by: ada, expires: soon}]}"),
        "6:63 gates.waivers[0].expires 'soon' is not a day such as 2026-12-31",
    ),
    (
        changed("{mode: point}", "{waivers: [{gate: auc, reason: r, by: ada, expires: 2026-12-31}]}"),
        "6:26 gates.waivers[0].gate 'auc' is not checked here: there is nothing to waive",
    ),
    (
        changed("employed, ", "employed, metric: rmse, ").replace("{mode: point}", "{overall: {min: 0.7}}"),
        "6:24 gates.overall.min does not fit rmse, of which lower is better: write max",
    ),
    (
        changed("{mode: point}", "{fairness: {metric: parity}}"),
        "6:28 gates.fairness.metric 'parity' is not one of: demographic_parity_difference, ",
    ),
    (changed("label: employed", "label: []"), "4:21 evaluation.label an empty list is not a non-empty text"),
    (changed("model: employment", "model:"), "1:7 model is empty: write a value, or leave the key out"),
    # names; more of them, and of paths, in tests/corpus
    (changed("employment", "Employment"), "1:8 model 'Employment' is not a name: a name is 1 to 64 of"),
    (changed("employment", "x" * 65), f"1:8 model '{'x' * 60}…' is not a name"),
    (changed("acs-train", "'acs train'"), "2:15 data.train 'acs train' is not a name"),
    (changed("acs-eval", "acs-train"), "2:38 data.evaluation 'acs-train' is what the model is trained on"),
    (changed("employed", "'employed '"), "4:21 evaluation.label 'employed ' begins or ends with white space"),
    (changed("employed", '"a\\nb"'), "4:21 evaluation.label 'a\\nb' has a tab or a line break in it"),
    (changed("employed", "id"), "4:21 evaluation.label 'id' is also the id of a row"),
    # paths
    (START + "checks: {dependencies: {requirements: a/../../b}}", "7:39 checks.dependencies.requirements 'a/../../b' "),
    # the command
    # slices and gates
    (changed("slices: [SEX]", "slices: [SEX, SEX]"), "4:45 evaluation.slices[1] stands twice"),
    (changed("slices: [SEX]", "slices: [[A, A]]"), "4:40 evaluation.slices[0] names a column twice"),
    (changed("slices: [SEX]", "slices: [[]]"), "4:40 evaluation.slices[0] an empty list is not a list with at least"),
    (changed("slices: [SEX]", "slices: [5]"), "4:40 evaluation.slices[0] 5 is not a slice: write SEX, [SEX, RAC1P]"),
    (changed("slices: [SEX]", "slices: [{colum: A, bins: [1]}]"), "4:41 evaluation.slices[0] unknown word 'colum': "),
    (changed("slices: [SEX]", "slices: [{column: A, bins: [1, 3, 3]}]"), "4:65 evaluation.slices[0].bins[2] 3 does no"),
    (changed("slices: [SEX]", "slices: [{column: A, bins: [1, x]}]"), "4:62 evaluation.slices[0].bins[1] 'x' is not"),
    (changed(", slices: [SEX]", ""), "6:8 gates.slices has nothing to judge: name evaluation.slices, or write slices:"),
    (changed("fairness: {attributes: [SEX]}\n", ""), "5:8 gates.fairness has nothing to judge: name fairness.attri"),
    (changed("[SEX]}\ngates", "[SEX, SEX]}\ngates"), "5:30 fairness.attributes[1] stands twice"),
    # plugins
    (START + "registry: {kind: locl}", "7:18 registry.kind unknown kind 'locl': did you mean 'local'? allowed: local"),
    (START + "registry: {}", "7:1 registry.kind is missing: write one of: local"),
    (START + "registry: local", "7:11 registry 'local' is not a mapping: write registry: {kind: local}"),
    (START + "serving: {kind: envoy, prt: 80}", "7:24 serving unknown word 'prt': did you mean 'port'? allowed: port"),
    (START + "serving: {kind: envoy, port: 0}", "7:30 serving.port 0 is not a whole number from 1 to 65535"),
    (START + "serving: {kind: [envoy]}", "7:17 serving.kind unknown kind 'a list': allowed: envoy"),
    (START + "notify: {}", "7:9 notify an empty mapping is not a list: write notify: [{kind: webhook, url_env: NAME}]"),
    (START + "notify: [pager]", "7:10 notify[0] 'pager' is not a mapping: write {kind: webhook or command or "),
    (START + "notify: [{}]", "7:10 notify[0].kind is missing: write one of: webhook, command"),
    (START + "notify: [{kind: webhok}]", "7:17 notify[0].kind unknown kind 'webhok': did you mean 'webhook'? allowed"),
    (START + "notify: [{kind: webhook}]", "7:10 notify[0].url_env is missing: write "),
    (
        START + "notify: [{kind: webhook, url_env: 'https://hooks/x'}]",
        "7:35 notify[0].url_env 'https://hooks/x' is no variable name: A name such as ALERTS_URL, never the URL itself",
    ),
    (
        START + "notify: [{kind: command, command: [page], events: [pausd]}]",
        "7:52 notify[0].events[0] 'pausd' is not one of: approval, paused, ",
    ),
    (START + "notify: [{kind: command, command: []}]", "7:35 notify[0].command an empty list is not a list with at "),
    # the rollout
    (START + "rollout: {on_blind: stop}", "7:21 rollout.on_blind 'stop' is not one of: pause, rollback"),
    (START + "rollout: {on_inconclusive: go}", "7:28 rollout.on_inconclusive 'go' is not one of: pause, abort, "),
    (START + "rollout: {steps: []}", "7:18 rollout.steps an empty list is not a list with at least 1 entry"),
    (
        START + "rollout: {latency: {rollback_margin: 0, promote_margin: 0}}",
        "7:57 rollout.latency.promote_margin 0 could only be shown by endless traffic",
    ),
    (START + "rollout: {lease: 30s}", "7:18 rollout.lease a lease of 30s runs out before the next tick of 60s "),
    (START + "rollout: {tick: 10m}", "7:17 rollout.tick a lease of 300s runs out before the next tick of 600s renews"),
    (START + "rollout: {alpha: 0.5}", "7:18 rollout.alpha 0.5 is not a number greater than 0 and at most 0.2"),
    (
        START + "rollout: {quality: {rollback_margin: 0.1, promote_margin: 0.05}}",
        "7:38 rollout.quality.rollback_margin 0.1 is larger than the promote_margin of 0.05",
    ),
    (
        START + "rollout: {latency: {promote_margin: 0.001}}",
        "7:37 rollout.latency.promote_margin 0.001 is less than the rollback_margin of 0.005",
    ),
    (
        START + "rollout: {latency: {rollback_margin: 0.02, limit: 1s}}",
        "7:38 rollout.latency.rollback_margin 0.02 is larger than the promote_margin of 0.01",
    ),
    (START + "rollout: {latency: {limit: 50}}", "7:28 rollout.latency.limit"),
    (START + "rollout: {quality: {promote_margin: 0}}", "7:37 rollout.quality.promote_margin 0"),
    (
        START + "rollout: {drift: {pause_margin: 0.3}}",
        "7:33 rollout.drift.pause_margin the pause_margin 0.3 is above the rollback_margin 0.2: swap them",
    ),
    (
        START + "rollout: {drift: {rollback_margin: 0.01}}",
        "7:36 rollout.drift.rollback_margin the pause_margin 0.05 is above the rollback_margin 0.01: swap them",
    ),
    (
        START + "serving: {kind: envoy, prediction_log_mb: 0}\nrollout: {quality: {}}",
        "8:20 rollout.quality needs the log of predictions: write serving.prediction_log_mb above 0",
    ),
    (
        START + "serving: {kind: envoy, prediction_log_mb: 0}\nrollout: {drift: {pause_margin: 0.1}}",
        "8:18 rollout.drift needs the log of predictions",
    ),
    (
        START + "serving: {kind: envoy, prediction_log_mb: 0}\nrollout: {slices: [SEX]}",
        "8:19 rollout.slices needs the log of predictions",
    ),
    (START + "rollout: {quality: {by: rewards}}", "7:25 rollout.quality.by 'rewards' is not one of: label, reward"),
    (START + "rollout: {quality: {by: reward, tolerance: 1}}", "7:44 rollout.quality.tolerance says when an answer"),
    (START + "rollout: {slices: [SEX, SEX]}", "7:25 rollout.slices[1] stands twice"),
    (START + "rollout: {slices: [{name: a, where: A < 3}]}", "7:20 rollout.slices[0] is a condition, which"),
    (START + "rollout: {slices: [5]}", "7:20 rollout.slices[0] 5 is not a slice: write SEX, [SEX, RAC1P]"),
    (START + "rollout: {slices: [{column: A, bins: [3, 3]}]}", "7:42 rollout.slices[0].bins[1] 3 does not rise"),
    # not a mapping at all
    ("- a\n", "1:1  a list is not a mapping: the file starts with model: NAME"),
    ("employment", "1:1  'employment' is not a mapping"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[expected[:50] for _, expected in CASES])
def test_one_fault_one_line(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = told(tmp_path, text)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("words", "fine"),
    [
        ("[python, t.py, --data=$DATA]", False),
        ("[python, t.py, '&&', echo]", False),
        ("[python, t.py, '$(date)']", False),
        ("[/bin/bash, -c, 'python t.py > $LOG && echo $(date)']", True),
        ("[python, t.py, 'a$', 'x;y', '100$', '{output.dir}']", True),
    ],
)
def test_what_only_a_shell_reads_needs_one(tmp_path: Path, words: str, fine: bool) -> None:
    found = told(tmp_path, changed('[python, train.py, "{data.path}"]', words))
    assert [line.split(" ")[1] for line in found] == ([] if fine else ["train.command[2]"])


def test_a_password_in_an_address_is_not_repeated(tmp_path: Path) -> None:
    (found,) = told(tmp_path, changed("acs-train", "https://ann:secret@host/x"))
    assert "secret" not in found
    assert "https://…@host/x" in found


def test_seven_faults_are_told_at_once(tmp_path: Path) -> None:
    faulty = (
        complete_example()
        .replace("overall: {margin: 0.02", "overall: {margn: 0.02")
        .replace("max: 0.2\n", "max: 20\n")
        .replace("timeout: 2h", "timeout: 2")
        .replace('--data, "{data.path}"', '--data, "{data.pth}"')
        .replace("port: 8080", "port: '8080'")
        .replace("weight: 25", "weight: 4")
        .replace("p99: 5s, ", "p99: , ")
    )
    assert [line.split(" ")[1] for line in told(tmp_path, faulty)] == [
        "train.command[3]",
        "train.timeout",
        "gates.overall",
        "gates.fairness.max",
        "gates.latency.p99",
        "serving.port",
        "rollout.steps[1].weight",
    ]


def test_thousands_of_unknown_words_are_quick(tmp_path: Path) -> None:
    started = time.process_time()
    found = told(tmp_path, START + "".join(f"k{number}: 1\n" for number in range(6000)))
    assert time.process_time() - started < 3
    assert found[-1] == f"None:None  and {6000 - MOST_TOLD} more problems"


def test_missing_file_says_where_to_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gatewright\.yaml does not exist") as caught:
        read_project(tmp_path / "gatewright.yaml", Installed())
    assert caught.value.fix.startswith("gatewright init writes one")
    assert caught.value.exit_code == 2


def test_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file"):
        read_project(tmp_path, Installed())


def test_ten_megabytes_are_not_read(tmp_path: Path) -> None:
    (found,) = told(tmp_path, b"a: [" + b"1, " * 3_500_000)
    assert "the file is larger than 65,536 bytes" in found


@pytest.mark.parametrize(
    ("section", "field", "what"),
    [
        ("{}", "checks.data", "checks nothing"),
        ("{timeout: 5m}", "checks.data", "checks nothing"),
        ("{pandera: People}", "checks.data.pandera", "write module:Name"),
        ('{command: [check, "{data.pth}"]}', "checks.data.command[1]", "did you mean {data.path}?"),
        ("{command: []}", "checks.data.command", ""),
    ],
)
def test_checks_of_data_that_check_nothing(tmp_path: Path, section: str, field: str, what: str) -> None:
    lines = [f"  data: {section}" if "pandera:" in line else line for line in complete_example().splitlines()]
    (found,) = told(tmp_path, "\n".join(lines))
    assert found.split(" ")[1] == field
    assert what in found
