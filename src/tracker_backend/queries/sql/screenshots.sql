-- list_screenshots: of a session, without their bytes, after a position ($1 project, $2 session, $3 from, $4 to, $5 and $6 position, $7 how many)
select screenshot_id, page_url, timestamp, image_format, image_width, image_height, file_size
from tracker.screenshots
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp < $4
    and (timestamp, screenshot_id) > ($5::timestamptz, $6::bigint)
order by timestamp, screenshot_id
limit $7;

-- find_screenshot: one by its id, whose millisecond is that of its row or up to a minute later
select image_format, sha256, image_of, image_data, thumbnail
from tracker.screenshots
where project_id = $1 and screenshot_id = $2 and timestamp >= $3::timestamptz - interval '1 minute'
    and timestamp < $3::timestamptz + interval '1 millisecond';
