-- Answers that end whatever happens: who answers in another's place, what can be read again while it is made, and what
-- was asked twice.
set local role docent_owner;

-- Nobody where the provider is empty.
alter table bot add column fallback_provider text not null default '' check (length(fallback_provider) <= 32);
alter table bot add column fallback_model text not null default '' check (length(fallback_model) <= 200);
alter table bot add column resumable boolean not null default false;

-- Its stream is in the log: anybody who may read it can replay it, and asks its producer to stop here.
-- Without checks, which would read the whole table while nobody may use it; indexes follow in 0017.
alter table message add column logged boolean not null default false;
alter table message add column stop_asked boolean not null default false;
-- Which request asked: of the question's message the client's own id, of the answer's a hash of all that makes a
-- request the same one again.
alter table message add column client_id text;
alter table message add column request bytea;
