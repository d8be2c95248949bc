"""What people look at rather than read: pictures and pages, made from numbers."""
