"""What the lessons share: exercises that check themselves, the scoreboard, figures and widgets."""
