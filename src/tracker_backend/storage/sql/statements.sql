-- lift_limit: TimescaleDB refuses to unpack more than 100,000 compressed rows in a transaction; elsewhere the setting has no meaning
set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0;
