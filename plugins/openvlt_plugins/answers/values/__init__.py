"""Values of expressions: exact, in normal form, at points in double precision, and to many digits."""
