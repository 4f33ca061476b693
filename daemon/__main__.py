"""`python -P -m daemon`: the same as `ogis-lra`, as systemd starts it."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
