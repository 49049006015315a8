-- no-transaction
-- Indexes of tables that everybody writes to, made while they do. What a run that was cut off left is made anew.
set role docent_owner;
drop index concurrently if exists message_request;
create unique index concurrently message_request on message (tenant_id, conversation_id, request) where request is not null;
drop index concurrently if exists conversation_deleted;
create index concurrently conversation_deleted on conversation (tenant_id, deleted_at) where deleted_at is not null;
drop index concurrently if exists stream_log_age;
create index concurrently stream_log_age on stream_log (tenant_id, created_at);
