"""``targetrl`` as a rank that waits for the others a short time only."""

import sys

from targetrl_core.cli import main
from targetrl_core.sharding import group, pulse

pulse.BEAT_SECONDS, pulse.LOST_SECONDS, group.JOIN_SECONDS = 0.1, 6.0, 120.0

if __name__ == "__main__":
    sys.exit(main())
