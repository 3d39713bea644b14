"""What people look at: colour maps, scale bars, sheets, clouds and pages."""
