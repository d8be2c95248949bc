"""Decision trees hold node numbers that compiled code follows unchecked; here they are checked before the first row.

Without this, a crafted `nodes` array reads foreign memory or loops for ever (scikit-learn pull request 34558).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree._tree import Tree

from gatewright.domain.errors import UnusableInput


def check_trees(model: Any, archive: bytes) -> None:
    """UnusableInput unless every tree that `archive` declares is reachable in `model` and stays within its arrays."""
    trees = list(_trees_in(model))
    declared = _declared(archive)
    if len(trees) < declared:
        raise UnusableInput(
            f"the model holds {declared} decision trees, of which {declared - len(trees)} cannot be checked",
            fix="keep the trees in ordinary attributes and lists of the estimator",
        )
    for tree, features in trees:
        sound = _is_sound(tree, features) if isinstance(tree, Tree) else _is_sound_predictor(tree, features)
        if not sound:
            raise UnusableInput(
                "a decision tree of the model points outside of itself or of its inputs",
                fix="the file is damaged or was tampered with; train the model again",
            )


def _trees_in(root: Any) -> Iterator[tuple[Any, int]]:
    """Every tree below `root` with the number of inputs of the estimator that holds it (0 if unknown)."""
    stack: list[tuple[Any, int]] = [(root, 0)]
    seen: dict[int, Any] = {}
    while stack:
        item, features = stack.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item  # kept alive, so that no id is used twice
        if isinstance(item, Tree | TreePredictor):
            yield item, features
        children = _children(item)
        own = getattr(item, "__dict__", {}).get("n_features_in_", features)
        features = int(own) if isinstance(own, int | np.integer) else 0
        stack.extend((child, features) for child in children)


def _children(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values())
    if isinstance(item, list | tuple | set):
        return list(item)
    if isinstance(item, np.ndarray):
        return item.ravel().tolist() if item.dtype == object else []
    if isinstance(item, type):
        return []
    return list(getattr(item, "__dict__", {}).values())


def _declared(archive: bytes) -> int:
    with zipfile.ZipFile(BytesIO(archive)) as file:
        stack: list[Any] = [json.loads(file.read("schema.json"))]
    found = set()
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            is_tree = node.get("__loader__") == "TreeNode" or (
                node.get("__class__") == "TreePredictor" and node.get("__loader__") == "ObjectNode"
            )
            if is_tree:
                found.add(node.get("__id__"))
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return len(found)


def _is_sound(tree: Any, features: int) -> bool:
    inner = tree.children_left != -1
    return (
        tree.n_features <= features
        and _stays_inside(inner, tree.children_left, tree.children_right)
        and bool(np.all((tree.feature[inner] >= 0) & (tree.feature[inner] < tree.n_features)))
    )


def _is_sound_predictor(predictor: Any, features: int) -> bool:
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    split = nodes[inner]
    sets = split["bitset_idx"][split["is_categorical"] != 0]
    # int64 first: the children are unsigned, and a comparison must not wrap.
    return (
        _stays_inside(inner, nodes["left"].astype(np.int64), nodes["right"].astype(np.int64))
        and bool(np.all((split["feature_idx"] >= 0) & (split["feature_idx"] < features)))
        and bool(np.all(sets < min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))))
    )


def _stays_inside(inner: NDArray[Any], left: NDArray[Any], right: NDArray[Any]) -> bool:
    """Children come after their parent and exist: no loop, no foreign memory. No node at all is unsound too."""
    own = np.flatnonzero(inner)
    return len(inner) > 0 and all(
        bool(np.all((child[own] > own) & (child[own] < len(inner)))) for child in (left, right)
    )
