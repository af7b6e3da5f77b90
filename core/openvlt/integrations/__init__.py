"""openvlt in other trainers: its verifiers as their rewards, its traces and questions in their formats.

`rewards` (TRL) and `scores` (verl, EasyR1) need only the base installation; `exports` and `dataset` write Parquet.
"""
