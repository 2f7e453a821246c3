-- lease_node: a free node number, unused numbers first; no row if another process took it meanwhile ($1 holder, $2 duration, $3 current counter, $4 counters reserved ahead)
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

-- renew_node: extend the lease and its reserved counters; no row if the lease was lost
update tracker.nodes set until = now() + $3::interval, reserved = $4
where node = $1 and holder = $2
returning node;

-- release_node: end the lease and store the last counter
update tracker.nodes set until = now() - interval '1 second', reserved = $3 where node = $1 and holder = $2;
