"""Modules of the scripts that pre-train and test the tiny base model."""
