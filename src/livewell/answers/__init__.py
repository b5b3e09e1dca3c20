"""What people answered of a study's images, and what they are asked next."""
