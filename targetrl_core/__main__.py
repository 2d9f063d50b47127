"""``python -m targetrl_core`` is the ``targetrl`` command: torchrun starts modules."""

import sys

from targetrl_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
