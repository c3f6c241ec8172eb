"""The version of axilla, written once."""

__version__ = "0.1.0"
