"""The stages of a run: each takes rows, returns rows, and is cached by what it is made from."""
