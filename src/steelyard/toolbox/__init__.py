"""The toolbox: the team's procedures as runbooks that show what they will do, prove it, and can be undone."""
