"""Training pictures: crops of photographs and synthetic graphics."""
