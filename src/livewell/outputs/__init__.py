"""What is written for people and programs: heat maps, masks, overlays, video."""
