"""The stages of a run: each takes rows, gives rows, and is found again by what it was made from."""
