/** One event as the server takes it (`POST /api/v1/track`). Fields that an observer leaves out are absent from the JSON. */
export interface TrackEvent {
  timestamp: string;
  event_type: string;
  page_url: string;
  target_element?: string;
  target_selector?: string;
  target_tag?: string;
  target_id?: string;
  target_class?: string;
  viewport_x?: number;
  viewport_y?: number;
  screen_x?: number;
  screen_y?: number;
  scroll_x?: number;
  scroll_y?: number;
  input_value?: string;
  input_masked?: boolean;
  key_pressed?: string;
  mouse_button?: number;
  click_count?: number;
  event_data?: unknown;
}

/** What an observer passes to `emit`. `timestamp` and `page_url` are those of the call unless the observer sets them. */
export type EventFields = Partial<Omit<TrackEvent, 'event_type'>>;
