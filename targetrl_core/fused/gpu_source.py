"""The source text of a GPU's kernel: GPU compilers are given one text, and no folder to look for the others."""

from functools import cache

from targetrl_core.fused.kernel import SOURCES, Kernel


@cache
def gpu_source(name: str, kernel: Kernel) -> str:
    """The launcher ``name`` with its macros defined and the shared headers put where they are included."""
    text = (SOURCES / name).read_text(encoding="utf-8")
    for header in ("policy.h", "noise.h", "start.h"):
        text = text.replace(f'#include "{header}"', (SOURCES / header).read_text(encoding="utf-8"))
    macros = "".join(f"#define {macro} {value}\n" for macro, value in kernel.macros().items())
    return macros + text
