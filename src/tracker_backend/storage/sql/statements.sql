-- allow_bulk_changes: lift the limit of TimescaleDB of 100,000 decompressed rows per transaction; the setting has no effect without TimescaleDB
set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0;
