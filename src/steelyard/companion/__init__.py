"""The companion's truths that the server shares with the extension: untrusted addresses, and who hosts a site."""
