"""What expressions are worth: exactly, in normal form, at points, to many digits, and at last by SymPy."""
