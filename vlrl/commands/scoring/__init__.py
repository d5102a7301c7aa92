"""`vlrl score` and `vlrl verify`: responses that were recorded elsewhere, judged offline.

Read score; score_cli parses.
"""
