"""The database: connections, migrations, the embedded PostgreSQL, and what the two tiers do differently."""
