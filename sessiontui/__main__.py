"""Run the command line: `python -m sessiontui`."""

import sys

from sessiontui.cli import main

if __name__ == "__main__":
    sys.exit(main())
