"""OME-Zarr images and plates of microscopes (HCS), versions 0.4 and 0.5."""
