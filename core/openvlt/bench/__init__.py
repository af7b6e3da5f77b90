"""Scores that can be believed: answers, verdicts, rates with intervals, and the difference of two models."""
