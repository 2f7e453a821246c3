-- columns: of an event, in the order of queries.events.Event
event_id, timestamp, source, event_type, target_element, target_selector, target_tag, target_id, target_class,
page_url, page_host, page_path, viewport_x, viewport_y, screen_x, screen_y, scroll_x, scroll_y, input_value,
input_masked, key_pressed, mouse_button, click_count, event_data
