"""TIFF: what a file says, which page is which plane, and their pixels."""
