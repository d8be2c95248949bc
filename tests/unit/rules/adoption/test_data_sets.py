from __future__ import annotations

import pytest

from gatewright.domain.adoption import Repository
from gatewright.rules.adoption.data_sets import data_files, data_sets


def repository(**sizes: int) -> Repository:
    return Repository(
        name="shop", files={path.replace("__", "/").replace("_csv", ".csv"): size for path, size in sizes.items()}
    )


def test_files_that_may_be_data_the_largest_first() -> None:
    found = repository(data__a_csv=100, data__b_csv=900, tests__c_csv=999, results__d_csv=999, tiny_csv=5)
    assert data_files(found) == ("data/b.csv", "data/a.csv")


@pytest.mark.parametrize(
    ("files", "code", "train", "evaluation", "sure"),
    [
        ({"data__train_csv": 900, "data__test_csv": 300}, (), "data/train.csv", "data/test.csv", True),
        ({"data__shop-train_csv": 9, "data__shop_csv": 900}, (), "data/shop.csv", None, True),
        (
            {"data__shop-train_csv": 700, "data__shop-eval_csv": 200, "data__shop_csv": 900},
            ("data/shop.csv",), "data/shop-train.csv", "data/shop-eval.csv", True,
        ),
        ({"data__a_csv": 900, "data__b_csv": 300}, ("./data/b.csv",), "data/b.csv", None, True),
        ({"data__a_csv": 900, "data__b_csv": 300}, (), "data/a.csv", None, False),
        ({"data__a_csv": 900}, (), "data/a.csv", None, True),
        ({"x__train_csv": 900, "y__valid_csv": 300, "x__eval_csv": 100}, (), "x/train.csv", "x/eval.csv", True),
        ({"data__holdout_csv": 900}, (), "data/holdout.csv", None, False),
    ],
)  # fmt: skip
def test_which_is_for_what(
    files: dict[str, int], code: tuple[str, ...], train: str, evaluation: str | None, sure: bool
) -> None:
    found = data_sets(repository(**files), code)
    assert found.train is not None
    assert (found.train.value, found.train.sure) == (train, sure)
    assert (found.evaluation.value if found.evaluation else None) == evaluation


def test_without_data_there_is_no_guess() -> None:
    assert data_sets(repository()).train is None
