"""Calculate pi by the Monte Carlo method, as a command.

capsula monitor -i calculate-pi-cli python examples/calculate_pi_cli.py --seed 1
"""

import argparse
import os
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

PICTURE = Path(__file__).parent / "pi_cli.png"


def main() -> None:
    parser = argparse.ArgumentParser(description="Calculate pi by the Monte Carlo method.")
    parser.add_argument("-n", type=int, default=10_000, help="number of points")
    parser.add_argument("--seed", type=int, help="seed of the random numbers")
    options = parser.parse_args()

    points = np.random.default_rng(options.seed).random((options.n, 2))
    is_inside = (points**2).sum(axis=1) < 1
    print(4 * is_inside.mean())

    figure, axes = plt.subplots(figsize=(4, 4))
    axes.scatter(*points[is_inside].T, s=1)
    axes.scatter(*points[~is_inside].T, s=1)
    # The name of the capsule leads from the picture back to all that made it.
    axes.set_title(os.environ.get("CAPSULA_CAPSULE_NAME", "not monitored"))
    figure.savefig(PICTURE, dpi=100)


if __name__ == "__main__":
    main()
