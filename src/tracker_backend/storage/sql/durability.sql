-- unsafe_settings: those that are off although a commit is durable only with them
select name from pg_settings where name in ('fsync', 'full_page_writes') and setting = 'off' order by name;
