"""What a response declares or commits to as its answer, in any of ten languages."""
