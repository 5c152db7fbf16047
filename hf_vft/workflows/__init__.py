"""One module for each command: fit, evaluate, audit, monitor, retrain and the others."""
