"""The shape of a facet's module."""

from collections.abc import Callable
from typing import TypeAlias

from capsula.core.ask import Ask
from capsula.core.config import Config
from capsula.core.fragment import Answer

Collector: TypeAlias = Callable[[Config], Answer]
"""A pure function: it may read the disk, and neither writes, nor spawns, nor looks at the process."""

Asker: TypeAlias = Callable[[Config], tuple[Ask, ...]]
"""What a collector must ask other programs, under this config."""
