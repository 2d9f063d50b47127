"""The schema of an evidence file: pytest-benchmark's JSON, the rows' ``extra_info``, and a part of our own, ``targetrl``.

The types below are the schema: a file is validated against them when it is read, and an error names the field by its path. What
pytest-benchmark writes beyond them is let through, as its versions differ; in our own parts an unknown field is an error. Seconds are
stored as they were measured; statistics are made when they are read. Imports no torch.

Version 2 is the first that is published. A file of another version is refused by its number.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

SCHEMA = 2
"""Version of the schema, ``targetrl.schema`` in a file; raised when a field changes its meaning, goes away or becomes required."""

Text = Annotated[str, Meta(max_length=2000)]
Word = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]*\Z")]
"""Without control characters, and without those that turn the direction of a line."""
Count = Annotated[int, Meta(ge=0, le=10**15)]
Some = Annotated[int, Meta(ge=1, le=10**15)]
Seconds = Annotated[float, Meta(ge=1e-12, le=1e7)]
Rate = Annotated[float, Meta(ge=1e-9, le=1e20)]
Share = Annotated[float, Meta(ge=0, le=1e6)]

LABEL_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}\Z"
Label = Annotated[str, Meta(pattern=LABEL_PATTERN)]

Outcome = Literal["at_target", "collapsed", "saturated", "elsewhere"]
StateName = Literal["weight", "bias", "m_weight", "v_weight", "m_bias", "v_bias", "baseline"]
Question = Literal[
    "steady state", "again", "cold start", "latency", "growth with steps", "sharding", "construction", "to device", "to host"
]  # fmt: skip
Device = Literal["cpu", "cuda", "mps"]
AbsenceKind = Literal["withheld", "not measured"]

UNTRAINED = ("construction", "to device", "to host")
"""The questions whose rows train nothing."""


class Cell(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a row is about: its place in the tables. Rows of two files with equal cells can be compared.

    ``variant`` is None and ``steps`` 0 where no policy is trained, and nowhere else. ``cache`` says for a cold start whether the
    compiler's cache was ``empty`` or ``warm``, or None where the variant compiles nothing. ``ranks`` says how many processes trained
    together, a thread or a GPU each, where that is the question.
    """

    question: Question
    policies: Some
    steps: Count = 0
    variant: Word | None = None
    objective: Word | None = None
    optimizer: Word | None = None
    arithmetic: Word | None = None
    cache: Literal["empty", "warm"] | None = None
    ranks: Annotated[int, Meta(ge=1, le=10**6)] | None = None

    def __post_init__(self) -> None:
        """Refuse what no table has a place for; msgspec adds the path of the field."""
        if (self.question not in UNTRAINED) != (self.variant is not None and self.steps > 0):
            raise ValueError(f"variant is {self.variant!r} and steps {self.steps}, which cannot be for the question {self.question!r}")
        if (self.question == "sharding") != (self.ranks is not None):
            raise ValueError(f"ranks is {self.ranks!r}, which cannot be for the question {self.question!r}")


