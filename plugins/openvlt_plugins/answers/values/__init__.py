"""What expressions are worth: exactly, in normal form, at points, and at last to many digits."""
