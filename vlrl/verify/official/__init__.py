"""The published rules of benchmarks, verdict for verdict, and the rewards made of them.

Each file is one benchmark; benchmark_rewards is what training uses."""
