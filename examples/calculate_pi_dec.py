"""Calculate pi by the Monte Carlo method, as a decorated function.

python examples/calculate_pi_dec.py
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

import capsula

mpl.use("Agg")
from matplotlib import pyplot as plt

PICTURE = Path(__file__).parent / "pi_dec.png"


@capsula.monitor(
    directory=Path(__file__).parents[1],
    include_return_value=True,
    items=("calculate-pi-dec",),
)
def main(n: int, seed: int | None = None) -> float:
    """Calculate pi from n random points."""
    points = np.random.default_rng(seed).random((n, 2))
    is_inside = (points**2).sum(axis=1) < 1
    capsula.record("points inside", int(is_inside.sum()))

    figure, axes = plt.subplots(figsize=(4, 4))
    axes.scatter(*points[is_inside].T, s=1)
    axes.scatter(*points[~is_inside].T, s=1)
    axes.set_title(capsula.get_capsule_name())
    figure.savefig(PICTURE, dpi=100)
    return float(4 * is_inside.mean())


if __name__ == "__main__":
    print(main(10_000, seed=1))
