"""The study folder: tables, pixels, digests, labels, splits, and what file names say."""
