"""Names that break pages which trust them: of columns, values and models."""

HOSTILE_NAMES = (
    "<script>alert(1)</script>", "</title><script>alert(1)</script>", "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>", "\"><b>x</b>", "' onfocus='alert(1)", "javascript:alert(1)",
    "data:text/html,x", "//evil.example/x", "https://evil.example", "../../etc/passwd", "..", ".",
    "a/b", "/", "a\\b", "a?b=c", "a#b", "a&b=c", "a%2Fb", "%00", "%", "a+b", "a b", " leading",
    "trailing ", "a;b", "a,b", "a=b", "a:b", "*", "~", "{{ 7 * 7 }}", "{% raw %}", "${7*7}",
    "#{7*7}", "<!-- x -->", "]]>", "&lt;b&gt;", "&amp;", "'; drop table models; --", "\" or 1=1",
    "%s", "{0}", "\u202egnp.exe", "\u200bzero", "e\u0301", "\u00e9", "\u0130", "\u4f60\u597d",
    "\U0001f4a5", "\u05d0\u05d1", "null", "None", "true", "0", "-1", "constructor", "__proto__",
    "x" * 300, "column", "window",
)  # fmt: skip
