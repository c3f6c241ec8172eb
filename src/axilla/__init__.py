"""axilla."""
