"""Test cases of programming problems, generated and filtered (k1.5 §2.3.4): read `agreement`, then `generate_tests`."""
