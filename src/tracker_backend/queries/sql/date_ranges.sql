-- find_range: the begin of the first day and the end of the last ($1 time zone, $2 first day, or $3 how many days before the last; $4 last day, or null for today)
select first::timestamp at time zone $1, (last + 1)::timestamp at time zone $1
from (select coalesce($4::date, (now() at time zone $1)::date) as last) as l,
    lateral (select coalesce($2::date, last - $3::int) as first) as f;
