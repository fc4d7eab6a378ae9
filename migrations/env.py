"""Alembic's entry: uses the connection that dedupindex hands over, else the URL of alembic.ini (for developers)."""

from alembic import context
from sqlalchemy import create_engine

from dedupindex.store.schema import Base

config = context.config


def run(connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite cannot ALTER most things
        transactional_ddl=True,  # SQLite can, once BEGIN is ours
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(config.get_main_option("sqlalchemy.url")).connect() as own, own.begin():
        run(own)
