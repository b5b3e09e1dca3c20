"""Named training recipes with their source: plain values, no torch."""
