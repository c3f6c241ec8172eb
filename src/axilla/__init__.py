"""axilla: the axillary lymph nodes of a chest CT, found, shown, measured, and grouped without labels.

Research use only; not a medical device. The stages are functions of their rooms: ``axilla.io.read_ct``, ``axilla.locate.locate``,
``axilla.radiomics.extract``, ``axilla.model.train`` and ``predict``, ``axilla.evaluate.evaluate``.
"""

from axilla._version import __version__

__all__ = ["__version__"]
