"""Fine-tuning in stages on top of the transformers Trainer."""
