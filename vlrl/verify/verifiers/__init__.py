"""The verifiers, one file for each kind of gold.

Read number for the shape of one, then mathematics."""
