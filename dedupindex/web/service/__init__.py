"""The service: the JSON interface alone, for programs, as any number of replicas on one catalogue.

Nothing that another replica would need is kept in the process: what a client was told is in the database.
"""
