"""What people read: summary, figures, feedback pages and exported grades."""
