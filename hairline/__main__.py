"""`python -m hairline` is the command `hairline`."""

import sys

from hairline.pipeline.cli import main

sys.exit(main())
