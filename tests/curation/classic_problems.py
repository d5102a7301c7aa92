"""Six classic problems with a generator each and ten submissions, some of them wrong."""

from __future__ import annotations

from vlrl.types import Problem, Text

READ = "import sys\nn, *a = map(int, sys.stdin.read().split())\n"
LIST = "import random\nrandom.seed(int(input()))\nn = random.randint(1, 8)\nprint(n)\nprint(*[random.randint(-9, 9) for _ in range(n)])\n"
POSITIVE = LIST.replace("-9, 9", "1, 9")
ONE = "import random\nrandom.seed(int(input()))\nprint(random.randint(1, 400))\n"
WORD = "import random\nrandom.seed(int(input()))\nprint(''.join(random.choice('ab') for _ in range(random.randint(2, 9))))\n"

# name → (question, generator, right programs, wrong programs)
CLASSICS = {
    "largest sum of a part": (
        "Print the largest sum of a non-empty contiguous part of a list.",
        LIST,
        [
            READ + "best = cur = a[0]\nfor x in a[1:]:\n    cur = max(x, cur + x)\n    best = max(best, cur)\nprint(best)\n",
            READ + "print(max(sum(a[i:j]) for i in range(n) for j in range(i + 1, n + 1)))\n",
            READ + "best, low, total = -10**9, 0, 0\nfor x in a:\n    total += x\n    best = max(best, total - low)\n    low = min(low, total)\nprint(best)\n",
        ],
        [READ + "best = cur = 0\nfor x in a:\n    cur = max(0, cur + x)\n    best = max(best, cur)\nprint(best)\n"],
    ),
    "different values": (
        "Print how many different values a list has.",
        LIST,
        [
            READ + "print(len(set(a)))\n",
            READ + "a.sort()\nprint(1 + sum(x != y for x, y in zip(a, a[1:])))\n",
            READ + "seen = []\nfor x in a:\n    if x not in seen: seen.append(x)\nprint(len(seen))\n",
        ],
        [READ + "print(1 + sum(x != y for x, y in zip(a, a[1:])))\n"],
    ),
    "prime": (
        "Print YES if a number is prime, else NO.",
        ONE,
        [
            "n = int(input())\nprint('YES' if n > 1 and all(n % d for d in range(2, n)) else 'NO')\n",
            "n = int(input())\nd = 2\nwhile d * d <= n and n % d: d += 1\nprint('YES' if n > 1 and d * d > n else 'NO')\n",
            "n = int(input())\nsieve = [False, False] + [True] * 500\nfor i in range(2, 30):\n    for j in range(i * i, 500, i): sieve[j] = False\nprint('YES' if sieve[n] else 'NO')\n",
        ],
        ["n = int(input())\nd = 2\nwhile d * d < n and n % d: d += 1\nprint('YES' if n > 1 and d * d >= n else 'NO')\n"],
    ),
    "palindrome": (
        "Print the length of the longest palindromic part of a word.",
        WORD,
        [
            "s = input()\nn = len(s)\nprint(max(j - i for i in range(n) for j in range(i + 1, n + 1) if s[i:j] == s[i:j][::-1]))\n",
            "s = input()\nbest = 0\nfor c in range(2 * len(s) - 1):\n    i, j = c // 2, (c + 1) // 2\n    while i >= 0 and j < len(s) and s[i] == s[j]: i, j = i - 1, j + 1\n    best = max(best, j - i - 1)\nprint(best)\n",
        ],
        ["s = input()\nbest = 1\nfor c in range(len(s)):\n    i = j = c\n    while i >= 0 and j < len(s) and s[i] == s[j]: i, j = i - 1, j + 1\n    best = max(best, j - i - 1)\nprint(best)\n"],
    ),
    "coins": (
        "Print the fewest of the coins 1, 3 and 4 that make an amount.",
        ONE,
        [
            "n = int(input())\nd = [0] + [10 ** 9] * n\nfor i in range(1, n + 1): d[i] = 1 + min(d[i - c] for c in (1, 3, 4) if c <= i)\nprint(d[n])\n",
            "n = int(input())\nprint(min(f + t + (n - 4 * f - 3 * t) for f in range(n // 4 + 1) for t in range((n - 4 * f) // 3 + 1)))\n",
        ],
        ["n = int(input())\nprint(n // 4 + n % 4 // 3 + n % 4 % 3)\n"],
    ),
    "longest rise": (
        "Print the length of the longest increasing subsequence of a list.",
        POSITIVE,
        [
            READ + "d = []\nfor i, x in enumerate(a): d.append(1 + max((d[j] for j in range(i) if a[j] < x), default=0))\nprint(max(d))\n",
            READ + "from bisect import bisect_left\nt = []\nfor x in a:\n    i = bisect_left(t, x)\n    t[i:i + 1] = [x]\nprint(len(t))\n",
        ],
        [READ + "from bisect import bisect_right\nt = []\nfor x in a:\n    i = bisect_right(t, x)\n    t[i:i + 1] = [x]\nprint(len(t))\n"],
    ),
}  # fmt: skip


def classic(name, wrong, **metadata):
    """A problem with ten submissions, `wrong` of them wrong."""
    question, generator, right, mistaken = CLASSICS[name]
    submissions = [right[k % len(right)] + f"# {k}\n" for k in range(10 - wrong)]
    submissions += [mistaken[k % len(mistaken)] + f"# {k}\n" for k in range(wrong)]
    held = {"generators": [generator], "submissions": submissions, **metadata}
    return Problem((Text(question),), '{"cases": [{"input": "", "output": ""}]}', "code", "text", name, metadata=held)
