-- delete_expired: delete expired logins, links and tickets; returns how many
with logins as (delete from tracker.logins where expires_at < now() returning 1),
    links as (delete from tracker.links where expires_at < now() returning 1),
    tickets as (delete from tracker.tickets where expires_at < now() returning 1)
select (select count(*) from logins) + (select count(*) from links) + (select count(*) from tickets);
