"""Charts: inline in a report, and as files that stand alone.

Read metric_charts, then svg_charts."""
