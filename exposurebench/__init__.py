"""Paired data sets, reference models, metrics and leaderboards for exposure correction."""

__version__ = "0.1.0"
