"""A small version of benchmarks/coverage.py: akb's default intervals hold the truth about as often as they say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("akb_coverage_bench", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("kind", "interval", "world", "low", "high"),
    [
        ("means", "Wilson", "n 200, akb-open, p 0.8, icc 0.0", 0.92, 0.98),
        ("means", "mean, score", "n 200, akb-open, p 0.8, icc 0.5", 0.92, 0.98),
        ("means", "mean, score", "n 40, fours, p 0.8, icc 0.5", 0.92, 0.98),
        ("means", "Wilson", "n 40, fours, p 0.8, icc 0.5", 0.6, 0.87),  # blind to templates: why it is not the default
        ("means", "macro, score", "n 240, 6 categories, p 0.6-0.95, icc 0.5", 0.92, 0.98),
        ("means", "mean, score", "n 442, 60 templates of 100 to 1, p 0.8, 70 % alike", 0.93, 1.0),
        ("paired", "difference", "n 200, akb-open, p 0.82 and 0.78, icc 0.5", 0.92, 0.98),
        ("paired", "difference, plain", "n 40, akb-open, p 0.98 and 0.97, icc 0.5", 0.5, 0.85),
        ("ranks", "rank, pairwise", "n 500, 1 ahead of 12 close ones: all", 0.95, 1.0),
        ("groups", "shrunk, integrated", "6 groups of 40, beta(12, 3)", 0.9, 1.0),
        ("items", "discrimination", "60 items, 17 models", 0.92, 0.98),
    ],
)
def test_an_interval_holds_the_truth_as_often_as_measured(
    bench: ModuleType, kind: str, interval: str, world: str, low: float, high: float
) -> None:
    (case,) = [case for case in bench.KINDS[kind]() if (case.interval, case.world) == (interval, world)]
    assert low <= bench.measure(case, 500).measured <= high
