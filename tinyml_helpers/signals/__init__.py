"""What stands before a network: sound and motion become the numbers it sees."""
