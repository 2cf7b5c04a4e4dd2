"""Results that were not measured: quick to make, and their numbers are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from exposurebench import tables
from exposurebench.evaluate import Result


@pytest.fixture(scope="session")
def made() -> Callable[..., Result]:
    """Makes the result of a method out of its values, one photograph a pair unless said otherwise."""

    def made(
        name: str,
        values: Mapping[str, Sequence[float]],
        *,
        oracle: bool = False,
        scenes: Sequence[str] | None = None,
        unchanged: Sequence[bool] | bool = False,
    ) -> Result:
        keys = [f"p{number}" for number in range(len(next(iter(values.values()))))]
        columns: dict[str, Any] = {"id": keys, "scene": scenes or keys, "split": "test", "unchanged": unchanged}
        per_image = pd.DataFrame({**columns, **values})
        needs = ["input", "tau"] if oracle else ["input"]
        document = {
            "name": name,
            "method": {
                "kind": "baseline",
                "title": f"title of {name}",
                "reference": "",
                "oracle": oracle,
                "needs": needs,
            },
            "dataset": {"name": "made", "pixels": "0" * 64, "split": "test"},
            "protocols": {metric: tables.protocol(metric) for metric in values},
            "already_right": tables.harm(per_image, list(values)),
        }
        return Result(document, per_image, tables.summarize(per_image, list(values)))

    return made
