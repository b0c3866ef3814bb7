"""Prints the status and then the body of a page: ask.py URL [TOKEN]."""

import sys
import urllib.error
import urllib.request

request = urllib.request.Request(sys.argv[1])
if sys.argv[2]:
    request.add_header("Authorization", f"Bearer {sys.argv[2]}")
try:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        request, timeout=5
    ) as answer:
        print(answer.status, answer.read().decode(), sep="\n")
except urllib.error.HTTPError as refused:
    print(refused.code, refused.read().decode(), sep="\n")
except OSError as error:
    print(0, error, sep="\n")
