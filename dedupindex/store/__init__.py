"""The database: tables, transactions, queries, backups, locks. The only room that uses SQLAlchemy."""
