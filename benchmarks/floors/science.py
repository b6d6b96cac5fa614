"""A small numerical script, as people run many of."""

import numpy as np

matrix = np.random.default_rng(1).normal(size=(200, 200))
print(float(np.linalg.eigvalsh(matrix @ matrix.T).sum()))
