"""Train, val and test by scene, never by image."""

from __future__ import annotations

import math

from exposurebench.recipe import draw

DEFAULT_SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


def split_of(scene: str, official: str | None, rule: str, seed: int) -> str:
    """The split of one scene; depends on nothing but the scene's name, the rule and the seed.

    Args:
        scene: the scene's name.
        official: the split that the data set gives it, where it has official ones.
        rule: ``official``, a split's name for everything, or shares such as ``train=0.8,val=0.1,test=0.1``.
        seed: the recipe's.

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
    position = draw(seed, "split", scene) / 2**63
    for name, share in shares.items():
        position -= share
        if position < 0:
            return name
    return next(reversed(shares))


def parse_shares(rule: str) -> dict[str, float]:
    """Shares that add up to 1.

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
        or not all(share >= 0 for share in shares.values())
        or abs(sum(shares.values()) - 1) > 1e-9
    ):
        raise ValueError(
            f"split {rule!r}: expected official, train, val, test, or shares that add up to 1 such as "
            "train=0.8,val=0.1,test=0.1"
        )
    return shares
