"""The inbox of the simulated Intercom: a page on which people read conversations, reply, and write notes."""
