"""The only place that knows PostgreSQL's two tiers."""
