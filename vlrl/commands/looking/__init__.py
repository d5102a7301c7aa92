"""`vlrl compare` and `vlrl watch`: looking_cli parses; what they do lies in vlrl/report/."""
