"""Packages that only some of what targetrl does needs: optional extras, asked for before the work begins."""

from importlib.util import find_spec

from targetrl_core.errors import UsageError


def require_extra(extra: str, *packages: str) -> None:
    """Raise UsageError, which names the extra, where one of its packages is not installed."""
    for package in packages:
        if find_spec(package) is None:
            raise UsageError(f"{package} is not installed: pip install 'targetrl[{extra}]'")
