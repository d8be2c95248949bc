from __future__ import annotations

import pytest

from gatewright.domain.adoption import Repository
from gatewright.rules.adoption.command import Command, command_of
from gatewright.rules.adoption.training import runs_alone, training_notebooks, training_scripts

ARGPARSE = """
import argparse
import skops.io
parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
parser.add_argument("-o", "--output-dir", required=True)
parser.add_argument("--data-version")
parser.add_argument("--run-name", default="x")
parser.add_argument("--verbose", action="store_true")
options = parser.parse_args()
model = Model().fit(x, y)
skops.io.dump(model, options.output_dir + "/model.skops")
open("signature.json", "w")
"""


def repository(**texts: str) -> Repository:
    named = {path.replace("__", "/").replace("_py", ".py"): text for path, text in texts.items()}
    return Repository(name="shop", files=dict.fromkeys(named, 1), texts=named)


def command(text: str) -> Command:
    (script,) = training_scripts(repository(train_py=text))
    return command_of(script)


def test_scripts_are_ranked_and_say_why() -> None:
    found = training_scripts(
        repository(
            train_py=ARGPARSE,
            features__scale_py="scaler.fit(x)",
            tests__test_train_py=ARGPARSE,
            report_py="print(1)",
            broken_py="def (:",
        )
    )
    assert [(script.path, script.why) for script in found] == [
        ("train.py", "its name, it calls fit(), it saves a model as skops, it takes 5 options"),
        ("features/scale.py", "it calls fit()"),
    ]


def test_options_become_placeholders() -> None:
    found = command(ARGPARSE)
    assert found.argv == (
        "python", "train.py", "--data", "{data.path}", "--output-dir", "{output.dir}",
        "--data-version", "{data.version}", "--run-name", "{run.id}",
    )  # fmt: skip
    assert (found.format, found.gaps) == ("skops", ())


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("import sys\nfit(sys.argv[1], sys.argv[2])", ["{data.path}", "{output.dir}"]),
        (
            "@click.command()\n@click.argument('data')\n@click.option('--model-path')\ndef main(): m.fit(1)",
            ["{data.path}", "--model-path", "{output.dir}/model.skops"],
        ),
        (
            "p.add_argument('--output', default='model.onnx')\np.add_argument('--train')\nonnx.save(m, 'model.onnx')",
            ["--output", "{output.dir}/model.onnx", "--train", "{data.path}"],
        ),
        ("p.add_argument('--input', default='a.csv')\np.add_argument('--out', default='out')",
         ["--input", "{data.path}", "--out", "{output.dir}"]),
    ],
)  # fmt: skip
def test_every_way_to_take_words(text: str, argv: list[str]) -> None:
    assert list(command(text).argv[2:]) == argv


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("joblib.dump(m, 'm.pkl')", "saves a pickle, which runs any code"),
        ("torch.save(m, 'm.pt')", "saves a PyTorch pickle"),
        ("m.fit(x)", "nothing in train.py shows how it saves the model"),
        ("pd.read_csv('data/a.csv')", "it reads data/a.csv, whatever the data version is"),
        ("m.fit(x)", "cannot be told where to leave the model"),
        ("m.fit(x)", "writes no signature.json"),
        ("p.add_argument('--epochs', required=True)", "demands --epochs, whose value only you know"),
    ],
)
def test_what_is_missing_is_told(text: str, gap: str) -> None:
    assert any(gap in found.what for found in command(text).gaps)


def test_pytorch_is_led_to_onnx() -> None:
    found = command("torch.save(m, 'm.pt')")
    assert found.format == "onnx"
    assert "torch.onnx.export" in found.gaps[0].fix


def test_notebooks_are_named_by_how_much_their_name_speaks_of_training() -> None:
    paths = ("a.ipynb", "deep/er/fit-churn.ipynb", "tests/train.ipynb", "src/Train.ipynb", "train.py")
    found = training_notebooks(Repository(name="shop", files=dict.fromkeys(paths, 1)))
    assert found == ("src/Train.ipynb", "deep/er/fit-churn.ipynb", "a.ipynb")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("print(1)", True),
        ("import argparse\nparser.add_argument('--data', default='x')", True),
        ("import argparse\nparser.add_argument('--data', required=True)", False),
        ("parser.add_argument('data')", False),
        ("import sys\nopen(sys.argv[1])", False),
        ("print 1", False),
    ],
)
def test_whether_a_script_can_be_called_without_words(text: str, expected: bool) -> None:
    assert runs_alone(text) is expected
