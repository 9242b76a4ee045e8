"""What people hand in: text, pictures, folders of galleries, settings; read as its author sees it.

Whatever cannot be read so is a UsageError of one line, never a guess. Nothing here imports torch.
"""
