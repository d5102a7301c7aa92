"""Six classic problems with a generator each, ten right programs by different ways and three that are wrong."""

from __future__ import annotations

from vlrl.types import Problem, Text

READ = "import sys\nn, *a = map(int, sys.stdin.read().split())\n"
LIST = "import random\nrandom.seed(int(input()))\nn = random.randint(1, 8)\nprint(n)\nprint(*[random.randint(-9, 9) for _ in range(n)])\n"
POSITIVE = LIST.replace("-9, 9", "1, 9")
ONE = "import random\nrandom.seed(int(input()))\nprint(random.randint(1, 400))\n"
SQUARES = ONE.replace(
    "print(random.randint(1, 400))", "print(random.choice([random.randint(1, 400)] * 3 + [random.randint(1, 20) ** 2]))"
)
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
            READ + "print(max(max(a[i:]) if i == n - 1 else max(sum(a[i:j]) for j in range(i + 1, n + 1)) for i in range(n)))\n",
            READ + "from itertools import accumulate\np = [0, *accumulate(a)]\nprint(max(p[j] - p[i] for j in range(n + 1) for i in range(j)))\n",
            READ + "def f(l, r):\n    if r - l == 1: return a[l]\n    m = (l + r) // 2\n    left = max(sum(a[i:m]) for i in range(l, m))\n    right = max(sum(a[m:j]) for j in range(m + 1, r + 1))\n    return max(f(l, m), f(m, r), left + right)\nprint(f(0, n))\n",
            READ + "from functools import reduce\nprint(reduce(lambda s, x: (max(x, s[0] + x), max(s[1], x, s[0] + x)), a[1:], (a[0], a[0]))[1])\n",
            READ + "best = None\nfor i in range(n):\n    total = 0\n    for x in a[i:]:\n        total += x\n        best = total if best is None or total > best else best\nprint(best)\n",
            READ + "from itertools import accumulate\nprint(max(accumulate(a, lambda end, x: x + max(end, 0))))\n",
            READ + "ends = [a[0]]\nfor x in a[1:]: ends.append(max(x, ends[-1] + x))\nends.sort()\nprint(ends[-1])\n",
        ],
        [
            READ + "best = cur = 0\nfor x in a:\n    cur = max(0, cur + x)\n    best = max(best, cur)\nprint(best)\n",
            READ + "print(max(a))\n",
            READ + "print(sum(x for x in a if x > 0) or max(a))\n",
        ],
    ),
    "different values": (
        "Print how many different values a list has.",
        LIST,
        [
            READ + "print(len(set(a)))\n",
            READ + "a.sort()\nprint(1 + sum(x != y for x, y in zip(a, a[1:])))\n",
            READ + "seen = []\nfor x in a:\n    if x not in seen: seen.append(x)\nprint(len(seen))\n",
            READ + "from collections import Counter\nprint(len(Counter(a)))\n",
            READ + "print(len(dict.fromkeys(a)))\n",
            READ + "print(sum(x not in a[:i] for i, x in enumerate(a)))\n",
            READ + "from itertools import groupby\nprint(len(list(groupby(sorted(a)))))\n",
            READ + "print(sum(x in a for x in range(-9, 10)))\n",
            READ + "bits = 0\nfor x in a: bits |= 1 << (x + 9)\nprint(bin(bits).count('1'))\n",
            READ + "while True:\n    again = [x for x in a if a.count(x) > 1]\n    if not again: break\n    a.remove(again[0])\nprint(len(a))\n",
        ],
        [
            READ + "print(1 + sum(x != y for x, y in zip(a, a[1:])))\n",
            READ + "print(len(set(map(abs, a))))\n",
            READ + "print(sum(a.count(x) == 1 for x in a))\n",
        ],
    ),
    "prime": (
        "Print YES if a number is prime, else NO.",
        SQUARES,
        [
            "n = int(input())\nprint('YES' if n > 1 and all(n % d for d in range(2, n)) else 'NO')\n",
            "n = int(input())\nd = 2\nwhile d * d <= n and n % d: d += 1\nprint('YES' if n > 1 and d * d > n else 'NO')\n",
            "n = int(input())\nsieve = [False, False] + [True] * 500\nfor i in range(2, 30):\n    for j in range(i * i, 500, i): sieve[j] = False\nprint('YES' if sieve[n] else 'NO')\n",
            "n = int(input())\nprint('YES' if sum(n % d == 0 for d in range(1, n + 1)) == 2 else 'NO')\n",
            "n = int(input())\nprint('NO' if n < 2 or n in {a * b for a in range(2, n) for b in range(2, n // a + 1)} else 'YES')\n",
            "from math import isqrt\nn = int(input())\nprint('YES' if n > 1 and not any(n % d == 0 for d in range(2, isqrt(n) + 1)) else 'NO')\n",
            "n = int(input())\nprint('YES' if n in (2, 3) or n > 3 and n % 2 and n % 3 and all(n % d and n % (d + 2) for d in range(5, int(n ** .5) + 1, 6)) else 'NO')\n",
            "from math import factorial\nn = int(input())\nprint('YES' if n > 1 and (factorial(n - 1) + 1) % n == 0 else 'NO')\n",
            "from math import gcd\nn = int(input())\nprint('YES' if n > 1 and all(gcd(n, d) == 1 for d in range(2, n)) else 'NO')\n",
            "n = int(input())\nfound = []\nfor k in range(2, n + 1):\n    if all(k % p for p in found): found.append(k)\nprint('YES' if n in found else 'NO')\n",
        ],
        [
            "n = int(input())\nd = 2\nwhile d * d < n and n % d: d += 1\nprint('YES' if n > 1 and d * d >= n else 'NO')\n",
            "n = int(input())\nprint('YES' if n > 1 and n % 2 else 'NO')\n",
            "n = int(input())\nprint('YES' if pow(2, n, n) == 2 % n else 'NO')\n",
        ],
    ),
    "palindrome": (
        "Print the length of the longest palindromic part of a word.",
        WORD,
        [
            "s = input()\nn = len(s)\nprint(max(j - i for i in range(n) for j in range(i + 1, n + 1) if s[i:j] == s[i:j][::-1]))\n",
            "s = input()\nbest = 0\nfor c in range(2 * len(s) - 1):\n    i, j = c // 2, (c + 1) // 2\n    while i >= 0 and j < len(s) and s[i] == s[j]: i, j = i - 1, j + 1\n    best = max(best, j - i - 1)\nprint(best)\n",
            "s = input()\nfor k in range(len(s), 0, -1):\n    if any(s[i:i + k] == s[i:i + k][::-1] for i in range(len(s) - k + 1)):\n        print(k)\n        break\n",
            "s = input()\nn = len(s)\nd = [[i >= j for j in range(n)] for i in range(n)]\nbest = 1\nfor k in range(2, n + 1):\n    for i in range(n - k + 1):\n        j = i + k - 1\n        d[i][j] = s[i] == s[j] and d[i + 1][j - 1]\n        if d[i][j]: best = k\nprint(best)\n",
            "s = '|' + '|'.join(input()) + '|'\nprint(max(next(r for r in range(len(s)) if i - r < 0 or i + r >= len(s) or s[i - r] != s[i + r]) for i in range(len(s))) - 1)\n",
            "s = input()\nbest = 0\nfor e in range(len(s)):\n    for k in (best + 2, best + 1):\n        t = s[max(e - k + 1, 0):e + 1]\n        if len(t) == k and t == t[::-1]:\n            best = k\n            break\nprint(best)\n",
            "from functools import cache\ns = input()\n@cache\ndef f(i, j):\n    if all(s[i + k] == s[j - k] for k in range((j - i + 1) // 2)): return j - i + 1\n    return max(f(i + 1, j), f(i, j - 1))\nprint(f(0, len(s) - 1))\n",
            "s = input()\nparts = {s[i:j] for i in range(len(s)) for j in range(i + 1, len(s) + 1)}\nprint(max(map(len, filter(lambda t: ''.join(reversed(t)) == t, parts))))\n",
            "s = input()\nt = s[::-1]\nn = len(s)\nprint(max(k for k in range(1, n + 1) for i in range(n - k + 1) if t[n - i - k:n - i] == s[i:i + k]))\n",
            "s = input()\nbest, ends = 1, [[], []]\nfor i in range(len(s)):\n    now = [k for k in range(1, i + 2) if s[i - k + 1:i + 1] == s[i - k + 1:i + 1][::-1]]\n    best = max(best, *now)\nprint(best)\n",
        ],
        [
            "s = input()\nbest = 1\nfor c in range(len(s)):\n    i = j = c\n    while i >= 0 and j < len(s) and s[i] == s[j]: i, j = i - 1, j + 1\n    best = max(best, j - i - 1)\nprint(best)\n",
            "s = input()\nprint(len(s) if s == s[::-1] else 1)\n",
            "s = input()\nt = s[::-1]\nn = len(s)\nd = [[0] * (n + 1) for _ in range(n + 1)]\nfor i in range(n):\n    for j in range(n): d[i + 1][j + 1] = d[i][j] + 1 if s[i] == t[j] else max(d[i][j + 1], d[i + 1][j])\nprint(d[n][n])\n",
        ],
    ),
    "coins": (
        "Print the fewest of the coins 1, 3 and 4 that make an amount.",
        ONE,
        [
            "n = int(input())\nd = [0] + [10 ** 9] * n\nfor i in range(1, n + 1): d[i] = 1 + min(d[i - c] for c in (1, 3, 4) if c <= i)\nprint(d[n])\n",
            "n = int(input())\nprint(min(f + t + (n - 4 * f - 3 * t) for f in range(n // 4 + 1) for t in range((n - 4 * f) // 3 + 1)))\n",
            "from functools import cache\n@cache\ndef f(n): return 0 if n == 0 else 1 + min(f(n - c) for c in (1, 3, 4) if c <= n)\nfor n in range(401): f(n)\nprint(f(int(input())))\n",
            "n = int(input())\nseen, reached, steps = {0}, {0}, 0\nwhile n not in seen:\n    reached = {x + c for x in reached for c in (1, 3, 4)}\n    seen |= reached\n    steps += 1\nprint(steps)\n",
            "n = int(input())\nd = list(range(n + 1))\nfor c in (3, 4):\n    for i in range(c, n + 1): d[i] = min(d[i], d[i - c] + 1)\nprint(d[n])\n",
            "n = int(input())\nprint(-(-n // 4) + (n == 2))\n",
            "n = int(input())\nq, r = divmod(n, 4)\nprint(q + (0, 1, 1 if q else 2, 1)[r])\n",
            "n = int(input())\nk = n // 4\nwhile not any(a + b <= k and 4 * a + 3 * b + (k - a - b) == n for a in range(k + 1) for b in range(k + 1 - a)): k += 1\nprint(k)\n",
            "import heapq\nn = int(input())\nq, done = [(0, 0)], set()\nwhile True:\n    k, x = heapq.heappop(q)\n    if x == n: break\n    if x in done or x > n: continue\n    done.add(x)\n    for c in (1, 3, 4): heapq.heappush(q, (k + 1, x + c))\nprint(k)\n",
            "n = int(input())\na, b, c, d = 0, 1, 2, 1\nfor _ in range(n): a, b, c, d = b, c, d, 1 + min(d, b, a)\nprint(a)\n",
        ],
        [
            "n = int(input())\nprint(n // 4 + n % 4 // 3 + n % 4 % 3)\n",
            "n = int(input())\nprint(n // 3 + n % 3)\n",
            "n = int(input())\nprint(-(-n // 3))\n",
        ],
    ),
    "longest rise": (
        "Print the length of the longest increasing subsequence of a list.",
        POSITIVE,
        [
            READ + "d = []\nfor i, x in enumerate(a): d.append(1 + max((d[j] for j in range(i) if a[j] < x), default=0))\nprint(max(d))\n",
            READ + "from bisect import bisect_left\nt = []\nfor x in a:\n    i = bisect_left(t, x)\n    t[i:i + 1] = [x]\nprint(len(t))\n",
            READ + "from itertools import combinations\nprint(max(k for k in range(1, n + 1) for c in combinations(a, k) if all(x < y for x, y in zip(c, c[1:]))))\n",
            READ + "b = sorted(set(a))\nd = [[0] * (len(b) + 1) for _ in range(n + 1)]\nfor i in range(n):\n    for j in range(len(b)): d[i + 1][j + 1] = d[i][j] + 1 if a[i] == b[j] else max(d[i][j + 1], d[i + 1][j])\nprint(d[n][len(b)])\n",
            READ + "best = [0] * 10\nfor x in a: best[x] = max(best[x], 1 + max(best[:x]))\nprint(max(best))\n",
            READ + "def f(i, last): return 0 if i == n else max(f(i + 1, last), 1 + f(i + 1, a[i]) if a[i] > last else 0)\nprint(f(0, 0))\n",
            READ + "t = []\nfor x in a:\n    for i, y in enumerate(t):\n        if y >= x:\n            t[i] = x\n            break\n    else: t.append(x)\nprint(len(t))\n",
            READ + "d = [1] * n\nfor i in range(n - 1, -1, -1):\n    for j in range(i + 1, n):\n        if a[j] > a[i]: d[i] = max(d[i], 1 + d[j])\nprint(max(d))\n",
            READ + "ends = {0: 0}\nfor x in a: ends[x] = max(ends.get(x, 0), 1 + max(k for y, k in ends.items() if y < x))\nprint(max(ends.values()))\n",
            READ + "rises = {()}\nfor x in a: rises |= {r + (x,) for r in rises if not r or r[-1] < x}\nprint(max(map(len, rises)))\n",
        ],
        [
            READ + "from bisect import bisect_right\nt = []\nfor x in a:\n    i = bisect_right(t, x)\n    t[i:i + 1] = [x]\nprint(len(t))\n",
            READ + "best = now = 1\nfor x, y in zip(a, a[1:]):\n    now = now + 1 if y > x else 1\n    best = max(best, now)\nprint(best)\n",
            READ + "count, top = 0, 0\nfor x in a:\n    if x > top: count, top = count + 1, x\nprint(count)\n",
        ],
    ),
}  # fmt: skip


def classic(name, wrong, **metadata):
    """A problem with ten different submissions, `wrong` of them wrong; from the fourth on by repeating a mistake."""
    question, generator, right, mistaken = CLASSICS[name]
    submissions = [*right[: 10 - wrong], *(mistaken[k % len(mistaken)] for k in range(wrong))]
    held = {"generators": [generator], "submissions": submissions, **metadata}
    return Problem((Text(question),), '{"cases": [{"input": "", "output": ""}]}', "code", "text", name, metadata=held)
