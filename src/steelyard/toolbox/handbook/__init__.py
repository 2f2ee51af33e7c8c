"""The handbook: what the team knows, page by page, beside the buttons that do it."""
