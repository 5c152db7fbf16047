"""Sources of labelled images: what a folder, file or dataset is, and reading it into one table."""
