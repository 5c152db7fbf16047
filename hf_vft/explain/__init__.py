"""Why a model answers what it answers, as a map over the image."""
