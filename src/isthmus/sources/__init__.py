"""What a command's word names: pictures of files, folders, patterns, arrays, sets and stores; and where results go."""
