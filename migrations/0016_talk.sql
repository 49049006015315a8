-- How a bot talks, what a page shows of it, and what people think of its answers.
set local role docent_owner;

alter table bot
  add column tone           text not null default '' check (length(tone) <= 200),
  -- `auto` is the question's own; else a BCP 47 tag.
  add column language       text not null default 'auto' check (length(language) between 1 and 35),
  -- How many earlier messages of a conversation an answer draws on.
  add column history_length integer not null default 12 check (history_length between 0 and 50),
  -- None is sent unless there is one: some models refuse it.
  add column temperature    double precision check (temperature between 0 and 2),
  add column greeting       text not null default '' check (length(greeting) <= 1000),
  add column suggestions    text[] not null default '{}' check (cardinality(suggestions) <= 8),
  -- What a page may be told, whoever opens it.
  add column widget         jsonb not null default '{}' check (jsonb_typeof(widget) = 'object');

-- What the owner of a conversation thinks of an answer. The words are kept as they were rated, because an answer that
-- somebody dislikes is often made anew; so there is no reference to its row.
create table feedback (
  tenant_id       uuid not null,
  conversation_id uuid not null,
  message_id      uuid not null,
  rating          text not null check (rating in ('up', 'down')),
  comment         text not null default '' check (length(comment) <= 2000),
  question        text not null,
  answer          text not null,
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  primary key (tenant_id, conversation_id, message_id),
  foreign key (tenant_id, conversation_id) references conversation on delete cascade
);
create index feedback_list on feedback (tenant_id, updated_at desc, message_id desc);
call control.wall('feedback');
