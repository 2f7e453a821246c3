-- take_lease: take or renew the lease; no row if another process holds it ($1 holder, $2 for how long)
insert into tracker.leases as l (name, holder, until) values ('maintenance', $1, now() + $2::interval)
on conflict (name) do update set holder = excluded.holder, until = excluded.until
where l.holder = $1 or l.until < now()
returning holder;

-- release_lease: another process may take it at once
update tracker.leases set until = now() where name = 'maintenance' and holder = $1;
