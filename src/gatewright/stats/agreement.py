"""How much annotators agree beyond chance: Cohen's kappa, Fleiss' kappa, Krippendorff's alpha.

Sources: J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20 (1960)
37-46. J. L. Fleiss, "Measuring nominal scale agreement among many raters", Psychological Bulletin 76 (1971) 378-382. K.
Krippendorff, "Computing Krippendorff's alpha-reliability" (2011): by coincidences, nominal and interval data, gaps
allowed. None where a coefficient is undefined: all labels are one value, or no row has two.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

Labels = Sequence[Hashable]


def percent(rows: Sequence[Labels]) -> float | None:
    """Share of the pairs of labels of one row that are equal, over all rows with two labels or more."""
    pairs = equal = 0
    for labels in rows:
        count = len(labels)
        pairs += count * (count - 1)
        equal += sum(times * (times - 1) for times in Counter(labels).values())
    return equal / pairs if pairs else None


def cohen(rows: Sequence[tuple[Hashable, Hashable]]) -> float | None:
    """Kappa of two annotators, who have both labelled each row: (observed - expected) / (1 - expected)."""
    if not rows:
        return None
    first, second = Counter(a for a, _ in rows), Counter(b for _, b in rows)
    observed = sum(a == b for a, b in rows) / len(rows)
    expected = sum(first[value] * second[value] for value in first) / len(rows) ** 2
    return _beyond(observed, expected)


def fleiss(rows: Sequence[Labels]) -> float | None:
    """Kappa of equally many labels a row, whoever gave them. ValueError when their numbers differ."""
    numbers = {len(labels) for labels in rows}
    if not rows or numbers == {1}:
        return None
    if len(numbers) > 1:
        raise ValueError(f"rows have {sorted(numbers)} labels; Fleiss' kappa needs equally many")
    observed = percent(rows)
    every = Counter(label for labels in rows for label in labels)
    total = every.total()
    expected = sum((count / total) ** 2 for count in every.values())
    return None if observed is None else _beyond(observed, expected)


def krippendorff(rows: Sequence[Sequence[float] | Labels], *, interval: bool = False) -> float | None:
    """Alpha = 1 - observed / expected disagreement; rows with a single label have no part.

    The difference of two labels is 0 or 1, or with `interval` its square.
    """
    units = [labels for labels in rows if len(labels) > 1]
    every = [label for labels in units for label in labels]
    if len(every) < 2:
        return None
    observed = math.fsum(_disagreement(labels, interval) / (len(labels) - 1) for labels in units) / len(every)
    expected = _disagreement(every, interval) / (len(every) * (len(every) - 1))
    return 1.0 - observed / expected if expected > 0.0 else None


def _disagreement(labels: Sequence[float] | Labels, interval: bool) -> float:
    """Sum over all ordered pairs of their difference: n (n - 1) pairs."""
    if interval:
        numbers = [float(label) for label in labels]  # type: ignore[arg-type]
        count, mean = len(numbers), math.fsum(numbers) / len(numbers)
        return 2.0 * count * math.fsum((number - mean) ** 2 for number in numbers)
    count = len(labels)
    return float(count * count - sum(times * times for times in Counter(labels).values()))


def _beyond(observed: float, expected: float) -> float | None:
    return (observed - expected) / (1.0 - expected) if expected < 1.0 else None
