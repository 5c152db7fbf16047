"""Pre-training by formulas: pictures nobody took, for backbones that anybody may use."""
