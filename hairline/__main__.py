"""`python -m hairline` is the command `hairline`."""

import sys

from hairline.cli import main

sys.exit(main())
