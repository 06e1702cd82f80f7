"""What lm-eval's entry point ``lm_eval.tasks`` names: a package whose ``tasks`` holds a YAML file per built-in task.

lm-eval looks for a package's folder. The files are written into the cache when it does, so that they are never other
than the tasks, and this module is the package above them: Python takes a module with a ``__path__`` for one.
"""

from __future__ import annotations

import logging

from lm_plural.harness.lm_eval_tasks.folder import folder
from lm_plural.harness.task.index import Index

__path__ = [str(folder(Index(), logging.getLogger(__name__).warning).parent)]
