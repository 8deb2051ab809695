"""An independent opinion: the dose of an RT Plan, by an engine that shares no code with the clinic's own."""
