from __future__ import annotations

import pytest

from gatewright.domain.adoption import Repository
from gatewright.rules.adoption.surroundings import ci_system, install_commands, model_name, registry, requirements


def repository(*paths: str, **more: object) -> Repository:
    return Repository(name="shop", files=dict.fromkeys(paths, 100), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "remote", "value", "why", "sure"),
    [
        ((".github/workflows/test.yml",), None, "github", "there is .github/workflows/test.yml", True),
        ((".gitlab-ci.yml",), "git@github.com:a/b.git", "gitlab", "there is .gitlab-ci.yml", True),
        (("Jenkinsfile",), None, "jenkins", "there is Jenkinsfile", True),
        ((".gitlab-ci.yml", "Jenkinsfile"), None, "gitlab", "there are .gitlab-ci.yml, Jenkinsfile", False),
        ((), "git@github.com:acme/shop.git", "github", "origin is on github.com", True),
        ((), "https://user:secret@gitlab.acme.example/shop.git", "gitlab", "origin is on gitlab.acme.example", True),
        ((), "ssh://git@code.acme.example/shop.git", "none", "code.acme.example is no host that is known", False),
        ((), None, "none", "no remote called origin", False),
    ],
)
def test_the_ci_system_is_told_by_files_before_the_host(
    files: tuple[str, ...], remote: str | None, value: str, why: str, sure: bool
) -> None:
    guess = ci_system(repository(ci_files=files, remote=remote))
    assert (guess.value, guess.sure) == (value, sure)
    assert why in guess.why
    assert "secret" not in guess.why


@pytest.mark.parametrize(
    ("folder", "name"),
    [("My Shop (v2)", "my-shop-v2"), ("shop_model", "shop_model"), ("!!", "model"), ("x" * 99, "x" * 64)],
)
def test_a_folder_becomes_a_name(folder: str, name: str) -> None:
    assert model_name(Repository(name=folder, files={})).value == name


def test_the_requirements_for_running_come_before_those_for_development() -> None:
    found, gap = requirements(repository("requirements-dev.txt", "requirements.txt", "requirements/base.txt"))
    assert found is not None
    assert (found.value, found.sure, gap) == ("requirements.txt", False, None)
    only, _ = requirements(repository("requirements/base.txt", "requirements/dev.txt"))
    assert only is not None
    assert only.value == "requirements/base.txt"


@pytest.mark.parametrize(
    ("files", "fix"), [(("pyproject.toml",), "uv pip compile pyproject.toml"), ((), "pip freeze > requirements.txt")]
)
def test_without_requirements_it_says_how_to_get_them(files: tuple[str, ...], fix: str) -> None:
    found, gap = requirements(repository(*files))
    assert found is None
    assert gap is not None
    assert fix in gap.fix


@pytest.mark.parametrize(
    ("text", "form", "commands"),
    [
        (
            "numpy==2.0 --hash=sha256:0\ngatewright==1\n",
            "skops",
            [("pip", "install", "--require-hashes", "-r", "r.txt")],
        ),
        (
            "numpy\n",
            "onnx",
            [("pip", "install", "-r", "r.txt"), ("pip", "install", "gatewright[checks,envoy,onnx]==1.2")],
        ),
    ],
)
def test_what_a_job_installs(text: str, form: str, commands: list[tuple[str, ...]]) -> None:
    found = install_commands(repository("r.txt", texts={"r.txt": text}), "r.txt", form, "1.2")  # type: ignore[arg-type]
    assert list(found) == commands
    assert install_commands(repository(), None, "skops", "1.2") == (
        ("pip", "install", "gatewright[checks,envoy,serve]==1.2"),
    )


def test_a_registry_in_use_is_taken_where_it_is_installed_and_told_where_not() -> None:
    env = {".env": "X=1\nMLFLOW_TRACKING_URI=https://user:secret@mlflow.acme.example\n"}
    guess, gap = registry(repository(texts=env), ("local", "mlflow"))
    assert (guess.value, guess.why, gap) == ("mlflow", ".env:2 uses it", None)
    guess, gap = registry(repository(texts=env), ("local",))
    assert guess.value == "local"
    assert gap is not None
    assert gap.what == ".env:2 uses mlflow; this Gatewright has registries of kind local"
    code = {"deploy.py": "import os\nfrom sagemaker import Session\n"}
    assert registry(repository(texts=code), ("local", "sagemaker"))[0].value == "sagemaker"
    assert registry(repository(texts={"a.py": "# sagemaker is not for us"}), ("local", "sagemaker"))[0].value == "local"
