"""``python -m tinygrad_np`` runs the commands."""

import sys

from tinygrad_np.cli import main

if __name__ == "__main__":
    sys.exit(main())
