"""The filters of the lists of sessions as Litestar dependencies, made from the declarations in `queries`."""

from inspect import Parameter, Signature
from keyword import iskeyword
from typing import Annotated, Any

from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from tracker_backend.queries.session_filters import SESSION_FILTERS, FilterValues, SessionFilter


def _provide(filters: dict[str, SessionFilter]) -> Provide:
    """A dependency with a query parameter for each of these filters, by the name of the parameter.

    Litestar reads the parameters of a dependency, and those in `/docs`, from its signature and annotations.
    """
    names = {f"{each.name}_" if iskeyword(each.name) else each.name: each.name for each in filters.values()}
    types: dict[str, Any] = {
        name: Annotated[each.type | None, QueryParameter(name=alias, description=each.description, ge=each.minimum)]
        for name, (alias, each) in zip(names, filters.items(), strict=True)
    }

    def filter_values(**values: Any) -> FilterValues:
        return {names[name]: value for name, value in values.items() if value is not None}

    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=types[name]) for name in types]
    filter_values.__signature__ = Signature(parameters, return_annotation=FilterValues)
    filter_values.__annotations__ = {**types, "return": FilterValues}
    return Provide(filter_values, sync_to_thread=False)


SessionFilters = NamedDependency[FilterValues]
V1_FILTERS = {"filters": _provide({each.name: each for each in SESSION_FILTERS if each.in_v1})}
DIALECT_FILTERS = {"filters": _provide({each.dialect_name: each for each in SESSION_FILTERS if each.dialect_name})}
