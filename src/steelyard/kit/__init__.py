"""What every layer may use: ids, facts, errors and time. Pure, standard library only."""
