"""Runs inside of the sandbox: calls one function of the program beside it and writes what it returns.

The call comes as JSON on standard input. The result is one line that begins with the call's mark, on a copy of standard
output that the program doesn't have by number or name; what it prints itself goes to the error stream. What was
expected isn't here, so that a forged line would have to hold the right answer.
"""

import json
import os
import sys
from typing import Any

from plain_data import PlainError, decode, encode  # type: ignore[import-not-found]

call = json.loads(sys.stdin.read())
out = os.dup(1)
os.dup2(2, 1)
names: "dict[str, Any]" = {"__name__": "solution", "__file__": "solution.py"}
with open("solution.py", encoding="utf-8", errors="surrogatepass") as file:
    code = compile(file.read(), "solution.py", "exec", dont_inherit=True)
sys.path.insert(0, os.getcwd())
exec(code, names)
name = call["function"]
if name not in names and "Solution" in names:  # LeetCode
    function = getattr(names["Solution"](), name)
elif name in names:
    function = names[name]
else:
    sys.exit(f"the program has no function {name!r}")
arguments = [decode(item) for item in call["arguments"]]
result = function(*arguments)
if call.get("in_place"):
    result = arguments[0]
try:
    said = json.dumps(encode(result))
except PlainError as error:
    sys.exit(f"{name} returned no plain data: {error}")
sys.stdout.flush()
os.write(out, f"\n{call['mark']}{said}\n".encode())
