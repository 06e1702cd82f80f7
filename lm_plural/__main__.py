"""``python -m lm_plural``."""

import sys

from lm_plural.harness.cli.main import main

sys.exit(main())
