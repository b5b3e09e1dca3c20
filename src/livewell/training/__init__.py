"""Training: augmentation, drawing of patches, Lightning module, checkpoints that are whole."""
