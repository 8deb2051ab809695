"""The container engines, over their API: observation, and the removal of what is otagate's."""
