"""How a reply in words is read: its text cleaned, the options found that it names, what it says of each, and which it
means in the end. `akb.extraction` is the door to this room."""
