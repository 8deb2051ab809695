"""From a scan that arrives to a plan at the machine: receives, archives, asks the engine, sends the plan."""
