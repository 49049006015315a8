"""Reads PDFs: {"reader": "pypdf" or "pdfium", "files": […], "texts": bool} on standard input, a line of JSON per file."""
import json
import logging
import sys
import time

logging.disable(logging.ERROR)


def pypdf(path):
    from pypdf import PdfReader

    return [page.extract_text() for page in PdfReader(path).pages]


def pdfium(path):
    from pypdfium2 import PdfDocument

    return [page.get_textpage().get_text_bounded() for page in PdfDocument(path)]


request = json.load(sys.stdin)
read = {"pypdf": pypdf, "pdfium": pdfium}[request["reader"]]
for path in request["files"]:
    begin = time.perf_counter()
    try:
        pages, failure = read(path), None
    except Exception as error:  # a rival may fail in any way; the table says how
        pages, failure = [], f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - begin
    answer = {"file": path, "pages": len(pages), "seconds": seconds, "failure": failure}
    answer["characters"] = sum(map(len, pages))
    if request["texts"]:
        answer["texts"] = pages
    print(json.dumps(answer), flush=True)
