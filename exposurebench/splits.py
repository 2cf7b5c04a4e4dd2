"""Train, val and test by scene, never by image."""

from __future__ import annotations

import math
from collections.abc import Mapping

from exposurebench.recipe import draw

DEFAULT_SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def position(scene: str, seed: int) -> int:
    """Where a scene lies among all that could be, in [0, 2**63): the splits cut this line."""
    return draw(seed, "split", scene)


def split_of(scene: str, official: str | None, rule: str, seed: int, place: int = 0) -> str:
    """The split of one scene; depends on nothing but the scene's name, the rule and the seed.

    Where the rule counts scenes, it also depends on which others there are.

    Args:
        scene: the scene's name.
        official: the split that the data set gives it, where it has official ones.
        rule: ``official``, a split's name for everything, or shares such as ``train=0.8,val=0.1,test=0.1``, or
            numbers of scenes such as ``train=82,val=10,test=10``.
        seed: the recipe's.
        place: how many of the source's scenes have a smaller :func:`position`; needed where the rule counts scenes.

    Raises:
        ValueError: the rule cannot be read.

    >>> split_of("a", None, "test", 0)
    'test'
    """
    if rule in DEFAULT_SHARES:
        return rule
    if rule == "official" and official is not None:
        return official
    shares = DEFAULT_SHARES if rule == "official" else parse_shares(rule)
    left = place if counted(shares) else position(scene, seed) / 2**63
    for name, share in shares.items():
        left -= share
        if left < 0:
            return name
    return next(reversed(shares))


def counted(shares: Mapping[str, float]) -> int:
    """How many scenes a rule counts; 0 where it gives shares.

    >>> counted({"train": 82, "val": 10, "test": 10}), counted({"train": 0.9, "test": 0.1})
    (102, 0)
    """
    total = sum(shares.values())
    return int(total) if total > 1 and all(share == int(share) for share in shares.values()) else 0


def parse_shares(rule: str) -> dict[str, float]:
    """Shares that add up to 1, or whole numbers of scenes.

    >>> parse_shares("train=0.5,test=0.5")
    {'train': 0.5, 'test': 0.5}
    """
    shares = {}
    for part in rule.split(","):
        name, _, value = part.partition("=")
        try:
            shares[name.strip()] = float(value) if name.strip() not in shares else math.nan
        except ValueError:
            shares[name.strip()] = math.nan
    if (
        set(shares) - set(DEFAULT_SHARES)
        or not all(0 <= share < math.inf for share in shares.values())
        or (abs(sum(shares.values()) - 1) > 1e-9 and not counted(shares))
    ):
        raise ValueError(
            f"split {rule!r}: expected official, train, val, test, shares that add up to 1 such as "
            "train=0.8,val=0.1,test=0.1, or numbers of scenes such as train=82,val=10,test=10"
        )
    return shares
