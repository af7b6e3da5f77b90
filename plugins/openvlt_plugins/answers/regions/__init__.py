"""Boxes and points in an image."""
