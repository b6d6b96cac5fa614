"""Settings: what ``capsula.toml`` says, with its defaults."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

HashAlgorithm = Literal["md5", "sha1", "sha256", "sha3"]
Durability = Literal["full", "fast"]
Recapture = Literal["changing", "all"]

MIB = 1024 * 1024


class FileSettings(NamedTuple):
    """What to do with one file, directory or glob: ``[capture.files]``, ``[monitor.item.NAME.files]``."""

    hash: HashAlgorithm | None = None
    """Algorithm of the recorded hash (``sha3`` is SHA3-256), or none."""
    move: bool = False
    """Move the file into the capsule."""
    copy: bool = False
    """Copy the file into the capsule."""


class GitSettings(NamedTuple):
    """Which repositories to capture: ``[capture.git]``."""

    repositories: Mapping[str, str] | None = None
    """Name to path, relative to the root; left out: the repository that holds the root."""


class SourceSettings(NamedTuple):
    """How the state of the source is kept, so that it can be put back: ``[capture.source]``."""

    file_limit: int = 50 * MIB
    """Bytes of one file; a larger one is listed, not kept."""
    total_limit: int = 200 * MIB
    """Bytes of all files that are kept; what is beyond is listed."""
    withhold: tuple[str, ...] = ()
    """Globs of further files that are listed, never kept."""
    keep: tuple[str, ...] = ()
    """Globs of files that are kept although their names look like those of secrets, or hold one."""


class CaptureSettings(NamedTuple):
    """What a context holds: ``[capture]``."""

    include_cpu: bool = True
    """Whether to capture the CPU."""
    include_python_packages: bool = True
    """Whether to list the Python packages of the interpreter that the command uses."""
    include_source: bool = True
    """Whether to keep what differs from the commit, so that the source can be put back byte for byte."""
    include_system: bool = True
    """Whether to capture the operating system, and what makes its numbers come out as they do."""
    include_environment: bool = True
    """Whether to capture the variables that programs listen to, and a digest of each other one."""
    pre_capture_commands: tuple[str, ...] = ()
    """Command lines that the shell runs in the root directory before anything is captured."""
    pre_capture_time_limit: float = 600
    """Seconds that each of them may take."""
    environment_variables: tuple[str, ...] = ()
    """Names of the environment variables whose values are captured."""
    files: Mapping[str, FileSettings] = {}
    """File, directory or glob (relative to the root) to what to do with it."""
    git: GitSettings = GitSettings()
    source: SourceSettings = SourceSettings()
    facets: Mapping[str, Mapping[str, object]] = {}
    """Settings of third-party facets by name; a facet runs only if its table is here."""


class ItemSettings(NamedTuple):
    """What to keep after a run of this item: ``[monitor.item.NAME]``."""

    files: Mapping[str, FileSettings] = {}
    relative_tolerance: float = 1e-9
    """How much its numbers may differ in proportion, for a reproduction to be close."""
    absolute_tolerance: float = 0.0
    """How much they may differ in any case."""


class MonitorSettings(NamedTuple):
    """How runs are monitored: ``[monitor]``."""

    capture: bool = True
    """Whether to capture the context before each run."""
    recapture: Recapture = "changing"
    """What is captured anew at each call of a decorated function: ``changing`` (all but the CPU, the platform, the
    system and the packages, which are captured once a process) or ``all``."""
    known_hash_seed: bool = True
    """Whether to set PYTHONHASHSEED to a freshly drawn, recorded number where it is unset."""
    keep_output: bool = True
    """Whether to keep what a command writes to its streams; if not, it has ours as they are, and nothing in between."""
    output_in_record: int = MIB
    """Bytes of each stream that the record holds as text; the log files hold all of it."""
    find_outputs: bool = True
    """Whether to look below the root for files that the command has written, and record their hashes."""
    output_limit: int = 64 * MIB
    """Bytes of them that are kept, so that a later run can be compared with this one."""
    item: Mapping[str, ItemSettings] = {}


class DiscretionSettings(NamedTuple):
    """What is taken for a secret, and never kept: ``[discretion]``."""

    rules: Mapping[str, bool] = {}
    """Rule to whether it is followed; those that are left out are."""
    allow: tuple[str, ...] = ()
    """Names of variables, parameters and options whose values are no secrets, whatever the names look like."""
    scan_limit: int = 16 * MIB
    """Bytes at the beginning of each stream that are searched, and of the files that a command has written; what comes
    after them is kept as it is."""

    def watches(self, rule: str) -> bool:
        """Tell whether a rule is followed."""
        return self.rules.get(rule, True)


class Settings(NamedTuple):
    """All settings; every one has a default."""

    vault_directory: str = "vault"
    """Where capsules are kept, relative to the root."""
    capsule_template: str = "%Y%m%d_%H%M%S"
    """Name of a capsule, given to ``strftime`` with the local time."""
    durability: Durability | None = None
    """``full`` (synchronised to the disk) or ``fast``; left out: full for commands, fast for decorated functions."""
    capture: CaptureSettings = CaptureSettings()
    monitor: MonitorSettings = MonitorSettings()
    discretion: DiscretionSettings = DiscretionSettings()
