"""What all pictures have in common: no window, nobody's own settings, and the same bytes for the same values."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from targetrl_core.errors import UsageError, require_extra
from targetrl_core.files import check_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, VERMILLION, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#bbbbbb"
"""Of Okabe and Ito's palette, which colour-blind readers can tell apart, and a grey."""


def check_picture(option: str, path: Path) -> None:
    """Raise UsageError unless ``path``, which ``option`` gives, can be a picture, here."""
    if path.suffix != ".png":
        raise UsageError(f"{option} is {str(path)!r}; its name must end in .png")
    require_extra("sweep", "matplotlib")
    check_file(option, path)


@contextmanager
def new_figure(width: float, height: float) -> Iterator["Figure"]:
    """An empty figure of so many inches, to be drawn on and saved within the context."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()
        yield Figure(figsize=(width, height), layout="constrained")


def png(figure: "Figure", dpi: int, text: str | None = None) -> bytes:
    """The figure as PNG; ``text`` stands in the file as its description."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    # No version of matplotlib: it would change the bytes.
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None} | ({} if text is None else {"Description": text}))
    return buffer.getvalue()
