"""Bounds how many pages a project's hour is counted by, so that nobody can make hourly numbers endless."""

from collections import OrderedDict

MOST_PAGES = 5_000
"""Distinct pages (host and path) of a project in an hour, for each server process."""
OTHER_PAGE = ("", "(other)")
"""Host and path of events of further pages; their `page_url` is stored as it is."""
_MOST_REMEMBERED = 200_000  # pages of all hours: 15 MB


class PageLimit:
    """The pages of the hours that this process writes to. It forgets the hours that it saw first."""

    def __init__(self) -> None:
        self._hours: OrderedDict[tuple[int, int], set[int]] = OrderedDict()
        self._remembered = 0

    def page(self, project_id: int, hour: int, host: str, path: str) -> tuple[str, str]:
        """Host and path to count an event by: its own, or `OTHER_PAGE` from the 5,001st page of an hour on."""
        pages = self._hours.setdefault((project_id, hour), set())
        page = hash((host, path))
        if page in pages:
            return host, path
        if len(pages) >= MOST_PAGES:
            return OTHER_PAGE
        pages.add(page)
        self._remembered += 1
        while self._remembered > _MOST_REMEMBERED:
            _, forgotten = self._hours.popitem(last=False)
            self._remembered -= len(forgotten)
        return host, path
