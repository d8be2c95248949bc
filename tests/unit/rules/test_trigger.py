from __future__ import annotations

from dataclasses import replace

import pytest

from gatewright.rules.trigger import Inputs, changes

BEFORE = Inputs(
    train="acs 2015",
    train_digest="sha256:" + "1" * 64,
    evaluation="acs-eval 2017",
    evaluation_digest="sha256:" + "2" * 64,
    commit="0123456789abcdef",
    code="sha256:code",
    config="sha256:" + "3" * 64,
)


def test_the_first_run_needs_no_change() -> None:
    assert changes(None, BEFORE) == ("first deployment: nothing was promoted before",)


def test_nothing_changed() -> None:
    assert changes(BEFORE, BEFORE) == ()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"train": "acs 2016", "train_digest": "sha256:4"}, "data: acs 2015 → acs 2016"),
        ({"evaluation_digest": "sha256:5"}, "evaluation data: acs-eval 2017 → acs-eval 2017"),
        ({"commit": "fedcba9876543210-dirty.1a", "code": "sha256:c"}, "code: 01234567 → fedcba98-dirty.1a"),
        ({"config": "sha256:" + "6" * 64}, "configuration: 333333333333 → 666666666666"),
    ],
)
def test_each_change_is_told_alone(changed: dict[str, str], told: str) -> None:
    assert changes(BEFORE, replace(BEFORE, **changed)) == (told,)


def test_data_comes_first() -> None:
    found = changes(BEFORE, replace(BEFORE, code="sha256:c", train_digest="sha256:4"))
    assert [line.split(":")[0] for line in found] == ["data", "code"]


def test_a_new_name_for_the_same_bytes_is_no_change() -> None:
    assert changes(BEFORE, replace(BEFORE, train="acs 2015b")) == ()


def test_a_commit_that_leaves_the_code_as_it_is_is_no_change() -> None:
    assert changes(BEFORE, replace(BEFORE, commit="f" * 40)) == ()
