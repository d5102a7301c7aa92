"""`vlrl compare` and `vlrl watch`; what they do lies in vlrl/report/."""
