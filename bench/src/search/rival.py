"""What is asked of Postgres beside Docent: a filled database, questions, exact neighbours, and the same statement
through libpq.

A request on standard input, {"verb": ..., "url": ..., ...}; lines of JSON on standard output.
"""
import json
import sys
import time

import psycopg
from psycopg.rows import tuple_row

MODEL = "minilm-l6-v2"


def out(value):
    print(json.dumps(value), flush=True)


def create(ask):
    with psycopg.connect(ask["url"], autocommit=True) as admin:
        found = admin.execute("select 1 from pg_database where datname = %s", (ask["name"],)).fetchone()
        if not found:
            admin.execute(f'create database "{ask["name"]}"')
        out(bool(found))


def sql(ask):
    with psycopg.connect(ask["url"], autocommit=True) as admin:
        for statement in ask["statements"]:
            admin.execute(statement)
    out(True)


def filled(ask):
    with psycopg.connect(ask["url"]) as admin:
        out(admin.execute("select count(*) from tenant").fetchone()[0])


def indexes(ask):
    with psycopg.connect(ask["url"]) as admin:
        sql = "select count(*) from pg_index i join pg_class c on c.oid = i.indexrelid where c.relname = any(%s) and i.indisvalid"
        out(admin.execute(sql, (ask["names"],)).fetchone()[0])


def questions(ask):
    """Near to chunks that there are, but none of them; with two terms of the middle, a frequent and a rare one."""
    with psycopg.connect(ask["url"]) as admin:
        admin.execute("select setseed(0.7)")
        for number in range(ask["count"]):
            tenant = ask["tenants"][number % len(ask["tenants"])]
            rows = admin.execute(
                """with d as (select * from document where tenant_id = %(t)s order by random() limit 1)
                   select l2_normalize(e.vector + l2_normalize(
                            array(select random_normal() from generate_series(1, 384) where e.ordinal is not null)::real[]::vector)
                            * array_fill(0.5::real, array[384])::vector)::text,
                          floor(random() * 50)::int, floor(random() * 2000)::int, floor(random() * 2000)::int, floor(random() * 100000)::int
                   from d join embedding e on e.tenant_id = d.tenant_id and e.document_id = d.id
                   order by random() limit 1""",
                {"t": tenant},
            ).fetchone()
            terms = [f"often{rows[1]}", f"sometimes{rows[2]}", f"sometimes{rows[3]}", f"seldom{rows[4]}"]
            out({"tenant": tenant, "vector": json.loads(rows[0]), "terms": terms})


def neighbours(ask):
    """The ten nearest of each question's tenant: by reading all, or (`plain`) by one index over all tenants."""
    with psycopg.connect(ask["url"], autocommit=True) as admin:
        if ask["plain"]:
            # Made to use the index, as it would with more rows.
            admin.execute("set enable_sort = off")
            admin.execute("set enable_bitmapscan = off")
            place = "vector::vector(384) <=> %s::vector(384)"
        else:
            admin.execute("set enable_indexscan = off")
            place = "vector <=> %s::vector"
        for question in ask["questions"]:
            vector = json.dumps(question["vector"])
            begin = time.perf_counter()
            rows = admin.execute(
                f"select document_id::text, ordinal from embedding_minilm_l6_v2 where tenant_id = %s order by {place} limit 10",
                (question["tenant"], vector),
            ).fetchall()
            out({"places": rows, "seconds": time.perf_counter() - begin})


def same(ask):
    """The statement itself, with the transaction around it, in one pipeline: what Docent sends, without Docent."""
    with psycopg.connect(ask["url"], autocommit=True, prepare_threshold=None) as app:
        raw = psycopg.RawCursor(app, row_factory=tuple_row)
        for question in ask["questions"]:
            tenant, vector = question["tenant"], json.dumps(question["vector"])
            unfiltered, weights = (None, None, None, None, 0), ([1.0] * len(question["terms"]), 1.0)
            parameters = (tenant, [tenant], question["terms"], vector, MODEL, ask["limit"], question["index"])
            parameters += unfiltered + weights
            begin = time.perf_counter()
            with app.pipeline():
                app.execute("begin")
                app.execute("select set_config('app.tenant_id', %s, true)", (tenant,))
                raw.execute(ask["statement"], parameters)
                app.execute("commit")
            rows = raw.fetchall()
            out({"rows": len(rows), "seconds": time.perf_counter() - begin})


request = json.load(sys.stdin)
globals()[request["verb"]](request)
