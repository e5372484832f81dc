"""A question bank: five questions a lesson, for Moodle as GIFT and for other platforms as QTI 2.1."""
