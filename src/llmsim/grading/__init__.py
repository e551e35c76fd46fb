"""The judge of other people's rules and dashboards: what is empty, what never fires, what pages."""
