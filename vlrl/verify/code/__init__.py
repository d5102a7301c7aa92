"""The verifier `code`: programs of a response are run in the sandbox and judged by tests.

`program_text` finds the program, `code_tests` says what a row's tests are, `stdout_comparison` and `plain_values`
compare outside of the sandbox, `run_tests` runs, `code_verifier` makes a verdict of it; `majority_vote` needs no tests.
`inside` is what runs in the sandbox.
"""
