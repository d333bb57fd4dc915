"""Training at the desk: recipes, augmentation, the supervised loop, runs and bundles."""
