"""Models: specifications, nets, model files."""
