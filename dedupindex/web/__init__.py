"""The review page: an ASGI application over `Index`. Needs the extra ``web``."""
