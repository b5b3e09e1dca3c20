"""``python -m livewell``, and the program ``livewell``."""

import json
import os
import signal
import sys

from livewell.errors import STOPPED


def main() -> None:
    """Run the command line; Ctrl-C is heard while it is still being loaded."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: a file that is opened next would take its place
            os.open(os.devnull, os.O_RDWR)
    try:
        from livewell.cli import main as run

        run()
    except KeyboardInterrupt:
        if "--json" in sys.argv:
            print(json.dumps({"error": "stopped", "message": STOPPED}))
        print(STOPPED, file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    finally:
        # whoever does not wait for the end to be tidy ends it
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
