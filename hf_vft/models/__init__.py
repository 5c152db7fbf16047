"""Backbones and heads: loading, structure, freezing, adapters, features."""
