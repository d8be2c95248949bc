"""Labels and predictions in any order: each label is counted once, and what is joined does not depend on the order."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.domain.feedback import Label
from gatewright.effects.segments import Segments
from gatewright.store.feedback import Feedback

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("a", "b", "c", "d")
ANSWERED = st.tuples(st.just("answer"), st.sampled_from(NAMES), st.sampled_from(("new", "old")))
LABELLED = st.tuples(st.just("label"), st.sampled_from(NAMES), st.sampled_from(("0", "1")))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(ANSWERED, LABELLED), max_size=14))
def test_every_label_is_counted_once_and_joined_to_the_only_answer(events: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, log = Feedback(Path(folder)), Segments(Path(folder), "predictions", limit=1 << 20)
        once: dict[str, tuple[str, float]] = {}
        for kind, name, word in events:
            if kind == "label":
                store.put([Label(id=name, values=(float(word),))], NOW)
            else:
                entry = {
                    "id": name,
                    "at": 1.0,
                    "ms": 1,
                    "route": "r|1|500",
                    "try": 1,
                    "arm": word,
                    "user": "",
                    "out": [1],
                }
                log.append(json.dumps(entry).encode() + b"\n")
                store.catch_up(NOW)
            for found in store.labelled("r", after=0, before=2e9, beyond=0)[0]:
                assert found.prediction == 1.0
        tally = store.tally()
        labels = [(name, word) for kind, name, word in events if kind == "label"]
        answers = Counter(name for kind, name, _ in events if kind == "answer")
        for name, word in labels:
            once.setdefault(name, (word, float(word)))
        assert tally.joined + tally.waiting + tally.unusable == len(once)
        assert tally.doubled + tally.conflicting == len(labels) - len(once)
        assert tally.waiting == sum(answers[name] == 0 for name in once)
        joined = [found.label for found in store.labelled("r", after=0, before=2e9, beyond=0)[0]]
        sure = [once[name][1] for name in once if answers[name] == 1]
        assert not Counter(sure) - Counter(joined)
        store.close()
