"""livewell tells from plain transmitted-light images whether living cells are well."""

__version__ = "0.1.0"
