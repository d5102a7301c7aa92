"""Settings that had another name before: a config that still has the old one is refused with the new one."""

from __future__ import annotations

# old name: names that it may have now; the one that the settings at hand know is meant
RENAMED: dict[str, tuple[str, ...]] = {
    "added": ("auxiliary",),
    "drawing": ("problem_sampler",),
    "facts": ("metadata",),
    "leave_below": ("early_exit_below",),
    "max_rows": ("max_num_seqs",),
    "pack_rows": ("pack_sequences",),
    "picture": ("image",),
    "picture_rotation": ("image_rotation",),  # a domain
    "pictures": ("images", "image_folder"),
    "prefill_tokens": ("max_num_batched_tokens",),
    "stretches": ("phases",),
}
