"""What the commands do, from files to files: one CT, a study, a simulation."""

from axilla.pipeline._progress import Progress, silent

__all__ = ["Progress", "silent"]
