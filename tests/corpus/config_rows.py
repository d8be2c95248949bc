"""Bad input, the list of gatewright.yaml: every name of the design, its bytes, and what is said of it."""

from __future__ import annotations

from tests.corpus.rows import Bad, edited

LISTED = (
    "empty", "binary", "UTF-16", "tabs", "duplicate keys", "unknown key", ".nan", '"0.9 "', "95 for 0.95", "negative",
    "min > max", "no as a boolean", "octal", "descending weights", "weight 101", "zero hold", "1e9 s hold",
    "alias bomb", "10 MB file", "depth 10,000", "python tags", "undefined variable", "../../etc", "absolute path",
    "symlink out of the root", "NUL, newline, zero-width in names", "; rm -rf", "leading -", "$(id)",
    "file:// and link-local URLs", "credentials in URLs", "a gate on a metric never produced", "empty gate list",
    "several models",
)  # fmt: skip
START = """\
model: employment
data: {train: acs-train, evaluation: acs-eval}
train: {command: [python, train.py, "{data.path}"]}
evaluation: {label: employed, slices: [SEX]}
fairness: {attributes: [SEX]}
gates: {mode: point}
"""
SEVERAL = """\
gates: {mode: point}
evaluation: {label: employed, slices: [SEX]}
fairness: {attributes: [SEX]}
models:
  one:
    data: {train: a, evaluation: b}
    train: {command: [python, t.py]}
  two:
    data: {train: c, evaluation: d}
    train: {command: [python, t.py]}
    serving: {kind: envoy, port: 8081}
"""
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
PYTHON_TAG = "model: !!python/object/apply:os.system ['exit 1']\n"


def name(text: str, says: str, listed: str) -> Bad:
    return Bad(name=listed, data=edited(START, "employment", text), says=f":1:8: {says}")


def schema(path: str, says: str, listed: str) -> Bad:
    return Bad(
        name=listed, data=edited(START, "acs-eval", f"acs-eval, schema: {path}"), says=f":2:56: data.schema: {says}"
    )


def step(step: str, says: str, listed: str) -> Bad:
    return Bad(name=listed, data=f"{START}rollout: {{steps: [{step}]}}\n", says=f":7:{says}")


def minimum(text: str, says: str, listed: str) -> Bad:
    gates = f"{{mode: point, overall: {{min: {text}}}}}"
    return Bad(name=listed, data=edited(START, "{mode: point}", gates), says=f":6:37: gates.overall.min: {says}")


def several(old: str, new: str, says: str) -> Bad:
    return Bad(name="several models", data=edited(SEVERAL, old, new), says=f":{says}")


