"""Arms of an ablation, their runs, their page.

Read ablate, then ablation_settings and ablation_plan."""
