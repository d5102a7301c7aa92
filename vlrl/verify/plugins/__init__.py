"""Verifiers and reward functions of users, called where nothing that they do can harm the run.

Read guarded, then returned; reward_functions adapts other trainers' signatures."""
