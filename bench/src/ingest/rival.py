"""Ingests files as the guides of LangChain do, with pypdf and psycopg, each step timed by itself.

{"files": [...], "database": url, "store": "psycopg" or "pgvector", "dimensions": n} on standard input; a line of JSON
per file, with seconds per step and the peak of memory in KiB.
"""
import json
import resource
import sys
import time

import psycopg
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_text_splitters import RecursiveCharacterTextSplitter
from pgvector.psycopg import register_vector


def parse(path):
    if path.endswith(".pdf"):
        from pypdf import PdfReader

        return [page.extract_text() for page in PdfReader(path).pages]
    with open(path, encoding="utf-8") as file:
        return [file.read()]


class Psycopg:
    """One row after the other through a prepared INSERT, in one transaction."""

    def __init__(self, url, dimensions):
        self.connection = psycopg.connect(url)
        self.connection.execute("create extension if not exists vector")
        self.connection.execute("drop table if exists passage")
        self.connection.execute(
            f"create table passage (id bigserial primary key, source text, page int, body text, embedding vector({dimensions}))"
        )
        self.connection.commit()
        register_vector(self.connection)

    def add(self, source, passages, vectors):
        import numpy

        with self.connection.cursor() as cursor:
            for (page, body), vector in zip(passages, vectors):
                cursor.execute(
                    "insert into passage (source, page, body, embedding) values (%s, %s, %s, %s)",
                    (source, page, body, numpy.array(vector, dtype=numpy.float32)),
                )
        self.connection.commit()


class Pgvector:
    """LangChain's own store."""

    def __init__(self, url, dimensions):
        from langchain_postgres import PGVector

        url = url.replace("postgres://", "postgresql+psycopg://", 1)
        self.store = PGVector(
            embeddings=DeterministicFakeEmbedding(size=dimensions),
            collection_name="bench",
            connection=url,
            use_jsonb=True,
            pre_delete_collection=True,
        )

    def add(self, source, passages, vectors):
        self.store.add_embeddings(
            texts=[body for _, body in passages],
            embeddings=vectors,
            metadatas=[{"source": source, "page": page} for page, _ in passages],
        )


request = json.load(sys.stdin)
stores = {"psycopg": Psycopg, "pgvector": Pgvector}
store = stores[request["store"]](request["database"], request["dimensions"])
splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
model = DeterministicFakeEmbedding(size=request["dimensions"])
for path in request["files"]:
    laps = [time.perf_counter()]
    pages = parse(path)
    laps.append(time.perf_counter())
    passages = [(number, text) for number, page in enumerate(pages, 1) for text in splitter.split_text(page)]
    laps.append(time.perf_counter())
    vectors = model.embed_documents([text for _, text in passages])
    laps.append(time.perf_counter())
    store.add(path, passages, vectors)
    laps.append(time.perf_counter())
    steps = dict(zip(["parse", "chunk", "embed", "store"], (after - before for before, after in zip(laps, laps[1:]))))
    answer = {"file": path, "pages": len(pages), "characters": sum(map(len, pages)), "chunks": len(passages)}
    answer["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps(answer | {"seconds": steps}), flush=True)
