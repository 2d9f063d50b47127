"""What an enemy puts where a number, a word or a label belongs."""

from typing import Any

TEXTS = (
    "\x1b[31mred\x1b[0m", "\x9b2J", "\x00", "a\r\nb", "\u202eevil", "\u2066x\u2069", "\ufeff", "\u2028", "\u200b", "é" * 100, "x" * 5000,
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "&lt;b&gt;", "--><b>", "a|b", "\\|", "\\", "`", "``` x", "`<b>`",
    "[x](javascript:alert(1))", "![x](http://evil)", "https://evil.example", "www.evil.example", "# x", "\n# x", "=cmd|'/c calc'!A0",
    "+1", "-1", "@x", "\t=1", " =1", "＝1", "../../etc/passwd", "/etc/passwd", "", " ", "NaN", "cpu", "{0}", "%s", "$(id)",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**63, 10**30, 10**400, 1e-320, 1e-12, 1e7, 1e308, -1e308, 0.5, -0.0, float("nan"), float("inf"), float("-inf"))
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"": 1}, {"a\x1b[31m<b>": "x"}, [None], ["<b>\x1b"], [1e-12, 1e7])
ALL: tuple[Any, ...] = (*TEXTS, *NUMBERS, *OTHERS)
