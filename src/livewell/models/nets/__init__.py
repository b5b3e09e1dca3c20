"""Nets: modules together with what an image must be like for them."""
