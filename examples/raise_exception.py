"""A function that fails: its capsule says with which arguments, why and where.

python examples/raise_exception.py
"""

import capsula


@capsula.monitor
def divide(dividend: float, divisor: float) -> float:
    return dividend / divisor


if __name__ == "__main__":
    divide(1, divisor=0)
