-- Of a message that is the answer of a destination to another message: to which one, and whose.
ALTER TABLE message ADD COLUMN answer_of text, ADD COLUMN answer_of_destination text;
