"""Reads PDFs with pypdf: {"files": […], "texts": bool} on standard input, one line of JSON per file on standard output."""
import json
import sys
import time

from pypdf import PdfReader

request = json.load(sys.stdin)
for path in request["files"]:
    begin = time.perf_counter()
    try:
        pages = [page.extract_text() for page in PdfReader(path).pages]
        failure = None
    except Exception as error:  # a rival may fail in any way; the table says how
        pages, failure = [], f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - begin
    answer = {"file": path, "pages": len(pages), "seconds": seconds, "failure": failure}
    answer["characters"] = sum(map(len, pages))
    if request["texts"]:
        answer["texts"] = pages
    print(json.dumps(answer), flush=True)
