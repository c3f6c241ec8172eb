"""What the commands do, from files to files: one CT, a study, a simulation."""

from axilla.pipeline._progress import Progress, silent
from axilla.pipeline._workers import Workers

__all__ = ["Progress", "Workers", "silent"]
