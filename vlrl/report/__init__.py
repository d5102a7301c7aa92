"""What a run folder shows: report.html, the run card, tables. Reads files only and needs no torch.

Read report and read_run.
"""
