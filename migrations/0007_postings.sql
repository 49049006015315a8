-- Postings become blocks: one row holds what one term has in one stored batch of one revision, instead of one row for
-- each chunk that a term stands in.
--
-- Measured with 5 MB of prose (8,547 chunks, 588,323 postings), stored in batches: 17.0 s and 124 MB as rows with a
-- foreign key, 9.9 s without the key, 7.9 s and 58 MB as blocks of 64 chunks, 1.1 s and 17 MB as blocks of 1,024.
-- One array of packed numbers is a third smaller than three arrays, and one call to unnest.
--
-- There is no foreign key to `document`: checking it costs more than writing the block. Whoever deletes a document
-- deletes its postings in the same transaction, after the document's row, which a worker locks before it stores.
--
-- Expand and contract in one file, which no release after 1.0 will do: code from before it finds no column `ordinal`
-- here, so the functions are deployed together with it, and a search of the old code fails until they are.
set local role docent_owner;

alter table posting rename to posting_row;
alter index posting_pkey rename to posting_row_pkey;
alter index posting_document rename to posting_row_document;

create table posting (
  tenant_id     uuid not null,
  -- Compared byte by byte: terms are keys, not language, and batches arrive in this order.
  term          text collate "C" not null,
  document_id   uuid not null,
  revision      integer not null,
  first_ordinal integer not null,
  -- In each number, from the top: the chunk's ordinal (32 bits), how often the term stands in it (16) and how many
  -- terms it has (16). What does not fit into 16 bits counts as 65,535.
  postings      bigint[] not null check (cardinality(postings) > 0),
  primary key (tenant_id, term, document_id, revision, first_ordinal)
);
create index posting_document on posting (tenant_id, document_id, revision);
call control.wall('posting');

-- Row security binds the owner too; the operator's policy sees every tenant.
reset role;
set local role docent_operator;
insert into posting (tenant_id, term, document_id, revision, first_ordinal, postings)
select r.tenant_id, r.term, r.document_id, r.revision, min(r.ordinal),
       array_agg((r.ordinal::bigint << 32) | (least(r.tf, 65535)::bigint << 16) | least(r.length, 65535) order by r.ordinal)
from posting_row r
group by r.tenant_id, r.term, r.document_id, r.revision, r.ordinal / 1024;
reset role;
set local role docent_owner;
drop table posting_row;

-- A vector of 1,536 dimensions fits into a page. Beside its row instead of in pieces elsewhere, it is written in one
-- go, and the exact scan reads it without fetching it from another table. Rows that are there already stay as they are.
alter table embedding_openai_3_small alter column vector set storage plain;
