-- What a bot had no answer to is looked up by time, across conversations.
set local role docent_owner;

create index message_refused on message (tenant_id, created_at desc) where state = 'refused';
