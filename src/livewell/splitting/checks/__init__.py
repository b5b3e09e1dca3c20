"""The checks of an audit, one file each: a pure function of an `AuditData` to a `Check`."""
