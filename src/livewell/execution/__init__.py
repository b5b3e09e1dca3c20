"""One idempotent unit of work an item, one record an item, so that stopped work goes on."""
