"""The clinic's dose engine: photon plans from a CT study with structures, and the dose of a given plan."""
