"""What Capsula costs, beside what others cost and beside what cannot be done for less: ``make bench``."""
