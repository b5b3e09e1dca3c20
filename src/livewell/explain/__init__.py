"""Looking inside a trained net: where its evidence lies, and what it takes a class to be."""
