-- lease_node: a number nobody holds, fresh ones first; nothing if another process took it meanwhile ($1 holder, $2 for how long, $3 counter now, $4 counters ahead)
insert into tracker.nodes as held (node, holder, until, reserved)
select n, $1::uuid, now() + $2::interval, $3::bigint + $4::bigint
from generate_series(0, 63) as n left join tracker.nodes on nodes.node = n
where nodes.node is null or nodes.until < now()
order by nodes.until nulls first, n
limit 1
on conflict (node) do update
set holder = excluded.holder, until = excluded.until, reserved = greatest(held.reserved, $3) + $4
where held.until < now()
returning node, reserved;

-- renew_node: keep the number and move its limit on; nothing if the lease was lost
update tracker.nodes set until = now() + $3::interval, reserved = $4
where node = $1 and holder = $2
returning node;

-- release_node: give the number back with the last counter used
update tracker.nodes set until = now() - interval '1 second', reserved = $3 where node = $1 and holder = $2;
