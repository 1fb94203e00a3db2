"""Which processes are alive: each until `expires`, in seconds since 1970 by the database's clock."""

from sqlalchemy import Column, Double, Table

from parlance.store.tables.schema import Id, metadata

leases = Table(
    "leases",
    metadata,
    Column("owner", Id, primary_key=True),
    Column("expires", Double, nullable=False),
)
