"""Images and reference scores for the tests of metrics."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image


@dataclass(frozen=True)
class References:
    """Pairs of photographs with scores that other programs gave them."""

    folder: Path
    pairs: pd.DataFrame
    values: pd.DataFrame

    def scores(
        self, metric: str, params: str, program: str = "", kinds: tuple[str, ...] = ("ldr",)
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, float]]:
        """Prediction, target and score of every pair of some kinds that a program (by a part of its name) scored."""
        rows = self.values[(self.values.metric == metric) & (self.values.params == params)]
        rows = rows[rows.reference_implementation.str.contains(program, regex=False)]
        for pair_id, value in zip(rows.pair_id, rows.value, strict=True):
            pair = self.pairs.loc[pair_id]
            if pair.kind in kinds:
                yield self.image(pair.test_file), self.image(pair.reference_file), float(value)

    def light_scores(self, metric: str, params: str, program: str = "") -> list[tuple[str, float]]:
        """Name and score of every pair of light that a program scored; :meth:`light` has the two sides."""
        rows = self.values[(self.values.metric == metric) & (self.values.params == params)]
        rows = rows[rows.reference_implementation.str.contains(program, regex=False)]
        rows = rows[self.pairs.loc[rows.pair_id].kind.str.startswith("hdr").to_numpy()]
        return list(zip(rows.pair_id, rows.value.astype(float), strict=True))

    def light(self, pair_id: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Prediction and target of a pair of light in cd/m2; luminance is repeated in three channels."""
        pair = self.pairs.loc[pair_id]
        sides = (np.load(self.folder / name).astype(np.float64) for name in (pair.test_file, pair.reference_file))
        prediction, target = (side if side.ndim == 3 else side[..., None].repeat(3, 2) for side in sides)
        return torch.from_numpy(prediction).permute(2, 0, 1)[None], torch.from_numpy(target).permute(2, 0, 1)[None]

    def image(self, name: str) -> torch.Tensor:
        """Levels of 255 as display values; those of an array need not be whole."""
        if name.endswith(".npy"):
            levels = np.load(self.folder / name).astype(np.float64)[..., None].repeat(3, axis=2)
        else:
            levels = np.array(Image.open(self.folder / name).convert("RGB"), np.float64)
        return torch.from_numpy(levels / 255).permute(2, 0, 1)[None]


@pytest.fixture(scope="session")
def references(shared: Path) -> References:
    folder = shared / "refs" / "metrics"
    if not folder.is_dir():
        pytest.skip(f"needs the reference scores: {folder} does not exist")
    pairs = pd.read_csv(folder / "pairs.csv").set_index("pair_id")
    return References(folder, pairs, pd.read_csv(folder / "values.csv"))


@pytest.fixture
def images() -> torch.Tensor:
    """Four smooth, colourful images of odd size with some texture, float64."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:93, :121] / 100
    waves = [np.sin(5 * rng.random() * x + 7 * rng.random() * y + 6 * rng.random()) for _ in range(12)]
    smooth = 0.5 + 0.35 * np.array(waves).reshape(4, 3, 93, 121)
    return torch.from_numpy((smooth + rng.normal(0, 0.03, smooth.shape)).clip(0, 1))


@pytest.fixture
def noise(images: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(4).normal(0, 1, images.shape))


@pytest.fixture
def light(images: torch.Tensor) -> torch.Tensor:
    """Four scenes in relative light, float64: 3 % of the pixels are beyond white, which is 1, up to 100."""
    brightest = images.amax(1, keepdim=True)
    rank = brightest.flatten(1).argsort(1).argsort(1).view_as(brightest) / brightest[0].numel()
    shades = 0.01 + 0.99 * (rank / 0.97).clamp(max=1) ** 2
    return (images / brightest).clamp(min=0.02) * shades * 100 ** ((rank - 0.97) / 0.03).clamp(0, 1)


@pytest.fixture
def unclipped(light: torch.Tensor) -> torch.Tensor:
    """Where a photograph of those scenes that is white from 1 up shows the light."""
    return light.amax(1, keepdim=True) < 1


@pytest.fixture
def sparkling(light: torch.Tensor, unclipped: torch.Tensor) -> torch.Tensor:
    """The clipped photograph with 0.15 % of the pixels, drawn from the clipped ones, thirty times as bright."""
    prediction = light.clamp(max=1)
    rng = np.random.default_rng(0)
    for image, shown in zip(prediction, unclipped, strict=True):
        clipped = np.flatnonzero(~shown.numpy())
        image.flatten(1)[:, rng.choice(clipped, round(0.0015 * shown.numel()), replace=False)] *= 30
    return prediction