class Phases(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fresh process: wall seconds of each phase, of calls after the second one, and the growth of memory in one call.

    ``import_seconds`` is importing torch and targetrl_core; ``prepare_seconds`` the variant's ``prepare``; a call trains all steps.
    """

    import_seconds: Seconds
    prepare_seconds: Seconds
    first_call_seconds: Seconds
    second_call_seconds: Seconds
    steady_seconds: Annotated[list[Seconds], Meta(min_length=1, max_length=100_000)]
    peak_memory_bytes: Count

    @property
    def warming_seconds(self) -> float:
        """What the first call takes beyond a later one."""
        return max(self.first_call_seconds - self.second_call_seconds, 0.0)


class Facts(Cell, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``benchmarks[].extra_info``: the cell, and what was found beside the times.

    Attributes:
        identity: ``bitwise`` or ``bounded``; nothing else has a row.
        ulp: largest distance from the oracle by state tensor, in ulp; empty where no policy is trained.
        ambiguous: policies whose course hangs on a rounding error.
        outcomes: policies by outcome.
        threads: what ``torch.get_num_threads`` said.
        prepare_seconds: wall time of ``prepare`` in the process of the suite.
        compile_seconds: the part of it that ``torch.compile`` took, where torch tells.
        peak_memory_bytes: growth of memory in one call in the process of the suite, where that can be told.
        launches_per_step: kernel launches on CUDA; None elsewhere.
        steps_to_target: updates after which 95 % of a sample of policies are at target, under ``pathwise``; None where they never are.
        processes: a cold start's fresh processes.
    """

    identity: Literal["bitwise", "bounded"]
    threads: Count
    ulp: dict[StateName, Share] = {}
    ambiguous: Count = 0
    outcomes: dict[Outcome, Count] = {}
    prepare_seconds: Annotated[float, Meta(ge=0, le=1e7)] | None = None
    compile_seconds: Annotated[float, Meta(ge=0, le=1e7)] | None = None
    peak_memory_bytes: Count | None = None
    launches_per_step: Share | None = None
    steps_to_target: Count | None = None
    processes: Annotated[list[Phases], Meta(max_length=10_000)] = []

    def __post_init__(self) -> None:
        """Refuse a cold start of no process."""
        super().__post_init__()
        if self.question == "cold start" and not self.processes:
            raise ValueError("processes is empty; a cold start has at least one")


class Stats(Struct, frozen=True, kw_only=True):
    """``benchmarks[].stats``: every round as measured, and the fields that CI services read; pytest-benchmark makes them."""

    data: Annotated[list[Seconds], Meta(min_length=1, max_length=100_000)]
    mean: Seconds
    stddev: Annotated[float, Meta(ge=0, le=1e7)]
    rounds: Some
    ops: Rate


class Benchmark(Struct, frozen=True, kw_only=True):
    """``benchmarks[]``: one row. ``fullname`` holds no device, so that stock compare joins files of several."""

    name: Word
    fullname: Word
    stats: Stats
    extra_info: Facts


class Absence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``targetrl.absent[]``: a row without a number, and why. Without a cell it failed before it was known what it is about."""

    name: Word
    kind: AbsenceKind
    reason: Text
    cell: Cell | None = None


class ClockTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``targetrl.clock``: what the clock's self-test found on the device.

    Attributes:
        resolution_seconds: smallest step of the clock that was seen.
        work: how much work was timed, as multiples of one portion.
        seconds: what each took, the least of several times.
        unsynchronised_seconds: what the largest took by ``time.perf_counter`` alone.
        failures: why the clock cannot be trusted; empty where it can.
    """

    resolution_seconds: Annotated[float, Meta(ge=0, le=1)]
    work: Annotated[list[Some], Meta(max_length=100)]
    seconds: Annotated[list[Annotated[float, Meta(ge=-1e7, le=1e7)]], Meta(max_length=100)]
    unsynchronised_seconds: Annotated[float, Meta(ge=-1e7, le=1e7)]
    failures: Annotated[list[Text], Meta(max_length=100)]


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``targetrl.environment``: what else went on while the suite ran. None stands for what this system does not tell.

    Attributes:
        seconds: wall time of the session.
        busy_elsewhere: share of the machine's core time that other processes took.
        stolen: share that the hypervisor gave to other machines.
        load_before: 1-minute load average per core when the session began.
        governor: frequency governor of the first core.
        turbo: whether cores may exceed their base frequency.
        throttled: thermal throttling events while the suite ran, over all cores.
        on_battery: whether the machine ran on its battery.
        gpu_processes: other processes on the GPU.
        gpu_throttled: reasons for which the GPU's clock was held down after any row, NVML's bit mask.
        thread_settings: environment variables that set numbers of threads.
    """

    seconds: Annotated[float, Meta(ge=0, le=1e9)]
    busy_elsewhere: Share | None
    stolen: Share | None
    load_before: Share | None
    governor: Word | None
    turbo: bool | None
    throttled: Count | None
    on_battery: bool | None
    gpu_processes: Count | None
    gpu_throttled: Count | None
    thread_settings: Annotated[dict[Word, Text], Meta(max_length=1000)]


class Fingerprint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``targetrl.fingerprint``: what the times depend on. No host name, no user name, no path.

    ``packages`` are the versions of those that installed variants and, where they were timed, peers come from.

    ``compiler`` is the one that CXX names, else c++. ``kernel_compiler`` is what builds the kernels of ``fused`` on a CPU, the first of
    their compilers on the PATH, and ``torch_compiler`` what ``torch.compile`` calls there, which CXX names; older files lack one or both.
    Each is the first line of what ``--version`` says. ``compile_flags`` are those of the environment, which these two do not heed.

    ``usable_cores`` are the logical cores that the process may use, and ``cpu_quota`` is the cores' worth of time that control groups grant
    it, None where none sets a limit; older files lack both. ``commit`` and ``dirty`` are None where they are not known.
    """

    processor: Text
    cores: Count | None
    logical_cores: Count | None
    memory_gib: Share
    gpu: Text | None
    driver: Text | None
    cuda: Text | None
    torch: Word
    cpu_capability: Text
    threads: Count
    python: Word
    system: Text
    compiler: Text | None
    compile_flags: Text | None
    commit: Text | None
    dirty: bool | None
    packages: Annotated[dict[Word, Word], Meta(max_length=1000)] = {}
    torch_compiler: Text | None = None
    kernel_compiler: Text | None = None
    usable_cores: Count | None = None
    cpu_quota: Share | None = None


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``targetrl.limits``: what the device did at most, per second: float32 operations, and bytes read and written by a copy.

    A fused multiply-add counts as one multiplication. ``divisions`` and ``roots`` are the divider's; ``newton_divisions`` and
    ``newton_roots`` those of their fastest replacement, an approximation and Newton's steps. ``mixed`` is additions and multiplications in
    turns, both counted: where one unit does both, no more than of one kind. Older files lack the three, as do files of processors without
    instructions that approximate, or without the registers that a mixture takes.
    """

    additions: Rate
    multiplications: Rate
    divisions: Rate
    roots: Rate
    copied_bytes: Rate
    newton_divisions: Rate | None = None
    newton_roots: Rate | None = None
    mixed: Rate | None = None


class Work(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``targetrl.work[]``: operations of one policy-step with x = 1 and one number for each constant; bytes that a run moves a policy."""

    objective: Word
    optimizer: Word
    arithmetic: Word
    additions: Count
    multiplications: Count
    divisions: Count
    roots: Count
    moved_bytes: Some


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``targetrl``: what pytest-benchmark's format has no place for."""

    schema: Literal[2]
    label: Label
    device: Device
    fingerprint: Fingerprint
    environment: Environment
    clock: ClockTest
    absent: Annotated[list[Absence], Meta(max_length=5000)]
    limits: Limits | None = None
    no_limits: Text | None = None
    work: Annotated[list[Work], Meta(max_length=1000)] = []


class Evidence(Struct, frozen=True, kw_only=True):
    """One evidence file: ``<label>-<device>.json``."""

    benchmarks: Annotated[list[Benchmark], Meta(max_length=5000)]
    targetrl: Part


class Version(Struct, frozen=True):
    """As much of a file as says whether a suite wrote it, and which schema it is of."""

    class _Part(Struct, frozen=True):
        schema: int

    targetrl: _Part | UnsetType = UNSET
