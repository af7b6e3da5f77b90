"""What expressions are worth: exactly, in normal form, at points, and at last by SymPy."""
