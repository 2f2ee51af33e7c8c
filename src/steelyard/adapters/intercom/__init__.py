"""Intercom's edge: the client of its REST API, its errors, its regions and its webhooks' signatures."""
