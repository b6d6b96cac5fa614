"""Git's part, in a running process: one diff with untracked files, and one cached diff; tells the seconds of both."""

from statistics import median
from time import perf_counter

import pygit2
from pygit2.enums import DiffOption


def main() -> None:
    """Do it again and again in the repository of the working directory."""
    taken = []
    for _ in range(12):
        begun = perf_counter()
        repository = pygit2.Repository(".")
        for diff in (
            repository.head.peel(pygit2.Tree).diff_to_index(repository.index),
            repository.diff(flags=DiffOption.INCLUDE_UNTRACKED | DiffOption.RECURSE_UNTRACKED_DIRS),
        ):
            b"".join(patch.data for patch in diff if patch)
        taken.append(perf_counter() - begun)
    print(median(taken[2:]))


if __name__ == "__main__":
    main()