SHARE = "not a share: a share lies between 0 and 1"
ROWS = (
    Bad(name="empty", data="", says=":1:1: the file is empty"),
    Bad(name="empty", data="# nothing but this\n", says=":1:1: the file is empty"),
    Bad(name="binary", data=START.encode() + b"\x00\x01", says=":7:1: the file is not text (it contains a NUL byte)"),
    Bad(name="binary", data=b"model: \xff\xff", says=":1:8: the file is not UTF-8 text from here on"),
    Bad(name="UTF-16", data=START.encode("utf-16"), says=":1:1: the file is UTF-16: save it as UTF-8"),
    Bad(name="UTF-16", data=b"\xef\xbb\xbf" + START.encode(), says=":1:1: the file starts with a byte-order mark"),
    Bad(name="tabs", data="data:\n\ttrain: a\n", says=":2:1: a tab indents this line: YAML is indented by spaces"),
    Bad(name="duplicate keys", data=START + "model: x\n", says=":7:1: the key 'model' stands twice: first in line 1"),
    Bad(name="duplicate keys", data='{"model": "a", "model": "b"}', says=":1:16: the key 'model' stands twice"),
    Bad(
        name="unknown key",
        data=edited(START, "evaluation: acs", "evaluatoin: acs"),
        says=":2:26: data: unknown word 'evaluatoin': did you mean 'evaluation'? allowed: train, ",
    ),
    minimum(".nan", "'.nan' is " + SHARE, ".nan"),
    minimum(".inf", "'.inf' is " + SHARE, ".nan"),
    minimum('"0.9 "', "'0.9 ' is " + SHARE + "; write 0.9 without quotes", '"0.9 "'),
    minimum("95", f"95 is {SHARE}; did you mean 0.95?", "95 for 0.95"),
    minimum("95%", f"'95%' is {SHARE}; did you mean 0.95?", "95 for 0.95"),
    minimum("-0.1", f"-0.1 is {SHARE}", "negative"),
    Bad(
        name="negative",
        data=START + "serving: {kind: envoy, port: -1}\n",
        says=":7:30: serving.port: -1 is not a whole number from 1 to 65535",
    ),
    Bad(
        name="min > max",
        data=START + "rollout: {errors: {rollback_margin: 0.2, promote_margin: 0.1}}\n",
        says=":7:37: rollout.errors.rollback_margin: 0.2 is larger than the promote_margin of 0.1: it may be at most",
    ),
    Bad(
        name="min > max",
        data=START + "rollout: {tick: 10m}\n",
        says=":7:17: rollout.tick: a lease of 300s runs out before the next tick of 600s",
    ),
    Bad(
        name="no as a boolean",
        data=edited(START, "{mode: point}", "{mode: point, latency: no}"),
        says=":6:31: gates.latency: 'no' leaves nothing out: to leave it out, write latency: none",
    ),
    Bad(
        name="no as a boolean",
        data=START + "checks: {lint: off}\n",
        says=":7:16: checks.lint: 'off' leaves nothing out: to leave it out, write lint: none",
    ),
    Bad(
        name="octal",
        data=START + "serving: {kind: envoy, port: 0o17620}\n",
        says=":7:30: serving.port: '0o17620' is not a whole number from 1",
    ),
    Bad(
        name="octal",
        data=START + "serving: {kind: envoy, port: 08080}\n",
        says=":7:30: serving.port: '08080' is not a whole number from 1",
    ),
    step(
        "{weight: 50, hold: 1s}, {weight: 5, hold: 1s}",
        "52: rollout.steps[1].weight: 5 does not rise above the 50 of the step before it",
        "descending weights",
    ),
    step(
        "{weight: 101, hold: 1s}",
        "28: rollout.steps[0].weight: 101 is not a number greater than 0 and less than 100",
        "weight 101",
    ),
    step(
        "{weight: 5, hold: 0s}",
        "37: rollout.steps[0].hold: '0s': a duration is at least 1ms and at most 366d",
        "zero hold",
    ),
    step("{weight: 5, hold: 0}", "37: rollout.steps[0].hold: 0: a duration is a number with a unit", "zero hold"),
    step(
        "{weight: 5, hold: 1000000000s}",
        "37: rollout.steps[0].hold: '1000000000s': a duration is at least 1ms and at most 366d",
        "1e9 s hold",
    ),
    step(
        "{weight: 5, hold: 1e9s}", "37: rollout.steps[0].hold: '1e9s': a duration is a number with a unit", "1e9 s hold"
    ),
    Bad(
        name="alias bomb",
        data=BOMB,
        says=":1:5: the anchor &a0 is not allowed: write the value where it is used",
        problems=178,
    ),
    Bad(
        name="10 MB file",
        data=b"a: [" + b"1, " * 3_500_000,
        says=": the file is larger than 65,536 bytes: is it the right file?",
    ),
    Bad(name="depth 10,000", data="[" * 10_000, says=":1:51: nested more than 50 levels deep"),
    Bad(name="depth 10,000", data="{a: " * 10_000, says=":1:201: nested more than 50 levels deep"),
    Bad(
        name="python tags",
        data=PYTHON_TAG,
        says=":1:8: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed: write",
    ),
    Bad(
        name="undefined variable",
        data=edited(START, "{data.path}", "{data.pth}"),
        says=":3:37: train.command[2]: unknown placeholder {data.pth}: did you mean {data.path}? allowed: {data",
    ),
    Bad(
        name="undefined variable",
        data=edited(START, "{data.path}", "${HOME}"),
        says=":3:37: train.command[2]: unknown placeholder {HOME}: allowed: {data.path}, ",
    ),
    Bad(
        name="undefined variable", data=edited(START, '"{data.path}"', "$DATA"), says=":3:37: train.command[2]: '$DATA'"
    ),
    schema("$HOME/x", "'$HOME/x'", "undefined variable"),
    schema("../../etc", "'../../etc' leads out of the workspace: write a path inside the workspace", "../../etc"),
    name("../../etc", "model: '../../etc' is not a name: a name is 1 to 64 of a-z", "../../etc"),
    schema("/etc/passwd", "'/etc/passwd' is an absolute path: write a path inside", "absolute path"),
    schema("~/x", "'~/x' is an absolute path", "absolute path"),
    schema("link/x", "'link/x' leads out of the workspace by a link", "symlink out of the root"),
    name(
        '"a\\0b"', "an invisible character (U+0000 control character): remove it", "NUL, newline, zero-width in names"
    ),
    name('"a\\nb"', "model: 'a\\nb' is not a name", "NUL, newline, zero-width in names"),
    Bad(
        name="NUL, newline, zero-width in names",
        data=edited(START, "employment", "a\u200bb"),
        says=":1:9: an invisible character (U+200B ZERO WIDTH SPACE): remove it",
    ),
    name("'; rm -rf /'", "model: '; rm -rf /' is not a name", "; rm -rf"),
    schema("'x; rm -rf /'", "'x; rm -rf /' has a ;, which only a shell would understand", "; rm -rf"),
    name("-x", "model: '-x' is not a name", "leading -"),
    Bad(
        name="leading -",
        data=START + "checks: {lint: {paths: [a, --fix]}}\n",
        says=":7:28: checks.lint.paths[1]: '--fix' starts with - and would be taken for an option",
    ),
    name("$(id)", "model: '$(id)' is not a name", "$(id)"),
    schema("$(id)", "'$(id)' has a $, which only a shell would understand", "$(id)"),
    schema("'`id`'", "'`id`' has a `, which only a shell would understand", "$(id)"),
    schema("file:///etc/passwd", "'file:///etc/passwd' is an address, not a path", "file:// and link-local URLs"),
    schema(
        "http://169.254.169.254/latest",
        "'http://169.254.169.254/latest' is an address, not a path",
        "file:// and link-local URLs",
    ),
    schema("https://ann:secret@host/x", "'https://…@host/x' is an address, not a path", "credentials in URLs"),
    Bad(
        name="a gate on a metric never produced",
        data=edited(START, ", slices: [SEX]", ""),
        says=":6:8: gates.slices: has nothing to judge: name evaluation.slices, or write slices: none",
    ),
    Bad(
        name="a gate on a metric never produced",
        data=edited(START, "{mode: point}", "{mode: point, fairness: {metric: f1}}"),
        says=":6:",
    ),
    Bad(name="a gate on a metric never produced", data=edited(START, "employed,", "employed, metric: f2,"), says=":4:"),
    Bad(name="empty gate list", data=edited(START, "{mode: point}", "[]"), says=":6:8: gates: "),
    Bad(name="empty gate list", data=edited(START, "{mode: point}", "{}"), says=":6:8: gates: "),
    Bad(
        name="empty gate list",
        data=edited(
            START, "{mode: point}", "{mode: point, overall: none, slices: none, fairness: none, latency: none}"
        ),
        says=":6:8: gates: leaves every gate out: write gates: none",
    ),
    several("  one:", "  One:", "5:3: models.One: 'One' is not a name"),
    several(
        "a, evaluation: b",
        "a, evaluatoin: b",
        "6:22: models.one.data: unknown word 'evaluatoin': did you mean 'evaluation'?",
    ),
    several(
        "port: 8081",
        "port: 8080",
        "11:34: models.two.serving.port: 8080 is also the port of one: give each model its own",
    ),
    several("gates:", "model: x\ngates:", "1:1: model: stands beside models: a model is named by its key there"),
    Bad(
        name="several models",
        data="models: {}\n",
        says=":1:9: models: an empty mapping names no model: write models: {NAME: {data: …, train: …}}",
    ),
    Bad(
        name="several models",
        data="models: {one: none}\n",
        says=":1:15: models.one: 'none' is not a mapping: write its sections",
    ),
    several(
        "  one:\n",
        "  one:\n    model: x\n",
        "6:5: models.one: holds the word model: the key above it is the name already",
    ),
    several(
        "    data: {train: a, evaluation: b}\n",
        "",
        "5:3: models.one.data: is missing: write a mapping with the keys: train, evaluation, schema",
    ),
    several("slices: [SEX]", "slices: [SEX, SEX]", "2:45: evaluation.slices[1]: stands twice"),
)
