collect_ignore = ["platforms"]  # suites of platforms that are read here, not tests of otagate
