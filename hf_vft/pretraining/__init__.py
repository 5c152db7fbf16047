"""Pre-training by formulas: images nobody took, for backbones that anybody may use."""
